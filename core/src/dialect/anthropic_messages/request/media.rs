//! Where a medium's bytes are, if the API takes media of its kind from there.
//!
//! | canonical | here |
//! |---|---|
//! | JPEG, PNG, GIF, WebP, PDF as base64 | `base64` |
//! | plain text and JSON documents as base64 | decoded, `text` |
//! | a document given as text | `text` |
//! | an address of an image or PDF | `url` |
//! | a file in Anthropic's store | `file` |
//! | audio, video, other types, other stores | `Unsupported` |

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::ME;
use super::super::wire::Source;
use crate::chat::{Media, MediaKind, MediaSource};
use crate::error::{Error, Result};

/// The source of `media` for `provider`; `at` is its place.
pub(super) fn source<'a>(media: &'a Media, provider: &str, at: &dyn Display) -> Result<Source<'a>> {
    if let Some(whole) = media.extra.field(ME, "source") {
        return Ok(Source::Other(whole));
    }
    let refuse = |what: &str| Err(Error::unsupported(at.to_string(), format!("`{provider}` takes {what}.")));
    let image = match media.kind {
        MediaKind::Image => true,
        MediaKind::Document => false,
        MediaKind::Audio => return refuse("no audio; send a transcript, or choose a model with audio input"),
        MediaKind::Video => return refuse("no video; send frames as images, or choose a model with video input"),
    };
    Ok(match &media.source {
        MediaSource::Base64 { mime, data } => match (image, mime.as_str()) {
            (true, "image/jpeg" | "image/png" | "image/gif" | "image/webp") | (false, "application/pdf") => {
                Source::Base64 { media_type: mime, data }
            }
            (true, "image/jpg") => Source::Base64 { media_type: "image/jpeg", data },
            (true, _) => return refuse(&format!("JPEG, PNG, GIF and WebP images, not {mime}")),
            (false, _) if mime.starts_with("text/") || mime == "application/json" => text(data, at)?,
            (false, _) => return refuse(&format!("PDF and plain text documents, not {mime}")),
        },
        MediaSource::Url { mime: Some(mime), .. } if !image && mime != "application/pdf" => {
            return refuse(&format!("PDF documents by address, not {mime}; send the text itself"));
        }
        MediaSource::Url { url, .. } => Source::Url { url },
        MediaSource::Text { text } if !image => Source::Text { media_type: "text/plain", data: text.as_str().into() },
        MediaSource::Text { .. } => return refuse("images as base64 or address, not as text"),
        MediaSource::File { dialect, id, .. } if *dialect == ME => Source::File { file_id: id },
        MediaSource::File { dialect, .. } => {
            return refuse(&format!("no file from the store of {}; send its content instead", dialect.name()));
        }
    })
}

fn text<'a>(data: &str, at: &dyn Display) -> Result<Source<'a>> {
    match STANDARD.decode(data).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Source::Text { media_type: "text/plain", data: text.into() }),
        _ => Err(Error::invalid(at.to_string(), format!("`{at}` is not base64 of UTF-8 text."))),
    }
}
