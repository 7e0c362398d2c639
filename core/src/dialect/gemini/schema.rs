//! OpenAPI schemas as JSON Schema.
//!
//! Gemini's `parameters` and `responseSchema` are a subset of OpenAPI 3.0 with upper-case types;
//! every other protocol speaks JSON Schema. Only this way is needed: encoded, schemas go into
//! `parametersJsonSchema` and `responseJsonSchema`, which take JSON Schema as it is.
//!
//! | OpenAPI | JSON Schema |
//! |---|---|
//! | `type: STRING` | `type: string` |
//! | `nullable: true` | `null` among the types, or among `anyOf`, and in `enum` |
//! | `example: x` | `examples: [x]` |
//! | `format: enum` | nothing: `enum` says it |
//! | counts as strings (`minItems: "1"`) | numbers |
//! | `any_of`, `property_ordering` | camelCase |
//! | `propertyOrdering` | kept, and the properties in that order: other protocols go by it |
//! | `defs`, `ref: "#/defs/Pet"` | `$defs`, `$ref: "#/$defs/Pet"` |

use serde_json::{Map, Value, json};

use super::wire::camel;

/// The schema as JSON Schema. What is JSON Schema already stays as it is.
pub(super) fn json_schema(schema: Value) -> Value {
    let Value::Object(fields) = schema else { return schema };
    let mut out = Map::with_capacity(fields.len());
    let mut nullable = false;
    for (name, value) in fields {
        let name = camel(&name);
        match (name.as_str(), value) {
            (_, Value::Null) if name != "default" && name != "example" => {}
            ("type", Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => {}
            ("type", Value::String(kind)) => {
                out.insert(name, kind.to_ascii_lowercase().into());
            }
            ("nullable", Value::Bool(is)) => nullable = is,
            ("format", Value::String(format)) if format == "enum" => {}
            ("example", value) => {
                out.insert("examples".into(), json!([value]));
            }
            ("properties" | "defs" | "$defs" | "definitions", Value::Object(all)) => {
                let all: Map<_, _> = all.into_iter().map(|(name, schema)| (name, json_schema(schema))).collect();
                out.insert(if name == "defs" { "$defs".to_owned() } else { name }, all.into());
            }
            ("ref", Value::String(to)) => {
                let to = to.strip_prefix("#/defs/").map(|name| format!("#/$defs/{name}")).unwrap_or(to);
                out.insert("$ref".into(), to.into());
            }
            ("items" | "additionalProperties", schema @ Value::Object(_)) => {
                out.insert(name, json_schema(schema));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(all)) => {
                out.insert(name, all.into_iter().map(json_schema).collect());
            }
            ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties", Value::String(count)) => {
                let count = count.parse::<u64>().map_or(Value::String(count), Value::from);
                out.insert(name, count);
            }
            (_, value) => {
                out.insert(name, value);
            }
        }
    }
    if nullable {
        allow_null(&mut out);
    }
    order(&mut out);
    out.into()
}

/// Puts the properties in their `propertyOrdering`.
fn order(schema: &mut Map<String, Value>) {
    let Some(Value::Array(order)) = schema.get("propertyOrdering").cloned() else { return };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let mut rest = std::mem::take(properties);
    for name in order.iter().filter_map(Value::as_str) {
        properties.extend(rest.shift_remove_entry(name));
    }
    properties.append(&mut rest);
}

fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::String(kind)) if kind != "null" => {
            let kind = std::mem::take(kind);
            schema.insert("type".into(), json!([kind, "null"]));
        }
        Some(_) => {}
        None => {
            if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
                any.push(json!({"type": "null"}));
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openapi_schema_becomes_json_schema() {
        let openapi = json!({
            "type": "OBJECT",
            "properties": {
                "city": {"type": "STRING", "description": "A city", "example": "Rome"},
                "unit": {"type": "STRING", "format": "enum", "enum": ["C", "F"], "nullable": true},
                "days": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int32"}, "min_items": "1", "maxItems": 7},
                "at": {"anyOf": [{"type": "NUMBER"}, {"type": "STRING"}], "nullable": true},
                "type": {"type": "BOOLEAN"},
            },
            "required": ["city"],
            "property_ordering": ["city", "unit"],
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "A city", "examples": ["Rome"]},
                "unit": {"type": ["string", "null"], "enum": ["C", "F", null]},
                "days": {"type": "array", "items": {"type": "integer", "format": "int32"}, "minItems": 1, "maxItems": 7},
                "at": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
                "type": {"type": "boolean"},
            },
            "required": ["city"],
            "propertyOrdering": ["city", "unit"],
        });
        assert_eq!(json_schema(openapi), expected);
    }

    #[test]
    fn properties_come_in_their_order_and_references_find_their_definitions() {
        let openapi = json!({
            "type": "OBJECT",
            "properties": {"b": {"type": "STRING"}, "c": {"ref": "#/defs/Pet"}, "a": {"type": "STRING"}},
            "propertyOrdering": ["a", "b", "gone"],
            "defs": {"Pet": {"type": "OBJECT"}},
        });
        let expected = r##"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"$ref":"#/$defs/Pet"}},"propertyOrdering":["a","b","gone"],"$defs":{"Pet":{"type":"object"}}}"##;
        assert_eq!(json_schema(openapi).to_string(), expected);
    }

    #[test]
    fn json_schema_stays_as_it_is() {
        let schema = json!({"type": "object", "properties": {"snake_case": {"type": ["string", "null"], "default": null}},
            "additionalProperties": false, "$defs": {"A_b": {"const": 1}}, "required": ["snake_case"]});
        assert_eq!(json_schema(schema.clone()), schema);
    }
}
