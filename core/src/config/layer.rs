//! Layers: documents laid one over another, each value remembering which one gave it.
//!
//! Lowest first: the gateway's defaults, a file, the environment, a stored document. Takes any number of them.
//! Tables merge key by key; everything else replaces; a `null` takes away what is below.
//! Invariant: [`Layers::origin`] names the layer whose value [`super::compile()`] uses.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::Path;
use super::source::Source;

/// One document, named.
#[derive(Clone, Debug)]
pub struct Layer {
    pub(super) name: Arc<str>,
    pub(super) root: Node,
}

impl Layer {
    /// Reads a layer from a document in TOML or JSON. `source` is what a diagnostic calls it: a file's name, a key.
    pub fn document(name: &str, source: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let root = Source::file(name, source, text).document()?;
        Ok(Self { name: name.into(), root })
    }
}

/// Documents laid over one another.
#[derive(Clone, Debug)]
pub struct Layers {
    names: Vec<Arc<str>>,
    root: Node,
}

impl Layers {
    /// Lays them, lowest first.
    pub fn of(layers: impl IntoIterator<Item = Layer>) -> Self {
        let mut all = Self { names: Vec::new(), root: Node::table(Origin::default_value()) };
        for layer in layers {
            all.push(layer);
        }
        all
    }

    /// Lays one more on top.
    pub fn push(&mut self, layer: Layer) {
        let rank = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.root.lay(layer.root, rank);
        self.names.push(layer.name);
    }

    /// The layers' names, lowest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Where the value at a path (`routes.chat.timeout`, `models."gpt-4.1".context`) was written; the defaults if nowhere.
    pub fn origin(&self, path: &str) -> Origin {
        let found = Path::parse(path).and_then(|path| self.root.find(&path).map(|node| node.origin.clone()));
        found.unwrap_or_else(Origin::default_value)
    }

    /// Where the value at `path`, or the nearest around it, was written.
    pub(super) fn nearest(&self, path: &Path) -> Origin {
        self.root.nearest(path).clone()
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// Whether a layer says something at `path`.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.root.find(path).is_some()
    }

    /// Whether a layer says something at `path` other than an empty list.
    pub(super) fn is_filled(&self, path: &Path) -> bool {
        self.has(path) && !self.is_empty_list(path)
    }

    /// Whether there is an empty list at `path`.
    pub(super) fn is_empty_list(&self, path: &Path) -> bool {
        self.root.find(path).is_some_and(|node| matches!(&node.value, Value::List(items) if items.is_empty()))
    }

    /// The rank of the layer that gave the value at `path`.
    pub(super) fn rank(&self, path: &Path) -> Option<u32> {
        self.root.find(path).map(|node| node.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, text: &str) -> Layer {
        Layer::document(name, name, text).expect("a valid document")
    }

    #[test]
    fn a_higher_layer_replaces_leaves_and_keeps_the_rest() {
        let layers = Layers::of([
            layer("file", "[routes.chat]\ntimeout = \"1m\"\ntargets = [\"a/b\", \"c/d\"]"),
            layer("kv", "{\"routes\": {\"chat\": {\"targets\": [\"e/f\"]}, \"new\": {}}}"),
        ]);
        assert_eq!(layers.names().collect::<Vec<_>>(), ["file", "kv"]);
        assert_eq!(layers.origin("routes.chat.timeout").to_string(), "file:2:1");
        assert_eq!(&*layers.origin("routes.chat.targets[0]").layer, "kv");
        assert_eq!(&*layers.origin("routes.chat.targets[1]").layer, "defaults");
        assert_eq!(&*layers.origin("no such path").layer, "defaults");
        assert_eq!(layers.root().find(&Path::of(&["routes"])).expect("routes").keys(), ["chat", "new"]);
    }

    #[test]
    fn a_null_takes_away_what_is_below() {
        let layers = Layers::of([
            layer("file", "[routes.chat]\ntimeout = \"1m\"\n[routes.other]\npriority = 1"),
            layer("kv", r#"{"routes": {"chat": {"timeout": null}, "other": null, "third": {"x": null}}}"#),
        ]);
        assert!(!layers.has(&Path::of(&["routes", "chat", "timeout"])));
        assert!(!layers.has(&Path::of(&["routes", "other"])));
        assert!(layers.has(&Path::of(&["routes", "third"])));
        assert!(!layers.has(&Path::of(&["routes", "third", "x"])));
    }
}
