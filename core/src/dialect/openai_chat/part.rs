//! Content parts of messages, both ways: text, images, audio, video and files.
//!
//! | part | canonical |
//! |---|---|
//! | `text` | [`Text`] |
//! | `image_url` | [`Media`]: a data URL is [`MediaSource::Base64`], anything else an address |
//! | `input_audio` | audio, base64; `format` is the media type's second half |
//! | `file` | document: `file_data` (a data URL or bare base64) or `file_id` |
//! | `video_url`, `audio_url` | media by address: what vLLM, Qwen and Zhipu understand |
//! | `refusal` | [`Refusal`] |
//! | anything else | [`Opaque`] of this dialect |
//!
//! A document by address has no part here and is refused; one that is text is sent as text.
//!
//! Source: openai-python `types/chat/chat_completion_content_part_*.py`; vLLM, multimodal inputs.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::DIALECT;
use super::encoding::{BREAKPOINT, Encoding};
use crate::chat::{CacheControl, Extra, Media, MediaKind, MediaSource, Opaque, Part, Refusal, Text};
use crate::error::Result;
use crate::wire::json::{At, Json};
use crate::wire::json_writer::Array;

/// Decodes `content`: a string, or an array of parts.
pub(super) fn decode_content(content: Json<'_>, at: At<'_>) -> Result<Vec<Part>> {
    match content {
        Json::String(text) => Ok(vec![Part::text(text)]),
        Json::Array(parts) => parts.into_iter().enumerate().map(|(index, part)| decode(part, at.item(index))).collect(),
        other => Err(at.wrong(&other, "a string or an array of content parts")),
    }
}

