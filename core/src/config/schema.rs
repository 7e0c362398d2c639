//! Writes a JSON Schema of the document, for editors: completion, documentation and red lines while typing.
//!
//! Draft 7, which is what TOML editors read. Looser than [`super::check`] and never stricter, but for JSON's `null`, which TOML does not have.

use serde_json::{Map, Value, json};

use super::document::Document;
use super::reference::paragraph;
use super::shape::{Field, Kind, Section};

/// The JSON Schema.
pub fn schema() -> Value {
    let mut root = Map::new();
    root.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    root.insert("title".into(), json!("edgeway.toml"));
    if let Value::Object(rest) = section(&Document::SECTION) {
        root.extend(rest);
    }
    root["properties"]["$schema"] = json!({"type": "string", "description": "Where this schema is; for editors."});
    Value::Object(root)
}

fn section(section: &Section) -> Value {
    let properties: Map<String, Value> = section.fields.iter().map(|field| (field.name.to_owned(), self::field(field))).collect();
    let required: Vec<&str> = section.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut schema = json!({
        "description": paragraph(section.about), "type": "object", "properties": properties, "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn field(field: &Field) -> Value {
    let mut schema = kind(field.kind);
    schema["description"] = json!(paragraph(field.doc));
    if let Some(default) = field.default {
        schema["default"] = default.parse().map_or_else(|_| json!(default), |number: i64| json!(number));
    }
    schema
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Text => json!({"type": "string"}),
        Kind::Secret => json!({"type": "string", "pattern": "^[A-Za-z0-9_./-]+$"}),
        Kind::Duration => json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}),
        Kind::Size => json!({"anyOf": [
            {"type": "string", "pattern": "^[0-9]+ *([KkMmGg]?[Ii]?[Bb])?$"},
            {"type": "integer", "minimum": 0},
        ]}),
        Kind::Rate => json!({"type": "string", "pattern": "^ *[0-9_]+ */ *[a-z]+ *$"}),
        Kind::Budget => json!({"type": "string", "pattern": "^.*[Uu][Ss][Dd] */ *[a-z]+ *$"}),
        Kind::Several(of) => json!({"anyOf": [self::kind(*of), {"type": "array", "items": self::kind(*of)}]}),
        Kind::Money => json!({"type": "string", "pattern": "^[0-9]+([.][0-9]{1,9})? *[Uu][Ss][Dd]$"}),
        Kind::Word(words) => json!({"enum": words()}),
        Kind::WordOr(words, table) => json!({"anyOf": [{"enum": words()}, section(table)]}),
        Kind::List(of) => json!({"type": "array", "items": self::kind(*of)}),
        Kind::Map(of) => json!({"type": "object", "additionalProperties": self::kind(*of)}),
        Kind::Section(table) => section(table),
    }
}
