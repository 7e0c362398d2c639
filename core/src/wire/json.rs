//! JSON text as a tree that borrows from it, and the path to each of its values.
//!
//! Decoders of callers' requests walk this tree: one pass over each object, and a path is only
//! spelled out when something at it is wrong. It knows no protocol.
//!
//! Invariants: a tree is at most 128 levels deep, a caller's tree holds no key twice in one object,
//! and every refusal names the value's path.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::error::{Error, ErrorKind, Result};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string; borrowed unless it has escapes.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object, in the order of the text.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a whole text. Refuses what follows the first value, and more than 128 levels.
    pub fn read(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Parses a caller's body: refuses duplicate keys too, because two readers may take different ones.
    pub fn parse(body: &'a [u8]) -> Result<Self> {
        let refuse = |why: &dyn fmt::Display| {
            Error::new(ErrorKind::InvalidRequest, format!("The body is not valid JSON: {why}. Send one JSON object."))
        };
        let json = Self::read(body).map_err(|error| refuse(&error))?;
        match json.duplicate() {
            Some(key) => Err(refuse(&format_args!("an object holds the key {key:?} twice"))),
            None => Ok(json),
        }
    }

    /// A key that stands twice in one object, here or below.
    fn duplicate(&self) -> Option<&str> {
        match self {
            Self::Array(items) => items.iter().find_map(Json::duplicate),
            Self::Object(fields) => duplicate(fields).or_else(|| fields.iter().find_map(|(_, value)| value.duplicate())),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number as a non-negative integer, if it is one; `3.0` is.
    pub fn as_u64(&self) -> Option<u64> {
        let Self::Number(number) = self else { return None };
        number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            // 2^53: above it, floats skip integers.
            (float.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&float)).then_some(float as u64)
        })
    }

    /// The member of that name, if it is an object that has one.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What it is, for messages: `a string`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The string, or a refusal.
    pub fn string(self, at: At<'_>) -> Result<String> {
        self.text(at).map(Cow::into_owned)
    }

    /// The string, borrowed where the text allows it, or a refusal.
    pub fn text(self, at: At<'_>) -> Result<Cow<'a, str>> {
        match self {
            Self::String(text) => Ok(text),
            other => Err(at.wrong(&other, "a string")),
        }
    }

    /// The boolean, or a refusal.
    pub fn boolean(self, at: At<'_>) -> Result<bool> {
        match self {
            Self::Bool(value) => Ok(value),
            other => Err(at.wrong(&other, "true or false")),
        }
    }

    /// The integer within `range`, or a refusal.
    pub fn integer(self, at: At<'_>, range: RangeInclusive<u64>) -> Result<u64> {
        let wanted = || match *range.end() {
            u64::MAX => format!("an integer of at least {}", range.start()),
            end => format!("an integer from {} to {end}", range.start()),
        };
        match (self.as_u64(), &self) {
            (Some(value), _) if range.contains(&value) => Ok(value),
            (_, Self::Number(number)) => Err(at.invalid(format!("is {number}; send {}", wanted()))),
            (_, other) => Err(at.wrong(other, &wanted())),
        }
    }

    /// The number within `range`, or a refusal.
    pub fn number(self, at: At<'_>, range: RangeInclusive<f64>) -> Result<f64> {
        let wanted = || format!("a number from {} to {}", range.start(), range.end());
        match &self {
            Self::Number(number) => match number.as_f64() {
                Some(value) if range.contains(&value) => Ok(value),
                _ => Err(at.invalid(format!("is {number}; send {}", wanted()))),
            },
            other => Err(at.wrong(other, &wanted())),
        }
    }

    /// The items, or a refusal.
    pub fn array(self, at: At<'_>) -> Result<Vec<Json<'a>>> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(at.wrong(&other, "an array")),
        }
    }

    /// The members that are not `null`, or a refusal.
    pub fn object(self, at: At<'_>) -> Result<impl Iterator<Item = (Cow<'a, str>, Json<'a>)>> {
        match self {
            Self::Object(fields) => Ok(fields.into_iter().filter(|(_, value)| !value.is_null())),
            other => Err(at.wrong(&other, "an object")),
        }
    }
}

/// The place of a value: cheap to extend, spelled out (`messages[2].content`) only for a refusal.
#[derive(Clone, Copy, Debug)]
pub enum At<'p> {
    /// The whole text.
    Root,
    /// A member of an object.
    Field(&'p At<'p>, &'p str),
    /// An item of an array.
    Item(&'p At<'p>, usize),
}

