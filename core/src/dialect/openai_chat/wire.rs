//! The protocol's own JSON types: a stream's chunks, borrowed from the frame.
//!
//! Only what a decoder acts on is typed. Compatible providers are loose with types, so a field of
//! the wrong one reads as absent instead of spoiling the chunk; only what is no object at all fails.
//! Requests and whole responses are walked as [`crate::wire::json::Json`] trees instead, because
//! their unknown fields must be kept.
//!
//! Source: openai-python `types/chat/chat_completion_chunk.py`; `reasoning_content` from DeepSeek's
//! and vLLM's documentation, `reasoning`, `images` and `native_finish_reason` from OpenRouter's,
//! content chunks from Mistral's `types/contentchunk`, `x_groq` from Groq's `chat_completion_chunk`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::usage::{Count, WireUsage};

/// One `chat.completion.chunk`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) id: Str<'a>,
    #[serde(borrow)]
    pub(super) model: Str<'a>,
    pub(super) created: Count,
    #[serde(borrow)]
    pub(super) system_fingerprint: Str<'a>,
    #[serde(borrow)]
    pub(super) service_tier: Str<'a>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<ChunkChoice<'a>>>,
    pub(super) usage: Option<WireUsage>,
    pub(super) error: Option<Value>,
    /// Azure's first chunk.
    pub(super) prompt_filter_results: Option<Value>,
    /// Perplexity.
    pub(super) citations: Option<Value>,
    /// Perplexity.
    pub(super) search_results: Option<Value>,
    pub(super) x_groq: Option<XGroq>,
}

/// Groq's way to give usage and errors in a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct XGroq {
    pub(super) usage: Option<WireUsage>,
    pub(super) error: Option<Value>,
}

/// One choice of a chunk.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChunkChoice<'a> {
    pub(super) index: Count,
    #[serde(borrow)]
    pub(super) delta: Option<ChunkDelta<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Str<'a>,
    #[serde(borrow)]
    pub(super) native_finish_reason: Str<'a>,
    /// The stop text that was met (vLLM).
    #[serde(borrow)]
    pub(super) stop_reason: Str<'a>,
    #[serde(borrow)]
    pub(super) logprobs: Option<WireLogProbs<'a>>,
    /// Azure.
    pub(super) content_filter_results: Option<Value>,
}

/// What a chunk adds to a choice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChunkDelta<'a> {
    #[serde(borrow)]
    pub(super) content: Content<'a>,
    #[serde(borrow)]
    pub(super) reasoning_content: Str<'a>,
    #[serde(borrow)]
    pub(super) reasoning: Str<'a>,
    pub(super) reasoning_details: Option<Vec<Value>>,
    #[serde(borrow)]
    pub(super) refusal: Str<'a>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<ToolCallDelta<'a>>>,
    #[serde(borrow)]
    pub(super) function_call: Option<FunctionDelta<'a>>,
    pub(super) annotations: Option<Value>,
    pub(super) audio: Option<AudioDelta>,
    pub(super) images: Option<Vec<Value>>,
}

/// What a chunk adds to a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ToolCallDelta<'a> {
    pub(super) index: Option<Count>,
    #[serde(borrow)]
    pub(super) id: Str<'a>,
    #[serde(borrow)]
    pub(super) function: Option<FunctionDelta<'a>>,
    #[serde(borrow)]
    pub(super) custom: Option<CustomDelta<'a>>,
    /// Google's compatible endpoint keeps `thought_signature` here.
    pub(super) extra_content: Option<Value>,
}

/// A function's name and more of its arguments.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionDelta<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) arguments: Arguments<'a>,
}

/// A custom tool's name and more of its input.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CustomDelta<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) input: Str<'a>,
}

/// More of a spoken answer. Every chunk's `data` is base64 of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AudioDelta {
    pub(super) id: Option<String>,
    pub(super) data: Option<String>,
    pub(super) transcript: Option<String>,
    pub(super) expires_at: Option<u64>,
}

/// Log probabilities of a chunk or a choice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireLogProbs<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Vec<WireToken<'a>>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Vec<WireToken<'a>>>,
}

/// A token, its log probability and the alternatives.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireToken<'a> {
    #[serde(borrow)]
    pub(super) token: Str<'a>,
    pub(super) logprob: Option<f64>,
    pub(super) bytes: Option<Vec<u8>>,
    #[serde(borrow)]
    pub(super) top_logprobs: Option<Vec<WireToken<'a>>>,
}

/// Text, borrowed where the frame allows it; empty when it is absent or no text.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Str<'a>(pub(super) Cow<'a, str>);

impl std::ops::Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loose).map(|content| match content {
            Content::Text(text) => Str(text),
            Content::None | Content::Parts(_) => Str::default(),
        })
    }
}

/// A delta's `content`: text, or an array of chunks (Mistral).
#[derive(Debug, Default, PartialEq)]
pub(super) enum Content<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    Parts(Vec<Value>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Loose)
    }
}

/// A call's `arguments`: JSON text, or the object itself (Mistral, Ollama).
#[derive(Debug, Default, PartialEq)]
pub(super) struct Arguments<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Arguments<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON text or an object")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(""))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Cow::Owned(Value::deserialize(MapAccessDeserializer::new(map))?.to_string()))
            }
        }
        deserializer.deserialize_any(Either).map(Arguments)
    }
}

/// Text, an array, or nothing.
struct Loose;

impl<'de> Visitor<'de> for Loose {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Content::None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Content::None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Content::None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Content::None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Content::None)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = items.next_element()? {
            parts.push(part);
        }
        Ok(Content::Parts(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_borrows_its_text_from_the_frame() {
        let frame = r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#;
        let chunk: Chunk<'_> = serde_json::from_str(frame).unwrap();
        assert!(matches!(chunk.id.0, Cow::Borrowed("c1")));
        let delta = chunk.choices.unwrap().remove(0).delta.unwrap();
        assert!(matches!(delta.content, Content::Text(Cow::Borrowed("Hi"))));
    }

    #[test]
    fn loose_types_read_as_absent_and_arguments_may_be_an_object() {
        let frame = r#"{"id":7,"created":1.5e9,"model":null,"choices":[{"delta":{"content":null,"reasoning":{"x":1},
            "tool_calls":[{"index":0,"id":null,"function":{"name":"f","arguments":{"a":1}}}]},"stop_reason":128009}]}"#;
        let chunk: Chunk<'_> = serde_json::from_str(frame).unwrap();
        assert_eq!((&*chunk.id, chunk.created.0), ("", 1_500_000_000));
        let choice = chunk.choices.unwrap().remove(0);
        assert_eq!(&*choice.stop_reason, "");
        let call = choice.delta.unwrap().tool_calls.unwrap().remove(0);
        assert_eq!(call.function.unwrap().arguments.0, r#"{"a":1}"#);
    }
}
