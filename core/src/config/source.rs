//! Reads TOML and JSON into [`Node`]s with the place of every value.
//!
//! Invariants: a key that appears twice is refused, nesting is bounded, and no text panics.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{DOCUMENT, Diagnostic, Severity};
use super::node::{Node, Value};
use super::origin::{Lines, Origin};
use crate::order;

/// How deep a JSON document may nest; TOML's parser has its own bound of 80.
const DEEPEST: usize = 64;

/// A text to read: which layer it belongs to, what it is called, what it says.
pub(super) struct Source<'a> {
    layer: &'a str,
    name: &'a str,
    text: &'a str,
    /// Whether places have lines: those of a variable's value would only confuse.
    lines: Option<Lines<'a>>,
}

impl<'a> Source<'a> {
    pub(super) fn file(layer: &'a str, name: &'a str, text: &'a str) -> Self {
        Self { layer, name, text: text.strip_prefix('\u{feff}').unwrap_or(text), lines: None }.with_lines()
    }

    pub(super) fn variable(layer: &'a str, name: &'a str, text: &'a str) -> Self {
        Self { layer, name, text, lines: None }
    }

    fn with_lines(self) -> Self {
        Self { lines: Some(Lines::of(self.text)), ..self }
    }

    /// Reads a whole document: JSON when it starts with a brace, which no TOML does.
    pub(super) fn document(&self) -> Result<Node, Vec<Diagnostic>> {
        if !self.text.trim_start().starts_with('{') {
            return self.toml();
        }
        let mut root = self.json().map_err(|error| vec![error])?;
        if let Value::Table(entries) = &mut root.value {
            entries.remove("$schema"); // It is for editors.
        }
        Ok(root)
    }

    /// Reads TOML; every syntax error is reported, one a line.
    fn toml(&self) -> Result<Node, Vec<Diagnostic>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            return Ok(self.table(table.get_ref(), self.origin(0)));
        }
        let report = |error: &toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            self.refuse(offset, format!("this is not valid TOML: {message}"), "correct the syntax; see https://toml.io")
        };
        // A parser that goes on after an error says more of the same line, which only confuses.
        let mut found: Vec<Diagnostic> = Vec::new();
        for error in errors.iter().map(report) {
            if found.iter().all(|earlier| earlier.origin != error.origin && earlier.origin.line != error.origin.line) {
                found.push(error);
            }
        }
        Err(found)
    }

    fn table(&self, table: &DeTable<'_>, origin: Origin) -> Node {
        let mut ordered: Vec<_> = table.iter().collect();
        order::sort_by_key(&mut ordered, |(key, _)| key.span().start);
        let entries = ordered.into_iter().zip(0u32..).map(|((key, value), place)| {
            let node = self.toml_value(value.get_ref(), self.origin(key.span().start));
            (key.get_ref().to_string(), Node { place, ..node })
        });
        Node::new(Value::Table(order::map(entries)), origin)
    }

    fn toml_value(&self, value: &DeValue<'_>, origin: Origin) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Value::Integer(integer),
                Err(_) => Value::Float,
            },
            DeValue::Float(_) => Value::Float,
            DeValue::Boolean(bool) => Value::Bool(*bool),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.toml_value(item.get_ref(), self.origin(item.span().start))).collect())
            }
            DeValue::Table(table) => return self.table(table, origin),
        };
        Node::new(value, origin)
    }

    /// Reads JSON.
    pub(super) fn json(&self) -> Result<Node, Diagnostic> {
        match serde_json::from_str::<&RawValue>(self.text) {
            Ok(raw) => self.json_value(raw.get(), 0),
            Err(error) => {
                let line = self.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
                let offset = line + error.column().saturating_sub(1);
                Err(self.refuse(offset, format!("this is not valid JSON: {}", reason(&error)), "correct the syntax"))
            }
        }
    }

    fn json_value(&self, text: &str, depth: usize) -> Result<Node, Diagnostic> {
        // `text` is a slice of the whole text, so the distance of their starts is its offset.
        let offset = (text.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let invalid = |error: serde_json::Error| {
            self.refuse(offset, format!("this is not valid JSON: {}", reason(&error)), "correct the syntax")
        };
        if depth > DEEPEST {
            let message = format!("this nests deeper than {DEEPEST} levels");
            return Err(self.refuse(offset, message, "no field of a configuration nests so deep; remove it"));
        }
        let value = match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(invalid)?;
                let mut entries = BTreeMap::new();
                for ((key, raw), place) in members.into_iter().zip(0u32..) {
                    let node = self.json_value(raw.get(), depth + 1)?;
                    if entries.contains_key(&key) {
                        let message = format!("the key `{}` appears twice in one object", super::diagnostic::shown(&key));
                        let offset = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
                        return Err(self.refuse(offset, message, "keep one of the two"));
                    }
                    entries.insert(key, Node { place, ..node });
                }
                Value::Table(entries)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(invalid)?;
                Value::List(items.into_iter().map(|raw| self.json_value(raw.get(), depth + 1)).collect::<Result<_, _>>()?)
            }
            _ => match serde_json::from_str(text).map_err(invalid)? {
                Scalar::Null => Value::Null,
                Scalar::Bool(bool) => Value::Bool(bool),
                Scalar::Number(number) => number.as_i64().map_or(Value::Float, Value::Integer),
                Scalar::Text(text) => Value::Text(text),
            },
        };
        Ok(Node::new(value, self.origin(offset)))
    }

    /// The origin of what starts at `offset`.
    pub(super) fn origin(&self, offset: usize) -> Origin {
        let (line, column) = self.lines.as_ref().map_or((0, 0), |lines| lines.position(offset));
        Origin::at(self.layer, self.name, line, column)
    }

    fn refuse(&self, offset: usize, message: String, help: &str) -> Diagnostic {
        Diagnostic {
            path: DOCUMENT.to_owned(),
            severity: Severity::Error,
            message,
            help: help.to_owned(),
            origin: self.origin(offset),
        }
    }
}

