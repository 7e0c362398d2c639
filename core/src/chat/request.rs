//! A chat request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::{Extra, Message, Part, Places, Role, Tool, ToolChoice};
use crate::dialect::DialectId;
use crate::error::{Error, Result};

/// What a caller asks of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The model as the caller wrote it. An encoder sends its target's model instead.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Where the caller's bytes hold the messages.
    pub places: Places,
    /// Tools in the caller's order.
    pub tools: Vec<Tool>,
    /// Which of them may or must be called.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub output: OutputFormat,
    /// How much to think, and whether to show it.
    pub reasoning: Option<ReasoningConfig>,
    /// Sampling parameters.
    pub sampling: Sampling,
    /// Most tokens to generate, reasoning included.
    pub max_tokens: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many answers; 1 when absent.
    pub candidates: Option<u32>,
    /// Log probabilities of the answer's tokens.
    pub logprobs: Option<LogProbs>,
    /// An opaque id of the caller's end user (OpenAI `user`/`safety_identifier`, Anthropic `metadata.user_id`).
    pub user: Option<String>,
    /// Labels (OpenAI `metadata`).
    pub metadata: BTreeMap<String, String>,
    /// The provider's service tier, in the spelling of the caller's dialect.
    pub service_tier: Option<String>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether the caller asked for usage in the stream. Dialects that always report it set it.
    pub stream_usage: bool,
    /// Fields without a canonical name.
    pub extra: Extra,
}

impl ChatRequest {
    /// A canonical path as a caller of `dialect` knows it: the parameter's own name, or where the message stands.
    pub fn named<'a>(&self, dialect: DialectId, at: &'a str) -> Cow<'a, str> {
        match dialect.codec().parameter(at) {
            same if same == at => self.places.name(at),
            own => Cow::Borrowed(own),
        }
    }

    /// The refusal of this request in the words of a caller of `dialect`.
    pub fn refused(&self, dialect: DialectId, mut error: Error) -> Error {
        if let Some(at) = error.param.take() {
            let own = self.named(dialect, &at);
            if own != at {
                error.message = error.message.replace(&format!("`{at}"), &format!("`{own}"));
            }
            error.param = Some(own.into_owned());
        }
        error
    }

    /// Refuses what a provider of `dialect` has no place for and what cannot be left out: fields that
    /// their own dialect calls essential, and another dialect's blocks in what the model is told.
    /// (Blocks of its own earlier answers only explain these; they are left out with a warning.)
    pub fn check_for(&self, dialect: DialectId, provider: &str) -> Result<()> {
        let missing = |at: String, owner: DialectId| {
            let owner = owner.name();
            let message = format!(
                "`{at}` is of {owner} alone; `{provider}` has nothing like it. Leave it out, or choose a model whose provider speaks {owner}."
            );
            Err(Error::unsupported(at, message))
        };
        if let Some((owner, field)) = self.extra.essential_to_others_than(dialect) {
            return missing(field.to_owned(), owner);
        }
        for (index, message) in self.messages.iter().enumerate() {
            if let Some((owner, field)) = message.extra.essential_to_others_than(dialect) {
                return missing(format!("messages[{index}].{field}"), owner);
            }
            if message.role == Role::Assistant {
                continue;
            }
            for (number, part) in message.parts.iter().enumerate() {
                let inner = if let Part::ToolResult(result) = part { result.content.as_slice() } else { &[] };
                for part in std::iter::once(part).chain(inner) {
                    match part {
                        Part::Opaque(block) if block.dialect != dialect => {
                            return missing(format!("messages[{index}].content[{number}]"), block.dialect);
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// The form of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    /// Text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON that matches a schema.
    JsonSchema {
        /// The schema's name; a decoder whose protocol has none says `response`.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema.
        schema: Value,
        /// Whether the answer must match exactly.
        strict: Option<bool>,
    },
}

/// Sampling parameters, in the ranges of the caller's dialect.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the field's standard terms")]
pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub seed: Option<i64>,
}

/// How much to think, and whether to show it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReasoningConfig {
    /// Relative effort.
    pub effort: Option<Effort>,
    /// Absolute budget in tokens. `Some(0)` switches thinking off.
    pub budget_tokens: Option<u64>,
    /// Whether the model sets its own budget (Anthropic `adaptive`, Gemini `thinkingBudget: -1`).
    pub adaptive: bool,
    /// Whether readable thoughts (or their summary) are wanted in the answer.
    pub include_thoughts: Option<bool>,
}

/// Relative reasoning effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the field's standard terms")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// Log probabilities wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogProbs {
    /// How many alternatives per token.
    pub top: Option<u32>,
}
