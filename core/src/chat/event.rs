//! A streamed answer as events.
//!
//! Grammar, which every decoder keeps and every encoder may rely on:
//!
//! ```text
//! stream  = Start item* ( End | Error )
//! item    = PartStart PartDelta* PartEnd       (parts may overlap: OpenAI streams parallel calls so)
//!         | LogProbs | Extra | Usage           (Usage is cumulative: the last one counts)
//!         | Finish                             (once per choice, after its last PartEnd)
//! ```
//!
//! Part numbers count from 0 in each choice, in the order of their starts. `End` says that the
//! provider said so; a decoder never invents it.

use serde_json::Value;

use super::{Extra, FinishReason, Opaque, Signature, TokenLogProb, Usage};
use crate::dialect::DialectId;
use crate::error::Error;

/// One event of a streamed answer.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "choice and part are the same two indices in every variant")]
pub enum ChatEvent {
    /// The provider began.
    Start(ResponseHead),
    /// A part begins.
    PartStart { choice: u32, part: u32, head: PartHead },
    /// A part grows.
    PartDelta { choice: u32, part: u32, delta: Delta },
    /// A part is complete.
    PartEnd { choice: u32, part: u32 },
    /// Log probabilities of the text since the last event of this kind.
    LogProbs { choice: u32, tokens: Vec<TokenLogProb> },
    /// A choice is complete.
    Finish { choice: u32, finish: FinishReason },
    /// What it took so far.
    Usage(Usage),
    /// A field without a canonical name, of the response (`choice` is `None`) or of a choice.
    Extra { choice: Option<u32>, dialect: DialectId, field: String, value: Value },
    /// The provider said that it is done.
    End,
    /// The provider said that it failed. Nothing follows.
    Error(Error),
}

/// What a stream says of itself before its content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResponseHead {
    /// The provider's id of the response; empty when it gave none.
    pub id: String,
    /// The model that answers, as the provider names it.
    pub model: String,
    /// When, in seconds since the Unix epoch, if the provider said.
    pub created: Option<u64>,
    /// The tier that serves it.
    pub service_tier: Option<String>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartHead {
    /// Text follows as [`Delta::Text`].
    Text,
    /// Readable reasoning follows as [`Delta::Text`], its proof as [`Delta::Signature`].
    Reasoning {
        /// Whether the signature is the content (see [`super::Reasoning::redacted`]).
        redacted: bool,
    },
    /// JSON text follows as [`Delta::Text`].
    ToolCall {
        /// See [`super::ToolCall::id`].
        id: String,
        /// The function's name.
        name: String,
    },
    /// The model declines; text follows as [`Delta::Text`].
    Refusal,
    /// A medium, whole. Nothing follows.
    Media(Box<super::Media>),
    /// A block of one dialect, whole. Nothing follows.
    Opaque(Opaque),
}

/// How a part grows.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// More text, reasoning, refusal or JSON arguments.
    Text(String),
    /// The part's proof; replaces an earlier one. A tool call's comes before its arguments.
    Signature(Signature),
    /// A field without a canonical name (a citation, say). Arrays of the same field are appended, other values replaced.
    Extra {
        /// Whose field.
        dialect: DialectId,
        /// Its name.
        field: String,
        /// Its value.
        value: Value,
    },
}
