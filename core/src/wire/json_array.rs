//! A streamed JSON array, incrementally: bytes in, elements out. Knows nothing of models.
//!
//! Finds where elements begin and end and checks no more than that needs: what is inside an element
//! is for its decoder. An element is told as soon as its last byte is there; one that lies in one
//! chunk is borrowed from it.
//!
//! Invariant: how the input is cut into chunks never changes the elements (see `tests`).

use memchr::memchr2;

/// The largest element that is kept, in bytes.
pub const MAX_ELEMENT: usize = 16 << 20;

/// Memory that an idle splitter may keep for the next cut element.
const KEEP: usize = 64 << 10;

/// What lies in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An element: JSON text without white space around it.
    Element(&'a [u8]),
    /// An element above the cap. Its content is lost.
    Oversized,
    /// The array's closing bracket. Said once.
    Closed,
    /// From here on it is no array. Said once.
    Malformed,
    /// Bytes behind the end, or behind the fault.
    Rest,
}

/// Cuts a byte stream into the elements of one array.
#[derive(Debug)]
pub struct Splitter {
    place: Place,
    /// The part of the element under way that came in earlier chunks.
    tail: Vec<u8>,
    /// The size of the element under way in earlier chunks, kept or not.
    size: usize,
    cap: usize,
}

/// Where in the array the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the opening bracket.
    Before,
    /// Where an element may begin; `first` when the array may still be empty.
    Between { first: bool },
    /// In an element.
    Inside(Inside),
    /// Behind an element, where a comma or the closing bracket stands.
    Behind,
    /// Behind the array, or where no array is.
    After,
}

/// Where in an element the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// Between the strings of an object or array that is this deep.
    Structure(u32),
    /// In a string at this depth; 0 when the element is the string.
    String(u32),
    /// Behind a backslash in a string at this depth.
    Escape(u32),
    /// In a number, `true`, `false` or `null`.
    Word,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::with_cap(MAX_ELEMENT)
    }
}

impl Splitter {
    /// A splitter at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A splitter with its own cap on an element's bytes.
    pub fn with_cap(cap: usize) -> Self {
        Self { place: Place::Before, tail: Vec::new(), size: 0, cap }
    }

    /// Reads a chunk. `each` gets every item, and where in `chunk` it ends. Commas and white space
    /// lie before the item that follows them.
    pub fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Item<'_>, usize)) {
        let mut at = 0;
        let mut start = 0;
        while let Some(&byte) = chunk.get(at) {
            self.place = match (self.place, byte) {
                (Place::Before | Place::Between { .. } | Place::Behind, b' ' | b'\t' | b'\n' | b'\r') => {
                    at += 1;
                    continue;
                }
                (Place::Before, b'[') => {
                    at += 1;
                    Place::Between { first: true }
                }
                (Place::Behind, b',') => {
                    at += 1;
                    Place::Between { first: false }
                }
                (Place::Between { first: true } | Place::Behind, b']') => {
                    at += 1;
                    each(Item::Closed, at);
                    Place::After
                }
                (Place::Between { .. }, byte) if begins(byte) => {
                    start = at;
                    at += 1;
                    Place::Inside(match byte {
                        b'{' | b'[' => Inside::Structure(1),
                        b'"' => Inside::String(0),
                        _ => Inside::Word,
                    })
                }
                (Place::Inside(inside), _) => match inside.end(chunk, &mut at) {
                    Ok(()) => {
                        self.element(&chunk[start..at], at, &mut each);
                        Place::Behind
                    }
                    Err(inside) => Place::Inside(inside),
                },
                (Place::After, _) => return each(Item::Rest, chunk.len()),
                _ => {
                    self.place = Place::After;
                    return each(Item::Malformed, chunk.len());
                }
            };
        }
        if matches!(self.place, Place::Inside(_)) {
            self.keep(&chunk[start..]);
        }
    }

    fn element(&mut self, rest: &[u8], end: usize, each: &mut impl FnMut(Item<'_>, usize)) {
        if self.size + rest.len() > self.cap {
            each(Item::Oversized, end);
        } else if self.size == 0 {
            each(Item::Element(rest), end);
        } else {
            self.tail.extend_from_slice(rest);
            each(Item::Element(&self.tail), end);
        }
        self.size = 0;
        self.tail.clear();
        self.tail.shrink_to(KEEP);
    }

    fn keep(&mut self, part: &[u8]) {
        self.size = self.size.saturating_add(part.len());
        if self.size > self.cap {
            self.tail = Vec::new();
        } else {
            self.tail.extend_from_slice(part);
        }
    }
}

