//! What the suites share: short ways to build values and to call the codecs.

use edgeway_core::chat::{
    ChatEvent, ChatRequest, Media, MediaKind, MediaSource, Message, Part, Role, Signature, ToolCall, ToolResult, Warnings,
};
use edgeway_core::dialect::{Dialect, DialectId, Frame, Reply, RequestHead, StreamForm, Target, gemini::Gemini};
use edgeway_core::error::Result;
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use http::HeaderMap;
use serde_json::Value;

pub(crate) fn decode(body: &Value) -> Result<ChatRequest> {
    decode_bytes(body.to_string().as_bytes())
}

pub(crate) fn decode_bytes(body: &[u8]) -> Result<ChatRequest> {
    let headers = HeaderMap::new();
    Gemini.decode_request(RequestHead { model: Some("gemini-2.5-flash"), stream: None, headers: &headers }, body)
}

pub(crate) fn encode(request: &ChatRequest, model: &str) -> Result<(Value, String)> {
    let mut warnings = Warnings::default();
    let target = Target { provider: "gemini", model, quirks: &Quirks::NONE, limits: ModelLimits::default() };
    let encoded = Gemini.encode_request(request, target, &mut warnings)?;
    Ok((serde_json::from_slice(&encoded.body).expect("JSON"), warnings.header()))
}

pub(crate) fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".into(), messages, ..ChatRequest::default() }
}

pub(crate) fn says(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

pub(crate) fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolCall::default() })
}

pub(crate) fn answer(call_id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: call_id.into(), content, ..ToolResult::default() })
}

pub(crate) fn media(kind: MediaKind, source: MediaSource) -> Part {
    Part::Media(Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Default::default() })
}

pub(crate) fn claude(data: &str) -> Option<Signature> {
    Some(Signature { dialect: DialectId::AnthropicMessages, data: data.into() })
}

pub(crate) fn reply(form: StreamForm) -> Reply {
    Reply { id: "req-1".into(), model: "claude".into(), form, ..Reply::default() }
}

pub(crate) fn stream(events: &[ChatEvent], form: StreamForm) -> String {
    let mut encoder = Gemini.stream_encoder(reply(form));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    String::from_utf8(out).expect("UTF-8")
}

pub(crate) fn chunks(sse: &str) -> Vec<Value> {
    assert!(sse.is_empty() || sse.ends_with("\r\n\r\n"));
    let frames = sse.split("\r\n\r\n").filter(|frame| !frame.is_empty());
    frames.map(|frame| serde_json::from_str(frame.strip_prefix("data: ").expect("SSE")).expect("JSON")).collect()
}

pub(crate) fn listen(frames: &[Value]) -> Vec<ChatEvent> {
    let mut decoder = Gemini.stream_decoder();
    let mut events = Vec::new();
    for frame in frames {
        let _ = decoder.frame(Frame { event: "", data: frame.to_string().as_bytes() }, &mut events);
    }
    decoder.finish(&mut events);
    events
}
