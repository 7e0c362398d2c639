//! Where a value was written: its layer, and the place in it.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The layer: `defaults`, `file`, `environment`, `kv`.
    #[serde(serialize_with = "text")]
    pub layer: Arc<str>,
    /// The file's or the variable's name; empty for defaults.
    #[serde(skip_serializing_if = "str::is_empty", serialize_with = "text")]
    pub source: Arc<str>,
    /// The line, from 1; 0 where there are none.
    #[serde(skip_serializing_if = "unplaced")]
    pub line: u32,
    /// The column in characters, from 1; 0 where there are no lines.
    #[serde(skip_serializing_if = "unplaced")]
    pub column: u32,
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

// serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn unplaced(position: &u32) -> bool {
    *position == 0
}

/// The layer of values that nobody gave.
pub(super) const DEFAULTS: &str = "defaults";

impl Origin {
    /// A place in a text.
    pub(super) fn at(layer: impl Into<Arc<str>>, source: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self { layer: layer.into(), source: source.into(), line, column }
    }

    /// A source without lines.
    pub(super) fn of(layer: impl Into<Arc<str>>, source: impl Into<Arc<str>>) -> Self {
        Self::at(layer, source, 0, 0)
    }

    /// The gateway's own default.
    pub(super) fn default_value() -> Self {
        Self::of(DEFAULTS, "")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_empty() { f.write_str(&self.layer) } else { f.write_str(&self.source) }?;
        if self.line > 0 { write!(f, ":{}:{}", self.line, self.column) } else { Ok(()) }
    }
}

/// Turns byte offsets of a text into lines and columns.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1));
        Self { text, starts: starts.collect() }
    }

    /// Line and column of a byte offset, both from 1. An offset past the end is the end.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        (saturate(line), saturate(before.chars().count() + 1))
    }
}

fn saturate(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns() {
        let lines = Lines::of("ab\nüx\n\ny");
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(1), (1, 2));
        assert_eq!(lines.position(3), (2, 1));
        assert_eq!(lines.position(5), (2, 2));
        assert_eq!(lines.position(7), (3, 1));
        assert_eq!(lines.position(8), (4, 1));
        assert_eq!(lines.position(4000), (4, 2));
    }

    #[test]
    fn an_origin_names_the_file_or_the_variable() {
        assert_eq!(Origin::at("file", "edgeway.toml", 3, 7).to_string(), "edgeway.toml:3:7");
        assert_eq!(Origin::of("environment", "EDGEWAY__SERVER__LISTEN").to_string(), "EDGEWAY__SERVER__LISTEN");
        assert_eq!(Origin::default_value().to_string(), "defaults");
    }
}
