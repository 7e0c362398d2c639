//! What providers are known to do differently: small, named, each read at one place.

/// The field in which an OpenAI-compatible provider takes the most tokens to generate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_tokens`: what nearly everybody understands.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`: OpenAI itself, whose reasoning models refuse the other.
    MaxCompletionTokens,
}

/// What a provider does differently from its dialect's owner. `Quirks::NONE` is a provider that does nothing so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Where it takes the most tokens to generate.
    pub max_tokens: MaxTokensField,
    /// Refuses `stream_options`; usage comes with the last chunk anyway, or never.
    pub no_stream_options: bool,
    /// Knows only `system`, not `developer` messages.
    pub no_developer_role: bool,
    /// Refuses `response_format: json_schema`; `json_object` and an instruction are sent instead, with a warning.
    pub no_json_schema: bool,
    /// Refuses `strict` on tools.
    pub no_strict_tools: bool,
    /// Refuses `parallel_tool_calls`.
    pub no_parallel_tool_calls: bool,
    /// Refuses `tool_choice: "required"`; `"any"` is its word (Mistral).
    pub tool_choice_any: bool,
    /// Takes only nine letters and digits as a tool call's id (Mistral).
    pub short_tool_ids: bool,
    /// Refuses `reasoning_effort`.
    pub no_reasoning_effort: bool,
    /// Refuses or ignores `seed`.
    pub no_seed: bool,
    /// Refuses `n` above 1.
    pub no_candidates: bool,
    /// Refuses `logprobs`.
    pub no_logprobs: bool,
    /// Takes text only as a string: no content parts without media.
    pub text_as_string: bool,
    /// Keeps `reasoning_content` of earlier assistant turns (DeepSeek's and Moonshot's thinking models want it back with tool calls).
    pub reasoning_content: bool,
    /// Keeps `reasoning_details` of earlier assistant turns, signatures included (OpenRouter).
    pub reasoning_details: bool,
    /// Calls the seed `random_seed` (Mistral).
    pub random_seed: bool,
    /// Takes `top_k` beside OpenAI's sampling parameters (vLLM, Together, OpenRouter).
    pub top_k: bool,
    /// Takes Anthropic's `cache_control` on parts and tools (OpenRouter, LiteLLM).
    pub cache_control: bool,
    /// Takes `tool_choice: allowed_tools` (OpenAI); others are sent a shorter list of tools.
    pub allowed_tools: bool,
    /// Knows Anthropic's or OpenAI's beta headers, so they may be sent.
    pub beta_headers: bool,
}

impl Quirks {
    /// Nothing unusual.
    pub const NONE: Quirks = Quirks {
        max_tokens: MaxTokensField::MaxTokens,
        no_stream_options: false,
        no_developer_role: false,
        no_json_schema: false,
        no_strict_tools: false,
        no_parallel_tool_calls: false,
        tool_choice_any: false,
        short_tool_ids: false,
        no_reasoning_effort: false,
        no_seed: false,
        no_candidates: false,
        no_logprobs: false,
        text_as_string: false,
        reasoning_content: false,
        reasoning_details: false,
        random_seed: false,
        top_k: false,
        cache_control: false,
        allowed_tools: false,
        beta_headers: false,
    };
}

impl Default for Quirks {
    fn default() -> Self {
        Self::NONE
    }
}
