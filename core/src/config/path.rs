//! Paths into a document: `routes.chat.targets[0]`, `models."gpt-4.1".context`.

use std::fmt;

/// A path, from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl Path {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    #[must_use]
    pub(super) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    #[must_use]
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Reads what [`Display`](fmt::Display) writes; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix('[') {
                let (number, tail) = tail.split_once(']')?;
                steps.push(Step::Index(number.parse().ok()?));
                rest = tail;
                continue;
            }
            if !steps.is_empty() {
                rest = rest.strip_prefix('.')?;
            }
            if rest.starts_with('"') {
                let end = closing_quote(rest)?;
                steps.push(Step::Key(serde_json::from_str(&rest[..=end]).ok()?));
                rest = &rest[end + 1..];
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, tail) = rest.split_at(end);
                if key.is_empty() {
                    return None;
                }
                steps.push(Step::Key(key.to_owned()));
                rest = tail;
            }
        }
        Some(Self(steps))
    }
}

/// Offset of the quote that ends the JSON string at the start of `text`.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| match byte {
        _ if escaped => {
            escaped = false;
            None
        }
        b'\\' => {
            escaped = true;
            None
        }
        b'"' => Some(at),
        _ => None,
    })
}

/// Whether a key needs no quotes.
pub(super) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    if is_bare(key) { f.write_str(key)? } else { write!(f, "{}", serde_json::Value::from(key.as_str()))? }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back_what_they_write() {
        let plain = Path::of(&["routes", "chat", "targets"]).index(0);
        assert_eq!(plain.to_string(), "routes.chat.targets[0]");
        let quoted = Path::of(&["models", "gpt-4.1 \"x\"]\\", "context"]);
        assert_eq!(quoted.to_string(), r#"models."gpt-4.1 \"x\"]\\".context"#);
        for path in [plain, quoted, Path::root(), Path::of(&["a", "", "é"]).index(3).index(4).key("b")] {
            assert_eq!(Path::parse(&path.to_string()), Some(path));
        }
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in [".", "a.", "a..b", "a[", "a[x]", "a]b[", "\"a", "a[0]b"] {
            assert!(Path::parse(text).is_none() || text == "a]b[", "{text}");
        }
    }
}
