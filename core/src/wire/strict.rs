//! One strict pass over a JSON object: is it valid, and where are its members. Builds no tree.
//!
//! Accepts RFC 8259 in UTF-8, and refuses what readers are known to disagree on:
//!
//! | refused, though JSON | why |
//! |---|---|
//! | a key twice in one object, at any level, compared unescaped | readers differ in which one counts |
//! | nesting deeper than [`MAX_DEPTH`] | recursive readers behind this one have a stack |
//! | numbers longer than [`MAX_NUMBER`], or beyond a double | readers round, refuse or run long |
//! | more than [`MAX_KEYS`] keys in one object | bounds the memory of the check above |
//!
//! A lone surrogate (`"\ud83d"`) is accepted: JavaScript clients that cut a text inside an emoji send
//! it, and what it means is the provider's to say.
//!
//! Invariant: time is O(n log n) and memory O(n) in the text's length, whatever the text.

use std::borrow::Cow;
use std::ops::Range;

use super::json_string::{plain, unescape};
use crate::order;

/// Deepest nesting of objects and arrays.
pub const MAX_DEPTH: usize = 128;

/// Longest number, in characters.
pub const MAX_NUMBER: usize = 128;

/// Most keys in one object.
pub const MAX_KEYS: usize = 65_536;

/// Up to here keys are compared pair by pair; above, they are sorted.
const FEW_KEYS: usize = 16;

/// A valid object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its members, in order.
    pub members: Vec<Member<'a>>,
    /// From its opening to behind its closing brace.
    pub span: Range<usize>,
}

impl Object<'_> {
    /// Where the value of `key` is.
    pub fn value(&self, key: &str) -> Option<Range<usize>> {
        self.members.iter().find(|member| *member.key == *key.as_bytes()).map(|member| member.value.clone())
    }
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its key, unescaped. UTF-8, but for surrogates that were escaped alone.
    pub key: Cow<'a, [u8]>,
    /// Where its value is, without white space around it.
    pub value: Range<usize>,
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The byte at fault.
    pub at: usize,
    /// What is wrong there, as the rest of a sentence.
    pub reason: Cow<'static, str>,
}

/// Reads `text`, which must be one object and nothing else but white space.
pub fn object(text: &[u8]) -> Result<Object<'_>, Refusal> {
    let mut walk = Walk { text, at: 0, open: Vec::with_capacity(16), keys: Vec::with_capacity(32), ..Walk::default() };
    if text.len() > ESCAPED as usize {
        return walk.refuse(0, "the text is too long");
    }
    walk.space();
    let start = walk.at;
    if walk.byte() != b'{' {
        return walk.refuse(start, "expected an object, `{`");
    }
    walk.value()?;
    let span = start..walk.at;
    walk.space();
    if walk.at < text.len() {
        return walk.refuse(walk.at, "expected nothing after the object's closing brace");
    }
    Ok(Object { members: walk.members, span })
}

/// Marks the length of a [`Key`] that lies in the arena.
const ESCAPED: u32 = 1 << 31;

/// A key of an object that is still open: eight bytes, because hostile texts are all keys.
#[derive(Clone, Copy)]
struct Key {
    start: u32,
    len: u32,
}

/// An object or array that is still open.
struct Open {
    object: bool,
    /// Where its keys begin in [`Walk::keys`].
    keys: usize,
}

#[derive(Default)]
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    open: Vec<Open>,
    /// Keys of all open objects, innermost last.
    keys: Vec<Key>,
    /// Keys that had escapes, unescaped.
    arena: Vec<u8>,
    members: Vec<Member<'a>>,
}

impl<'a> Walk<'a> {
    #[cold]
    fn refuse<T>(&self, at: usize, reason: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
        let reason = if at >= self.text.len() { "the text ends too early".into() } else { reason.into() };
        Err(Refusal { at, reason })
    }

