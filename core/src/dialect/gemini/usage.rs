//! `usageMetadata` and the disjoint buckets.
//!
//! | Gemini counts | bucket |
//! |---|---|
//! | `promptTokenCount`, without the cached and the audio tokens | `input` |
//! | `toolUsePromptTokenCount` (results of Google's own tools, read as input) | `input` |
//! | `cachedContentTokenCount` | `cache_read` |
//! | AUDIO of `promptTokensDetails`, without that of `cacheTokensDetails` | `audio_input` |
//! | `candidatesTokenCount`, without its AUDIO | `output` |
//! | AUDIO of `candidatesTokensDetails` | `audio_output` |
//! | `thoughtsTokenCount` | `reasoning` |
//!
//! Cache writes have no field here; encoded, they count as prompt.

use super::wire::{Int, ModalityTokenCount, UsageMetadata};
use crate::chat::Usage;

pub(super) fn decode(wire: &UsageMetadata<'_>) -> Usage {
    let count = |count: Option<Int>| count.and_then(Int::unsigned).unwrap_or(0);
    let prompt = count(wire.prompt_token_count);
    let cached = count(wire.cached_content_token_count).min(prompt);
    let fresh = prompt - cached;
    let audio_input = audio(&wire.prompt_tokens_details).saturating_sub(audio(&wire.cache_tokens_details)).min(fresh);
    let candidates = count(wire.candidates_token_count);
    let audio_output = audio(&wire.candidates_tokens_details).min(candidates);
    Usage {
        input: (fresh - audio_input).saturating_add(count(wire.tool_use_prompt_token_count)),
        cache_read: cached,
        audio_input,
        output: candidates - audio_output,
        reasoning: count(wire.thoughts_token_count),
        audio_output,
        ..Usage::default()
    }
}

fn audio(details: &Option<Vec<ModalityTokenCount<'_>>>) -> u64 {
    let audio = details.iter().flatten().filter(|detail| detail.modality.as_deref() == Some("AUDIO"));
    audio.filter_map(|detail| detail.token_count?.unsigned()).fold(0, u64::saturating_add)
}

pub(super) fn encode(usage: &Usage) -> UsageMetadata<'static> {
    let some = |count: u64| (count > 0).then(|| Int::from(count));
    let prompt = usage.input_total();
    let candidates = usage.output.saturating_add(usage.audio_output);
    UsageMetadata {
        prompt_token_count: Some(prompt.into()),
        cached_content_token_count: some(usage.cache_read),
        candidates_token_count: Some(candidates.into()),
        thoughts_token_count: some(usage.reasoning),
        total_token_count: Some(usage.total().into()),
        prompt_tokens_details: details(usage.audio_input),
        candidates_tokens_details: details(usage.audio_output),
        ..UsageMetadata::default()
    }
}

/// The audio among the tokens. What the others are is not known.
fn details(audio: u64) -> Option<Vec<ModalityTokenCount<'static>>> {
    let audio = (audio > 0).then(|| Int::from(audio))?;
    Some(vec![ModalityTokenCount { modality: Some("AUDIO".into()), token_count: Some(audio), ..Default::default() }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        decode(&serde_json::from_str(json).expect("usage metadata"))
    }

    #[test]
    fn cached_tokens_leave_the_prompt_and_thoughts_stay_beside_the_answer() {
        let usage = read(
            r#"{"promptTokenCount":1000,"cachedContentTokenCount":600,"candidatesTokenCount":50,"thoughtsTokenCount":200,
                "toolUsePromptTokenCount":30,"totalTokenCount":1280}"#,
        );
        assert_eq!(usage, Usage { input: 430, cache_read: 600, output: 50, reasoning: 200, ..Usage::default() });
        assert_eq!(usage.total(), 1280);
    }

    #[test]
    fn audio_is_told_apart_and_cached_audio_is_cached() {
        let usage = read(
            r#"{"promptTokenCount":"500","cachedContentTokenCount":100,"candidatesTokenCount":80,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":180},{"modality":"AUDIO","tokenCount":320}],
                "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":100}],
                "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":80}]}"#,
        );
        let expected = Usage { input: 180, cache_read: 100, audio_input: 220, audio_output: 80, ..Usage::default() };
        assert_eq!(usage, expected);
    }

    #[test]
    fn absurd_counts_do_not_wrap() {
        let usage =
            read(r#"{"promptTokenCount":3,"cachedContentTokenCount":9,"candidatesTokenCount":-5,"totalTokenCount":null}"#);
        assert_eq!(usage, Usage { cache_read: 3, ..Usage::default() });
        let all = Usage { input: u64::MAX, output: u64::MAX, ..Usage::default() };
        assert_eq!(encode(&all).total_token_count, Some(Int(i64::MAX)));
    }

    #[test]
    fn buckets_survive_the_way_there_and_back() {
        let usage =
            Usage { input: 7, cache_read: 5, audio_input: 3, output: 11, reasoning: 2, audio_output: 4, ..Usage::default() };
        assert_eq!(decode(&encode(&usage)), usage);
    }
}
