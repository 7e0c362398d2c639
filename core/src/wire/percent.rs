//! Percent-encoding in queries. A broken escape, and one that is no UTF-8, stays as it is.

use std::borrow::Cow;

/// Decodes, once.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match after.get(..2).filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit)).and_then(escaped) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once_and_broken_ones_stay() {
        for (text, plain) in [("a%2Bb%2f", "a+b/"), ("a%252B", "a%2B"), ("%zz%4", "%zz%4"), ("%ff", "%ff"), ("a+b", "a+b")] {
            assert_eq!(decoded(text), plain);
        }
    }
}
