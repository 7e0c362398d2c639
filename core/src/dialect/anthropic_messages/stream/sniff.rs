//! Usage and state of a stream that passes untouched.
//!
//! Content deltas, nearly all frames of a stream, are only searched; events that carry counters, a
//! stop reason or an error are parsed.

use memchr::memchr2;
use memchr::memmem::find;
use serde::Deserialize;

use super::super::error;
use super::super::usage::Counters;
use super::super::wire::EventKind;
use crate::chat::Usage;
use crate::dialect::{Frame, Sniffed, StreamSniffer};

/// The sniffer.
#[derive(Default)]
pub(in super::super) struct Sniffer {
    counters: Option<Counters>,
}

#[derive(Deserialize)]
struct MessageStart {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    usage: Option<Counters>,
}

#[derive(Deserialize)]
struct MessageDelta<'a> {
    #[serde(borrow, default)]
    delta: Option<End<'a>>,
    #[serde(default)]
    usage: Option<Counters>,
}

#[derive(Deserialize)]
struct End<'a> {
    #[serde(borrow, default)]
    stop_reason: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Deserialize)]
struct BlockStart<'a> {
    #[serde(borrow)]
    content_block: EventKind<'a>,
}

impl StreamSniffer for Sniffer {
    fn frame(&mut self, frame: Frame<'_>) -> Sniffed {
        match frame.event {
            "" | "message" => match serde_json::from_slice::<EventKind<'_>>(frame.data) {
                Ok(kind) => self.event(&kind.kind, frame.data),
                Err(_) => Sniffed::default(),
            },
            event => self.event(event, frame.data),
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.counters.as_ref().map(Counters::usage)
    }
}

impl Sniffer {
    fn event(&mut self, event: &str, data: &[u8]) -> Sniffed {
        let mut sniffed = Sniffed::default();
        match event {
            "content_block_delta" => {
                sniffed.content_bytes = generated(data);
                sniffed.content = sniffed.content_bytes > 0;
            }
            "content_block_start" => {
                let block = serde_json::from_slice::<BlockStart<'_>>(data);
                sniffed.content = block.is_ok_and(|start| !matches!(start.content_block.kind.as_ref(), "text" | "thinking"));
            }
            "message_start" => {
                if let Ok(start) = serde_json::from_slice::<MessageStart>(data) {
                    self.merge(start.message.usage);
                }
            }
            "message_delta" => {
                if let Ok(delta) = serde_json::from_slice::<MessageDelta<'_>>(data) {
                    self.merge(delta.usage);
                    sniffed.finished = delta.delta.is_some_and(|end| end.stop_reason.is_some());
                }
            }
            "message_stop" => sniffed.end = true,
            "error" => sniffed.error = Some(error::decode_event(data)),
            _ => {}
        }
        sniffed
    }

    fn merge(&mut self, counters: Option<Counters>) {
        if let Some(counters) = counters {
            self.counters.get_or_insert_with(Counters::default).merge(counters);
        }
    }
}

/// Bytes of generated text in a delta: the length of its JSON string, escapes counted as they are written.
fn generated(data: &[u8]) -> usize {
    // The type comes first in all that the API writes; a field's name in the text itself is escaped, so it is never found there.
    for field in [&b"\"text\":"[..], b"\"thinking\":", b"\"partial_json\":"] {
        if let Some(at) = find(data, field) {
            let value = data[at + field.len()..].trim_ascii_start();
            return value.strip_prefix(b"\"").map_or(0, string_length);
        }
    }
    0
}

/// How long the string is that ends at the next quote that is not escaped.
fn string_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr2(b'"', b'\\', &text[at..]) {
        at += next;
        if text[at] == b'"' {
            return at;
        }
        at = (at + 2).min(text.len());
    }
    text.len()
}
