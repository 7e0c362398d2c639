//! The inside of JSON strings: finding what ends a plain run fast, undoing escapes, and surrogates that stand alone.
//!
//! Invariant: [`unescape`] gives equal bytes for equal strings, however they were escaped.

use std::borrow::Cow;

/// Unescapes the inside of a valid string. A surrogate that stands alone becomes three bytes that are
/// not UTF-8, so that different strings stay different.
pub fn unescape(inside: &[u8]) -> Cow<'_, [u8]> {
    if !inside.contains(&b'\\') {
        return Cow::Borrowed(inside);
    }
    let mut out = Vec::with_capacity(inside.len());
    let mut at = 0;
    while let Some(&byte) = inside.get(at) {
        let escape = match (byte, inside.get(at + 1)) {
            (b'\\', Some(escape)) => *escape,
            _ => {
                out.push(byte);
                at += 1;
                continue;
            }
        };
        at += 2;
        let plain = match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = hex(inside.get(at..at + 4));
                at += 4;
                let low = match (unit, inside.get(at..at + 2)) {
                    (0xD800..=0xDBFF, Some(b"\\u")) => hex(inside.get(at + 2..at + 6)),
                    _ => 0,
                };
                if (0xDC00..=0xDFFF).contains(&low) {
                    at += 6;
                    push_scalar(&mut out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
                } else {
                    push_scalar(&mut out, unit);
                }
                continue;
            }
            other => other,
        };
        out.push(plain);
    }
    Cow::Owned(out)
}

/// JSON text in which every surrogate that stands alone (`"\ud83d"`) is U+FFFD, as encoders of UTF-8 make of it. Providers
/// that cut a text inside an emoji send such; without this, readers would refuse all of the answer around it. (A caller's
/// request that has to be understood is refused: what it means is not the gateway's to guess.)
pub fn mended(text: &[u8]) -> Cow<'_, [u8]> {
    let mut mended = Cow::Borrowed(text);
    let mut at = 0;
    while let Some(skip) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let escape = at + skip;
        let unit = escaped_unit(text, escape);
        at = escape + if unit.is_some() { 6 } else { 2 };
        match unit {
            Some(0xD800..=0xDBFF) if matches!(escaped_unit(text, at), Some(0xDC00..=0xDFFF)) => at += 6,
            Some(0xD800..=0xDFFF) => mended.to_mut()[escape..at].copy_from_slice(br"\ufffd"),
            _ => {}
        }
    }
    mended
}

/// The unit that is escaped (`\u0041`) at `at`, if one is.
fn escaped_unit(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().all(u8::is_ascii_hexdigit).then(|| hex(Some(digits)))
}

fn hex(digits: Option<&[u8]>) -> u32 {
    digits.unwrap_or_default().iter().fold(0, |unit, digit| unit << 4 | (*digit as char).to_digit(16).unwrap_or(0))
}

fn push_scalar(out: &mut Vec<u8>, scalar: u32) {
    match char::from_u32(scalar) {
        Some(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend([0xE0 | (scalar >> 12) as u8, 0x80 | (scalar >> 6 & 0x3F) as u8, 0x80 | (scalar & 0x3F) as u8]),
    }
}

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Marks, in the high bit of its byte, the first byte of `word` that a string cannot hold as it is:
/// a quote, a backslash or a control character. Bytes behind the first may be marked wrongly.
fn special(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}

/// The first byte of `text` from `at` on that a string cannot hold as it is, or the end. `ascii`
/// becomes false when a byte before it is not ASCII.
pub(super) fn plain(text: &[u8], mut at: usize, ascii: &mut bool) -> usize {
    let word = |chunk: &[u8; 8]| u64::from_le_bytes(*chunk);
    // Four words at once while a string is long.
    while let Some(chunk) = text[at..].first_chunk::<32>() {
        let (words, _) = chunk.as_chunks::<8>();
        if words.iter().fold(0, |marks, chunk| marks | special(word(chunk))) != 0 {
            break;
        }
        *ascii &= words.iter().fold(0, |bits, chunk| bits | word(chunk)) & HIGHS == 0;
        at += 32;
    }
    while let Some(chunk) = text[at..].first_chunk::<8>() {
        let marks = special(word(chunk));
        if marks != 0 {
            let bits = marks.trailing_zeros() & !7;
            *ascii &= word(chunk) & HIGHS & ((1 << bits) - 1) == 0;
            return at + bits as usize / 8;
        }
        *ascii &= word(chunk) & HIGHS == 0;
        at += 8;
    }
    while let Some(byte) = text.get(at)
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        *ascii &= byte.is_ascii();
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        let inside = br#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u20AC"#;
        assert_eq!(unescape(inside), "a\"\\/\u{8}\u{c}\n\r\té😀€".as_bytes());
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(b"plain")));
    }

    #[test]
    fn a_lone_surrogate_stays_itself() {
        assert_eq!(*unescape(br"\ud83dx"), *b"\xED\xA0\xBDx");
        assert_eq!(*unescape(br"\ud83d\ud83d\ude00"), [b"\xED\xA0\xBD", "😀".as_bytes()].concat());
        assert_eq!(*unescape(br"\ud83d\u0041"), *b"\xED\xA0\xBDA");
    }

    #[test]
    fn only_surrogates_that_stand_alone_are_mended() {
        for (text, whole) in [
            (r#""\ud83dx""#, r#""\ufffdx""#),
            (r#""x\uDE00""#, r#""x\ufffd""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#""\ud83d\u0041\ud83d""#, r#""\ufffd\u0041\ufffd""#),
            (r#""\ud83d"#, r#""\ufffd"#),
        ] {
            assert_eq!(*mended(text.as_bytes()), *whole.as_bytes(), "{text}");
        }
        // Pairs, escaped backslashes and what is no escape stay the same bytes.
        for text in [r#""\ud83d\ude00\\ud83d\n\"""#, r"\ud8", r"\u", r"\", r"\ud8zz", "plain", ""] {
            assert!(matches!(mended(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn the_first_special_byte_is_found_at_any_place() {
        for at in 0..100 {
            for special in [b'"', b'\\', 0, 0x1F] {
                let mut text = vec![b'x'; 120];
                text[at] = special;
                text[at + 1] = 0xC3;
                let mut ascii = true;
                assert_eq!((plain(&text, 0, &mut ascii), ascii), (at, true));
            }
            let mut text = vec![b'x'; 120];
            text[at] = 0xC3;
            let mut ascii = true;
            assert_eq!((plain(&text, 0, &mut ascii), ascii), (120, false));
        }
    }
}
