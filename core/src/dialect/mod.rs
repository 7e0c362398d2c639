//! Message protocols. A dialect is a folder of five files:
//!
//! | file | what it holds |
//! |---|---|
//! | `mod.rs` | the [`Dialect`] implementation: paths, headers, errors; delegates the rest |
//! | `wire.rs` | the protocol's own JSON types, nothing else |
//! | `request.rs` | requests, both ways |
//! | `response.rs` | whole responses, both ways |
//! | `stream.rs` | stream events, both ways |
//!
//! Protocol knowledge is synchronous: no codec is `async`, opens anything or reads a clock. Stream
//! codecs own their state. [`driver`] runs decoder and encoder over a body and owns the policy for
//! unknown, corrupt and truncated events; [`meter`] reads usage from bytes that pass untouched.
//!
//! Invariant: codecs of different dialects know nothing of each other; they meet in [`crate::chat`].

/// What a dialect's files do under the same names everywhere, as part of its [`Dialect`] implementation:
/// `by_its_files!(stream::Decoder, stream::Encoder, stream::Sniffer);`.
macro_rules! by_its_files {
    ($decoder:ty, $encoder:ty, $sniffer:ty) => {
        fn encode_request(&self, request: &ChatRequest, target: Target<'_>, warnings: &mut Warnings) -> Result<EncodedRequest> {
            request::encode(request, target, warnings)
        }

        fn weight(&self, field: &str, value: &serde_json::Value) -> Weight {
            weight::of(field, value)
        }

        fn decode_response(&self, body: &[u8]) -> Result<ChatResponse> {
            response::decode(body)
        }

        fn encode_response(&self, response: &ChatResponse, reply: &Reply, warnings: &mut Warnings) -> Bytes {
            response::encode(response, reply, warnings)
        }

        fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
            Box::new(<$decoder>::default())
        }

        fn stream_encoder(&self, reply: Reply) -> Box<dyn StreamEncoder> {
            Box::new(<$encoder>::new(reply))
        }

        fn stream_sniffer(&self) -> Box<dyn StreamSniffer> {
            Box::new(<$sniffer>::default())
        }

        fn decode_error(&self, upstream: Upstream, headers: &HeaderMap) -> Error {
            error::decode(upstream, headers)
        }
    };
}

pub mod anthropic_messages;
pub mod driver;
pub mod gemini;
pub mod meter;
pub mod openai_chat;
pub mod relay;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::chat::{ChatEvent, ChatRequest, ChatResponse, Usage, Warnings};
use crate::error::{Error, Result, Upstream};
use crate::model::ModelLimits;
use crate::provider::Quirks;

/// A message protocol's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialectId {
    /// OpenAI Chat Completions and everything compatible with it.
    OpenAiChat,
    /// Anthropic Messages.
    AnthropicMessages,
    /// Gemini `generateContent`.
    Gemini,
}

impl DialectId {
    /// Every dialect.
    pub const ALL: [DialectId; 3] = [Self::OpenAiChat, Self::AnthropicMessages, Self::Gemini];

    /// Its name in configuration, records and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
        }
    }

    /// The dialect of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Its codecs.
    pub fn codec(self) -> &'static dyn Dialect {
        match self {
            Self::OpenAiChat => &openai_chat::OpenAiChat,
            Self::AnthropicMessages => &anthropic_messages::AnthropicMessages,
            Self::Gemini => &gemini::Gemini,
        }
    }
}

/// What a request says outside its body.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The model, where the protocol puts it in the path (Gemini).
    pub model: Option<&'a str>,
    /// Whether the path asks for a stream (Gemini); `None` where the body says it.
    pub stream: Option<bool>,
    /// The caller's headers.
    pub headers: &'a HeaderMap,
}

/// Where an encoded request will go: what an encoder may need to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The provider's name, for messages.
    pub provider: &'a str,
    /// The model's name at the provider.
    pub model: &'a str,
    /// What the provider is known to do differently.
    pub quirks: &'a Quirks,
    /// The model's limits, as far as they are known.
    pub limits: ModelLimits,
}

/// An encoded request, without its address: the path comes from [`Dialect::path`].
#[derive(Clone, Debug, Default)]
pub struct EncodedRequest {
    /// JSON.
    pub body: Bytes,
    /// Protocol headers that this request needs (`anthropic-beta`); not `content-type`, version or credentials.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What it means to leave a field out of a request; see [`Dialect::weight`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The answer would be another one than was asked for, or come about otherwise: the request is refused.
    Essential,
    /// Less than was asked for: a warning.
    Wish,
    /// Nothing: it asks for what is so anyway, or is told in a canonical field too.
    Nothing,
}

/// How a streamed answer is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamForm {
    /// Server-sent events.
    #[default]
    Sse,
    /// One JSON array, an element an event (Gemini without `alt=sse`).
    JsonArray,
}

/// What an encoder of responses needs to know of the request that it answers.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The gateway's request id; ids that the provider did not give are made from it.
    pub id: String,
    /// The model as the caller wrote it; used when the provider did not name one.
    pub model: String,
    /// Now, in seconds since the Unix epoch; used when the provider did not say.
    pub created: u64,
    /// Whether the caller wants usage in the stream.
    pub usage: bool,
    /// The stream's framing.
    pub form: StreamForm,
    /// Whether the caller knows calls only as `function_call`, one a message: Chat Completions before tools.
    pub function_call: bool,
}

/// A framed stream event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The event's name; `""` when it has none.
    pub event: &'a str,
    /// Its data.
    pub data: &'a [u8],
}