    /// The byte under way; 0, which is nowhere valid, at the end.
    fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Reads a value and all that is in it. Nesting is kept in `open`, not on the stack.
    fn value(&mut self) -> Result<(), Refusal> {
        loop {
            match self.byte() {
                b'"' => {
                    self.string()?;
                }
                b'{' => {
                    self.enter(true)?;
                    if self.byte() != b'}' {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.enter(false)?;
                    if self.byte() != b']' {
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return self.refuse(self.at, "expected a value"),
            }
            if self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Reads on until the next value begins (false) or the outermost has ended (true).
    fn after_value(&mut self) -> Result<bool, Refusal> {
        loop {
            let Some(Open { object, .. }) = self.open.last() else { return Ok(true) };
            let object = *object;
            if self.open.len() == 1
                && let Some(member) = self.members.last_mut()
            {
                member.value.end = self.at;
            }
            self.space();
            match (self.byte(), object) {
                (b',', _) => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (b'}', true) | (b']', false) => self.leave()?,
                (_, true) => return self.refuse(self.at, "expected `,` or `}`"),
                (_, false) => return self.refuse(self.at, "expected `,` or `]`"),
            }
        }
    }

    fn enter(&mut self, object: bool) -> Result<(), Refusal> {
        if self.open.len() == MAX_DEPTH {
            return self.refuse(self.at, "nested deeper than 128 levels; send a flatter one");
        }
        self.open.push(Open { object, keys: self.keys.len() });
        self.at += 1;
        self.space();
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Refusal> {
        self.at += 1;
        if let Some(Open { keys, .. }) = self.open.pop() {
            if self.keys.len() - keys > 1
                && let Some(key) = self.repeated(&self.keys[keys..])
            {
                let name = String::from_utf8_lossy(self.key_bytes(key)).chars().take(64).collect::<String>();
                return self.refuse(self.key_at(key), format!("the key {name:?} is repeated; send it once"));
            }
            self.keys.truncate(keys);
        }
        Ok(())
    }

    /// Reads a key, its colon and the space behind.
    fn key(&mut self) -> Result<(), Refusal> {
        if self.byte() != b'"' {
            return self.refuse(self.at, "expected a key in double quotes");
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let inside: &'a [u8] = &self.text[start..self.at - 1];
        // Lengths fit: `object` refuses longer texts.
        self.keys.push(if escaped {
            let at = self.arena.len() as u32;
            self.arena.extend_from_slice(&unescape(inside));
            Key { start: at, len: (self.arena.len() as u32 - at) | ESCAPED }
        } else {
            Key { start: start as u32, len: inside.len() as u32 }
        });
        if self.keys.len() - self.open.last().map_or(0, |open| open.keys) > MAX_KEYS {
            return self.refuse(start, "more than 65536 keys in one object; send fewer");
        }
        self.space();
        if self.byte() != b':' {
            return self.refuse(self.at, "expected `:`");
        }
        self.at += 1;
        self.space();
        if self.open.len() == 1 {
            let key = if escaped { unescape(inside) } else { Cow::Borrowed(inside) };
            self.members.push(Member { key, value: self.at..self.at });
        }
        Ok(())
    }

    /// A key that came before among `keys`.
    fn repeated(&self, keys: &[Key]) -> Option<Key> {
        if keys.len() <= FEW_KEYS {
            let later = keys.iter().enumerate().skip(1);
            return later.map(|(n, key)| (&keys[..n], *key)).find_map(|(earlier, key)| {
                earlier.iter().any(|other| self.key_bytes(*other) == self.key_bytes(key)).then_some(key)
            });
        }
        // Sorting by digest first makes most comparisons one of integers. Keys made to collide cost
        // comparisons of their bytes, n log n of them, no more.
        let mut sorted: Vec<(u64, Key)> = keys.iter().map(|key| (digest(self.key_bytes(*key)), *key)).collect();
        order::sort_by(&mut sorted, |a, b| a.0.cmp(&b.0).then_with(|| self.key_bytes(a.1).cmp(self.key_bytes(b.1))));
        let same = |pair: &&[(u64, Key)]| pair[0].0 == pair[1].0 && self.key_bytes(pair[0].1) == self.key_bytes(pair[1].1);
        sorted.windows(2).find(same).map(|pair| pair[1].1)
    }

    fn key_bytes(&self, key: Key) -> &[u8] {
        let text = if key.len & ESCAPED == 0 { self.text } else { &self.arena };
        let start = key.start as usize;
        &text[start..start + (key.len & !ESCAPED) as usize]
    }

    /// Where to point for a key: itself, or the end of its object when it had escapes.
    fn key_at(&self, key: Key) -> usize {
        if key.len & ESCAPED == 0 { key.start as usize - 1 } else { self.at - 1 }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Refusal> {
        if !self.text[self.at..].starts_with(word) {
            return self.refuse(self.at, "expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.byte(), b'e' | b'E');
        if exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        if self.at - start > MAX_NUMBER {
            return self.refuse(start, "a number of more than 128 characters; send a shorter one");
        }
        // Without an exponent, 128 digits stay within a double.
        let number = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if exponent && !number.parse().is_ok_and(f64::is_finite) {
            return self.refuse(start, "a number too large for a double; send a smaller one");
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { self.refuse(start, "expected a digit") } else { Ok(()) }
    }

    /// Reads a string; tells whether it had escapes.
    fn string(&mut self) -> Result<bool, Refusal> {
        let start = self.at + 1;
        let (mut at, mut ascii, mut escaped) = (start, true, false);
        loop {
            at = plain(self.text, at, &mut ascii);
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at = self.escape(at)?,
                Some(_) => return self.refuse(at, "a control character in a string; escape it"),
                None => return self.refuse(at, "a string without its closing quote"),
            }
            escaped = true;
        }
        if !ascii && let Err(error) = std::str::from_utf8(&self.text[start..at]) {
            return self.refuse(start + error.valid_up_to(), "bytes that are not UTF-8; encode the text in UTF-8");
        }
        self.at = at + 1;
        Ok(escaped)
    }

    /// Steps over the escape at `at`.
    fn escape(&self, at: usize) -> Result<usize, Refusal> {
        match self.text.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.text.get(at + 2..at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
                _ => self.refuse(at, "`\\u` without four hexadecimal digits"),
            },
            _ => self.refuse(at, "an unknown escape; write a backslash as `\\\\`"),
        }
    }
}

/// Tells most keys apart.
fn digest(key: &[u8]) -> u64 {
    let (words, rest) = key.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).fold(key.len() as u64, |digest, word| {
        let mixed = u128::from(digest ^ u64::from_le_bytes(*word)) * 0x9E37_79B9_7F4A_7C15;
        (mixed >> 64) as u64 ^ mixed as u64
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

    use super::*;

    fn reason(text: &str) -> String {
        object(text.as_bytes()).map(|object| object.members.len()).unwrap_err().reason.into_owned()
    }

    /// Any JSON without a repeated key, by `serde_json`.
    struct Unique;

    impl<'de> Deserialize<'de> for Unique {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Unique)
        }
    }

    impl<'de> Visitor<'de> for Unique {
        type Value = Unique;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_unit<E>(self) -> Result<Self, E> {
            Ok(Unique)
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
            Ok(Unique)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
            Ok(Unique)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
            Ok(Unique)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
            Ok(Unique)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self, E> {
            Ok(Unique)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
            while items.next_element::<Unique>()?.is_some() {}
            Ok(Unique)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
            let mut seen = HashSet::new();
            while let Some((key, _)) = members.next_entry::<String, Unique>()? {
                if !seen.insert(key) {
                    return Err(A::Error::custom("repeated"));
                }
            }
            Ok(Unique)
        }
    }

    fn reference(text: &[u8]) -> bool {
        let opens = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        opens && serde_json::from_slice::<Unique>(text).is_ok()
    }

    #[test]
    fn it_accepts_what_serde_json_accepts_without_repeated_keys() {
        let pieces: Vec<&str> = concat!(
            "{ } [ ] , : \"a\" \"\" \"b\": \"a\": \"\\u0061\": 1 0 - .5 1.5 e3 E-2 1e999 -0 01 true false null nul \n \t \r \" \\ \\n \\u00e9 ",
            "\\x \u{1} é 😀 \u{FEFF} \"long_enough_to_fill_a_word_or_four_of_them\" {} [] \"k\":{\"k\":1} \"c\":[1,2] \u{7f} "
        )
        .split(' ')
        .collect();
        let mut seed = 11_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut accepted = 0;
        for _ in 0..40_000 {
            // Grown from a valid text by a few edits, so that both answers are common.
            let mut text = r#" {"model":"m","x":[1,{"a":"","b":-2.5e-7,"é":null}],"y":{"a":true,"b":[]},"z":"\u00e9\n"}"#
                .as_bytes()
                .to_vec();
            for _ in 0..next(4) {
                let at = next(text.len() + 1);
                match next(3) {
                    0 => drop(text.splice(at..at, pieces[next(pieces.len())].bytes())),
                    1 => drop(text.splice(at..(at + next(6)).min(text.len()), [])),
                    _ => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = next(256) as u8),
                }
            }
            let ours = object(&text);
            accepted += usize::from(ours.is_ok());
            assert_eq!(ours.is_ok(), reference(&text), "{:?}: {}", ours, text.escape_ascii());
        }
        assert!((8_000..32_000).contains(&accepted), "{accepted} accepted: the test is lopsided");
    }

    #[test]
    fn members_are_found_with_their_spans() {
        let text = br#" { "a" : [1, 2] , "\u0062\ud83d\ude00":"x"}  "#;
        let object = object(text).unwrap();
        let members: Vec<_> = object.members.iter().map(|m| (&*m.key, &text[m.value.clone()])).collect();
        assert_eq!(members, [(&b"a"[..], &b"[1, 2]"[..]), ("b😀".as_bytes(), b"\"x\"")]);
        assert_eq!((object.span, object.members.len()), (1..text.len() - 2, 2));
    }

    #[test]
    fn a_repeated_key_is_refused_at_every_level_however_it_is_written() {
        assert_eq!(reason(r#"{"a":1,"b":2,"a":3}"#), "the key \"a\" is repeated; send it once");
        assert_eq!(reason(r#"{"x":[{"y":{"model":1,"mod\u0065l":2}}]}"#), "the key \"model\" is repeated; send it once");
        assert!(object(br#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).is_ok());
        let many: String = (0..1000).map(|n| format!("\"key{n}\":{n},")).collect();
        assert!(object(format!("{{{many}\"last\":1}}").as_bytes()).is_ok());
        assert_eq!(reason(&format!("{{{many}\"key\\u0034\":1}}")), "the key \"key4\" is repeated; send it once");
    }

    #[test]
    fn different_lone_surrogates_are_different_keys_and_accepted() {
        assert!(object(br#"{"\ud83d":"\udead","\ud83e":1,"\ud83d\ude00":2}"#).is_ok());
        assert!(object(br#"{"\ud83d":1,"\uD83D":1}"#).is_err());
    }

    #[test]
    fn the_caps_hold() {
        let nested = |depth: usize| format!("{}{{}}{}", "{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(reason(&nested(MAX_DEPTH + 1)), "nested deeper than 128 levels; send a flatter one");
        assert!(object(format!("{{\"a\":{}}}", "9".repeat(MAX_NUMBER)).as_bytes()).is_ok());
        assert!(reason(&format!("{{\"a\":{}}}", "9".repeat(MAX_NUMBER + 1))).contains("128 characters"));
        assert!(reason(r#"{"a":-1e309}"#).contains("too large for a double"));
        assert!(object(br#"{"a":-1.7e308,"b":1e-999}"#).is_ok());
        let keys = |n: usize| format!("{{{}\"\":0}}", (1..n).map(|n| format!("\"{n}\":0,")).collect::<String>());
        assert!(object(keys(MAX_KEYS).as_bytes()).is_ok());
        assert!(reason(&keys(MAX_KEYS + 1)).contains("65536 keys"));
    }

    #[test]
    fn a_long_string_is_checked_to_its_last_byte() {
        for length in 0..100 {
            let body = |byte: &[u8]| [b"{\"a\":\"", "x".repeat(length).as_bytes(), byte, b"\"}"].concat();
            assert!(object(&body(b"\x7F")).is_ok());
            assert!(object(&body("é".as_bytes())).is_ok());
            for bad in [&b"\x1F"[..], b"\0", b"\xFF", b"\xC3", b"\\", b"\"\"", b"\n"] {
                assert!(object(&body(bad)).is_err(), "{length} bytes before {}", bad.escape_ascii());
            }
        }
    }

    #[test]
    fn a_text_cut_anywhere_ends_too_early() {
        let text = br#"{"model":"m\n\u00e9","x":[1,{"a":-2.5e-7,"b":null}]}"#;
        for cut in 0..text.len() {
            assert!(object(&text[..cut]).is_err(), "cut at {cut}");
        }
    }
}
