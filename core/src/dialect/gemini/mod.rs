//! Gemini `generateContent` and `streamGenerateContent`, API version v1beta.
//!
//! | file | what it holds |
//! |---|---|
//! | `wire` | the protocol's messages |
//! | `request`, `conversation` | requests, both ways: fields, and the conversation |
//! | `content`, `media` | parts, both ways |
//! | `family`, `schema` | what models take; schemas |
//! | `response`, `stream`, `chunks` | answers, both ways: whole, streams decoded, streams encoded |
//! | `sniff`, `usage` | what is read of bytes that pass; token counts |
//! | `error` | errors, both ways |
//! | `weight` | what leaving a field out means |
//! | `json`, `time` | JSON as text; RFC 3339 |
//!
//! Not spoken: function calls whose arguments are streamed in pieces (`partialArgs`, which only Vertex
//! sends, and only to those who ask), and the Live API.
//!
//! Source: the types of Google's SDKs (`google-genai` 3.4 for Python, `@google/genai` 2.32 for
//! JavaScript) and ai.google.dev/api/generate-content.

mod chunks;
mod content;
mod conversation;
mod error;
mod family;
mod json;
mod media;
mod request;
mod response;
mod schema;
mod sniff;
mod stream;
mod time;
mod usage;
mod weight;
mod wire;

use std::fmt::Write;

use bytes::Bytes;
use http::HeaderMap;

use super::{
    Dialect, DialectId, EncodedRequest, Reply, RequestHead, StreamDecoder, StreamEncoder, StreamForm, StreamSniffer, Target,
    Weight,
};
use crate::chat::{ChatRequest, ChatResponse, Usage, Warnings};
use crate::error::{Error, Result, Upstream};

/// The dialect.
#[derive(Debug)]
pub struct Gemini;

impl Dialect for Gemini {
    by_its_files!(stream::Decoder, chunks::Encoder, sniff::Sniffer);

    fn id(&self) -> DialectId {
        DialectId::Gemini
    }

    fn path(&self, model: &str, stream: Option<StreamForm>) -> String {
        let (collection, name) = match model.split_once('/') {
            Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
            _ => ("models", model),
        };
        let mut path = format!("/{collection}/");
        for byte in name.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte.into()),
                // A colon would begin the method.
                _ => drop(write!(path, "%{byte:02X}")),
            }
        }
        path.push_str(match stream {
            None => ":generateContent",
            Some(StreamForm::Sse) => ":streamGenerateContent?alt=sse",
            Some(StreamForm::JsonArray) => ":streamGenerateContent",
        });
        path
    }

    fn request_headers(&self) -> &'static [&'static str] {
        &["x-goog-api-client", "x-server-timeout"]
    }

    fn response_headers(&self) -> &'static [&'static str] {
        &["server-timing", "x-gemini-service-tier"]
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn decode_request(&self, head: RequestHead<'_>, body: &[u8]) -> Result<ChatRequest> {
        request::decode(head, body)
    }

    fn parameter<'a>(&self, canonical: &'a str) -> &'a str {
        match canonical {
            "temperature" => "generationConfig.temperature",
            "top_p" => "generationConfig.topP",
            "top_k" => "generationConfig.topK",
            "max_tokens" => "generationConfig.maxOutputTokens",
            "stop" => "generationConfig.stopSequences",
            "n" => "generationConfig.candidateCount",
            "seed" => "generationConfig.seed",
            "presence_penalty" => "generationConfig.presencePenalty",
            "frequency_penalty" => "generationConfig.frequencyPenalty",
            "logprobs" => "generationConfig.responseLogprobs",
            "response_format" => "generationConfig.responseMimeType",
            "response_format.json_schema.schema" => "generationConfig.responseJsonSchema",
            "reasoning" | "reasoning_effort" => "generationConfig.thinkingConfig",
            "reasoning.effort" => "generationConfig.thinkingConfig.thinkingLevel",
            "reasoning.budget_tokens" => "generationConfig.thinkingConfig.thinkingBudget",
            "tool_choice" => "toolConfig.functionCallingConfig",
            "service_tier" => "serviceTier",
            other => other,
        }
    }

    fn usage(&self, body: &[u8]) -> Option<Usage> {
        sniff::usage(body)
    }

    fn encode_error(&self, error: &Error, request_id: &str) -> Bytes {
        error::encode(error, request_id)
    }

    fn encode_stream_error(&self, error: &Error, reply: &Reply, began: bool) -> Vec<u8> {
        let (mut out, mut began) = (Vec::new(), began);
        chunks::write_error(error, reply, &mut began, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_is_one_segment_of_the_path() {
        for (model, stream, path) in [
            ("gemini-2.5-flash", None, "/models/gemini-2.5-flash:generateContent"),
            ("models/gemini-2.5-flash", Some(StreamForm::Sse), "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
            ("gemini-2.5-flash", Some(StreamForm::JsonArray), "/models/gemini-2.5-flash:streamGenerateContent"),
            ("tunedModels/mine-1", None, "/tunedModels/mine-1:generateContent"),
            ("a/../b:c?d", None, "/models/a%2F..%2Fb%3Ac%3Fd:generateContent"),
        ] {
            assert_eq!(Gemini.path(model, stream), path);
        }
    }
}
