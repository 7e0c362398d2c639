//! A request's record as one line of JSON: which fields, in which order. Every platform logs it, in the same words.
//!
//! Fields that say nothing (no error, nothing lost in translation) are left out. Durations are in
//! milliseconds with three decimals, times in RFC 3339, UTC. Text that a terminal would act on is escaped.
//!
//! Invariant: a record becomes exactly one line, whatever callers and providers wrote into it.

use std::io::Write;
use std::time::Duration;

use crate::exchange::{Notice, Record};
use crate::ports::Event;

/// Appends the line of any event, without a line end. That of a request has an `outcome`, any other an `event`.
pub fn event(out: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Request(record) => json(out, record),
        Event::Notice(notice) => self::notice(out, notice),
    }
}

fn notice(out: &mut Vec<u8>, notice: &Notice) {
    put(out, format_args!("{{\"time\":\"{}\",\"event\":\"{}\"", notice.at, notice.event));
    for (name, number) in [("version", notice.version), ("previous", notice.previous)] {
        if let Some(number) = number {
            put(out, format_args!(",\"{name}\":{number}"));
        }
    }
    for (name, value) in
        [("by", &notice.by), ("request", &notice.request), ("digest", &notice.digest), ("message", &notice.message)]
    {
        if !value.is_empty() {
            put(out, format_args!(",\"{name}\":"));
            quoted(out, value);
        }
    }
    out.push(b'}');
}

/// Appends the line of a request, without a line end.
pub fn json(out: &mut Vec<u8>, record: &Record) {
    put(out, format_args!("{{\"time\":\"{}\"", record.received));
    let mut text = |name: &str, value: &str| {
        if !value.is_empty() {
            put(out, format_args!(",\"{name}\":"));
            quoted(out, value);
        }
    };
    text("id", &record.id);
    text("method", &record.method);
    text("path", &record.path);
    text("operation", record.operation);
    text("dialect", record.dialect);
    text("caller", record.caller.as_deref().unwrap_or_default());
    text("tenant", record.tenant.as_deref().unwrap_or_default());
    text("team", record.team.as_deref().unwrap_or_default());
    text("application", record.application.as_deref().unwrap_or_default());
    text("user", record.user.as_deref().unwrap_or_default());
    text("model", &record.model);
    text("route", record.route.as_deref().unwrap_or_default());
    text("provider", record.provider.as_deref().unwrap_or_default());
    text("upstream_model", record.upstream_model.as_deref().unwrap_or_default());
    text("upstream_id", record.upstream_id.as_deref().unwrap_or_default());
    text("because", record.because);
    text("path_taken", record.path_taken);
    text("outcome", record.outcome.map(|outcome| outcome.name()).unwrap_or_default());
    text("error", record.error.unwrap_or_default());
    text("cause", record.cause.as_deref().unwrap_or_default());
    text("warnings", &record.warnings);
    put(out, format_args!(",\"status\":{},\"attempts\":{}", record.status, record.attempts));
    if !record.labels.is_empty() {
        let mut before = "";
        out.extend_from_slice(b",\"labels\":{");
        for (name, value) in record.labels.iter() {
            put(out, format_args!("{before}"));
            quoted(out, name);
            out.push(b':');
            quoted(out, value);
            before = ",";
        }
        out.push(b'}');
    }
    if record.stream {
        out.extend_from_slice(b",\"stream\":true");
    }
    if record.skipped > 0 {
        put(out, format_args!(",\"skipped\":{}", record.skipped));
    }
    if let Some(usage) = &record.usage {
        out.extend_from_slice(b",\"usage\":{");
        let mut first = true;
        for (name, tokens) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("audio_input", usage.audio_input),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
            ("audio_output", usage.audio_output),
        ] {
            if tokens > 0 {
                put(out, format_args!("{}\"{name}\":{tokens}", if first { "" } else { "," }));
                first = false;
            }
        }
        out.push(b'}');
        if record.estimated {
            out.extend_from_slice(b",\"estimated\":true");
        }
    }
    if let Some(cost) = record.cost {
        put(out, format_args!(",\"cost\":\"{cost}\""));
    }
    if let Some(first_byte) = record.first_byte {
        out.extend_from_slice(b",\"first_byte_ms\":");
        milliseconds(out, first_byte);
    }
    out.extend_from_slice(b",\"elapsed_ms\":");
    milliseconds(out, record.elapsed);
    out.push(b'}');
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing to a Vec never fails");
}

