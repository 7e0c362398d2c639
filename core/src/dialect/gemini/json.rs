//! JSON as text: an object without its white space, and the place of a byte.
//!
//! Knows nothing of the protocol. Invariant: nothing here changes a number's or a string's spelling.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// `text` without the white space between its tokens. `text` is valid JSON.
pub(super) fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped, mut start) = (false, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {
                out.push_str(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&text[start..]);
    out
}

/// `text` as it is, if it is a JSON object.
pub(super) fn object(text: &str) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_str(text.trim()).ok()?;
    raw.get().starts_with('{').then_some(raw)
}

/// Any text or value as JSON.
pub(super) fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("strings and objects with string keys serialise")
}

/// The path of the value at a position that serde_json reports: `contents[0].parts[1].text`. Empty for the whole.
pub(super) fn path_at(body: &[u8], line: usize, column: usize) -> String {
    let mut start = 0;
    for _ in 1..line {
        match memchr::memchr(b'\n', &body[start..]) {
            Some(at) => start += at + 1,
            None => return String::new(),
        }
    }
    path(&body[..body.len().min(start.saturating_add(column))])
}

/// What is open at the end of a prefix of JSON.
enum Open<'a> {
    Array(usize),
    Object { key: Option<&'a [u8]>, value: bool },
}

fn path(prefix: &[u8]) -> String {
    let mut stack: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    while at < prefix.len() {
        match prefix[at] {
            b'{' => stack.push(Open::Object { key: None, value: false }),
            b'[' => stack.push(Open::Array(0)),
            // The end of a message is where a missing or duplicate field is noticed: it stays open at the very end.
            b'}' | b']' if at + 1 < prefix.len() => {
                stack.pop();
            }
            b',' => match stack.last_mut() {
                Some(Open::Array(index)) => *index += 1,
                Some(Open::Object { key, value }) => (*key, *value) = (None, false),
                None => {}
            },
            b':' => {
                if let Some(Open::Object { value, .. }) = stack.last_mut() {
                    *value = true;
                }
            }
            b'"' => {
                let text = &prefix[at + 1..];
                let end = string_end(text);
                if let Some(Open::Object { key, value: false }) = stack.last_mut() {
                    *key = Some(&text[..end]);
                }
                at += end + 1;
            }
            _ => {}
        }
        at += 1;
    }
    let mut out = String::new();
    for open in &stack {
        match open {
            Open::Array(index) => out.push_str(&format!("[{index}]")),
            Open::Object { key: Some(key), .. } => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&String::from_utf8_lossy(key));
            }
            Open::Object { key: None, .. } => {}
        }
    }
    out
}

/// Where the string that began before `text` ends: the index of its closing quote, or the length.
pub(super) fn string_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at += 2;
        if at >= text.len() {
            break;
        }
    }
    text.len()
}

/// Where the value that begins `text` ends; the length when it is cut.
pub(super) fn value_end(text: &[u8]) -> usize {
    match text.first() {
        Some(b'"') => (string_end(&text[1..]) + 2).min(text.len()),
        Some(b'{' | b'[') => {
            let (mut depth, mut at) = (0usize, 0);
            while let Some(byte) = text.get(at) {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    b'"' => at += string_end(&text[at + 1..]) + 1,
                    _ => {}
                }
                at += 1;
            }
            text.len()
        }
        _ => text.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r')).unwrap_or(text.len()),
    }
}

/// Base64 in the standard alphabet, padded: Python's SDK writes the URL-safe one.
pub(super) fn standard_base64(data: &str) -> Cow<'_, str> {
    let padding = (4 - data.len() % 4) % 4;
    let foreign = memchr::memchr2(b'-', b'_', data.as_bytes()).is_some();
    if padding == 0 && !foreign {
        return data.into();
    }
    let mut out = if foreign { data.replace('-', "+").replace('_', "/") } else { data.to_owned() };
    out.extend(std::iter::repeat_n('=', padding));
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_and_strings_stay() {
        assert_eq!(compact("{\n  \"a b\": [1.0, \"x \\\" y\\\\\" ] }"), r#"{"a b":[1.0,"x \" y\\"]}"#);
        assert_eq!(compact("12345678901234567890"), "12345678901234567890");
    }

    #[test]
    fn only_objects_are_objects() {
        assert_eq!(object(" {\"a\": 1.0} ").map(RawValue::get), Some("{\"a\": 1.0}"));
        assert!(object("[1]").is_none() && object("{\"a\":").is_none() && object("").is_none() && object("{} {}").is_none());
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        let at = |body: &str| {
            let error = serde_json::from_str::<super::super::wire::GenerateContentRequest<'_>>(body).expect_err("a wrong type");
            path_at(body.as_bytes(), error.line(), error.column())
        };
        assert_eq!(at(r#"{"contents":[{"parts":[{"text":"a"},{"text":5}]}]}"#), "contents[0].parts[1].text");
        assert_eq!(at("{\"contents\":[\n {\"parts\":[\n{\"inlineData\":\n[]}]}]}"), "contents[0].parts[0].inlineData");
        assert_eq!(at(r#"{"contents":{}}"#), "contents");
        assert_eq!(at(r#"{"generationConfig":{"topK":1.5}}"#), "generationConfig.topK");
        assert_eq!(at(r#"{"contents":[{"role":"user","role":"model"}]}"#), "contents[0].role");
        assert_eq!(at("[]"), "");
    }

    #[test]
    fn values_end_where_they_end() {
        for (text, value) in [
            (r#"{"a":"}\""},1"#, r#"{"a":"}\""}"#),
            (r#""x\\",1"#, r#""x\\""#),
            ("12,", "12"),
            ("null}", "null"),
            (r#"{"a":"#, r#"{"a":"#),
            (r#""cut\"#, r#""cut\"#),
        ] {
            assert_eq!(&text[..value_end(text.as_bytes())], value, "{text}");
        }
    }

    #[test]
    fn both_alphabets_of_base64_become_the_standard_one() {
        assert_eq!(standard_base64("-_8"), "+/8=");
        assert_eq!(standard_base64("AAEC"), "AAEC");
    }
}
