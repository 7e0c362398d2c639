//! A value that fits a JSON Schema.
//!
//! Taken in this order: `const`; an `enum`'s member that was quoted, else its first; `default`; the
//! first branch of `anyOf`, `oneOf` or `allOf` that is not null; by `type` otherwise. Strings and numbers take
//! the next quoted word that suits them; without one a string says `demo`, a number is the least
//! allowed (else 1). Objects get their required properties, or all when none is required; arrays their least
//! number of items, but one if they may have one. Local `$ref`s are followed. `pattern` and `not` are beyond it.
//!
//! Invariant: at most [`MAX_VALUES`] values and [`MAX_BYTES`] bytes, at most [`MAX_DEPTH`] deep, whatever the schema.

use serde_json::{Map, Number, Value};

const MAX_VALUES: usize = 1000;
const MAX_BYTES: usize = 64 << 10;
const MAX_DEPTH: usize = 16;
const MAX_ITEMS: u64 = 16;
const MAX_LENGTH: u64 = 1024;
const MAX_WORDS: usize = 64;
const MAX_MEMBERS: usize = 1024;

/// A value that fits `schema`, made of `words` where they suit.
pub(super) fn example(schema: &Value, words: &[&str]) -> Value {
    let words = words.iter().take(MAX_WORDS).copied().collect();
    Maker { root: schema, words, values_left: MAX_VALUES, bytes_left: MAX_BYTES }.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    words: Vec<&'a str>,
    values_left: usize,
    bytes_left: usize,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        if self.values_left == 0 || depth > MAX_DEPTH {
            return Value::Null;
        }
        self.values_left -= 1;
        let Some(schema) = schema.as_object() else { return self.text(&Map::new()) };
        if let Some(fixed) = schema.get("const") {
            return self.given(fixed);
        }
        if let Some(Value::Array(members)) = schema.get("enum") {
            return self.member(members);
        }
        if let Some(target) =
            schema.get("$ref").and_then(Value::as_str).and_then(|path| self.root.pointer(path.strip_prefix('#')?))
        {
            return self.value(target, depth + 1);
        }
        if let Some(default) = schema.get("default") {
            return self.given(default);
        }
        let branches = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
        let mut branches = branches.filter(|branch| kind(branch) != Some("null"));
        match kind_of(schema) {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("integer") => self.number(schema, true),
            Some("number") => self.number(schema, false),
            Some("boolean") => Value::Bool(true),
            Some("null") => Value::Null,
            Some(_) => self.text(schema),
            None => match branches.next() {
                Some(branch) => self.value(branch, depth + 1),
                None => self.text(schema),
            },
        }
    }

    /// A value that the schema gives itself.
    fn given(&mut self, value: &Value) -> Value {
        if self.pay(value.to_string().len()) { value.clone() } else { Value::Null }
    }

    fn pay(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.unwrap_or(0);
        left.is_some()
    }

    fn member(&mut self, members: &[Value]) -> Value {
        let members = &members[..members.len().min(MAX_MEMBERS)];
        let named = self.words.iter().position(|word| members.iter().any(|member| member.as_str() == Some(word)));
        match named {
            Some(index) => self.words.remove(index).into(),
            None => self.given(members.first().unwrap_or(&Value::Null)),
        }
    }

    fn object(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Value {
        let mut object = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array).filter(|names| !names.is_empty());
        let chosen: Vec<(&str, &'a Value)> = match (required, properties) {
            (Some(names), _) => {
                let names = names.iter().filter_map(Value::as_str).take(self.values_left);
                names.map(|name| (name, properties.and_then(|all| all.get(name)).unwrap_or(&Value::Null))).collect()
            }
            (None, Some(all)) if depth < MAX_DEPTH / 2 => {
                all.iter().take(self.values_left).map(|(name, property)| (name.as_str(), property)).collect()
            }
            _ => Vec::new(),
        };
        for (name, property) in chosen {
            if self.values_left == 0 || !self.pay(name.len()) {
                break;
            }
            object.insert(name.to_owned(), self.value(property, depth + 1));
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &'a Map<String, Value>, depth: usize) -> Value {
        let limit = |key| schema.get(key).and_then(Value::as_u64);
        let count = limit("minItems").unwrap_or(0).max(1).min(limit("maxItems").unwrap_or(1).max(limit("minItems").unwrap_or(0)));
        let first = schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let count = usize::try_from(count.min(MAX_ITEMS)).unwrap_or(1).max(first.len().min(64));
        let rest = schema.get("items").unwrap_or(&Value::Null);
        (0..count).map(|index| self.value(first.get(index).unwrap_or(rest), depth + 1)).collect()
    }

    fn number(&mut self, schema: &Map<String, Value>, whole: bool) -> Value {
        let limit = |key| schema.get(key).and_then(Value::as_f64);
        let least = limit("minimum").or(limit("exclusiveMinimum").map(|least| least + 1.0));
        let most = limit("maximum").or(limit("exclusiveMaximum").map(|most| most - 1.0));
        let fits = |number: f64| least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
        let suits = |word: &&str| {
            word.parse().is_ok_and(|number: f64| number.is_finite() && fits(number) && (!whole || number.fract() == 0.0))
        };
        let number = match self.words.iter().position(suits) {
            Some(index) => self.words.remove(index).parse().unwrap_or(1.0),
            None => {
                let number = least.unwrap_or(1.0).min(most.unwrap_or(f64::MAX));
                let step = limit("multipleOf").filter(|step| *step > 0.0 && number.abs() / *step < 1e15);
                let number = step.map_or(number, |step| (number / step).ceil() * step);
                if whole { number.ceil() } else { number }
            }
        };
        // Whole numbers within i64 are written without a fraction.
        if number.fract() == 0.0 && number.abs() < 9e15 {
            return Value::from(number as i64);
        }
        Number::from_f64(number).map_or(Value::Null, Value::Number)
    }

    fn text(&mut self, schema: &Map<String, Value>) -> Value {
        let limit = |key| schema.get(key).and_then(Value::as_u64);
        let text = match schema.get("format").and_then(Value::as_str) {
            Some("date") => "2026-01-01",
            Some("time") => "12:00:00Z",
            Some("date-time") => "2026-01-01T12:00:00Z",
            Some("email") => "demo@example.com",
            Some("uri" | "url") => "https://example.com/",
            Some("uuid") => "00000000-0000-4000-8000-000000000000",
            Some("ipv4") => "192.0.2.1",
            _ if !self.words.is_empty() => self.words.remove(0),
            _ => "demo",
        };
        let mut text: String = text
            .chars()
            .take(limit("maxLength").map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX)))
            .collect();
        let least = limit("minLength").unwrap_or(0).min(MAX_LENGTH);
        let missing = least.saturating_sub(text.chars().count() as u64);
        text.extend((0..missing).map(|_| 'x'));
        Value::String(text)
    }
}

fn kind(schema: &Value) -> Option<&str> {
    kind_of(schema.as_object()?)
}

/// The schema's type, of several the first that is not null; by its keywords when it names none.
fn kind_of(schema: &Map<String, Value>) -> Option<&'static str> {
    const KINDS: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];
    // Gemini writes types in capitals.
    let known = |name: &str| KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(name));
    match schema.get("type") {
        Some(Value::String(name)) => known(name),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str).filter_map(known);
            names.clone().find(|name| *name != "null").or_else(|| names.next())
        }
        _ if schema.contains_key("properties") || schema.contains_key("required") => Some("object"),
        _ if schema.contains_key("items") || schema.contains_key("prefixItems") => Some("array"),
        _ => None,
    }
}
