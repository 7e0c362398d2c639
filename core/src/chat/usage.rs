//! Tokens in disjoint buckets.

/// What a response took, in tokens. Every token is in exactly one bucket.
///
/// OpenAI counts cached tokens inside `prompt_tokens` and reasoning inside `completion_tokens`;
/// Anthropic's `input_tokens` excludes the cache; Gemini's thoughts are outside `candidatesTokenCount`.
/// Decoders convert once, here; encoders convert back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Fresh input that is not audio.
    pub input: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read: u64,
    /// Input written to the cache for the provider's default time (5 minutes at Anthropic).
    pub cache_write_5m: u64,
    /// Input written to the cache for an hour.
    pub cache_write_1h: u64,
    /// Fresh audio input.
    pub audio_input: u64,
    /// Output that is neither reasoning nor audio.
    pub output: u64,
    /// Reasoning output.
    pub reasoning: u64,
    /// Audio output.
    pub audio_output: u64,
}

impl Usage {
    /// All input.
    pub fn input_total(&self) -> u64 {
        [self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.audio_input]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// All output.
    pub fn output_total(&self) -> u64 {
        [self.output, self.reasoning, self.audio_output].into_iter().fold(0, u64::saturating_add)
    }

    /// All tokens.
    pub fn total(&self) -> u64 {
        self.input_total().saturating_add(self.output_total())
    }
}
