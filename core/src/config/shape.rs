//! The shape of a document: which fields there are, what they take, and how they are read.
//!
//! [`section!`] declares a struct once; its fields, their documentation, defaults and kinds become a [`Section`] that the
//! reader, the did-you-mean, the environment bindings, the reference and the JSON Schema all use, so none of them can drift.
//! Invariant: reading never stops at the first problem; what cannot be read is reported and left out.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::diagnostic::{Report, alternatives, fold, nearest, shown};
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::{Path, is_bare};

/// A table with known fields.
#[derive(Debug)]
pub(super) struct Section {
    /// What it is, in Markdown.
    pub(super) about: &'static str,
    /// Its fields.
    pub(super) fields: &'static [Field],
}

/// A field of a section.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is, in Markdown.
    pub(super) doc: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// What it is when nobody says, as it would stand in an environment variable.
    pub(super) default: Option<&'static str>,
    /// A value to show, in TOML.
    pub(super) example: Option<&'static str>,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What people call it elsewhere; only for did-you-mean.
    pub(super) also: &'static [&'static str],
}

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A string.
    Text,
    /// The name of a secret.
    Secret,
    /// A duration.
    Duration,
    /// A number of bytes.
    Size,
    /// An amount of money.
    Money,
    /// One of some words.
    Word(fn() -> Vec<&'static str>),
    /// One of some words, or a table.
    WordOr(fn() -> Vec<&'static str>, &'static Section),
    /// So many in a unit of time.
    Rate,
    /// So much money in a span.
    Budget,
    /// One, or a list of them.
    Several(&'static Kind),
    /// A list.
    List(&'static Kind),
    /// A table whose keys are names that the operator chooses.
    Map(&'static Kind),
    /// A table with known fields.
    Section(&'static Section),
}

impl Kind {
    /// What it takes, for a message and the reference.
    pub(super) fn noun(self) -> String {
        match self {
            Self::Bool => "`true` or `false`".into(),
            Self::Integer => "a whole number".into(),
            Self::Text => "a string".into(),
            Self::Secret => "the name of a secret".into(),
            Self::Duration => "a duration like `\"20s\"`, `\"500ms\"` or `\"2m\"`".into(),
            Self::Size => "a size like `\"32MiB\"` or `\"10MB\"`".into(),
            Self::Money => "an amount like `\"20usd\"` or `\"0.5usd\"`".into(),
            Self::Word(words) => alternatives(&quoted(&words())),
            Self::WordOr(words, _) => {
                let words: Vec<String> = quoted(&words()).iter().map(|word| format!("`{word}`")).collect();
                format!("{} or a table", words.join(", "))
            }
            Self::Rate => "a rate like `\"60/minute\"`".into(),
            Self::Budget => "a budget like `\"20usd/month\"`".into(),
            Self::Several(of) => format!("{}, or a list of {}", of.noun(), of.plural()),
            Self::List(of) => format!("a list of {}", of.plural()),
            Self::Map(of) => format!("a table of {}", of.plural()),
            Self::Section(_) => "a table".into(),
        }
    }

    fn plural(self) -> String {
        match self {
            Self::Text => "strings".into(),
            Self::Secret => "names of secrets".into(),
            Self::Rate => "rates".into(),
            Self::Budget => "budgets".into(),
            Self::Section(_) => "tables".into(),
            Self::Word(words) => alternatives(&quoted(&words())),
            other => other.noun(),
        }
    }

    /// Reads the text of an environment variable as a value of this kind. What it cannot be stays a string, for the reader to
    /// refuse. Not for tables and JSON lists; a list's items may be separated by commas.
    pub(super) fn leaf(self, text: &str, origin: &Origin) -> Node {
        let value = match self {
            Self::Bool => text.parse().map(Value::Bool).ok(),
            Self::Integer | Self::Size => text.parse().map(Value::Integer).ok(),
            Self::List(of) | Self::Several(of) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::List(items.map(|item| of.leaf(item, origin)).collect()))
            }
            _ => None,
        };
        Node::new(value.unwrap_or_else(|| Value::Text(text.to_owned())), origin.clone())
    }

    /// Whether a value of this kind can be a table or a list, so that an environment variable may hold it as JSON.
    pub(super) fn takes_json(self) -> bool {
        matches!(self, Self::WordOr(..) | Self::List(_) | Self::Several(_) | Self::Map(_) | Self::Section(_))
    }
}

fn quoted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("\"{word}\"")).collect()
}

