//! The outside of a JSON request: what routing needs is peeked, two fields can be spliced, and every
//! other byte stays as the caller wrote it.
//!
//! | field | peeked as | spliced |
//! |---|---|---|
//! | `model` | its text | replaced |
//! | `stream` | a boolean; `null` is absence | no |
//! | `stream_options.include_usage` | a boolean; `null` is absence | set to `true`, the object made if need be |
//! | `messages` | whether it is there | no |
//! | `n` | a whole number; anything else is left to the dialect | no |
//!
//! Invariant: what was peeked is what is forwarded. The whole body is read once by [`super::strict`],
//! which refuses duplicate keys, so no reader behind the gateway can see another `model`.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::{json_string, strict};
use crate::error::{Error, ErrorKind, Result};
use crate::order;

/// What the outside of a body says. Belongs to the body that it was peeked from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peek {
    /// The model, unescaped.
    pub model: Option<String>,
    /// Whether a stream is wanted.
    pub stream: Option<bool>,
    /// Whether usage is wanted in the stream.
    pub include_usage: Option<bool>,
    /// Whether there are messages.
    pub messages: bool,
    /// How many answers are wanted.
    pub n: Option<u64>,
    /// The model's string with its quotes.
    model_span: Range<usize>,
    options: Options,
    end: End,
}

/// Where `stream_options.include_usage: true` would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Options {
    #[default]
    Absent,
    /// Instead of a `null`.
    Null(Range<usize>),
    /// A new member of the object that ends here.
    Object(End),
    /// Instead of a `null` or `false`.
    Usage(Range<usize>),
}

/// Where an object takes one more member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct End {
    /// Its closing brace.
    brace: usize,
    /// Whether it has no members yet.
    empty: bool,
}

/// What to change in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits<'a> {
    /// The model's name at the provider.
    pub model: Option<&'a str>,
    /// Ask for usage in the stream.
    pub include_usage: bool,
}

/// Checks that `body` is a strict JSON object: no equal keys at any level, not nested too deep. Fails as [`peek`] does.
pub fn check(body: &[u8]) -> Result<()> {
    strict::object(body).map(drop).map_err(|refusal| refused(body, &refusal))
}

/// Reads the outside of `body`. Fails with [`ErrorKind::InvalidRequest`] when it is not a strict JSON
/// object (the message gives line, column and byte) or a field above has the wrong type.
pub fn peek(body: &[u8]) -> Result<Peek> {
    let object = strict::object(body).map_err(|refusal| refused(body, &refusal))?;
    let mut peek = Peek { end: End::of(&object), ..Peek::default() };
    for member in &object.members {
        let value = &body[member.value.clone()];
        match &*member.key {
            b"model" => {
                peek.model = Some(text(value).ok_or_else(|| {
                    Error::invalid("model", "`model` must be a string that names a model, such as \"openai/gpt-4.1\".")
                })?);
                peek.model_span = member.value.clone();
            }
            b"stream" => {
                peek.stream = boolean(value).ok_or_else(|| Error::invalid("stream", "`stream` must be true or false."))?;
            }
            b"stream_options" => peek.stream_options(body, member.value.clone())?,
            b"messages" => peek.messages = true,
            b"n" => peek.n = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()),
            _ => {}
        }
    }
    Ok(peek)
}

impl Peek {
    fn stream_options(&mut self, body: &[u8], span: Range<usize>) -> Result<()> {
        if &body[span.clone()] == b"null" {
            self.options = Options::Null(span);
            return Ok(());
        }
        let options = strict::object(&body[span.clone()])
            .map_err(|_| Error::invalid("stream_options", "`stream_options` must be an object or absent."))?;
        let within = |inner: Range<usize>| span.start + inner.start..span.start + inner.end;
        self.options = match options.value("include_usage").map(within) {
            Some(value) => {
                self.include_usage = boolean(&body[value.clone()]).ok_or_else(|| {
                    Error::invalid("stream_options.include_usage", "`stream_options.include_usage` must be true or false.")
                })?;
                Options::Usage(value)
            }
            None => Options::Object(End { brace: span.end - 1, ..End::of(&options) }),
        };
        Ok(())
    }