impl<'p> At<'p> {
    /// The place of a member.
    pub fn field(&'p self, name: &'p str) -> At<'p> {
        At::Field(self, name)
    }

    /// The place of an item.
    pub fn item(&'p self, index: usize) -> At<'p> {
        At::Item(self, index)
    }

    /// A refusal of the value here: `problem` continues the sentence that begins with the path.
    pub fn invalid(self, problem: impl fmt::Display) -> Error {
        match self {
            At::Root => Error::new(ErrorKind::InvalidRequest, format!("The body {problem}.")),
            _ => Error::invalid(self.to_string(), format!("`{self}` {problem}.")),
        }
    }

    /// A refusal of a value of the wrong type.
    pub fn wrong(self, value: &Json<'_>, wanted: &str) -> Error {
        self.invalid(format_args!("is {}; send {wanted}", value.kind()))
    }

    /// A refusal because the value is not there.
    pub fn missing(self, wanted: &str) -> Error {
        self.invalid(format_args!("is missing; send {wanted}"))
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Field(At::Root, name) => write_name(f, name),
            At::Field(parent, name) => {
                write!(f, "{parent}.")?;
                write_name(f, name)
            }
            At::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Names come from callers: a path shows at most 64 characters of one.
fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.write_str(name.char_indices().nth(64).map_or(name, |(end, _)| &name[..end]))
}

impl From<Json<'_>> for Value {
    fn from(json: Json<'_>) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(value),
            Json::Number(number) => Value::Number(number),
            Json::String(text) => Value::String(text.into_owned()),
            Json::Array(items) => items.into_iter().map(Value::from).collect(),
            Json::Object(fields) => fields.into_iter().map(|(key, value)| (key.into_owned(), Value::from(value))).collect(),
        }
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(fields) => serializer.collect_map(fields.iter().map(|(key, value)| (key, value))),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some((Key(key), value)) = access.next_entry()? {
            fields.push((key, value));
        }
        Ok(Json::Object(fields))
    }
}

/// A key that stands twice. Compares pairs in small objects and hashes in large ones.
fn duplicate<'f>(fields: &'f [(Cow<'_, str>, Json<'_>)]) -> Option<&'f str> {
    if fields.len() <= 24 {
        let repeats = |(index, (key, _)): &(usize, &(Cow<'_, str>, Json<'_>))| fields[..*index].iter().any(|(old, _)| old == key);
        return fields.iter().enumerate().find(repeats).map(|(_, (key, _))| key.as_ref());
    }
    let mut seen = HashSet::with_capacity(fields.len());
    fields.iter().map(|(key, _)| key.as_ref()).find(|key| !seen.insert(*key))
}

struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(Tree)? {
            Json::String(key) => Ok(Key(key)),
            _ => Err(D::Error::custom("a key is not a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_borrowed_from_the_text_unless_they_have_escapes() {
        let Json::Array(items) = Json::parse(br#"["plain", "es\ncaped"]"#).unwrap() else { panic!() };
        assert!(matches!(&items[0], Json::String(Cow::Borrowed("plain"))));
        assert!(matches!(&items[1], Json::String(Cow::Owned(text)) if text == "es\ncaped"));
    }

    #[test]
    fn a_tree_is_the_value_that_serde_json_reads() {
        let text = br#"{"a":[1,-2,3.5,null,true,"\u00e9"],"b":{"c":{}},"":18446744073709551615}"#;
        let value: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(Value::from(Json::parse(text).unwrap()), value);
    }

    #[test]
    fn a_key_twice_is_refused_in_small_and_large_objects() {
        let error = Json::parse(br#"{"a":{"role":1,"x":2,"role":3}}"#).unwrap_err();
        assert!(error.message.contains("\"role\" twice"), "{}", error.message);
        let large: String = (0..50).map(|n| format!("\"k{n}\":0,")).collect();
        assert!(Json::parse(format!("{{{large}\"k50\":0}}").as_bytes()).is_ok());
        assert!(Json::parse(format!("{{{large}\"k7\":0}}").as_bytes()).is_err());
    }

    #[test]
    fn depth_is_capped_and_bad_text_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(127).as_bytes()).is_ok());
        assert!(Json::parse(nested(100_000).as_bytes()).is_err());
        for text in [&b"{"[..], b"", b"{} {}", b"\xff", b"\"\xff\"", b"NaN", b"1e999", b"{'a':1}"] {
            let error = Json::parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidRequest, "{text:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_path_and_says_what_to_send() {
        let root = At::Root;
        let messages = root.field("messages");
        let message = messages.item(2);
        let at = message.field("content");
        let error = Json::Bool(true).string(at).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[2].content"));
        assert_eq!(error.message, "`messages[2].content` is a boolean; send a string.");
        let error = Json::Number(0.into()).integer(root.field("n"), 1..=128).unwrap_err();
        assert_eq!(error.message, "`n` is 0; send an integer from 1 to 128.");
        let error = Json::Number((-5).into()).integer(root.field("max_tokens"), 1..=u64::MAX).unwrap_err();
        assert_eq!(error.message, "`max_tokens` is -5; send an integer of at least 1.");
        let error = Json::String("NaN".into()).number(root.field("temperature"), 0.0..=2.0).unwrap_err();
        assert_eq!(error.message, "`temperature` is a string; send a number from 0 to 2.");
    }

    #[test]
    fn a_float_without_fraction_is_an_integer() {
        let number = |value: f64| Json::Number(Number::from_f64(value).unwrap());
        assert_eq!(number(256.0).as_u64(), Some(256));
        assert_eq!(number(0.5).as_u64(), None);
        assert_eq!(number(1e300).as_u64(), None);
    }
}
