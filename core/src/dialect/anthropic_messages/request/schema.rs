//! JSON Schema as structured output and strict tools take it.
//!
//! Claude compiles a schema to a grammar and refuses what a grammar cannot say. Which keywords it
//! takes: the vendor's page on structured outputs, and the SDK's `transform-json-schema`.
//!
//! | in the schema | what happens |
//! |---|---|
//! | an object without `additionalProperties` | closed (`false`), as the API insists |
//! | `additionalProperties: {...}` | closed; a loss |
//! | `oneOf` | `anyOf` |
//! | bounds, patterns, lengths, unknown formats | told in the `description`; a loss |
//! | `$schema`, `$id`, Gemini's `propertyOrdering` | left out |

use serde_json::{Map, Value};

/// String formats that the grammar knows.
const FORMATS: [&str; 10] = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// The schema as the API takes it, and whether a constraint was lost; `None` when it is so already.
pub(super) fn supported(schema: &Value) -> Option<(Value, bool)> {
    let mut lost = false;
    let rewritten = rewrite(schema, &mut lost);
    (rewritten != *schema).then_some((rewritten, lost))
}

fn rewrite(schema: &Value, lost: &mut bool) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let mut out = Map::with_capacity(schema.len() + 1);
    let mut told = Map::new();
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("$schema" | "$id" | "propertyOrdering", _) => {}
            ("properties" | "$defs" | "definitions", Value::Object(children)) => {
                let children = children.iter().map(|(name, child)| (name.clone(), rewrite(child, lost))).collect();
                out.insert(key.clone(), Value::Object(children));
            }
            ("items", Value::Object(_)) => drop(out.insert(key.clone(), rewrite(value, lost))),
            ("anyOf" | "allOf" | "oneOf", Value::Array(variants)) => {
                let name = if key == "oneOf" { "anyOf" } else { key };
                let variants = variants.iter().map(|variant| rewrite(variant, lost)).collect();
                out.insert(name.to_owned(), Value::Array(variants));
            }
            ("additionalProperties", Value::Object(_)) => {
                told.insert(key.clone(), value.clone());
            }
            ("additionalProperties", _) => {}
            ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                drop(out.insert(key.clone(), value.clone()))
            }
            ("minItems", Value::Number(least)) if least.as_u64().is_some_and(|least| least <= 1) => {
                out.insert(key.clone(), value.clone());
            }
            ("type" | "enum" | "const" | "required" | "description" | "title" | "default" | "$ref", _) => {
                out.insert(key.clone(), value.clone());
            }
            _ => drop(told.insert(key.clone(), value.clone())),
        }
    }
    if describes_object(schema) {
        out.insert("additionalProperties".into(), Value::Bool(false));
    }
    if !told.is_empty() {
        *lost = true;
        let constraints = format!("Constraints: {}", Value::Object(told));
        let description = match out.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description}\n\n{constraints}"),
            None => constraints,
        };
        out.insert("description".into(), description.into());
    }
    Value::Object(out)
}

fn describes_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.contains_key("properties"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_that_is_taken_as_it_is_is_left_alone() {
        let schema = json!({
            "type": "object", "required": ["when"], "additionalProperties": false,
            "properties": {"when": {"type": "string", "format": "date"}, "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1}},
            "$defs": {"tag": {"enum": ["a", "b"]}}
        });
        assert_eq!(supported(&schema), None);
    }

    #[test]
    fn objects_are_closed_without_a_loss() {
        let schema = json!({"$schema": "x", "type": "object", "properties": {"a": {"type": "object", "properties": {}}}});
        let wanted = json!({
            "type": "object", "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": false}},
            "additionalProperties": false
        });
        assert_eq!(supported(&schema), Some((wanted, false)));
    }

    #[test]
    fn bounds_are_told_where_they_cannot_be_enforced() {
        let schema = json!({"type": "integer", "minimum": 1, "description": "How many."});
        let wanted = json!({"type": "integer", "description": "How many.\n\nConstraints: {\"minimum\":1}"});
        assert_eq!(supported(&schema), Some((wanted, true)));
    }
}