/// The reason of a JSON error, without the position, which the origin has.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The members of a JSON object, in order, repetitions kept.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
                Err(serde::de::Error::custom("expected an object"))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A JSON value that holds no other.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Scalar {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::path::Path;

    fn place(node: &Node, path: &str) -> (u32, u32) {
        let path = Path::parse(path).expect("a path");
        let origin = &node.find(&path).expect("a value there").origin;
        (origin.line, origin.column)
    }

    #[test]
    fn toml_values_know_their_line_and_their_order() {
        let text = "[routes.z]\nmodels = [\"a\",\n  \"b\"]\n[routes.a]\ntimeout = \"1s\"\n";
        let node = Source::file("file", "f", text).document().expect("valid TOML");
        assert_eq!(place(&node, "routes.z"), (1, 9));
        assert_eq!(place(&node, "routes.z.models"), (2, 1));
        assert_eq!(place(&node, "routes.z.models[1]"), (3, 3));
        assert_eq!(place(&node, "routes.a.timeout"), (5, 1));
        assert_eq!(node.find(&Path::of(&["routes"])).expect("routes").keys(), ["z", "a"]);
    }

    #[test]
    fn json_values_know_their_line_too() {
        let text = "{\n  \"routes\": {\"z\": {\"models\": [\"a\",\n \"b\"]}, \"a\": {}}\n}";
        let node = Source::file("file", "f", text).document().expect("valid JSON");
        assert_eq!(place(&node, "routes"), (2, 13));
        assert_eq!(place(&node, "routes.z.models[1]"), (3, 2));
        assert_eq!(node.find(&Path::of(&["routes"])).expect("routes").keys(), ["z", "a"]);
    }

    #[test]
    fn every_syntax_error_of_a_file_is_reported_with_its_line() {
        let errors = Source::file("file", "f", "a = \nb = 1\nc = = 2\n").document().expect_err("invalid");
        let lines: Vec<u32> = errors.iter().map(|error| error.origin.line).collect();
        assert!(lines.contains(&1) && lines.contains(&3), "{lines:?}");
        let error = &Source::file("file", "f", "{\n\"a\": 1,\n\"b\" 2}").document().expect_err("invalid")[0];
        assert_eq!((error.origin.line, error.origin.column), (3, 5));
    }

    #[test]
    fn a_key_given_twice_is_refused_in_both_languages() {
        let error = &Source::file("file", "f", "{\"a\": 1,\n\"a\": 2}").document().expect_err("twice")[0];
        assert_eq!((error.message.as_str(), error.origin.line), ("the key `a` appears twice in one object", 2));
        assert!(Source::file("file", "f", "a = 1\na = 2").document().is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_crash() {
        for depth in [DEEPEST + 2, 200_000] {
            let json = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            assert!(Source::file("file", "f", &json).document().is_err());
            let toml = format!("a = {}{}", "[".repeat(depth + 80), "]".repeat(depth + 80));
            assert!(Source::file("file", "f", &toml).document().is_err());
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert!(Source::file("file", "f", "\u{feff}a = 1").document().is_ok());
    }
}