/// Something that a document can hold.
pub(super) trait Shape: Sized {
    /// What it takes.
    const KIND: Kind;

    /// Whether its field must be there when it has no default.
    const REQUIRED: bool = true;

    /// Reads it; reports what is wrong, and `None` when nothing usable is left.
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self>;

    /// What it is when its field is absent and has no default.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether it is left out when written.
    fn is_absent(&self) -> bool {
        false
    }
}

/// Reports a value of the wrong type.
pub(super) fn mistyped<T>(kind: Kind, node: &Node, at: &Path, report: &mut Report<'_>) -> Option<T> {
    report.error(at, format!("this is {}, not {}", node.noun(), kind.noun()), format!("write {}", kind.noun()));
    None
}

impl Shape for bool {
    const KIND: Kind = Kind::Bool;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match node.value {
            Value::Bool(bool) => Some(bool),
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

impl Shape for i64 {
    const KIND: Kind = Kind::Integer;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match node.value {
            Value::Integer(integer) => Some(integer),
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

impl Shape for u64 {
    const KIND: Kind = Kind::Integer;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        let integer = i64::read(node, at, report)?;
        let positive = u64::try_from(integer).ok();
        if positive.is_none() {
            report.error(at, format!("{integer} is negative"), "write a whole number from 0");
        }
        positive
    }
}

impl Shape for String {
    const KIND: Kind = Kind::Text;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

impl<T: Shape> Shape for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        T::read(node, at, report).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Shape> Shape for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
    const REQUIRED: bool = false;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else { return mistyped(Self::KIND, node, at, report) };
        Some(items.iter().enumerate().filter_map(|(index, item)| T::read(item, &at.index(index), report)).collect())
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// A table whose keys the operator chooses, in order of appearance.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T> {
    entries: Vec<(String, T)>,
    index: BTreeMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: BTreeMap::new() }
    }
}

impl<T> Named<T> {
    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.index.get(name).and_then(|at| self.entries.get(*at)).map(|(_, entry)| entry)
    }

    /// Every entry, in order of appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Every name, in order of appearance.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    /// Of two entries of one name the later stays.
    fn from_iter<I: IntoIterator<Item = (String, T)>>(items: I) -> Self {
        let mut all = Self::default();
        for (name, entry) in items {
            match all.index.get(&name) {
                Some(at) => all.entries[*at].1 = entry,
                None => {
                    all.index.insert(name.clone(), all.entries.len());
                    all.entries.push((name, entry));
                }
            }
        }
        all
    }
}

impl<T> IntoIterator for Named<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<T: Shape> Shape for Named<T> {
    const KIND: Kind = Kind::Map(&T::KIND);
    const REQUIRED: bool = false;
    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        let Value::Table(entries) = &node.value else { return mistyped(Self::KIND, node, at, report) };
        let read = |key: &str| Some((key.to_owned(), T::read(entries.get(key)?, &at.key(key), report)?));
        Some(node.keys().into_iter().filter_map(read).collect())
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
    fn is_absent(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Reads the fields of one table, one after the other.
pub(super) struct Fields<'a> {
    entries: &'a BTreeMap<String, Node>,
    at: &'a Path,
}

impl<'a> Fields<'a> {
    /// Begins; reports what is no table, and keys that are no fields.
    pub(super) fn of(node: &'a Node, at: &'a Path, section: &'static Section, report: &mut Report<'_>) -> Option<Self> {
        let Value::Table(entries) = &node.value else { return mistyped(Kind::Section(section), node, at, report) };
        for key in node.keys() {
            if !section.fields.iter().any(|field| field.name == key) {
                let (message, help) = unknown(key, at, section);
                report.error(&at.key(key), message, help);
            }
        }
        Some(Self { entries, at })
    }

