//! A chat response.

use super::{Extra, Part, Usage};

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatResponse {
    /// The provider's id of the response; empty when it gave none.
    pub id: String,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// When, in seconds since the Unix epoch, if the provider said.
    pub created: Option<u64>,
    /// The answers, by index.
    pub choices: Vec<Choice>,
    /// What it took, if the provider said.
    pub usage: Option<Usage>,
    /// The tier that served it.
    pub service_tier: Option<String>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Its position.
    pub index: u32,
    /// What the model said, in order.
    pub parts: Vec<Part>,
    /// Why it stopped.
    pub finish: FinishReason,
    /// Log probabilities of its text tokens.
    pub logprobs: Vec<TokenLogProb>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

/// Why a model stopped: the common name, and the provider's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinishReason {
    /// The common name.
    pub unified: Finish,
    /// The provider's word for it.
    pub raw: String,
    /// The stop text that was met, if the provider said.
    pub stop_sequence: Option<String>,
}

/// The common names of finish reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// It was done, or met a stop text.
    #[default]
    Stop,
    /// It reached `max_tokens` or the end of the context window.
    Length,
    /// It waits for tool results.
    ToolCalls,
    /// A safety system stopped it, or the model refused.
    ContentFilter,
    /// It paused a long turn and wants to be called again (Anthropic `pause_turn`).
    Pause,
    /// The provider failed, or the model wrote what could not be used (malformed call).
    Error,
    /// Anything else.
    Other,
}

impl FinishReason {
    /// A reason with the provider's word for it.
    pub fn new(unified: Finish, raw: impl Into<String>) -> Self {
        Self { unified, raw: raw.into(), stop_sequence: None }
    }
}

/// A token, its log probability, and the alternatives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenLogProb {
    /// The token's text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// Its UTF-8 bytes, where the provider gave them.
    pub bytes: Option<Vec<u8>>,
    /// The most likely tokens at this place.
    pub top: Vec<TokenLogProb>,
}
