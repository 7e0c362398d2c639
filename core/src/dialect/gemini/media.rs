//! Media, both ways.
//!
//! | Gemini | canonical |
//! |---|---|
//! | `inlineData` | base64, in the standard alphabet (Python's SDK writes the URL-safe one) |
//! | `fileData` at a web address | an address; YouTube's are videos |
//! | `fileData` in Google's file store, `gs://` | a file of this dialect |
//!
//! The kind is read off the media type, or the address when there is none.

use std::fmt::Display;

use base64::Engine;
use serde_json::{Map, Value};

use super::content::{Flaw, Reader, nest, note_cache, own};
use super::json::standard_base64;
use super::wire::{self, Blob, FileData, Str};
use crate::chat::{Extra, Media, MediaKind, MediaSource, WarningCode, Warnings};
use crate::dialect::DialectId;
use crate::error::{Error, Result};

const GEMINI: DialectId = DialectId::Gemini;

/// Decodes inline bytes.
pub(super) fn decode_blob(blob: Blob<'_>) -> Result<Media, Flaw> {
    let mime = blob.mime_type.ok_or(Flaw { at: ".inlineData.mimeType", why: "inline data needs its media type" })?;
    let data = blob.data.ok_or(Flaw { at: ".inlineData.data", why: "inline data needs its bytes, base64" })?;
    let source = MediaSource::Base64 { data: standard_base64(&data).into_owned(), mime: mime.to_string() };
    Ok(media(kind_of(&mime), source, blob.display_name, "inlineData.", blob.rest))
}

/// Decodes an address.
pub(super) fn decode_file(file: FileData<'_>) -> Result<Media, Flaw> {
    let url = file.file_uri.ok_or(Flaw { at: ".fileData.fileUri", why: "file data needs its address" })?.into_string();
    let mime = file.mime_type.filter(|mime| !mime.is_empty()).map(Str::into_string);
    let kind = match &mime {
        Some(mime) => kind_of(mime),
        None if is_youtube(&url) => MediaKind::Video,
        None => mime_of(&url).map_or(MediaKind::Document, kind_of),
    };
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    // Files of Google's own store are addressed by URL too, but only Google can read them.
    let is_stored = url.starts_with("https://generativelanguage.googleapis.com/");
    let source =
        if is_web && !is_stored { MediaSource::Url { mime, url } } else { MediaSource::File { dialect: GEMINI, id: url, mime } };
    Ok(media(kind, source, file.display_name, "fileData.", file.rest))
}

/// A medium whose inner message left `rest`. A name of Google's own is kept for Google too.
fn media(kind: MediaKind, source: MediaSource, name: Option<Str<'_>>, prefix: &str, rest: Map<String, Value>) -> Media {
    let name = name.filter(|name| !name.is_empty()).map(Str::into_string);
    let mut extra = Extra::default();
    nest(&mut extra, prefix, rest);
    if let Some(name) = &name {
        extra.insert(GEMINI, format!("{prefix}displayName"), name.as_str().into());
    }
    Media { kind, source, name, detail: None, cache: None, signature: None, extra }
}

fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next().unwrap_or_default() {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

fn is_youtube(url: &str) -> bool {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    ["www.youtube.com/", "youtube.com/", "m.youtube.com/", "youtu.be/"].iter().any(|host| rest.starts_with(host))
}

/// The media type that an address ends in.
fn mime_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "bmp" => "image/bmp",
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "aac" => "audio/aac",
        "m4a" => "audio/mp4",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mpeg" | "mpg" => "video/mpeg",
        _ => return None,
    })
}

/// Encodes a medium.
pub(super) fn encode_media<'a>(
    media: &'a Media,
    at: &dyn Display,
    reader: Reader,
    warnings: &mut Warnings,
) -> Result<Option<wire::Part<'a>>> {
    note_cache(media.cache.is_some(), warnings);
    if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
        warnings.dropped(format!("{at}.detail"), "Gemini sets the resolution for the whole request");
    }
    let (rest, inner) = own(&media.extra, at, warnings);
    if media.name.is_some() && !inner.contains_key("displayName") {
        warnings.dropped(format!("{at}.name"), "Gemini's models do not see file names");
    }
    let thought_signature = reader.signature(media.signature.as_ref());
    let blob = |mime: Str<'a>, data: Str<'a>| wire::Part {
        inline_data: Some(Box::new(Blob { mime_type: Some(mime), data: Some(data), rest: inner.clone(), ..Default::default() })),
        ..Default::default()
    };
    let file = |mime: Option<Str<'a>>, uri: &'a String| wire::Part {
        file_data: Some(Box::new(FileData {
            mime_type: mime,
            file_uri: Some(uri.into()),
            rest: inner.clone(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let part = match &media.source {
        MediaSource::Base64 { mime, data } => blob(mime.into(), data.into()),
        MediaSource::Text { text } => blob("text/plain".into(), base64::engine::general_purpose::STANDARD.encode(text).into()),
        MediaSource::Url { url, .. } if matches!(reader, Reader::Provider(family) if !family.https_files) && !is_youtube(url) => {
            return Err(Error::unsupported(
                at.to_string(),
                "This model cannot fetch a file from an address; send its bytes as base64, or use Gemini 2.5 or later.",
            ));
        }
        MediaSource::Url { mime: Some(mime), url } => file(Some(mime.into()), url),
        MediaSource::Url { mime: None, url } if is_youtube(url) => file(None, url),
        MediaSource::Url { mime: None, url } => {
            let mime = mime_of(url).unwrap_or_else(|| {
                let usual = usual_mime(media.kind);
                warnings.push(WarningCode::Filled, at.to_string(), format!("Gemini wants a media type; sent {usual}"));
                usual
            });
            file(Some(mime.into()), url)
        }
        MediaSource::File { dialect: GEMINI, id, mime } => file(mime.as_ref().map(Str::from), id),
        MediaSource::File { dialect, .. } => {
            let message = format!("The file was uploaded to a provider of {}; Gemini cannot read it.", dialect.name());
            return Err(Error::unsupported(at.to_string(), message));
        }
    };
    Ok(Some(wire::Part { thought_signature, rest, ..part }))
}

fn usual_mime(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/jpeg",
        MediaKind::Audio => "audio/mpeg",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    }
}
