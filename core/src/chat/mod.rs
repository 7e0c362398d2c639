//! The canonical chat model: the one place where two dialects meet.
//!
//! A dialect decodes its own requests, responses and stream events into these types and encodes
//! them back (N + M translations, never pairwise). When caller and upstream speak the same dialect
//! none of this is used: bytes pass through.
//!
//! Rules that every dialect keeps:
//!
//! | about | rule |
//! |---|---|
//! | text order | parts keep the order in which the protocol gave them |
//! | system text | stays a message with [`Role::System`] or [`Role::Developer`], at its place |
//! | tool results | are [`Part::ToolResult`]s of [`Role::Tool`] messages; one message may hold several |
//! | tool arguments | JSON text, exactly as the model wrote it; `""` when it wrote nothing |
//! | signatures | travel on their part with the dialect that made them, never normalised |
//! | what has no field here | goes to [`Extra`] under its dialect, and comes back for that dialect only |
//! | what cannot be carried | is a [`Warning`], or an [`Error`](crate::Error) of kind `Unsupported` when dropping it would change the meaning ([`ChatRequest::check_for`]) |
//! | what a provider tells about its answer (fingerprints, ratings, raw counters) | is no loss where it has no field: who asks elsewhere never asked for it. What it says in the answer (citations, media, blocks) is |
//! | usage | disjoint buckets, integers |

mod accumulate;
pub mod carry;
mod event;
mod extra;
mod message;
mod place;
mod replay;
mod request;
mod response;
mod tool;
mod usage;
mod warning;

pub use accumulate::Accumulator;
pub use event::{ChatEvent, Delta, PartHead, ResponseHead};
pub use extra::Extra;
pub use message::{
    CacheControl, Media, MediaKind, MediaSource, Message, Opaque, Part, Reasoning, Refusal, Role, Signature, Text, ToolCall,
    ToolResult,
};
pub use place::{PartAt, Places};
pub use replay::replay;
pub use request::{ChatRequest, Effort, LogProbs, OutputFormat, ReasoningConfig, Sampling};
pub use response::{ChatResponse, Choice, Finish, FinishReason, TokenLogProb};
pub use tool::{FunctionTool, HostedTool, Tool, ToolChoice};
pub use usage::Usage;
pub use warning::{Warning, WarningCode, Warnings};