/// A JSON string that is safe on a terminal too: JSON leaves some characters as they are that move a cursor
/// (C1 controls) or turn text around.
fn quoted(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    out.push(b'"');
    while !rest.is_empty() {
        let end = rest.find(acts).unwrap_or(rest.len());
        let start = out.len();
        serde_json::to_writer(&mut *out, &rest[..end]).expect("a string is always JSON, and writing to a Vec never fails");
        out.remove(start);
        out.pop();
        let mut behind = rest[end..].chars();
        if let Some(character) = behind.next() {
            put(out, format_args!("\\u{:04x}", u32::from(character)));
        }
        rest = behind.as_str();
    }
    out.push(b'"');
}

/// Whether a terminal or a viewer acts on a character instead of showing it; all of them are below U+10000.
pub fn acts(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn milliseconds(out: &mut Vec<u8>, duration: Duration) {
    let micros = duration.as_micros();
    put(out, format_args!("{}.{:03}", micros / 1000, micros % 1000));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Usage;
    use crate::exchange::Outcome;
    use crate::ports::Timestamp;
    use crate::usage::NanoUsd;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn text(record: &Record) -> String {
        let mut out = Vec::new();
        json(&mut out, record);
        String::from_utf8(out).expect("UTF-8")
    }

    fn full() -> Record {
        Record {
            id: "req_1".into(),
            received: Timestamp(1_709_210_096_000_007), // 2024-02-29, a leap day
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            operation: "chat",
            dialect: "openai_chat",
            model: "smart\"\n".into(),
            provider: Some("anthropic".into()),
            upstream_model: Some("claude-x".into()),
            path_taken: "translate",
            attempts: 2,
            status: 200,
            outcome: Some(Outcome::Complete),
            usage: Some(Usage { input: 3, output: 4, ..Usage::default() }),
            tenant: Some("acme".into()),
            labels: Arc::new(BTreeMap::from([("cost\"centre".into(), "7".into()), ("stage".into(), "test".into())])),
            cost: Some(NanoUsd(1_500)),
            stream: true,
            first_byte: Some(Duration::from_micros(1_500)),
            elapsed: Duration::from_micros(20_020),
            ..Record::default()
        }
    }

    #[test]
    fn a_line_is_one_json_object_and_leaves_out_what_says_nothing() {
        let line = text(&full());
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["time"], "2024-02-29T12:34:56.000007Z");
        assert_eq!(value["model"], "smart\"\n");
        assert_eq!(value["usage"], serde_json::json!({"input": 3, "output": 4}));
        assert_eq!(value["tenant"], "acme");
        assert_eq!(value["labels"], serde_json::json!({"cost\"centre": "7", "stage": "test"}));
        assert_eq!(value["cost"], "0.0000015usd");
        assert_eq!(value["first_byte_ms"], 1.5);
        assert_eq!(value["elapsed_ms"], 20.02);
        assert!(value.get("error").is_none() && value.get("warnings").is_none() && value.get("estimated").is_none());
    }

    #[test]
    fn a_notice_is_one_line_that_cannot_be_taken_for_a_requests() {
        let notice = Notice {
            event: "config_pushed",
            at: Timestamp(1_709_210_096_000_007),
            by: "EDGEWAY_ADMIN_KEY".into(),
            request: "req_1".into(),
            version: Some(8),
            previous: Some(7),
            digest: "ab".into(),
            message: "two\nlines\u{9b}".into(),
        };
        let mut out = Vec::new();
        event(&mut out, &Event::Notice(Box::new(notice)));
        let line = String::from_utf8(out).expect("UTF-8");
        assert!(!line.chars().any(|c| c.is_control() || acts(c)), "{line:?}");
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let expected = serde_json::json!({
            "time": "2024-02-29T12:34:56.000007Z", "event": "config_pushed", "version": 8, "previous": 7,
            "by": "EDGEWAY_ADMIN_KEY", "request": "req_1", "digest": "ab", "message": "two\nlines\u{9b}",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn no_line_acts_on_a_terminal() {
        let evil = "a\u{9b}31m\u{7f}\u{202e}\u{2028}\"\n\x1b[2J\u{2066}é€😀";
        let line = text(&Record { upstream_id: Some(evil.into()), cause: Some(evil.into()), ..full() });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["upstream_id"], evil);
        assert!(!line.chars().any(|c| c.is_control() || acts(c)), "{line:?}");
        assert!(line.contains("é€😀"));
    }
}
