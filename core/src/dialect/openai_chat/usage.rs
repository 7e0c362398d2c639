//! Usage, both ways: OpenAI's counts, where details are subsets of totals, and disjoint buckets.
//!
//! Source: openai-python `types/completion_usage.py`; `prompt_cache_hit_tokens` from DeepSeek's
//! context-caching guide, top-level `cached_tokens` from Moonshot's, reasoning outside
//! `completion_tokens` from xAI's reasoning guide.
//!
//! Invariant: decoded buckets never sum to more than the provider's own total.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::chat::Usage;
use crate::wire::json_writer::Object;

/// `usage` of a response or chunk.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    prompt_cache_hit_tokens: Count,
    cached_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
    audio_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
}

impl WireUsage {
    /// The disjoint buckets.
    pub(super) fn buckets(self) -> Usage {
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let cached = prompt.cached_tokens.0.max(self.prompt_cache_hit_tokens.0).max(self.cached_tokens.0);
        let mut input = self.prompt_tokens.0;
        let cache_read = take(&mut input, cached);
        let cache_write_5m = take(&mut input, prompt.cache_write_tokens.0);
        let audio_input = take(&mut input, prompt.audio_tokens.0);

        let mut output = self.completion_tokens.0;
        let reasoning = completion.reasoning_tokens.0;
        // xAI counts reasoning beside `completion_tokens`; its total says so.
        let beside = self.prompt_tokens.0.saturating_add(output).saturating_add(reasoning);
        let reasoning = match reasoning > 0 && self.total_tokens.0 == beside {
            true => reasoning,
            false => take(&mut output, reasoning),
        };
        let audio_output = take(&mut output, completion.audio_tokens.0);
        Usage { input, cache_read, cache_write_5m, cache_write_1h: 0, audio_input, output, reasoning, audio_output }
    }
}

/// Moves up to `part` tokens out of `from`.
fn take(from: &mut u64, part: u64) -> u64 {
    let part = part.min(*from);
    *from -= part;
    part
}

/// Adds `usage` to a response or chunk.
pub(super) fn encode(object: &mut Object<'_>, usage: &Usage) {
    let mut wire = object.object("usage");
    wire.field("prompt_tokens", &usage.input_total());
    wire.field("completion_tokens", &usage.output_total());
    wire.field("total_tokens", &usage.total());
    let mut prompt = wire.object("prompt_tokens_details");
    prompt.field("cached_tokens", &usage.cache_read);
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    if written > 0 {
        prompt.field("cache_write_tokens", &written);
    }
    prompt.field("audio_tokens", &usage.audio_input);
    drop(prompt);
    let mut completion = wire.object("completion_tokens_details");
    completion.field("reasoning_tokens", &usage.reasoning);
    completion.field("audio_tokens", &usage.audio_output);
}

/// A count; 0 when it is absent, negative or no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl<'de> Visitor<'de> for Number {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count")
            }

            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(0))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count(0))
            }

            fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
                Ok(Count(count))
            }

            fn visit_i64<E>(self, count: i64) -> Result<Count, E> {
                Ok(Count(count.try_into().unwrap_or(0)))
            }

            fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
                // `as` saturates, and makes NaN and negatives 0.
                Ok(Count(count as u64))
            }

            fn visit_str<E>(self, count: &str) -> Result<Count, E> {
                Ok(Count(count.parse().unwrap_or(0)))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(json: &str) -> Usage {
        serde_json::from_str::<WireUsage>(json).unwrap().buckets()
    }

    #[test]
    fn details_are_subsets_of_their_totals() {
        let usage = buckets(
            r#"{"prompt_tokens":1200,"completion_tokens":300,"total_tokens":1500,
                "prompt_tokens_details":{"cached_tokens":1000,"cache_write_tokens":50,"audio_tokens":20},
                "completion_tokens_details":{"reasoning_tokens":200,"audio_tokens":30,"accepted_prediction_tokens":1}}"#,
        );
        let expected = Usage {
            input: 130,
            cache_read: 1000,
            cache_write_5m: 50,
            audio_input: 20,
            output: 70,
            reasoning: 200,
            audio_output: 30,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(usage.total(), 1500);
    }

    #[test]
    fn reasoning_beside_the_completion_is_not_subtracted_from_it() {
        let usage = buckets(
            r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}"#,
        );
        assert_eq!((usage.output, usage.reasoning, usage.total()), (9, 94, 135));
    }

    #[test]
    fn compatible_providers_name_cache_hits_otherwise() {
        assert_eq!(buckets(r#"{"prompt_tokens":10,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}"#).cache_read, 8);
        assert_eq!(buckets(r#"{"prompt_tokens":10,"cached_tokens":8}"#).cache_read, 8);
    }

    #[test]
    fn absurd_counts_never_exceed_the_total_or_panic() {
        let usage = buckets(
            r#"{"prompt_tokens":10,"completion_tokens":-5,"total_tokens":null,
                "prompt_tokens_details":{"cached_tokens":99,"audio_tokens":1e300},"completion_tokens_details":null}"#,
        );
        assert_eq!((usage.input, usage.cache_read, usage.total()), (0, 10, 10));
        assert_eq!(
            buckets(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615}"#).total(),
            u64::MAX
        );
    }
}
