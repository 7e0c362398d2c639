//! A record as JSON, in the words of the native server's log, so that one expectation serves every target.
//!
//! As there, what says nothing (no error, no tokens in a bucket) is left out.

use edgeway_core::exchange::Record;
use serde_json::{Map, Value, json};

/// The record of one request.
pub(super) fn json(record: &Record) -> Value {
    let mut out = Map::new();
    let texts = [
        ("id", Some(record.id.as_str())),
        ("method", Some(record.method.as_str())),
        ("path", Some(record.path.as_str())),
        ("operation", Some(record.operation)),
        ("dialect", Some(record.dialect)),
        ("caller", record.caller.as_deref()),
        ("model", Some(record.model.as_str())),
        ("route", record.route.as_deref()),
        ("provider", record.provider.as_deref()),
        ("upstream_model", record.upstream_model.as_deref()),
        ("upstream_id", record.upstream_id.as_deref()),
        ("path_taken", Some(record.path_taken)),
        ("outcome", record.outcome.map(|outcome| outcome.name())),
        ("error", record.error),
        ("cause", record.cause.as_deref()),
        ("warnings", Some(record.warnings.as_str())),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            out.insert(name.into(), text.into());
        }
    }
    out.insert("status".into(), record.status.into());
    out.insert("attempts".into(), record.attempts.into());
    for (name, flag) in [("stream", record.stream), ("estimated", record.estimated)] {
        if flag {
            out.insert(name.into(), true.into());
        }
    }
    if record.skipped > 0 {
        out.insert("skipped".into(), record.skipped.into());
    }
    if let Some(usage) = &record.usage {
        let buckets = [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("audio_input", usage.audio_input),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
            ("audio_output", usage.audio_output),
        ];
        let filled = buckets.into_iter().filter(|(_, tokens)| *tokens > 0);
        out.insert("usage".into(), filled.map(|(name, tokens)| (name.to_owned(), json!(tokens))).collect());
    }
    Value::Object(out)
}