    /// Reads one field. A value that cannot be read is reported, and its default stands in so that the rest is read too.
    pub(super) fn read<T: Shape>(&self, field: &Field, report: &mut Report<'_>) -> Option<T> {
        let at = self.at.key(field.name);
        if let Some(node) = self.entries.get(field.name) {
            if let Some(value) = T::read(node, &at, report) {
                return Some(value);
            }
        } else if field.required {
            let message = format!("`{}` is missing", field.name);
            report.error(&at, message, format!("add `{} = ...`: {}", field.name, field.kind.noun()));
        }
        match field.default {
            Some(text) => T::read(&field.kind.leaf(text, &Origin::default_value()), &at, report),
            None => T::absent(),
        }
    }
}

/// What is said of a key that is no field: the message and the way out.
pub(super) fn unknown(key: &str, at: &Path, section: &Section) -> (String, String) {
    let place = if at.is_root() { "the document".to_owned() } else { format!("`{at}`") };
    (format!("there is no field `{}` in {place}", shown(key)), suggestion(key, section))
}

fn suggestion(key: &str, section: &Section) -> String {
    let folded = fold(key);
    let known = section.fields.iter().find(|field| field.also.iter().any(|other| fold(other) == folded));
    let names: Vec<&str> = match known {
        Some(field) => vec![field.name],
        None => nearest(key, section.fields.iter().map(|field| field.name)),
    };
    if names.is_empty() {
        let all: Vec<&str> = section.fields.iter().map(|field| field.name).collect();
        format!("its fields are {}", alternatives(&all).replace(" or ", " and "))
    } else {
        format!("did you mean {}?", alternatives(&names))
    }
}

/// A key as it stands in TOML: quoted when it must be.
pub(super) fn toml_key(key: &str) -> String {
    if is_bare(key) { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

/// Declares a table with known fields: the struct, how it is read and written, and its [`Section`].
///
/// A field with `= "default"` is never absent; one of type `Option`, `Vec` or `Named` may be; any other must be there.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $Name:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[also($($also:literal),+)])?
                $(#[example($example:literal)])?
                pub $field:ident: $Type:ty $(= $default:literal)?,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $Name {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "crate::config::shape::Shape::is_absent")]
                pub $field: $Type,
            )+
        }

        impl $Name {
            /// Its fields.
            pub(in crate::config) const SECTION: crate::config::shape::Section = crate::config::shape::Section {
                about: concat!($($about, "\n"),+),
                fields: &[$(crate::config::shape::Field {
                    name: stringify!($field),
                    doc: concat!($($doc, "\n"),+),
                    kind: <$Type as crate::config::shape::Shape>::KIND,
                    default: crate::config::shape::section!(@optional $($default)?),
                    example: crate::config::shape::section!(@optional $($example)?),
                    required: <$Type as crate::config::shape::Shape>::REQUIRED
                        && crate::config::shape::section!(@optional $($default)?).is_none(),
                    also: &[$($($also),+)?],
                }),+],
            };
        }

        impl crate::config::shape::Shape for $Name {
            const KIND: crate::config::shape::Kind = crate::config::shape::Kind::Section(&Self::SECTION);
            const REQUIRED: bool = false;

            fn read(
                node: &crate::config::node::Node,
                at: &crate::config::path::Path,
                report: &mut crate::config::diagnostic::Report<'_>,
            ) -> Option<Self> {
                let fields = crate::config::shape::Fields::of(node, at, &Self::SECTION, report)?;
                let mut all = Self::SECTION.fields.iter();
                $(let $field = all.next().and_then(|field| fields.read::<$Type>(field, report));)+
                Some(Self { $($field: $field?),+ })
            }

            fn absent() -> Option<Self> {
                let origin = crate::config::origin::Origin::default_value();
                let layers = crate::config::layer::Layers::of([]);
                let mut report = crate::config::diagnostic::Report::new(&layers);
                <Self as crate::config::shape::Shape>::read(
                    &crate::config::node::Node::table(origin),
                    &crate::config::path::Path::root(),
                    &mut report,
                )
            }
        }
    };
    (@optional) => { None::<&'static str> };
    (@optional $value:literal) => { Some::<&'static str>($value) };
}
pub(super) use section;
