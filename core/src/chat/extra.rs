//! The side-bag: fields of one dialect that the canonical model has no name for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::dialect::{DialectId, Weight};

/// Fields kept for the dialect they came from. Empty costs nothing.
///
/// Invariant: an encoder reads only its own dialect's fields. What leaving out those of others means
/// their own dialect says, see [`Weight`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra(BTreeMap<DialectId, Map<String, Value>>);

impl Extra {
    /// Keeps `value` as `field` of `dialect`.
    pub fn insert(&mut self, dialect: DialectId, field: impl Into<String>, value: Value) {
        self.0.entry(dialect).or_default().insert(field.into(), value);
    }

    /// Keeps all of `fields` for `dialect`.
    pub fn extend(&mut self, dialect: DialectId, fields: Map<String, Value>) {
        if !fields.is_empty() {
            self.0.entry(dialect).or_default().extend(fields);
        }
    }

    /// One field of a dialect.
    pub fn field(&self, dialect: DialectId, field: &str) -> Option<&Value> {
        self.0.get(&dialect)?.get(field)
    }

    /// All fields of a dialect, in the order they came.
    pub fn fields(&self, dialect: DialectId) -> impl Iterator<Item = (&String, &Value)> {
        self.0.get(&dialect).into_iter().flatten()
    }

    /// The names of all fields that `dialect` cannot carry and somebody may miss, with the dialect they belong to.
    pub fn foreign_to(&self, dialect: DialectId) -> impl Iterator<Item = (DialectId, &str)> {
        let weighty = |(_, _, weight): &(_, _, Weight)| *weight != Weight::Nothing;
        self.weighed(dialect).filter(weighty).map(|(owner, field, _)| (owner, field))
    }

    /// The first field that `dialect` cannot carry and that cannot be left out, with the dialect it belongs to.
    pub fn essential_to_others_than(&self, dialect: DialectId) -> Option<(DialectId, &str)> {
        let essential = self.weighed(dialect).find(|(_, _, weight)| *weight == Weight::Essential)?;
        Some((essential.0, essential.1))
    }

    fn weighed(&self, dialect: DialectId) -> impl Iterator<Item = (DialectId, &str, Weight)> {
        self.0.iter().filter(move |(owner, _)| **owner != dialect).flat_map(|(owner, fields)| {
            fields.iter().map(move |(field, value)| match owner.codec().weight(field, value) {
                // A wish for nothing.
                Weight::Wish if is_empty(value) => (*owner, field.as_str(), Weight::Nothing),
                weight => (*owner, field.as_str(), weight),
            })
        })
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
