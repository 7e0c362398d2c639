//! The Chat Completions dialect from the outside: recorded shapes, promised behaviours, generated values.

mod behaviour;
mod fixtures;
#[path = "../golden/mod.rs"]
mod golden;
mod refusals;
mod round_trip;
mod streams;

use edgeway_core::chat::{Accumulator, ChatEvent, ChatRequest, ChatResponse, Warnings};
use edgeway_core::dialect::openai_chat::OpenAiChat;
use edgeway_core::dialect::{Dialect, Frame, Reply, RequestHead, Target};
use edgeway_core::error::Result;
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use edgeway_core::wire::sse::{Block, Framer};

const DIALECT: &str = "openai_chat";

/// What OpenAI itself takes.
const OPENAI: Quirks = Quirks { allowed_tools: true, ..Quirks::NONE };

fn decode_request(body: &[u8]) -> Result<ChatRequest> {
    let headers = http::HeaderMap::new();
    OpenAiChat.decode_request(RequestHead { model: None, stream: None, headers: &headers }, body)
}

/// The body for a provider with these quirks, and the warnings' header.
fn encode_request(request: &ChatRequest, provider: &str, quirks: &Quirks) -> Result<(Vec<u8>, String)> {
    let mut warnings = Warnings::default();
    let target = Target { provider, model: "the-model", quirks, limits: ModelLimits::default() };
    let encoded = OpenAiChat.encode_request(request, target, &mut warnings)?;
    assert!(encoded.headers.is_empty());
    Ok((encoded.body.to_vec(), warnings.header()))
}

fn reply() -> Reply {
    Reply { id: "req_1".into(), model: "alias".into(), created: 1_700_000_000, usage: true, ..Reply::default() }
}

/// The events of a recorded stream.
fn events(stream: &[u8]) -> Vec<ChatEvent> {
    let mut decoder = OpenAiChat.stream_decoder();
    let mut events = Vec::new();
    let mut framer = Framer::new();
    framer.feed(stream, |block, _| {
        if let Block::Event(event) = block {
            decoder.frame(Frame { event: event.name, data: event.data }, &mut events).expect("a recorded frame decodes");
        }
    });
    decoder.finish(&mut events);
    events
}

fn encode_stream(events: &[ChatEvent]) -> Vec<u8> {
    let mut encoder = OpenAiChat.stream_encoder(reply());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// What events add up to, and whether they said that they were all.
fn accumulate(events: Vec<ChatEvent>) -> Result<(ChatResponse, bool)> {
    let mut accumulator = Accumulator::default();
    events.into_iter().for_each(|event| accumulator.push(event));
    accumulator.finish()
}
