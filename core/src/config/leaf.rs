//! The values of laid layers, one by one: what is set, where it was written, and what another layer would change.

use serde::Serialize;
use serde_json::Value as Json;

use super::layer::Layers;
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::Path;

/// A value that a layer gives. Lists are one value: a higher layer replaces them whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leaf {
    /// Where in the document: `routes.chat.timeout`.
    pub path: String,
    /// What it is, as JSON.
    pub value: Json,
    /// Which layer says so, and where.
    pub origin: Origin,
}

/// A value that differs between two sets of layers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where in the document.
    pub path: String,
    /// What it was; `None` when no layer said anything, so the gateway's default held.
    pub before: Option<Leaf>,
    /// What it is; `None` when no layer says anything any more.
    pub after: Option<Leaf>,
}

impl Layers {
    /// Every value that a layer gives, in order of the document. What the gateway's defaults give is left out.
    pub fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        walk(self.root(), &Path::root(), &mut leaves);
        leaves
    }
}

fn walk(node: &Node, at: &Path, leaves: &mut Vec<Leaf>) {
    let Value::Table(entries) = &node.value else {
        leaves.push(Leaf { path: at.to_string(), value: json(node), origin: node.origin.clone() });
        return;
    };
    // An empty table says something too: that there is a provider of that name, say.
    if entries.is_empty() && !at.is_root() {
        leaves.push(Leaf { path: at.to_string(), value: json(node), origin: node.origin.clone() });
    }
    for key in node.keys() {
        walk(&entries[key], &at.key(key), leaves);
    }
}

fn json(node: &Node) -> Json {
    match &node.value {
        // Fractions and dates are no values of any field; a document with one does not compile.
        Value::Null | Value::Float | Value::Date => Json::Null,
        Value::Bool(bool) => Json::from(*bool),
        Value::Integer(integer) => Json::from(*integer),
        Value::Text(text) => Json::from(text.as_str()),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Table(entries) => entries.iter().map(|(key, node)| (key.clone(), json(node))).collect(),
    }
}

/// The values that differ, those of `before` first. A value that moves to another layer and stays the same is no change.
pub fn changes(before: &Layers, after: &Layers) -> Vec<Change> {
    let (before, after) = (before.leaves(), after.leaves());
    let find = |leaves: &[Leaf], path: &str| leaves.iter().find(|leaf| leaf.path == path).cloned();
    let mut changes = Vec::new();
    for leaf in &before {
        let now = find(&after, &leaf.path);
        if now.as_ref().is_none_or(|now| now.value != leaf.value) {
            changes.push(Change { path: leaf.path.clone(), before: Some(leaf.clone()), after: now });
        }
    }
    for leaf in after {
        if find(&before, &leaf.path).is_none() {
            changes.push(Change { path: leaf.path.clone(), before: None, after: Some(leaf) });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::layer::Layer;
    use super::*;

    fn layers(documents: &[(&str, &str)]) -> Layers {
        Layers::of(documents.iter().map(|(name, text)| Layer::document(name, name, text).expect("a valid document")))
    }

    #[test]
    fn every_value_says_what_it_is_and_where_it_was_written() {
        let layers = layers(&[
            ("file", "[routes.chat]\nmodels = [\"*\"]\ntimeout = \"1m\"\n[providers.vllm]"),
            ("stored", "[routes.chat]\ntimeout = \"20s\"\npriority = 3"),
        ]);
        let seen: Vec<_> = layers.leaves().into_iter().map(|leaf| (leaf.path, leaf.value, leaf.origin.to_string())).collect();
        let expected = [
            ("routes.chat.models", json!(["*"]), "file:2:1"),
            ("routes.chat.timeout", json!("20s"), "stored:2:1"),
            ("routes.chat.priority", json!(3), "stored:3:1"),
            ("providers.vllm", json!({}), "file:4:12"),
        ]
        .map(|(path, value, origin)| (path.to_owned(), value, origin.to_owned()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_change_is_another_value_and_not_another_place() {
        let file = ("file", "[server]\nlisten = \"a:1\"\ndrain = \"1s\"");
        let before = layers(&[file, ("stored", "[timeouts]\nidle = \"1m\"")]);
        let after = layers(&[file, ("stored", "[server]\nlisten = \"a:1\"\ndrain = \"2s\"\n[routes.x]\npriority = 1")]);
        let seen: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|change| {
                let value = |leaf: Option<Leaf>| leaf.map(|leaf| format!("{} {}", leaf.value, leaf.origin.layer));
                (change.path, value(change.before), value(change.after))
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            seen,
            [
                ("server.drain".to_owned(), some("\"1s\" file"), some("\"2s\" stored")),
                ("timeouts.idle".to_owned(), some("\"1m\" stored"), None),
                ("routes.x.priority".to_owned(), None, some("1 stored")),
            ]
        );
    }
}
