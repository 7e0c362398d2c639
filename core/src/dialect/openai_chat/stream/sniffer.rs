//! What the bytes of a passing frame tell, without decoding them.
//!
//! One pass over the frame's strings tells keys from values and how deep they stand; escaped quotes
//! cannot fool it. Only a frame with usage or an error is parsed, and that once a stream.

use memchr::memchr2;
use serde::Deserialize;
use serde_json::Value;

use super::super::error;
use super::super::usage::WireUsage;
use super::super::wire::XGroq;
use crate::chat::Usage;
use crate::dialect::{Frame, Sniffed, StreamSniffer};

/// Reads usage and state from a stream that passes untouched.
#[derive(Debug, Default)]
pub(crate) struct Sniffer {
    usage: Option<Usage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ending {
    usage: Option<WireUsage>,
    error: Option<Value>,
    x_groq: Option<XGroq>,
}

impl StreamSniffer for Sniffer {
    fn frame(&mut self, frame: Frame<'_>) -> Sniffed {
        let data = frame.data.trim_ascii();
        if data == b"[DONE]" {
            return Sniffed { end: true, ..Sniffed::default() };
        }
        let mut seen = Seen { named_error: frame.event == "error", ..Seen::default() };
        seen.walk(data);
        let mut sniffed = seen.sniffed;
        if !(seen.ending || seen.named_error) {
            return sniffed;
        }
        let ending: Ending = serde_json::from_slice(data).unwrap_or_default();
        let groq = ending.x_groq.unwrap_or_default();
        if let Some(problem) = ending.error.or(groq.error) {
            sniffed.error = Some(error::decode_in_band(&problem));
        } else if seen.named_error {
            sniffed.error = Some(error::decode_in_band(&serde_json::from_slice(data).unwrap_or(Value::Null)));
        }
        if let Some(usage) = ending.usage.or(groq.usage) {
            self.usage = Some(usage.buckets());
            sniffed.usage_only = seen.no_choices && !sniffed.content && sniffed.error.is_none();
        }
        sniffed
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}

#[derive(Default)]
struct Seen {
    sniffed: Sniffed,
    /// Usage or an error is there to be parsed.
    ending: bool,
    named_error: bool,
    no_choices: bool,
}

impl Seen {
    fn walk(&mut self, data: &[u8]) {
        let (mut at, mut depth, mut key) = (0, 0_u32, &b""[..]);
        while let Some(&byte) = data.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b'"' => {
                    let Some(end) = string_end(data, at) else { return };
                    let text = &data[at..end];
                    let next = skip_space(data, end + 1);
                    if data.get(next) == Some(&b':') {
                        key = text;
                        at = skip_space(data, next + 1);
                        self.key(key, depth, &data[at..]);
                    } else {
                        self.text(key, text);
                        at = end + 1;
                    }
                }
                _ => {}
            }
        }
    }

    /// A key, and the text from its value on.
    fn key(&mut self, key: &[u8], depth: u32, rest: &[u8]) {
        let first = rest.first();
        let empty = || matches!(rest.get(skip_space(rest, 1)), Some(b']' | b'}'));
        match (depth, key) {
            (1, b"usage" | b"x_groq") => self.ending |= first == Some(&b'{'),
            (1, b"error") => self.ending |= first.is_some_and(|first| *first != b'n'),
            (1, b"choices") => self.no_choices = first == Some(&b'[') && empty(),
            (_, b"tool_calls" | b"images") => self.sniffed.content |= first == Some(&b'[') && !empty(),
            (_, b"function_call" | b"audio") => self.sniffed.content |= first == Some(&b'{') && !empty(),
            _ => {}
        }
    }

    /// A string that is a value.
    fn text(&mut self, key: &[u8], text: &[u8]) {
        match key {
            b"content" | b"reasoning_content" | b"reasoning" | b"refusal" | b"arguments" | b"input" | b"text" | b"thinking"
            | b"transcript" => {
                self.sniffed.content |= !text.is_empty();
                self.sniffed.content_bytes += text.len();
            }
            b"finish_reason" => self.sniffed.finished |= !text.is_empty(),
            _ => {}
        }
    }
}

/// Where the string that begins at `at` ends.
fn string_end(data: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', data.get(at..)?)?;
        if data[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

fn skip_space(data: &[u8], mut at: usize) -> usize {
    while data.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniff(sniffer: &mut Sniffer, data: &str) -> Sniffed {
        sniffer.frame(Frame { event: "", data: data.as_bytes() })
    }

    #[test]
    fn a_stream_is_understood_without_decoding_it() {
        let mut sniffer = Sniffer::default();
        let role = sniff(
            &mut sniffer,
            r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        );
        assert!(!role.content && !role.finished && !role.usage_only);
        let text = sniff(&mut sniffer, r#"{"choices":[{"delta":{"content":"a \"usage\":{ b"},"finish_reason":null}]}"#);
        assert_eq!((text.content, text.content_bytes, text.finished), (true, 15, false));
        let call =
            sniff(&mut sniffer, r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]}"#);
        assert_eq!((call.content, call.content_bytes), (true, 9));
        assert!(sniff(&mut sniffer, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#).finished);
        assert_eq!(sniffer.usage(), None);
        let usage = sniff(&mut sniffer, r#"{"choices": [ ], "usage": {"prompt_tokens":3,"completion_tokens":4}}"#);
        assert!(usage.usage_only && !usage.content);
        assert_eq!(sniffer.usage().map(|usage| usage.total()), Some(7));
        assert!(sniff(&mut sniffer, "[DONE]").end);
    }

    #[test]
    fn usage_beside_content_is_not_hidden() {
        let mut sniffer = Sniffer::default();
        let last = sniff(
            &mut sniffer,
            r#"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
        );
        assert!(last.content && last.finished && !last.usage_only);
        assert!(sniffer.usage().is_some());
        let filter = sniff(&mut sniffer, r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#);
        assert!(!filter.usage_only && !filter.content);
    }

    #[test]
    fn an_error_in_a_frame_is_seen() {
        let mut sniffer = Sniffer::default();
        let error = sniff(&mut sniffer, r#"{"error":{"message":"overloaded","type":"server_error","code":"server_overloaded"}}"#);
        assert_eq!(error.error.map(|error| error.kind), Some(crate::ErrorKind::UpstreamOverloaded));
        assert!(sniff(&mut sniffer, r#"{"choices":[{"delta":{"content":"x"}}],"error":null}"#).error.is_none());
        let named = sniffer.frame(Frame { event: "error", data: br#"{"message":"gone"}"# });
        assert_eq!(named.error.map(|error| error.message).as_deref(), Some("gone"));
    }

    #[test]
    fn broken_frames_are_survived() {
        let mut sniffer = Sniffer::default();
        for frame in ["", "{", "\"", "\"\\", "]]]]", "{\"usage\":{", "{\"content\":\"\\", "{\"choices\":[", "nonsense"] {
            let sniffed = sniff(&mut sniffer, frame);
            assert!(!sniffed.end && sniffed.error.is_none(), "{frame}");
        }
    }
}
