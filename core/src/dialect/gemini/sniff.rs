//! Reads usage and state from chunks that pass untouched, without decoding them.
//!
//! Works on bytes: a key of the protocol is found by its quoted name and the colon behind it, which cannot
//! stand in a string (its quotes would be escaped). Only an error is decoded at once; usage is kept as
//! text and read when it is asked for.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::json::{string_end, value_end};
use super::{error, usage, wire};
use crate::chat::Usage;
use crate::dialect::{Frame, Sniffed, StreamSniffer};

/// The keys that are looked for.
struct Keys {
    usage: Finder<'static>,
    text: Finder<'static>,
    finish: Finder<'static>,
    block: Finder<'static>,
    error: Finder<'static>,
    candidates: Finder<'static>,
    /// Parts that are not text.
    others: [Finder<'static>; 4],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    usage: Finder::new("\"usageMetadata\""),
    text: Finder::new("\"text\""),
    finish: Finder::new("\"finishReason\""),
    block: Finder::new("\"blockReason\""),
    error: Finder::new("\"error\""),
    candidates: Finder::new("\"candidates\""),
    others: ["\"functionCall\"", "\"inlineData\"", "\"executableCode\"", "\"codeExecutionResult\""].map(Finder::new),
});

/// Sniffs a stream.
#[derive(Debug, Default)]
pub(super) struct Sniffer {
    /// The latest `usageMetadata`: every chunk's holds all before it.
    usage: Vec<u8>,
}

impl StreamSniffer for Sniffer {
    fn frame(&mut self, frame: Frame<'_>) -> Sniffed {
        let keys = &*KEYS;
        let mut data = frame.data;
        let mut sniffed = Sniffed::default();
        if let Some(value) = value_of(&keys.usage, data).next() {
            let end = value_end(value);
            self.usage.clear();
            self.usage.extend_from_slice(&value[..end]);
            // It stands behind the candidates; what is before it is all there is to look at.
            let at = data.len() - value.len();
            if keys.candidates.find(&data[at + end..]).is_none() {
                data = &data[..at];
            }
        }
        for value in value_of(&keys.text, data) {
            if let [b'"', text @ ..] = value {
                sniffed.content_bytes += string_end(text);
            }
        }
        for key in &keys.others {
            sniffed.content_bytes += value_of(key, data).map(value_end).sum::<usize>();
        }
        sniffed.content = sniffed.content_bytes > 0;
        let is_reason =
            |value: &[u8]| value.starts_with(b"\"") && !value.starts_with(b"\"\"") && !value.starts_with(b"\"FINISH_REASON_UNSP");
        sniffed.finished = value_of(&keys.finish, data).any(is_reason) || value_of(&keys.block, data).any(is_reason);
        if value_of(&keys.error, data).next().is_some() && keys.candidates.find(data).is_none() {
            sniffed.error = error::parse(frame.data).map(|status| error::in_band(&status));
        }
        sniffed
    }

    fn usage(&self) -> Option<Usage> {
        serde_json::from_slice(&self.usage).ok().as_ref().map(usage::decode)
    }
}

/// The bytes from each value of a key on.
fn value_of<'a>(key: &'a Finder<'static>, data: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    key.find_iter(data).filter_map(move |at| {
        let behind = data[at + key.needle().len()..].trim_ascii_start().strip_prefix(b":")?;
        Some(behind.trim_ascii_start())
    })
}

/// Usage of a whole response: the last `usageMetadata` in it.
pub(super) fn usage(body: &[u8]) -> Option<Usage> {
    let value = value_of(&KEYS.usage, body).last()?;
    let wire: wire::UsageMetadata<'_> = serde_json::from_slice(&value[..value_end(value)]).ok()?;
    Some(usage::decode(&wire))
}
