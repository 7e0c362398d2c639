//! Fields that take one of some words.

use super::diagnostic::{Report, alternatives, nearest, shown};
use super::node::{Node, Value};
use super::path::Path;
use super::shape::{Kind, mistyped};

/// Reads one of `words`.
pub(super) fn read<T: Clone>(
    node: &Node,
    at: &Path,
    report: &mut Report<'_>,
    kind: Kind,
    what: &str,
    words: &[(&'static str, T)],
) -> Option<T> {
    let Value::Text(text) = &node.value else { return mistyped(kind, node, at, report) };
    if let Some((_, value)) = words.iter().find(|(word, _)| word == text) {
        return Some(value.clone());
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let near = nearest(text, names.iter().copied());
    let help = if near.is_empty() {
        format!("write {}", alternatives(&names))
    } else {
        format!("did you mean {}?", alternatives(&near))
    };
    report.error(at, format!("`{}` is not {what} that Edgeway knows", shown(text)), help);
    None
}

/// Makes an enum of the crate a field's type: `word! { Type, "what it is", || [(word, value), ...] }`.
macro_rules! word {
    ($Type:ty, $what:literal, $words:expr) => {
        impl crate::config::shape::Shape for $Type {
            const KIND: crate::config::shape::Kind =
                crate::config::shape::Kind::Word(|| ($words)().iter().map(|(word, _)| *word).collect());

            fn read(
                node: &crate::config::node::Node,
                at: &crate::config::path::Path,
                report: &mut crate::config::diagnostic::Report<'_>,
            ) -> Option<Self> {
                crate::config::word::read(node, at, report, Self::KIND, $what, &($words)())
            }
        }

        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let words = ($words)();
                let word = words.iter().find(|(_, value)| value == self).map_or("", |(word, _)| *word);
                serializer.serialize_str(word)
            }
        }
    };
}
pub(super) use word;
