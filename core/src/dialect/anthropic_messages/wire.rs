//! The Messages API's own JSON, as far as it is written or read by type.
//!
//! Shapes after the official SDK (`@anthropic-ai/sdk` 1.11, `src/resources/messages/messages.ts`).
//! Requests and whole responses are read as a [`Json`](crate::wire::json::Json) tree, which keeps what it does
//! not know; here are the types that are written, and the stream's events, which are hot.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, Serialize as DeriveSerialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::ME;
use super::usage::Written;
use crate::chat::{CacheControl, Extra};

/// `cache_control`, always of type `ephemeral`.
pub(super) struct Cache<'a>(pub(super) &'a CacheControl);

impl Serialize for Cache<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "ephemeral")?;
        if let Some(ttl) = &self.0.ttl {
            map.serialize_entry("ttl", ttl)?;
        }
        map.end()
    }
}

/// This dialect's fields of a side-bag, but for those that have a place of their own.
pub(super) struct Fields<'a> {
    pub(super) extra: &'a Extra,
    pub(super) but: &'static [&'static str],
}

impl<'a> Fields<'a> {
    pub(super) fn of(extra: &'a Extra) -> Self {
        Self { extra, but: &[] }
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.extra.fields(ME);
        serializer.collect_map(fields.filter(|(name, _)| !self.but.contains(&name.as_str())))
    }
}

/// A request's body.
#[derive(DeriveSerialize)]
pub(super) struct Request<'a> {
    pub(super) model: &'a str,
    pub(super) max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "text_or_blocks")]
    pub(super) system: Vec<Block<'a>>,
    pub(super) messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Cow<'a, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stream: bool,
    #[serde(flatten)]
    pub(super) extra: Fields<'a>,
}

/// A message of a request.
#[derive(DeriveSerialize)]
pub(super) struct Message<'a> {
    pub(super) role: &'static str,
    #[serde(serialize_with = "text_or_blocks")]
    pub(super) content: Vec<Block<'a>>,
    #[serde(flatten)]
    pub(super) extra: Option<Fields<'a>>,
}

/// A content block.
#[derive(DeriveSerialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'a>>,
        #[serde(flatten)]
        extra: Option<Fields<'a>>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'a>>,
        #[serde(flatten)]
        extra: Fields<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'a>>,
        #[serde(flatten)]
        extra: Fields<'a>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        caller: Option<Caller>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'a>>,
        #[serde(flatten)]
        extra: Fields<'a>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "text_or_blocks")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'a>>,
        #[serde(flatten)]
        extra: Fields<'a>,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
    #[serde(untagged)]
    Opaque(&'a Value),
}

impl<'a> Block<'a> {
    /// Text with nothing else.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text { text: text.into(), cache_control: None, extra: None }
    }
}

/// Writes content as callers of the API do: one plain text is a string, anything else an array of blocks.
fn text_or_blocks<S: Serializer>(blocks: &[Block<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    match blocks {
        [Block::Text { text, cache_control: None, extra: None }] => serializer.serialize_str(text),
        blocks => serializer.collect_seq(blocks),
    }
}

/// Who called a tool: in answers, the model itself.
#[derive(DeriveSerialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Caller {
    Direct,
}

/// Where a medium's bytes are.
#[derive(DeriveSerialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 {
        media_type: &'a str,
        data: &'a str,
    },
    Url {
        url: &'a str,
    },
    Text {
        media_type: &'static str,
        data: Cow<'a, str>,
    },
    File {
        file_id: &'a str,
    },
    #[serde(untagged)]
    Other(&'a Value),
}

/// A tool.
#[derive(DeriveSerialize)]
#[serde(untagged)]
pub(super) enum Tool<'a> {
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Cow<'a, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'a>>,
        #[serde(flatten)]
        extra: Option<Fields<'a>>,
    },
    Hosted(&'a Value),
}

/// `tool_choice`.
#[derive(DeriveSerialize)]
pub(super) struct ToolChoice<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disable_parallel_tool_use: Option<bool>,
}

/// A whole response.
#[derive(DeriveSerialize)]
pub(super) struct Answer<'a> {
    pub(super) id: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: Vec<Block<'a>>,
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) stop_details: Option<&'a Value>,
    pub(super) container: Option<&'a Value>,
    pub(super) usage: Written<'a>,
    #[serde(flatten)]
    pub(super) extra: Fields<'a>,
}

/// The data of `content_block_delta`: one flat shape for all kinds of delta, without a tag to buffer for.
#[derive(Deserialize)]
pub(super) struct BlockDelta<'a> {
    pub(super) index: u32,
    #[serde(borrow)]
    pub(super) delta: DeltaFields<'a>,
}

/// A delta's fields; `kind` says which one counts.
#[derive(Deserialize)]
pub(super) struct DeltaFields<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) partial_json: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) citation: Option<Value>,
}

/// The data of `content_block_stop`.
#[derive(Deserialize)]
pub(super) struct BlockStop {
    pub(super) index: u32,
}

/// What an event calls itself when its frame has no name.
#[derive(Deserialize)]
pub(super) struct EventKind<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
}

/// An error's body.
#[derive(DeriveSerialize)]
pub(super) struct ErrorBody<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) error: ErrorObject<'a>,
    pub(super) request_id: &'a str,
}

/// The error in it.
#[derive(DeriveSerialize)]
pub(super) struct ErrorObject<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) message: Cow<'a, str>,
}