fn decode(part: Json<'_>, at: At<'_>) -> Result<Part> {
    if !matches!(part, Json::Object(_)) {
        return Err(at.wrong(&part, r#"an object such as {"type": "text", "text": "..."}"#));
    }
    let kind = match part.get("type") {
        Some(Json::String(kind)) => kind.to_string(),
        Some(other) => return Err(at.field("type").wrong(other, "the part's type, `text` say")),
        None => return Err(at.field("type").missing("`text`, `image_url`, `input_audio` or `file`")),
    };
    match kind.as_str() {
        "text" => text(part, at),
        "refusal" => refusal(part, at),
        "image_url" | "input_audio" | "file" | "video_url" | "audio_url" => media(part, at, &kind),
        _ => Ok(Part::Opaque(Opaque { dialect: DIALECT, value: part.into() })),
    }
}

fn text(part: Json<'_>, at: At<'_>) -> Result<Part> {
    let mut decoded = Text::default();
    let mut found = false;
    for (key, value) in part.object(at)? {
        let at = at.field(&key);
        match &*key {
            "type" => {}
            "text" => (decoded.text, found) = (value.string(at)?, true),
            BREAKPOINT => decoded.cache = Some(breakpoint(value, at, &mut decoded.extra)?),
            "cache_control" => decoded.cache = Some(cache_control(value, at)?),
            _ => decoded.extra.insert(DIALECT, key, value.into()),
        }
    }
    if found { Ok(Part::Text(decoded)) } else { Err(at.field("text").missing("the part's text")) }
}

fn refusal(part: Json<'_>, at: At<'_>) -> Result<Part> {
    let text = part.object(at)?.find(|(key, _)| key == "refusal").map(|(_, text)| text.string(at.field("refusal")));
    text.unwrap_or_else(|| Err(at.field("refusal").missing("the refusal's text"))).map(|text| Part::Refusal(Refusal { text }))
}

fn media(part: Json<'_>, at: At<'_>, kind: &str) -> Result<Part> {
    let mut inner = None;
    let mut cache = None;
    let mut extra = Extra::default();
    for (key, value) in part.object(at)? {
        let at = at.field(&key);
        match &*key {
            "type" => {}
            key if key == kind => inner = Some(value),
            BREAKPOINT => cache = Some(breakpoint(value, at, &mut extra)?),
            "cache_control" => cache = Some(cache_control(value, at)?),
            _ => extra.insert(DIALECT, key, value.into()),
        }
    }
    let at = at.field(kind);
    let inner = inner.ok_or_else(|| at.missing("an object"))?;
    let mut media = match kind {
        "image_url" => link(inner, at, MediaKind::Image),
        "video_url" => link(inner, at, MediaKind::Video),
        "audio_url" => link(inner, at, MediaKind::Audio),
        "input_audio" => audio(inner, at),
        _ => file(inner, at),
    }?;
    media.cache = cache;
    media.extra.extend(DIALECT, extra.fields(DIALECT).map(|(key, value)| (key.clone(), value.clone())).collect());
    Ok(Part::Media(media))
}

/// A medium with nothing but kind and source.
pub(super) fn bare(kind: MediaKind, source: MediaSource) -> Media {
    Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Extra::default() }
}

/// `{"url", "detail"}`, or the URL itself (Mistral).
fn link(inner: Json<'_>, at: At<'_>, kind: MediaKind) -> Result<Media> {
    if let Json::String(url) = &inner {
        let (kind, source) = address(url, kind, at)?;
        return Ok(bare(kind, source));
    }
    let mut media = None;
    let mut detail = None;
    let mut unknown = Map::new();
    for (key, value) in inner.object(at)? {
        let at = at.field(&key);
        match &*key {
            "url" => {
                let (kind, source) = address(&value.text(at)?, kind, at)?;
                media = Some(bare(kind, source));
            }
            "detail" => detail = Some(value.string(at)?),
            _ => drop(unknown.insert(key.into_owned(), value.into())),
        }
    }
    let mut media = media.ok_or_else(|| at.field("url").missing("an https or data URL"))?;
    media.detail = detail;
    keep_inner(&mut media, at, unknown);
    Ok(media)
}

fn audio(inner: Json<'_>, at: At<'_>) -> Result<Media> {
    let (mut data, mut format) = (None, None);
    let mut unknown = Map::new();
    for (key, value) in inner.object(at)? {
        let at = at.field(&key);
        match &*key {
            "data" => data = Some(value.text(at)?),
            "format" => format = Some(value.text(at)?),
            _ => drop(unknown.insert(key.into_owned(), value.into())),
        }
    }
    let data = data.ok_or_else(|| at.field("data").missing("the audio, base64"))?;
    let format = format.ok_or_else(|| at.field("format").missing("`wav` or `mp3`"))?;
    let source = match data_url(&data) {
        Some(source) => source,
        None => MediaSource::Base64 { mime: audio_mime(&format), data: data.into_owned() },
    };
    let mut media = bare(MediaKind::Audio, source);
    keep_inner(&mut media, at, unknown);
    Ok(media)
}

fn audio_mime(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    }
}

fn audio_format(mime: &str) -> &str {
    match mime.strip_prefix("audio/").unwrap_or(mime) {
        "mpeg" | "mp3" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        other => other,
    }
}

fn file(inner: Json<'_>, at: At<'_>) -> Result<Media> {
    let (mut data, mut id, mut name) = (None, None, None);
    let mut unknown = Map::new();
    for (key, value) in inner.object(at)? {
        let at = at.field(&key);
        match &*key {
            "file_data" => data = Some(value.text(at)?),
            "file_id" => id = Some(value.string(at)?),
            "filename" => name = Some(value.string(at)?),
            _ => drop(unknown.insert(key.into_owned(), value.into())),
        }
    }
    let (kind, source) = match (data, id) {
        (Some(data), None) if is_address(&data) => address(&data, MediaKind::Document, at.field("file_data"))?,
        (Some(data), None) => {
            let mime = mime_of_name(name.as_deref()).to_owned();
            (MediaKind::Document, MediaSource::Base64 { mime, data: data.into_owned() })
        }
        (None, Some(id)) => (MediaKind::Document, MediaSource::File { dialect: DIALECT, id, mime: None }),
        (Some(_), Some(_)) => return Err(at.invalid("has both `file_data` and `file_id`; send one of them")),
        (None, None) => return Err(at.field("file_data").missing("the file as a data URL, or its `file_id`")),
    };
    let mut media = bare(kind, source);
    media.name = name;
    keep_inner(&mut media, at, unknown);
    Ok(media)
}

