//! Usage: Anthropic's counters to disjoint buckets and back.
//!
//! `input_tokens` excludes the cache already. `cache_creation` breaks `cache_creation_input_tokens`
//! down by lifetime; what the breakdown leaves out is priced at the default lifetime, 5 minutes.
//! `output_tokens` includes thinking. In a stream every counter is cumulative, and `null` or absent
//! means "as before".

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat::Usage;

/// Counters as they came, those of several events merged field by field.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Counters {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Option<CacheCreation>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(default)]
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

/// The fields of `usage` that [`Counters`] reads, and the tier, which has a place of its own.
const KNOWN: [&str; 7] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
    "service_tier",
];

impl Counters {
    /// Takes what a later event says.
    pub(super) fn merge(&mut self, later: Counters) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens = later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    /// In disjoint buckets.
    pub(super) fn usage(&self) -> Usage {
        let creation = self.cache_creation.unwrap_or_default();
        let written_5m = creation.ephemeral_5m_input_tokens.unwrap_or(0);
        let written_1h = creation.ephemeral_1h_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        let remainder = written.saturating_sub(written_5m.saturating_add(written_1h));
        let output = self.output_tokens.unwrap_or(0);
        let thinking = self.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or(0).min(output);
        Usage {
            input: self.input_tokens.unwrap_or(0),
            cache_read: self.cache_read_input_tokens.unwrap_or(0),
            cache_write_5m: written_5m.saturating_add(remainder),
            cache_write_1h: written_1h,
            output: output - thinking,
            reasoning: thinking,
            ..Usage::default()
        }
    }
}

/// Reads `usage` of a message or event: its counters, its tier, and what has no canonical name.
/// Fields of a wrong type count as absent: usage never fails a response.
pub(super) fn read(usage: &Value) -> (Counters, Option<String>, Map<String, Value>) {
    let counters = Counters::deserialize(usage).unwrap_or_default();
    let tier = usage.get("service_tier").and_then(Value::as_str).map(str::to_owned);
    let rest =
        usage.as_object().into_iter().flatten().filter(|(name, value)| !KNOWN.contains(&name.as_str()) && !value.is_null());
    (counters, tier, rest.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// `usage` as it is written, in a whole response and in a stream's events.
#[derive(Serialize)]
pub(super) struct Written<'a> {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation: WrittenCache,
    output_tokens: u64,
    output_tokens_details: Option<WrittenOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(flatten)]
    rest: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
struct WrittenCache {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Serialize)]
struct WrittenOutput {
    thinking_tokens: u64,
}

impl<'a> Written<'a> {
    /// `usage`, its tier, and the fields without a canonical name that an Anthropic provider gave.
    pub(super) fn new(usage: &Usage, service_tier: Option<&'a str>, rest: Option<&'a Value>) -> Self {
        Self {
            input_tokens: usage.input.saturating_add(usage.audio_input),
            cache_creation_input_tokens: usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            cache_read_input_tokens: usage.cache_read,
            cache_creation: WrittenCache {
                ephemeral_5m_input_tokens: usage.cache_write_5m,
                ephemeral_1h_input_tokens: usage.cache_write_1h,
            },
            output_tokens: usage.output_total(),
            output_tokens_details: (usage.reasoning > 0).then_some(WrittenOutput { thinking_tokens: usage.reasoning }),
            service_tier: service_tier.and_then(tier_name),
            rest: rest.and_then(Value::as_object),
        }
    }
}

/// The tier in Anthropic's words, if it has one.
fn tier_name(tier: &str) -> Option<&str> {
    match tier {
        "standard" | "priority" | "batch" => Some(tier),
        "default" => Some("standard"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_cache_breakdown_leaves_out_is_a_five_minute_write() {
        let (counters, tier, rest) = read(&json!({
            "input_tokens": 10, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 50},
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4},
            "service_tier": "standard", "server_tool_use": {"web_search_requests": 1}, "inference_geo": null
        }));
        let wanted = Usage {
            input: 10,
            cache_read: 7,
            cache_write_5m: 50,
            cache_write_1h: 50,
            output: 5,
            reasoning: 4,
            ..Usage::default()
        };
        assert_eq!(counters.usage(), wanted);
        assert_eq!(tier.as_deref(), Some("standard"));
        assert_eq!(Value::Object(rest), json!({"server_tool_use": {"web_search_requests": 1}}));
    }

    #[test]
    fn nulls_and_absent_fields_of_later_events_change_nothing() {
        let (mut counters, ..) = read(&json!({"input_tokens": 25, "cache_read_input_tokens": 3, "output_tokens": 1}));
        counters.merge(read(&json!({"input_tokens": null, "output_tokens": 15})).0);
        assert_eq!(counters.usage(), Usage { input: 25, cache_read: 3, output: 15, ..Usage::default() });
    }

    #[test]
    fn what_is_written_is_read_back() {
        let usage =
            Usage { input: 1, cache_read: 2, cache_write_5m: 3, cache_write_1h: 4, output: 5, reasoning: 6, ..Usage::default() };
        assert_eq!(read(&serde_json::to_value(Written::new(&usage, None, None)).unwrap()).0.usage(), usage);
    }
}
