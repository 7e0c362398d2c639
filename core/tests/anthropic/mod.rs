//! What the suites of the Anthropic dialect share: running its codecs, and a checker of its event grammar.
#![allow(dead_code, reason = "each suite uses its part")]

use edgeway_core::chat::{Accumulator, ChatEvent, ChatRequest, ChatResponse, Warnings};
use edgeway_core::dialect::{Dialect, EncodedRequest, Frame, Reply, RequestHead, Target, anthropic_messages::AnthropicMessages};
use edgeway_core::error::Result;
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use http::HeaderMap;
use serde_json::Value;

/// A frame of a stream, owned.
pub(crate) struct Event {
    /// Its name.
    pub(crate) name: String,
    /// Its data.
    pub(crate) data: String,
}

impl Event {
    /// As a decoder takes it.
    pub(crate) fn as_frame(&self) -> Frame<'_> {
        Frame { event: &self.name, data: self.data.as_bytes() }
    }
}

/// The events of a stream whose blocks have at most one line each of `event` and `data`.
pub(crate) fn frames(sse: &[u8]) -> Vec<Event> {
    let text = std::str::from_utf8(sse).expect("UTF-8");
    let field = |block: &str, name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let blocks = text.split("\n\n").map(|block| Event { name: field(block, "event: "), data: field(block, "data: ") });
    blocks.filter(|event| !event.data.is_empty()).collect()
}

/// Decodes frames, then a clean end.
pub(crate) fn decode_frames(frames: &[Event]) -> Vec<ChatEvent> {
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    for frame in frames {
        decoder.frame(frame.as_frame(), &mut events).unwrap_or_else(|fault| panic!("{fault:?}: {}", frame.data));
    }
    decoder.finish(&mut events);
    events
}

/// Decodes a stream.
pub(crate) fn decode(sse: &[u8]) -> Vec<ChatEvent> {
    decode_frames(&frames(sse))
}

/// Encodes events.
pub(crate) fn encode(events: &[ChatEvent]) -> Vec<u8> {
    let mut encoder = AnthropicMessages.stream_encoder(reply());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// The response that a complete stream tells, arguments of calls in one spelling.
pub(crate) fn accumulate(events: Vec<ChatEvent>) -> ChatResponse {
    let mut accumulator = Accumulator::default();
    events.into_iter().for_each(|event| accumulator.push(event));
    let (response, ended) = accumulator.finish().expect("no error");
    assert!(ended, "the stream said that it is done");
    response
}

/// The whole twin of a streamed fixture.
pub(crate) fn whole(name: &str) -> ChatResponse {
    let bytes = super::golden::fixture("anthropic_messages", &format!("{name}.response.json"));
    AnthropicMessages.decode_response(&bytes).expect(name)
}

/// What encoders know of the request.
pub(crate) fn reply() -> Reply {
    Reply { id: "ew-1".into(), model: "alias".into(), created: 1_793_882_096, usage: true, ..Reply::default() }
}

/// Decodes a request body.
pub(crate) fn request(body: &[u8]) -> Result<ChatRequest> {
    let headers = HeaderMap::new();
    AnthropicMessages.decode_request(RequestHead { model: None, stream: None, headers: &headers }, body)
}

/// Encodes a request for a model of Anthropic's.
pub(crate) fn encode_request(request: &ChatRequest, model: &str, warnings: &mut Warnings) -> Result<EncodedRequest> {
    let quirks = Quirks { beta_headers: true, ..Quirks::NONE };
    let target = Target { provider: "anthropic", model, quirks: &quirks, limits: ModelLimits::default() };
    AnthropicMessages.encode_request(request, target, warnings)
}

/// Checks that a stream keeps the grammar that the official SDKs rely on:
/// `message_start (start delta* stop)* message_delta message_stop`, blocks numbered from 0, one open
/// at a time, and each delta of a kind that its block has.
pub(crate) fn check_grammar(sse: &[u8]) {
    let text = std::str::from_utf8(sse).expect("UTF-8");
    assert!(text.ends_with("\n\n"), "every event is closed");
    let events = frames(sse);
    let parsed: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.data).expect("JSON")).collect();
    for (event, data) in events.iter().zip(&parsed) {
        assert_eq!(data["type"], event.name.as_str(), "an event's name is its type");
    }
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names.first(), Some(&"message_start"));
    assert_eq!(names[names.len() - 2..], ["message_delta", "message_stop"]);
    let usage = &parsed[parsed.len() - 2]["usage"];
    assert!(usage["output_tokens"].is_u64() && usage["input_tokens"].is_u64(), "{usage}");
    let (mut next, mut open) = (0, None);
    for (name, data) in names.iter().zip(&parsed).skip(1).take(names.len() - 3) {
        match (*name, &open) {
            ("content_block_start", None) => {
                assert_eq!(data["index"], next, "blocks are numbered in their order");
                open = Some(data["content_block"]["type"].as_str().expect("a type").to_owned());
            }
            ("content_block_delta", Some(block)) => {
                assert_eq!(data["index"], next);
                let allowed: &[&str] = match block.as_str() {
                    "text" => &["text_delta", "citations_delta"],
                    "thinking" => &["thinking_delta", "signature_delta"],
                    "tool_use" => &["input_json_delta"],
                    _ => &[],
                };
                let kind = data["delta"]["type"].as_str().expect("a type");
                assert!(allowed.contains(&kind), "a {kind} in a {block} block");
            }
            ("content_block_stop", Some(_)) => {
                assert_eq!(data["index"], next);
                (next, open) = (next + 1, None);
            }
            (name, open) => panic!("{name} while {open:?} is open:\n{text}"),
        }
    }
    assert_eq!(open, None, "every block is closed");
}
