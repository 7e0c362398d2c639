//! Translations read as the other side reads them: from a caller's own bytes to what a provider of
//! another dialect gets, and back. What one dialect does by itself is in its own suite.

mod answers;
mod fields;
mod own_protocol;
mod prefixes;
mod requests;

use edgeway_core::chat::{Warnings, replay};
use edgeway_core::dialect::{DialectId, Reply, RequestHead, Target};
use edgeway_core::error::Result;
use edgeway_core::provider::catalog;
use serde_json::Value;

/// A caller's protocol or a provider's.
const OPENAI: DialectId = DialectId::OpenAiChat;
/// A caller's protocol or a provider's.
const ANTHROPIC: DialectId = DialectId::AnthropicMessages;
/// A caller's protocol or a provider's.
const GEMINI: DialectId = DialectId::Gemini;

/// A model behind a provider of the catalog.
#[derive(Clone, Copy)]
struct To(&'static str, &'static str);

const GPT: To = To("openai", "gpt-5");
const CLAUDE: To = To("anthropic", "claude-opus-4-6");
const GEMINI_25: To = To("gemini", "gemini-2.5-flash");
const GEMINI_3: To = To("gemini", "gemini-3-pro-preview");

/// What a provider gets of a caller's request, and what the caller is told of losses, as the gateway does it.
fn sent(from: DialectId, body: &Value, to: To) -> Result<(Value, String)> {
    let headers = http::HeaderMap::new();
    let model = (from == GEMINI).then_some("the-model");
    let head = RequestHead { model, stream: None, headers: &headers };
    let request = from.codec().decode_request(head, body.to_string().as_bytes())?;
    let row = catalog::find(to.0).expect("a provider of the catalog");
    let target = Target { provider: to.0, model: to.1, quirks: &row.quirks, limits: edgeway_core::model::limits(to.1) };
    let mut warnings = Warnings::default();
    let encoded = row.dialect_for(from).codec().encode_request(&request, target, &mut warnings);
    let encoded = encoded.map_err(|error| request.refused(from, error))?;
    warnings.rename(|at| request.named(from, at));
    Ok((serde_json::from_slice(&encoded.body).expect("JSON"), warnings.header()))
}

/// The sentence in which a request is refused, and the parameter it names.
fn refusal(from: DialectId, body: &Value, to: To) -> (String, String) {
    let error = sent(from, body, to).expect_err("refused");
    assert_eq!(error.status().as_u16(), 400, "{}", error.message);
    (error.param.unwrap_or_default(), error.message)
}

/// What a caller gets of a provider's whole answer: the body, the warnings, and the same as a stream.
fn answered(from: DialectId, body: &Value, to: DialectId) -> (Value, String, String) {
    let response = from.codec().decode_response(body.to_string().as_bytes()).expect("an answer");
    let reply = Reply { id: "req_1".into(), model: "alias".into(), created: 1_700_000_000, usage: true, ..Reply::default() };
    let mut warnings = Warnings::default();
    let whole = to.codec().encode_response(&response, &reply, &mut warnings);
    let mut encoder = to.codec().stream_encoder(reply);
    let mut stream = Vec::new();
    replay(&response).iter().for_each(|event| encoder.event(event, &mut stream));
    (serde_json::from_slice(&whole).expect("JSON"), warnings.header(), String::from_utf8(stream).expect("UTF-8"))
}

/// A request with one user message, and `more`.
fn plain(from: DialectId, more: Value) -> Value {
    use serde_json::json;
    let mut body = match from {
        DialectId::OpenAiChat => json!({"model": "m", "max_tokens": 8000, "messages": [{"role": "user", "content": "Hi"}]}),
        DialectId::AnthropicMessages => {
            json!({"model": "m", "max_tokens": 8000, "messages": [{"role": "user", "content": "Hi"}]})
        }
        DialectId::Gemini => {
            json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 8000}})
        }
    };
    let Value::Object(more) = more else { panic!("an object") };
    for (key, value) in more {
        match (&mut body[&key], value) {
            (Value::Object(old), Value::Object(new)) => old.extend(new),
            (old, new) => *old = new,
        }
    }
    body
}
