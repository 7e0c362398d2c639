//! Messages and their parts.

use serde_json::Value;

use super::Extra;
use crate::dialect::DialectId;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, where a protocol tells developers from systems (OpenAI); encoded as system elsewhere.
    Developer,
    /// The caller's user.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What they say, in order. May be empty (an assistant that only refused, say).
    pub parts: Vec<Part>,
    /// The participant's name, where a protocol has one (OpenAI `name`).
    pub name: Option<String>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

impl Message {
    /// A message of `role` with `parts` and nothing else.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, name: None, extra: Extra::default() }
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(Text),
    /// An image, audio, video or document.
    Media(Media),
    /// The model calls a tool. Only in assistant messages.
    ToolCall(ToolCall),
    /// What a tool answered. Only in [`Role::Tool`] messages.
    ToolResult(ToolResult),
    /// The model's reasoning, readable or not. Only in assistant messages.
    Reasoning(Reasoning),
    /// The model declines (OpenAI `refusal`). Only in assistant messages.
    Refusal(Refusal),
    /// A block that only its own dialect understands (server tool use and results, code execution).
    Opaque(Opaque),
}

impl Part {
    /// A text part with nothing else.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), ..Text::default() })
    }
}

/// Text, with what a provider attached to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// A prompt-cache breakpoint after this part.
    pub cache: Option<CacheControl>,
    /// The provider's proof of this part (Gemini signs text too).
    pub signature: Option<Signature>,
    /// Citations, annotations and other fields.
    pub extra: Extra,
}

/// A refusal in the model's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refusal {
    /// The text.
    pub text: String,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// PDF, plain text and other files.
    Document,
}

/// Where a medium's bytes are.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaSource {
    /// In the message, base64 (standard alphabet, padded); `mime` like `image/png`.
    Base64 {
        /// Media type.
        mime: String,
        /// The bytes, base64.
        data: String,
    },
    /// At an address that the provider fetches. `mime` where the protocol gave one.
    Url {
        /// Media type, if known.
        mime: Option<String>,
        /// The address.
        url: String,
    },
    /// Plain text given as a document (Anthropic `source.type = text`).
    Text {
        /// The document's text.
        text: String,
    },
    /// A file that was uploaded to the provider that owns `dialect`.
    File {
        /// Whose file store.
        dialect: DialectId,
        /// Its id there.
        id: String,
        /// Media type, if known.
        mime: Option<String>,
    },
}

/// An image, audio, video or document part.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: MediaSource,
    /// File name or title.
    pub name: Option<String>,
    /// Resolution wish (OpenAI `detail`: auto, low, high).
    pub detail: Option<String>,
    /// A prompt-cache breakpoint after this part.
    pub cache: Option<CacheControl>,
    /// The provider's proof of this part, when a model made it (Gemini image output).
    pub signature: Option<Signature>,
    /// Fields without a canonical name (Anthropic `citations`, `context`; Gemini `videoMetadata`).
    pub extra: Extra,
}

/// The model's wish to call a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolCall {
    /// Ties the result to the call. Never empty: a decoder invents one where the protocol has none.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// JSON text, exactly as the model wrote it; `""` when it wrote nothing.
    pub arguments: String,
    /// The provider's proof of this call (Gemini `thoughtSignature`).
    pub signature: Option<Signature>,
    /// A prompt-cache breakpoint after this part.
    pub cache: Option<CacheControl>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub call_id: String,
    /// The function's name. Encoders that need it look it up in the conversation when it is absent.
    pub name: Option<String>,
    /// Text and media.
    pub content: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// A prompt-cache breakpoint after this part.
    pub cache: Option<CacheControl>,
    /// Fields without a canonical name.
    pub extra: Extra,
}

/// The model's reasoning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// The readable text, or summary; empty when only the signature is there.
    pub text: String,
    /// Whether `signature` holds the whole (encrypted) content instead of proving `text` (Anthropic `redacted_thinking`).
    pub redacted: bool,
    /// The provider's proof, to be returned verbatim.
    pub signature: Option<Signature>,
}

/// A provider's opaque token. Only an encoder of the same dialect may send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The dialect that made it.
    pub dialect: DialectId,
    /// The token, exactly as received.
    pub data: String,
}

/// A block that only its own dialect understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque {
    /// The dialect that made it.
    pub dialect: DialectId,
    /// The block, whole.
    pub value: Value,
}

/// A prompt-cache breakpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// Time to live in the provider's spelling (`5m`, `1h`); its default when absent.
    pub ttl: Option<String>,
}
