//! Where a caller's bytes hold a message. Decoders split, join and gather what callers wrote, so a
//! message's index is seldom the caller's; warnings and errors name the caller's.

use std::borrow::Cow;
use std::fmt;

/// The places of a request's messages, in their order. None where they are the caller's own.
///
/// Invariant: only words to the caller depend on it. Two requests that differ in nothing else are equal.
#[derive(Clone, Default)]
pub struct Places(Vec<Place>);

#[derive(Clone)]
struct Place {
    path: String,
    parts: &'static str,
    first: usize,
}

/// The canonical path of a part of a message, which [`Places::name`] makes the caller's.
#[derive(Clone, Copy, Debug)]
pub struct PartAt {
    /// The message's index.
    pub message: usize,
    /// The part's index in it.
    pub part: usize,
}

impl fmt::Display for PartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages[{}].content[{}]", self.message, self.part)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Places {
    /// Notes the place of the next message: its path, the name of its list of parts (`""` when the path
    /// itself is that list) and which of them is its first.
    pub fn push(&mut self, path: impl Into<String>, parts: &'static str, first: usize) {
        self.0.push(Place { path: path.into(), parts, first });
    }

    /// How many places are noted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A canonical path (`messages[3].content[0].detail`) as the caller's.
    pub fn name<'a>(&self, at: &'a str) -> Cow<'a, str> {
        let Some((index, rest)) = at.strip_prefix("messages[").and_then(indexed) else { return Cow::Borrowed(at) };
        let Some(Place { path, parts, first }) = self.0.get(index) else { return Cow::Borrowed(at) };
        let Some((part, rest)) = rest.strip_prefix(".content[").and_then(indexed) else {
            return Cow::Owned(format!("{path}{rest}"));
        };
        let dot = if parts.is_empty() { "" } else { "." };
        Cow::Owned(format!("{path}{dot}{parts}[{}]{rest}", first + part))
    }
}

/// `3].rest` as 3 and `.rest`.
fn indexed(text: &str) -> Option<(usize, &str)> {
    let (index, rest) = text.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_as_the_caller_wrote_it() {
        let mut places = Places::default();
        places.push("system", "", 0);
        places.push("messages[0]", "content", 0);
        places.push("messages[0]", "content", 2);
        places.push("contents[7]", "parts", 1);
        for (at, named) in [
            ("messages[0].content[1].citations", "system[1].citations"),
            ("messages[2].content[0]", "messages[0].content[2]"),
            ("messages[3].content[4].detail", "contents[7].parts[5].detail"),
            ("messages[3].name", "contents[7].name"),
            ("messages[3]", "contents[7]"),
            ("messages[4].content[0]", "messages[4].content[0]"),
            ("messages", "messages"),
            ("messages[x]", "messages[x]"),
            ("tools[0].strict", "tools[0].strict"),
        ] {
            assert_eq!(places.name(at), named);
        }
        assert_eq!(Places::default().name("messages[1].content[0]"), "messages[1].content[0]");
    }
}
