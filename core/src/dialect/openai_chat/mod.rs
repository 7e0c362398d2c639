//! OpenAI Chat Completions, the dialect of OpenAI and of everything compatible with it.
//!
//! | file | what it holds |
//! |---|---|
//! | `request.rs`, `message.rs`, `part.rs`, `tool.rs` | requests, by noun, both ways; `encoding.rs` notes what they lose |
//! | `response.rs`, `usage.rs` | whole responses, both ways |
//! | `stream/` | stream events, both ways, and the sniffer |
//! | `error.rs` | errors, both ways |
//! | `weight.rs` | what leaving a field out means |
//! | `wire.rs` | a chunk's JSON types |
//!
//! What providers do differently is a [`Quirks`](crate::provider::Quirks) flag where it has to be
//! known beforehand (requests), and is simply accepted where it shows itself (responses, streams).
//!
//! Callers of this dialect have no field for signed reasoning; it rides in tool call ids, see
//! [`crate::chat::carry`].

mod encoding;
mod error;
mod message;
mod part;
mod request;
mod response;
mod stream;
mod tool;
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

const DIALECT: DialectId = DialectId::OpenAiChat;

/// The dialect.
#[derive(Debug)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    by_its_files!(stream::Decoder, stream::Encoder, stream::Sniffer);

    fn id(&self) -> DialectId {
        DIALECT
    }

    fn path(&self, _model: &str, _stream: Option<StreamForm>) -> String {
        "/chat/completions".to_owned()
    }

    fn request_headers(&self) -> &'static [&'static str] {
        &["openai-organization", "openai-project", "openai-beta", "idempotency-key", "x-client-request-id"]
    }

    fn response_headers(&self) -> &'static [&'static str] {
        &[
            "openai-model",
            "openai-processing-ms",
            "openai-version",
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
            "x-ratelimit-*",
        ]
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn decode_request(&self, _head: RequestHead<'_>, body: &[u8]) -> Result<ChatRequest> {
        request::decode(body)
    }

    fn parameter<'a>(&self, canonical: &'a str) -> &'a str {
        match canonical {
            "reasoning" | "reasoning.effort" | "reasoning.budget_tokens" => "reasoning_effort",
            other => other,
        }
    }

    fn form(&self, request: &ChatRequest, reply: &mut Reply) {
        reply.function_call = request.extra.field(DIALECT, weight::FUNCTIONS).is_some();
    }

    fn usage(&self, body: &[u8]) -> Option<Usage> {
        #[derive(Deserialize)]
        struct Ending {
            usage: Option<usage::WireUsage>,
        }
        serde_json::from_slice::<Ending>(body).ok()?.usage.map(usage::WireUsage::buckets)
    }

    fn encode_error(&self, error: &Error, _request_id: &str) -> Bytes {
        error::encode(error)
    }

    fn encode_stream_error(&self, error: &Error, _reply: &Reply, _began: bool) -> Vec<u8> {
        error::encode_frame(error)
    }
}
