//! The three protocols as their official clients know them: where to send, how to show a key, what an error looks
//! like, and what a stream adds up to.
//!
//! Written from the providers' documents and SDKs and independent of core, so that an error in core's understanding
//! cannot hide in the suite. Readers are strict: what an SDK would trip over is an error here.

mod anthropic;
mod gemini;
mod openai;

use serde::Deserialize;
use serde_json::Value;

use crate::sse::Frame;

/// The key with which every case's caller comes.
pub const CALLER_KEY: &str = "caller-key-must-not-leak";

/// A protocol: the caller's, or a provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Chat completions.
    Openai,
    /// Messages.
    Anthropic,
    /// generateContent.
    Gemini,
}

/// What a stream added up to.
#[derive(Clone, Debug, PartialEq)]
pub struct Streamed {
    /// The answer as if it had come whole.
    pub whole: Value,
    /// The body of the terminal error event, if there was one.
    pub error: Option<Value>,
    /// Whether the protocol's own end was reached.
    pub ended: bool,
}

impl Protocol {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Openai, Self::Anthropic, Self::Gemini];

    /// Its name in cases, and of its provider in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The model that cases ask for when it does not matter.
    pub fn model(self) -> &'static str {
        match self {
            Self::Openai => "gpt-4.1-mini",
            Self::Anthropic => "claude-sonnet-4-5",
            Self::Gemini => "gemini-2.5-flash",
        }
    }

    /// The gateway's path for a chat with `model`.
    pub fn door(self, model: &str, stream: bool) -> String {
        match self {
            Self::Openai => "/v1/chat/completions".into(),
            Self::Anthropic => "/v1/messages".into(),
            Self::Gemini if stream => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Self::Gemini => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    /// Where this protocol's scripted provider is, below the upstream's address.
    pub fn base_path(self) -> &'static str {
        match self {
            Self::Openai => "/openai/v1",
            Self::Anthropic => "/anthropic/v1",
            Self::Gemini => "/gemini/v1beta",
        }
    }

    /// The path, with query, at which its provider must be asked.
    pub fn provider_path(self, model: &str, stream: bool) -> String {
        let below = match self {
            Self::Openai => "/chat/completions".into(),
            Self::Anthropic => "/messages".into(),
            Self::Gemini => self.door(model, stream).trim_start_matches("/v1beta").to_owned(),
        };
        format!("{}{below}", self.base_path())
    }

    /// The headers with which its SDK shows a key.
    pub fn key_header(self, key: &str) -> (&'static str, String) {
        match self {
            Self::Openai => ("authorization", format!("Bearer {key}")),
            Self::Anthropic => ("x-api-key", key.to_owned()),
            Self::Gemini => ("x-goog-api-key", key.to_owned()),
        }
    }

    /// The name of the binding that holds its provider's key.
    pub fn key_name(self) -> &'static str {
        match self {
            Self::Openai => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
        }
    }

    /// Its provider's key in every case.
    pub fn provider_key(self) -> String {
        format!("provider-key-of-{}", self.name())
    }

    /// The request's text with the model and the wish to stream put where the protocol has them. The
    /// text is a JSON object; it is only added to, so that bytes stay as the case wrote them.
    pub fn request(self, text: &str, model: &str, stream: bool) -> String {
        let fields = match (self, stream) {
            (Self::Gemini, _) => return text.to_owned(),
            (Self::Openai, true) => format!(r#""model":"{model}","stream":true,"stream_options":{{"include_usage":true}}"#),
            (Self::Anthropic, true) => format!(r#""model":"{model}","stream":true"#),
            (_, false) => format!(r#""model":"{model}""#),
        };
        let (before, inside) = text.split_once('{').unwrap_or(("", "}"));
        let comma = if inside.trim_start().starts_with('}') { "" } else { ", " };
        format!("{before}{{{fields}{comma}{inside}")
    }

    /// Checks the shape that its SDK needs to raise its own error class, and gives the caller's sentence.
    pub fn error_message(self, status: u16, body: &Value) -> Result<String, String> {
        let wrong = |what: &str| Err(format!("an error body of {} {what}: {body}", self.name()));
        let error = &body["error"];
        let Some(message) = error["message"].as_str().filter(|message| !message.is_empty()) else {
            return wrong("needs error.message");
        };
        match self {
            Self::Openai => {
                if !error["type"].is_string() || error.get("param").is_none() || error.get("code").is_none() {
                    return wrong("needs error.type, error.param and error.code");
                }
            }
            Self::Anthropic => {
                if body["type"] != "error" || !error["type"].is_string() {
                    return wrong("needs type = error and error.type");
                }
            }
            Self::Gemini => {
                if error["code"] != status || !error["status"].is_string() {
                    return wrong("needs error.code (the HTTP status) and error.status");
                }
            }
        }
        Ok(message.to_owned())
    }

    /// Adds up a stream of server-sent events, strictly.
    pub fn read_stream(self, frames: &[Frame]) -> Result<Streamed, String> {
        match self {
            Self::Openai => openai::read(frames),
            Self::Anthropic => anthropic::read(frames),
            Self::Gemini => gemini::read(frames),
        }
    }

    /// Adds up a stream in Gemini's other form, one JSON array.
    pub fn read_array(bytes: &[u8]) -> Result<Streamed, String> {
        gemini::read_array(bytes)
    }
}

fn parse(frame: &Frame) -> Result<Value, String> {
    serde_json::from_str(&frame.data).map_err(|error| format!("a frame is not JSON ({error}): {}", frame.data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_stream_are_added_in_front() {
        assert_eq!(Protocol::Openai.request("{}", "m", false), r#"{"model":"m"}"#);
        let anthropic = Protocol::Anthropic.request("{\n \"a\": 1}", "m", true);
        assert_eq!(anthropic, "{\"model\":\"m\",\"stream\":true, \n \"a\": 1}");
        assert_eq!(Protocol::Gemini.request("{}", "m", true), "{}");
    }
}