fn mime_of_name(name: Option<&str>) -> &'static str {
    match name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

/// Unknown fields of the inner object are kept under its name, as they came.
fn keep_inner(media: &mut Media, at: At<'_>, unknown: Map<String, Value>) {
    if let (false, At::Field(_, name)) = (unknown.is_empty(), at) {
        media.extra.insert(DIALECT, name, Value::Object(unknown));
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("data:") || text.split_once("://").is_some_and(|(scheme, _)| scheme.len() <= 16)
}

/// A URL as a source. A data URL's media type decides the kind: PDFs come as `image_url` too.
fn address(url: &str, kind: MediaKind, at: At<'_>) -> Result<(MediaKind, MediaSource)> {
    if url.starts_with("data:") {
        let source = data_url(url).ok_or_else(|| at.invalid("is not a data URL of the form `data:image/png;base64,...`"))?;
        let kind = match &source {
            MediaSource::Base64 { mime, .. } => kind_of_mime(mime).unwrap_or(kind),
            _ => kind,
        };
        return Ok((kind, source));
    }
    if !is_address(url) {
        return Err(at.invalid("is not a URL; send an https URL or a data URL such as `data:image/png;base64,...`"));
    }
    Ok((kind, MediaSource::Url { mime: None, url: url.to_owned() }))
}

fn kind_of_mime(mime: &str) -> Option<MediaKind> {
    match mime.split_once('/')?.0 {
        "image" => Some(MediaKind::Image),
        "audio" => Some(MediaKind::Audio),
        "video" => Some(MediaKind::Video),
        _ => Some(MediaKind::Document),
    }
}

/// `data:<mime>[;parameter]*;base64,<data>`.
pub(super) fn data_url(url: &str) -> Option<MediaSource> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?.split(';').next().filter(|mime| mime.contains('/'))?;
    Some(MediaSource::Base64 { mime: mime.to_ascii_lowercase(), data: data.to_owned() })
}

/// Decodes OpenAI's own marker, and keeps it for OpenAI as it is.
fn breakpoint(json: Json<'_>, at: At<'_>, extra: &mut Extra) -> Result<CacheControl> {
    let cache = cache_control(json.clone(), at)?;
    extra.insert(DIALECT, BREAKPOINT, json.into());
    Ok(cache)
}

/// Decodes Anthropic's `cache_control`, which OpenRouter and LiteLLM take at this door too, and
/// OpenAI's own `prompt_cache_breakpoint`, whose lifetimes (30 minutes, 12 hours) are nearest to an hour.
pub(super) fn cache_control(json: Json<'_>, at: At<'_>) -> Result<CacheControl> {
    let mut ttl = None;
    for (key, value) in json.object(at)? {
        if key == "ttl" {
            ttl = Some(match &*value.text(at.field("ttl"))? {
                "30m" | "12h" => "1h".to_owned(),
                other => other.to_owned(),
            });
        }
    }
    Ok(CacheControl { ttl })
}

/// Encodes one part of a user message or of media moved into one.
pub(super) fn encode(part: &Part, at: At<'_>, parts: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    match part {
        Part::Text(text) => encode_text(text, at, parts, encoding),
        Part::Media(media) => encode_media(media, at, parts, encoding)?,
        Part::Opaque(opaque) if opaque.dialect == DIALECT => parts.item(&opaque.value),
        Part::Opaque(opaque) => {
            let kind = opaque.value.get("type").and_then(Value::as_str).unwrap_or("native");
            return Err(encoding.refuse(at, format_args!("is a `{kind}` block of {}", opaque.dialect.name())));
        }
        Part::Refusal(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {
            encoding.dropped(at, "only assistants refuse, call and reason");
        }
    }
    Ok(())
}