/// Whether an element may begin with `byte`.
fn begins(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

impl Inside {
    /// Moves `at` to the element's end, or to the chunk's and gives where it is then.
    fn end(mut self, chunk: &[u8], at: &mut usize) -> Result<(), Inside> {
        while let Some(&byte) = chunk.get(*at) {
            self = match self {
                // The byte that ends a word is not part of it.
                Self::Word if matches!(byte, b',' | b']' | b' ' | b'\t' | b'\n' | b'\r') => return Ok(()),
                Self::Word => Self::Word,
                Self::Escape(depth) => Self::String(depth),
                Self::String(depth) => match memchr2(b'"', b'\\', &chunk[*at..]) {
                    None => {
                        *at = chunk.len();
                        return Err(self);
                    }
                    Some(skip) => {
                        *at += skip;
                        match (chunk[*at], depth) {
                            (b'\\', _) => Self::Escape(depth),
                            (_, 0) => {
                                *at += 1;
                                return Ok(());
                            }
                            (_, depth) => Self::Structure(depth),
                        }
                    }
                },
                Self::Structure(depth) => match byte {
                    b'"' => Self::String(depth),
                    b'{' | b'[' => Self::Structure(depth.saturating_add(1)),
                    b'}' | b']' if depth == 1 => {
                        *at += 1;
                        return Ok(());
                    }
                    b'}' | b']' => Self::Structure(depth - 1),
                    _ => self,
                },
            };
            *at += 1;
        }
        Err(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items as text, and the bytes up to the end of each.
    fn see<'a>(splitter: &mut Splitter, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Vec<u8>) {
        let (mut items, mut passed, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in chunks {
            let mut start = 0;
            splitter.feed(chunk, |item, end| {
                open.extend_from_slice(&chunk[start..end]);
                start = end;
                passed.append(&mut open);
                match item {
                    Item::Element(element) => items.push(String::from_utf8_lossy(element).into_owned()),
                    Item::Rest => {}
                    other => items.push(format!("{other:?}")),
                }
            });
            open.extend_from_slice(&chunk[start..]);
        }
        (items, passed)
    }

    fn items(input: &str) -> Vec<String> {
        see(&mut Splitter::new(), [input.as_bytes()]).0
    }

    #[test]
    fn elements_are_told_with_their_last_byte() {
        assert_eq!(items("[{\"a\":[1,{}]}"), ["{\"a\":[1,{}]}"]);
        assert_eq!(
            items("[{\"a\":\"]}\\\"\\\\\"}\r\n,\n [] , \"x\",1.5,null]\n"),
            ["{\"a\":\"]}\\\"\\\\\"}", "[]", "\"x\"", "1.5", "null", "Closed"]
        );
        assert_eq!(items(" [ ] "), ["Closed"]);
        assert_eq!(items("[tru"), [""; 0]);
    }

    #[test]
    fn what_is_no_array_is_told_once() {
        assert_eq!(items("{\"error\":{}}"), ["Malformed"]);
        assert_eq!(items("[{},]"), ["{}", "Malformed"]);
        assert_eq!(items("[{}{}]"), ["{}", "Malformed"]);
        assert_eq!(items("[,"), ["Malformed"]);
        assert_eq!(items("<html>"), ["Malformed"]);
    }

    #[test]
    fn an_element_above_the_cap_is_skipped_without_keeping_it() {
        let input = format!("[{{\"a\":1}},{{\"b\":\"{}\"}},{{\"c\":2}}]", "x".repeat(100));
        for size in 1..input.len() {
            let seen = see(&mut Splitter::with_cap(64), input.as_bytes().chunks(size));
            assert_eq!(seen.0, ["{\"a\":1}", "Oversized", "{\"c\":2}", "Closed"]);
            assert_eq!(seen.1, input.as_bytes());
        }
        let mut splitter = Splitter::with_cap(64);
        splitter.feed(b"[\"", |_, _| {});
        (0..10_000).for_each(|_| splitter.feed(&[b'x'; 100], |_, _| {}));
        assert_eq!(splitter.tail.capacity(), 0);
    }

    #[test]
    fn an_element_in_one_chunk_is_borrowed_from_it() {
        let chunk = b"[{}".to_vec();
        Splitter::new().feed(&chunk, |item, _| {
            let Item::Element(element) = item else { panic!("an element") };
            assert!(chunk.as_ptr_range().contains(&element.as_ptr()));
        });
    }

    #[test]
    fn split_invariance() {
        for input in [
            "[{\"a\":\"é\\\"]\\\\\",\"b\":[{},[1]]}\r\n,\r\n{\"c\":2} , 12,\"x\\u0022\",true ]\n\n",
            "[[],[[]],\"\",0]",
            " [1 2]",
            "[{}]]",
            "x",
        ] {
            let at_once = see(&mut Splitter::new(), [input.as_bytes()]);
            let expected: Result<Vec<serde_json::Value>, _> = serde_json::from_str(input);
            if let Ok(expected) = expected {
                let elements: Vec<serde_json::Value> =
                    at_once.0.iter().filter(|item| *item != "Closed").map(|item| serde_json::from_str(item).unwrap()).collect();
                assert_eq!(elements, expected);
            }
            for a in 0..=input.len() {
                for b in a..=input.len() {
                    let bytes = input.as_bytes();
                    let seen = see(&mut Splitter::new(), [&bytes[..a], &bytes[a..b], &bytes[b..]]);
                    assert_eq!(seen, at_once, "{input:?} cut at {a} and {b}");
                }
            }
        }
    }
}
