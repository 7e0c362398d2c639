//! Anthropic Messages, both ways.
//!
//! | file | what it holds |
//! |---|---|
//! | `wire.rs`, `tree.rs` | the protocol's JSON: what is written, what is read |
//! | `block.rs` | content blocks, read |
//! | `request.rs` | requests, both ways |
//! | `generation.rs` | what each generation of Claude takes |
//! | `response.rs`, `usage.rs` | whole responses, both ways |
//! | `stream.rs` | stream events, both ways |
//! | `error.rs` | errors, both ways |
//! | `weight.rs` | what leaving a field out means |
//!
//! Sources: the official SDKs (`@anthropic-ai/sdk` 1.11, PyPI `anthropic` 2.11) for the shapes; the
//! vendor's documentation for what is refused.
//!
//! Callers of this protocol with another provider behind them get its state back and forth: another
//! provider's signature of reasoning is tagged in `thinking.signature`, its signature of a call rides
//! in the `tool_use` id (see [`crate::chat::carry`]).
//!
//! Invariant: thinking is never rewritten. A block goes back with its own signature to the dialect
//! that signed it, or not at all.

mod block;
mod error;
mod generation;
mod request;
mod response;
mod stream;
mod usage;
mod weight;
mod wire;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;

use super::{
    Dialect, DialectId, EncodedRequest, Reply, RequestHead, StreamDecoder, StreamEncoder, StreamForm, StreamSniffer, Target,
    Weight,
};
use crate::chat::{ChatRequest, ChatResponse, Usage, Warnings};
use crate::error::{Error, Result, Upstream};

const ME: DialectId = DialectId::AnthropicMessages;

/// The API version of requests that the gateway writes itself. Later ones (2026-10-21) refuse
/// `temperature`, `top_p` and `top_k` even for models that take them. A caller's own
/// `anthropic-version` goes before it.
pub const VERSION: &str = "2023-06-01";

/// The dialect.
#[derive(Debug)]
pub struct AnthropicMessages;

impl Dialect for AnthropicMessages {
    by_its_files!(stream::Decoder, stream::Encoder, stream::Sniffer);

    fn id(&self) -> DialectId {
        ME
    }

    fn path(&self, _model: &str, _stream: Option<StreamForm>) -> String {
        "/messages".into()
    }

    fn request_headers(&self) -> &'static [&'static str] {
        &["anthropic-version", "anthropic-beta", "anthropic-user-profile-id"]
    }

    fn continues_answers(&self) -> bool {
        true
    }

    fn fixed_headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", VERSION)]
    }

    fn response_headers(&self) -> &'static [&'static str] {
        &[
            "request-id",
            "anthropic-ratelimit-*",
            "anthropic-priority-*",
            "anthropic-organization-id",
            "anthropic-workspace-id",
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
        ]
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }

    fn decode_request(&self, _head: RequestHead<'_>, body: &[u8]) -> Result<ChatRequest> {
        request::decode(body)
    }

    fn parameter<'a>(&self, canonical: &'a str) -> &'a str {
        match canonical {
            "stop" => "stop_sequences",
            "user" => "metadata.user_id",
            "parallel_tool_calls" => "tool_choice.disable_parallel_tool_use",
            "response_format" | "response_format.json_schema" => "output_config.format",
            "response_format.json_schema.schema" => "output_config.format.schema",
            "reasoning" | "reasoning_effort" => "thinking",
            "reasoning.effort" => "output_config.effort",
            "reasoning.budget_tokens" => "thinking.budget_tokens",
            other => other,
        }
    }

    fn usage(&self, body: &[u8]) -> Option<Usage> {
        #[derive(Deserialize)]
        struct Metered {
            usage: usage::Counters,
        }
        serde_json::from_slice::<Metered>(body).ok().map(|metered| metered.usage.usage())
    }

    fn encode_error(&self, error: &Error, request_id: &str) -> Bytes {
        error::encode(error, request_id)
    }

    fn encode_stream_error(&self, error: &Error, reply: &Reply, _began: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        error::encode_event(error, &reply.id, &mut out);
        out
    }
}