/// Encodes a text part.
pub(super) fn encode_text(text: &Text, at: At<'_>, parts: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) {
    let mut object = parts.object();
    object.field("type", "text");
    object.field("text", &text.text);
    encoding.cache(&mut object, &text.cache, &text.extra);
    encoding.extra(&mut object, &text.extra, at, &[]);
}

fn encode_media(media: &Media, at: At<'_>, parts: &mut Array<'_>, encoding: &mut Encoding<'_, '_>) -> Result<()> {
    use MediaKind::{Audio, Document, Image, Video};
    use MediaSource::{Base64, File, Url};
    if let Some(text) = as_text(media, at, encoding) {
        let text = Text { text, cache: media.cache.clone(), ..Text::default() };
        encode_text(&text, at, parts, encoding);
        encoding.extra_is_lost(&media.extra, at);
        return Ok(());
    }
    let inner = match (media.kind, &media.source) {
        (_, File { dialect, .. }) if *dialect == DIALECT => "file",
        (_, File { dialect, .. }) => {
            return Err(encoding.refuse(at, format_args!("is a file that was uploaded to the owner of {}", dialect.name())));
        }
        (Document, Url { .. }) => {
            return Err(encoding.refuse(at, "is a document by address (send the file itself, base64)"));
        }
        (Image, _) => "image_url",
        (Audio, Base64 { .. }) => "input_audio",
        (Audio, _) => "audio_url",
        (Video, _) => "video_url",
        (Document, _) => "file",
    };
    let mut object = parts.object();
    object.field("type", inner);
    let mut fields = object.object(inner);
    match (inner, &media.source) {
        ("input_audio", Base64 { mime, data }) => {
            fields.field("data", data);
            fields.field("format", audio_format(mime));
        }
        ("file", Base64 { mime, data }) => {
            // OpenAI refuses file data without a name.
            fields.field("filename", media.name.as_deref().unwrap_or("document.pdf"));
            fields.field("file_data", &DataUrl { mime, data });
        }
        (_, Base64 { mime, data }) => fields.field("url", &DataUrl { mime, data }),
        (_, Url { url, .. }) => fields.field("url", url),
        (_, File { id, .. }) => fields.field("file_id", id),
        (_, MediaSource::Text { text }) => fields.field("url", text),
    }
    if inner == "image_url" {
        fields.some("detail", &media.detail);
    }
    if let Some(Value::Object(unknown)) = media.extra.field(DIALECT, inner) {
        unknown.iter().for_each(|(key, value)| fields.field(key, value));
    }
    drop(fields);
    encoding.cache(&mut object, &media.cache, &media.extra);
    encoding.extra(&mut object, &media.extra, at, &[inner]);
    Ok(())
}

/// A document that is text, as that text: the protocol's `file` part takes PDFs.
fn as_text(media: &Media, at: At<'_>, encoding: &mut Encoding<'_, '_>) -> Option<String> {
    let text = match &media.source {
        MediaSource::Text { text } => text.clone(),
        MediaSource::Base64 { mime, data } if media.kind == MediaKind::Document && is_text(mime) => {
            String::from_utf8(STANDARD.decode(data).ok()?).ok()?
        }
        _ => return None,
    };
    encoding.approximated(at, "a text document is sent as text");
    Some(match &media.name {
        Some(name) => format!("{name}\n\n{text}"),
        None => text,
    })
}

fn is_text(mime: &str) -> bool {
    mime.starts_with("text/") || mime == "application/json"
}

/// Writes a data URL without building it first: it may hold megabytes.
pub(super) struct DataUrl<'a> {
    pub(super) mime: &'a str,
    pub(super) data: &'a str,
}

impl fmt::Display for DataUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data:{};base64,{}", self.mime, self.data)
    }
}

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a part has no place but a content array: media, or text with a marker or fields of its own.
pub(super) fn needs_array(part: &Part, encoding: &Encoding<'_, '_>) -> bool {
    match part {
        Part::Text(text) => encoding.keeps_cache(&text.cache) || text.extra.fields(DIALECT).next().is_some(),
        _ => true,
    }
}
