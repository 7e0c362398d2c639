//! A document as a tree in which every value remembers where it was written.
//!
//! Knows nothing of which fields exist; that is [`super::shape`]'s.

use std::collections::BTreeMap;

use super::origin::Origin;
use super::path::{Path, Step};
use crate::order;

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
    /// Its place among its siblings: order of appearance, lower layers first.
    pub(super) place: u32,
    /// The rank of the layer that gave it, the lowest is 0.
    pub(super) rank: u32,
}

/// What a document can hold.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// JSON's `null`: takes away what a lower layer says.
    Null,
    Bool(bool),
    Integer(i64),
    Float,
    Text(String),
    /// TOML's dates, which no field takes.
    Date,
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(super) fn new(value: Value, origin: Origin) -> Self {
        Self { value, origin, place: 0, rank: 0 }
    }

    /// An empty table.
    pub(super) fn table(origin: Origin) -> Self {
        Self::new(Value::Table(BTreeMap::new()), origin)
    }

    /// What it is, for a message.
    pub(super) fn noun(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float => "a fraction",
            Value::Text(_) => "a string",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The value at `path`.
    pub(super) fn find(&self, path: &Path) -> Option<&Node> {
        path.steps().iter().try_fold(self, |node, step| match (&node.value, step) {
            (Value::Table(entries), Step::Key(key)) => entries.get(key),
            (Value::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        })
    }

    /// The origin of the deepest value on `path`.
    pub(super) fn nearest(&self, path: &Path) -> &Origin {
        let mut node = self;
        for step in path.steps() {
            let next = match (&node.value, step) {
                (Value::Table(entries), Step::Key(key)) => entries.get(key),
                (Value::List(items), Step::Index(index)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.origin
    }

    /// The keys of a table, in order of appearance; none for anything else.
    pub(super) fn keys(&self) -> Vec<&str> {
        let Value::Table(entries) = &self.value else { return Vec::new() };
        let mut keys: Vec<_> = entries.iter().collect();
        order::sort_by_key(&mut keys, |(_, node)| node.place);
        keys.into_iter().map(|(key, _)| key.as_str()).collect()
    }

    /// Puts `value` at `path`, making tables on the way. A value in the way gives way.
    pub(super) fn put(&mut self, path: &[String], value: Node) {
        let Some((key, rest)) = path.split_first() else {
            self.lay(value, 0);
            return;
        };
        if !matches!(self.value, Value::Table(_)) {
            *self = Self { place: self.place, ..Self::table(value.origin.clone()) };
        }
        let Value::Table(entries) = &mut self.value else { return };
        let place = next_place(entries);
        let entry = entries.entry(key.clone()).or_insert_with(|| Self { place, ..Self::table(value.origin.clone()) });
        if rest.is_empty() && !matches!((&entry.value, &value.value), (Value::Table(_), Value::Table(_))) {
            *entry = Self { place: entry.place, ..value };
        } else {
            entry.put(rest, value);
        }
    }

    /// Lays `upper` over this: tables merge key by key, `null` takes a key away, anything else replaces.
    pub(super) fn lay(&mut self, upper: Node, rank: u32) {
        match (&mut self.value, upper.value) {
            (Value::Table(entries), Value::Table(above)) => {
                let base = next_place(entries);
                for (key, mut node) in above {
                    if matches!(node.value, Value::Null) {
                        entries.remove(&key);
                    } else if let Some(below) = entries.get_mut(&key) {
                        below.lay(node, rank);
                    } else {
                        node.place = base.saturating_add(node.place);
                        node.settle(rank);
                        entries.insert(key, node);
                    }
                }
            }
            (_, value) => {
                *self = Self { value, origin: upper.origin, place: self.place, rank };
                self.settle(rank);
            }
        }
    }

    /// Marks a new part of the tree with its layer's rank, and drops its nulls.
    fn settle(&mut self, rank: u32) {
        self.rank = rank;
        match &mut self.value {
            Value::Table(entries) => {
                entries.retain(|_, node| !matches!(node.value, Value::Null));
                entries.values_mut().for_each(|node| node.settle(rank));
            }
            Value::List(items) => items.iter_mut().for_each(|node| node.settle(rank)),
            _ => {}
        }
    }
}

fn next_place(entries: &BTreeMap<String, Node>) -> u32 {
    entries.values().map(|node| node.place.saturating_add(1)).max().unwrap_or(0)
}