/// Why a frame could not be decoded. The driver's policy decides what follows.
#[derive(Debug)]
pub enum Fault {
    /// A well-formed event that this decoder does not know: skipped and counted.
    Unknown,
    /// Not JSON, or not of the protocol's shape: skipped and counted.
    Corrupt(String),
}

/// Decodes one stream. Keeps [`ChatEvent`]'s grammar.
pub trait StreamDecoder: Send {
    /// Decodes a frame.
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault>;

    /// The transport ended cleanly. A decoder whose protocol's end was implied (a finish reason, but
    /// no `[DONE]`) closes open parts and says `End` here; otherwise it says nothing, and the driver
    /// treats the stream as truncated.
    fn finish(&mut self, events: &mut Vec<ChatEvent>);
}

/// Encodes one stream. Relies on [`ChatEvent`]'s grammar.
pub trait StreamEncoder: Send {
    /// Appends the frames of an event, if it has any, to `out`. `ChatEvent::Error` becomes the
    /// dialect's terminal error event.
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>);
}

/// What the bytes of an untouched stream frame tell; see [`Dialect::sniff`].
#[derive(Clone, Debug, Default)]
pub struct Sniffed {
    /// The frame holds content that a caller can see (text, reasoning, a tool call), not only lifecycle.
    pub content: bool,
    /// Bytes of generated text in the frame, for estimates.
    pub content_bytes: usize,
    /// The protocol's end: `[DONE]`, `message_stop`.
    pub end: bool,
    /// A finish reason was given, so that a clean end of transport is an end.
    pub finished: bool,
    /// The provider's error.
    pub error: Option<Error>,
    /// The frame holds nothing but the usage that a caller may not have asked for.
    pub usage_only: bool,
}

/// Reads usage and state from the frames of a stream that passes untouched. Owns its state.
pub trait StreamSniffer: Send {
    /// Looks at a frame.
    fn frame(&mut self, frame: Frame<'_>) -> Sniffed;
    /// Usage so far: fields of several frames merged.
    fn usage(&self) -> Option<Usage>;
}

/// A message protocol, both ways. Implementations are stateless.
pub trait Dialect: Send + Sync {
    /// Its name.
    fn id(&self) -> DialectId;

    /// The path below a provider's base URL, with query, for a request to `model`, and for a stream of
    /// that form: `/chat/completions`, `/messages`, `/models/{model}:streamGenerateContent?alt=sse`.
    fn path(&self, model: &str, stream: Option<StreamForm>) -> String;

    /// Request headers of this protocol that pass from caller to provider when both speak it
    /// (`anthropic-beta`, `openai-organization`), lower case.
    fn request_headers(&self) -> &'static [&'static str];

    /// Headers that every request of this protocol needs (`anthropic-version`), unless the caller gave them.
    fn fixed_headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Response headers of this protocol that pass back, lower case. A name that ends in `*` is a prefix.
    fn response_headers(&self) -> &'static [&'static str];

    /// The header in which this protocol gives the request's id: `x-request-id`, `request-id`.
    fn request_id_header(&self) -> &'static str;

    /// Whether a request may end in an assistant message that the answer continues ("prefill").
    fn continues_answers(&self) -> bool {
        false
    }

    /// Decodes a request. Refuses wrong types and missing fields with the field's path; keeps unknown
    /// fields in [`Extra`](crate::chat::Extra).
    fn decode_request(&self, head: RequestHead<'_>, body: &[u8]) -> Result<ChatRequest>;

    /// Encodes a request for `target`. What it cannot carry is a warning, or an error of kind
    /// `Unsupported` when leaving it out would change the meaning.
    fn encode_request(&self, request: &ChatRequest, target: Target<'_>, warnings: &mut Warnings) -> Result<EncodedRequest>;

    /// This protocol's own path of a request's parameter, by its canonical name: `generationConfig.seed`
    /// for `seed`. Encoders name parameters canonically; callers read warnings and errors in their own words.
    fn parameter<'a>(&self, canonical: &'a str) -> &'a str {
        canonical
    }

    /// What it means to leave out a field of this dialect that has no canonical name: `field` is its
    /// key in [`Extra`](crate::chat::Extra), of a request or of anything inside of one.
    fn weight(&self, field: &str, value: &serde_json::Value) -> Weight {
        let _ = (field, value);
        Weight::Wish
    }

    /// Adds to `reply` what a request of this dialect says of the form of its answer.
    fn form(&self, request: &ChatRequest, reply: &mut Reply) {
        let _ = (request, reply);
    }

    /// Decodes a whole response with a success status.
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse>;

    /// Encodes a whole response as JSON.
    fn encode_response(&self, response: &ChatResponse, reply: &Reply, warnings: &mut Warnings) -> Bytes;

    /// A decoder for one stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// An encoder for one stream.
    fn stream_encoder(&self, reply: Reply) -> Box<dyn StreamEncoder>;

    /// A sniffer for one stream that passes untouched.
    fn stream_sniffer(&self) -> Box<dyn StreamSniffer>;

    /// Reads usage from a whole response that passes untouched, without decoding the rest.
    fn usage(&self, body: &[u8]) -> Option<Usage>;

    /// Understands an error response. `upstream` holds status, body and headers' facts; the result
    /// carries it. Sets kind, message, retry_after (from `headers` or the body).
    fn decode_error(&self, upstream: Upstream, headers: &HeaderMap) -> Error;

    /// The body of an error response; its status is `error.status()`.
    fn encode_error(&self, error: &Error, request_id: &str) -> Bytes;

    /// A terminal error frame for a stream of `form` that already began (`began`: whether an array
    /// element was already written).
    fn encode_stream_error(&self, error: &Error, reply: &Reply, began: bool) -> Vec<u8>;
}