    /// The body with `edits`, in one piece; the same bytes when they change nothing. `body` must be
    /// the one that was peeked.
    pub fn splice(&self, body: &Bytes, edits: Edits<'_>) -> Bytes {
        let mut pieces = self.pieces(body, edits);
        match pieces.len() {
            1 => pieces.remove(0),
            _ => pieces.concat().into(),
        }
    }

    /// The body with `edits`, in pieces that share the caller's bytes: a large body is not copied.
    pub fn pieces(&self, body: &Bytes, edits: Edits<'_>) -> Vec<Bytes> {
        let mut patches: Vec<(Range<usize>, Cow<'static, str>)> = Vec::new();
        let mut added = String::new();
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match (edits.model, &self.model) {
            (Some(new), Some(old)) if new != old => patches.push((self.model_span.clone(), quoted(new).into())),
            (Some(new), None) => added = format!("\"model\":{}", quoted(new)),
            _ => {}
        }
        if edits.include_usage && self.include_usage != Some(true) {
            match &self.options {
                Options::Absent => {
                    let comma = if added.is_empty() { "" } else { "," };
                    added.push_str(comma);
                    added.push_str(r#""stream_options":{"include_usage":true}"#);
                }
                Options::Null(span) => patches.push((span.clone(), r#"{"include_usage":true}"#.into())),
                Options::Object(end) => patches.push(end.add(r#""include_usage":true"#)),
                Options::Usage(span) => patches.push((span.clone(), "true".into())),
            }
        }
        if !added.is_empty() {
            patches.push(self.end.add(&added));
        }
        order::sort_by_key(&mut patches, |(span, _)| span.start);
        let (mut pieces, mut from) = (Vec::with_capacity(2 * patches.len() + 1), 0);
        for (span, text) in patches {
            pieces.push(body.slice(from..span.start));
            pieces.push(Bytes::from(text.into_owned()));
            from = span.end;
        }
        pieces.push(body.slice(from..));
        pieces
    }
}

impl End {
    fn of(object: &strict::Object<'_>) -> Self {
        Self { brace: object.span.end - 1, empty: object.members.is_empty() }
    }

    /// The patch that adds `member` directly before the brace.
    fn add(self, member: &str) -> (Range<usize>, Cow<'static, str>) {
        let comma = if self.empty { "" } else { "," };
        (self.brace..self.brace, format!("{comma}{member}").into())
    }
}

/// The text of a valid JSON value, if it is a string without lone surrogates.
fn text(value: &[u8]) -> Option<String> {
    let inside = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    String::from_utf8(json_string::unescape(inside).into_owned()).ok()
}

/// A valid JSON value as `true`, `false` or absent; `None` when it is none of them.
fn boolean(value: &[u8]) -> Option<Option<bool>> {
    match value {
        b"true" => Some(Some(true)),
        b"false" => Some(Some(false)),
        b"null" => Some(None),
        _ => None,
    }
}

fn refused(body: &[u8], refusal: &strict::Refusal) -> Error {
    let before = &body[..refusal.at.min(body.len())];
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    let start = memchr::memrchr(b'\n', before).map_or(0, |eol| eol + 1);
    // Columns count characters: bytes that do not continue one.
    let column = 1 + before[start..].iter().filter(|byte| *byte & 0xC0 != 0x80).count();
    let (reason, at) = (&refusal.reason, refusal.at);
    Error::new(
        ErrorKind::InvalidRequest,
        format!("The body is not usable JSON at line {line}, column {column} (byte {at}): {reason}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Edits<'_> = Edits { model: Some("gpt-4.1"), include_usage: true };

    fn splice(body: &str, edits: Edits<'_>) -> String {
        let spliced = peek(body.as_bytes()).unwrap().splice(&Bytes::copy_from_slice(body.as_bytes()), edits);
        String::from_utf8(spliced.to_vec()).unwrap()
    }

    fn message(body: &str) -> String {
        peek(body.as_bytes()).unwrap_err().message
    }

    #[test]
    fn what_routing_needs_is_peeked() {
        let body =
            br#"{"mod\u0065l": "a/\u00e9", "stream":true, "stream_options": {"include_usage": false}, "messages":[], "n":2}"#;
        let peek = peek(body).unwrap();
        assert_eq!(peek.model.as_deref(), Some("a/é"));
        assert_eq!((peek.stream, peek.include_usage, peek.messages, peek.n), (Some(true), Some(false), true, Some(2)));
        assert_eq!(&body[peek.model_span], br#""a/\u00e9""#);
    }

    #[test]
    fn null_is_absence_where_the_protocol_says_so() {
        let peek = peek(br#"{"stream":null,"stream_options":null,"n":null}"#).unwrap();
        assert_eq!((peek.stream, peek.include_usage, peek.n, peek.messages), (None, None, None, false));
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        for (body, param) in [
            (r#"{"model":1}"#, "model"),
            (r#"{"model":null}"#, "model"),
            (r#"{"model":"\ud800"}"#, "model"),
            (r#"{"stream":"true"}"#, "stream"),
            (r#"{"stream_options":[]}"#, "stream_options"),
            (r#"{"stream_options":{"include_usage":1}}"#, "stream_options.include_usage"),
        ] {
            let error = peek(body.as_bytes()).unwrap_err();
            assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some(param)), "{body}");
        }
    }

    #[test]
    fn a_syntax_error_says_where() {
        assert_eq!(
            message("{\n  \"é\": 1,\n  \"é\" 2}"),
            "The body is not usable JSON at line 3, column 7 (byte 20): expected `:`."
        );
        assert_eq!(message(""), "The body is not usable JSON at line 1, column 1 (byte 0): the text ends too early.");
        assert!(message("[]").ends_with("expected an object, `{`."));
        assert!(message("{} {}").ends_with("(byte 3): expected nothing after the object's closing brace."));
    }

    #[test]
    fn only_the_model_and_the_wish_for_usage_change() {
        for (body, expected) in [
            (
                r#" { "model" : "x" ,"temperature":1.0,"a":"\/" } "#,
                r#" { "model" : "gpt-4.1" ,"temperature":1.0,"a":"\/" ,"stream_options":{"include_usage":true}} "#,
            ),
            (r#"{}"#, r#"{"model":"gpt-4.1","stream_options":{"include_usage":true}}"#),
            (r#"{"stream_options": null ,"model":""}"#, r#"{"stream_options": {"include_usage":true} ,"model":"gpt-4.1"}"#),
            (r#"{"model":"x","stream_options":{ }}"#, r#"{"model":"gpt-4.1","stream_options":{ "include_usage":true}}"#),
            (
                r#"{"model":"x","stream_options":{"include_obfuscation":false}}"#,
                r#"{"model":"gpt-4.1","stream_options":{"include_obfuscation":false,"include_usage":true}}"#,
            ),
            (
                r#"{"model":"x","stream_options":{"include_usage": false}}"#,
                r#"{"model":"gpt-4.1","stream_options":{"include_usage": true}}"#,
            ),
            (
                r#"{"stream_options":{"include_usage":null},"n":1}"#,
                r#"{"stream_options":{"include_usage":true},"n":1,"model":"gpt-4.1"}"#,
            ),
        ] {
            assert_eq!(splice(body, ASK), expected);
            let again = peek(expected.as_bytes()).unwrap();
            assert_eq!((again.model.as_deref(), again.include_usage), (Some("gpt-4.1"), Some(true)));
        }
    }

    #[test]
    fn a_body_that_needs_no_edit_is_the_same_memory() {
        let body = Bytes::from_static(br#"{"model":"gpt-4\u002e1","stream_options":{"include_usage":true}}"#);
        let spliced = peek(&body).unwrap().splice(&body, ASK);
        assert_eq!((spliced.as_ptr(), spliced.len()), (body.as_ptr(), body.len()));
    }

    #[test]
    fn a_model_name_is_escaped_where_it_must_be() {
        let edits = Edits { model: Some("a\"b\\c\n"), include_usage: false };
        assert_eq!(splice(r#"{"model":"x","b":1}"#, edits), r#"{"model":"a\"b\\c\n","b":1}"#);
    }
}
