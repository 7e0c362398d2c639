//! Generates the document. `UPDATE=1 cargo test -p edgeway-core --lib openapi` writes it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::super::route::{Route, routes};
use super::super::standings::{Reset, TopUp};
use super::DOCUMENT;
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::{Application, Name, Network, Role, Team, Tenant, Terms, User};
use crate::policy::limit::Rate;
use crate::ports::Timestamp;
use crate::usage::{Dimension, MOST_ROWS, NanoUsd};

/// The schema of a type that is a text in JSON.
macro_rules! text {
    ($type:ty, $name:literal, $description:literal, $pattern:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $description, "pattern": $pattern})
            }
        }
    };
}

const NAME: &str = "^[a-z0-9][a-z0-9-]{0,63}$";
text!(Name, "Name", "A name: a letter or digit first.", "^[a-z0-9][a-z0-9-]{0,63}$");
text!(
    Rate,
    "Rate",
    "So many in any second, minute, hour or day; the window slides.",
    "^[1-9][0-9]{0,14}/(second|minute|hour|day)$"
);
text!(NanoUsd, "Money", "An amount of money.", "^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,9})?usd$");
text!(Network, "Network", "A range of addresses, or one.", "^[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}(/[12][0-9])?$");
text!(
    Timestamp,
    "Timestamp",
    "A moment in UTC.",
    "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?Z$"
);

/// The types' schemas, and where they go.
struct Types {
    generator: SchemaGenerator,
    named: Map<String, Value>,
}

impl Types {
    /// A type's members: its own schema, in place.
    fn members<T: JsonSchema>(&mut self) -> Value {
        let mut schema = T::json_schema(&mut self.generator).to_value();
        for member in schema["properties"].as_object_mut().expect("an object's schema").values_mut() {
            if let Some(member) = member.as_object_mut() {
                member.remove("default");
            }
        }
        schema
    }

    fn keep(&mut self, name: &str, schema: Value) {
        assert!(self.named.insert(name.to_owned(), schema).is_none(), "two schemas are called {name}");
    }

    /// What is shown, sent to make one, and sent to replace one.
    fn kind<T: JsonSchema>(&mut self, name: &str, shown: Value, sent: Value) {
        let mut body = self.members::<T>();
        body["properties"].as_object_mut().expect("members").shift_remove("created");
        let (mut object, mut new) = (body.clone(), body.clone());
        let mine = json!({
            "id": {"type": "string", "description": "Its name in paths."},
            "version": {"type": "integer", "description": "Grows with every change; its `ETag`."},
            "created": {"$ref": "#/components/schemas/Timestamp"},
        });
        let add = |schema: &mut Value, more: Value| {
            let Value::Object(more) = more else { panic!("members") };
            schema["properties"].as_object_mut().expect("members").extend(more);
        };
        add(&mut object, mine);
        add(&mut object, shown);
        add(&mut new, sent.clone());
        object["required"] = json!(["id", "version", "created"]);
        if sent.get("id").is_some() {
            new["required"] = json!(["id"]);
        }
        self.keep(name, object);
        self.keep(&format!("New{name}"), new);
        self.keep(&format!("{name}Changes"), body);
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn content(kind: &str, schema: Value) -> Value {
    Value::Object(Map::from_iter([(kind.to_owned(), json!({"schema": schema}))]))
}

/// A kind's name by its collection.
const KINDS: [(&str, &str); 6] = [
    ("tenants", "Tenant"),
    ("teams", "Team"),
    ("applications", "Application"),
    ("users", "User"),
    ("roles", "Role"),
    ("keys", "Key"),
];

/// The name of a row without whose keys they are.
fn own(name: &'static str) -> &'static str {
    name.strip_prefix("operator_").unwrap_or(name)
}

/// The kind that a row is about, and what is done with it.
fn about(route: &Route) -> Option<(&'static str, &'static str)> {
    let (collection, act) = own(route.name).split_once('_')?;
    KINDS.iter().find(|(many, _)| *many == collection).map(|(_, kind)| (*kind, act))
}

/// The schema and media type of a row's body; none where nothing is read.
fn body(route: &Route) -> Option<Value> {
    let BodyLimit::AtMost(_) = route.body else { return None };
    let json = |schema: Value| json!({"required": true, "content": content("application/json", schema)});
    let optional = |schema: Value| json!({"content": content("application/json", schema)});
    Some(match (own(route.name), about(route)) {
        ("keys_rotate", _) => optional(json!({
            "type": "object", "additionalProperties": false,
            "properties": {"overlap": {"type": ["string", "null"], "description": "How long the secret before stays good; at most 30 days. Without it, it ends now.", "pattern": "^[1-9][0-9]?(s|m|h)$"}},
        })),
        ("keys_revoke" | "bootstrap", _) => optional(json!({"type": "object", "additionalProperties": false, "properties": {}})),
        ("config_rollback", _) => optional(json!({
            "type": "object", "additionalProperties": false,
            "properties": {"to": {"type": ["integer", "null"], "minimum": 0, "description": "Which version; without it the one before the current."}},
        })),
        ("config_push" | "config_check", _) => json!({
            "required": true,
            "content": {"application/json": {"schema": {"description": "What `docs/edgeway.schema.json` describes."}}},
        }),
        ("budgets_top_up", _) => json(reference("TopUp")),
        ("budgets_reset", _) => json(reference("Reset")),
        (_, Some((kind, "create"))) => json(reference(&format!("New{kind}"))),
        (_, Some((kind, "replace"))) => json(reference(&format!("{kind}Changes"))),
        // A merge patch may hold a null wherever there is a default.
        (_, Some((_, "change"))) => json(json!({"type": "object"})),
        _ => json(json!({})),
    })
}

/// The schema of a row's answer.
fn answer(route: &Route) -> Value {
    match (own(route.name), about(route)) {
        ("bootstrap" | "keys_create" | "keys_rotate", _) => reference("KeyWithText"),
        (_, Some((kind, "list"))) => json!({
            "type": "object", "required": ["items", "next"],
            "properties": {"items": {"type": "array", "items": reference(kind)}, "next": {"type": ["string", "null"], "description": "The `after` of the next page; null on the last one."}},
        }),
        (_, Some((kind, _))) => reference(kind),
        ("limits_list" | "budgets_list", _) => json!({
            "type": "object", "required": ["of", "items"],
            "properties": {"of": {"type": "string"}, "items": {"type": "array", "items": reference("Standing")}},
        }),
        ("budgets_top_up" | "budgets_reset", _) => reference("Standing"),
        ("audit_list" | "audit_of_tenant", _) => json!({
            "type": "object", "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": reference("Entry")},
                "next": {"type": ["string", "null"], "description": "The `after` of the next page; null on the last one."},
                "end": {"anyOf": [reference("End"), {"type": "null"}]},
                "broken": {"anyOf": [reference("Broken"), {"type": "null"}]},
            },
        }),
        ("audit_verify", _) => json!({
            "type": "object", "required": ["intact", "checked", "broken", "next", "end"],
            "properties": {
                "intact": {"type": "boolean"}, "checked": {"type": "integer"},
                "broken": {"anyOf": [reference("Broken"), {"type": "null"}]},
                "next": {"type": ["string", "null"], "description": "The `after` to go on with; null at the end."},
                "end": reference("End"),
            },
        }),
        ("prices", _) => json!({
            "type": "object", "required": ["version", "items", "next"],
            "properties": {
                "version": {"type": "string", "description": "When the catalog was last read as a whole."},
                "items": {"type": "array", "items": {"type": "object", "required": ["model", "sold_at", "price", "source"]}},
                "next": {"type": ["string", "null"], "description": "The `after` of the next page; null on the last one."},
                "stated": {"type": "object", "description": "Prices that the configuration states; for the operator."},
            },
        }),
        _ => json!({"type": "object"}),
    }
}

fn parameter(place: &str, name: &str, required: bool, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": place, "required": required, "description": description, "schema": schema})
}

fn parameters(route: &Route) -> Vec<Value> {
    let mut all = Vec::new();
    for segment in route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
        let schema = match segment {
            "tenant" => json!({"type": "string", "pattern": NAME}),
            "number" => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
            _ => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
        };
        all.push(parameter("path", segment, true, "", schema));
    }
    let query = |name: &str, description: &str, schema: Value| parameter("query", name, false, description, schema);
    let name = || json!({"type": "string", "pattern": NAME});
    match (own(route.name), about(route)) {
        (_, Some((_, "list"))) => {
            all.push(query("limit", "How many items.", json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50})));
            all.push(query(
                "after",
                "The `next` of the page before.",
                json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
            ));
        }
        ("limits_list" | "budgets_list", _) => {
            all.push(query("team", "A team of the tenant.", name()));
            all.push(query("application", "An application of the tenant.", name()));
            all.push(query("key", "A key of the tenant.", json!({"type": "string", "pattern": "^[a-z2-7]{16}$"})));
        }
        ("prices", _) => {
            all.push(query("provider", "Those that this provider sells.", json!({"type": "string"})));
            all.push(query("model", "What their names begin with.", json!({"type": "string"})));
            all.push(query("limit", "How many items.", json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50})));
            all.push(query("after", "The `next` of the page before.", json!({"type": "string", "pattern": "^[0-9]{1,4}$"})));
        }
        ("usage", _) => {
            let time = "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$";
            let dimensions = Dimension::fields().join("|");
            for (name, description, pattern) in [
                ("from", "From when; a day before `until` when left out.", time.to_owned()),
                ("until", "Until when, itself left out; now when left out.", time.to_owned()),
                ("group_by", "What is added up by: names of dimensions, with commas.", format!("^({dimensions})?$")),
                ("format", "How the answer is written; `Accept` says it, too.", "^(json|csv|jsonl)$".to_owned()),
            ] {
                all.push(query(name, description, json!({"type": "string", "pattern": pattern})));
            }
            let most = json!({"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": MOST_ROWS});
            all.push(query("limit", "How many records a page looks at.", most));
        }
        ("audit_list" | "audit_of_tenant" | "audit_verify", _) => {
            let number = || json!({"type": "integer", "minimum": 0, "maximum": u64::MAX});
            all.push(query("after", "Behind which entry to begin: the `next` of the page before.", number()));
            if route.name != "audit_verify" {
                let limit = json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50});
                all.push(query("limit", "How many entries.", limit));
                all.push(query("by", "Only of this author.", json!({"type": "string"})));
                all.push(query("action", "Only of this endpoint.", json!({"type": "string"})));
                let outcome = json!({"type": "string", "enum": ["begun", "done", "failed", "denied"]});
                all.push(query("outcome", "Only with this outcome.", outcome));
            }
            if route.name == "audit_list" {
                all.push(query("tenant", "Only of this tenant.", json!({"type": "string"})));
            }
        }
        ("config_push" | "config_rollback", _) => {
            all.push(query("note", "Why, for the history.", json!({"type": "string", "pattern": "^[a-z ]{0,64}$"})));
            all.push(query("dry_run", "Do everything but the change.", json!({"type": "boolean"})));
        }
        _ => {}
    }
    let tag = || json!({"type": "string", "pattern": "^(\\*|\"[0-9]{1,18}\")$"});
    let conditional = ["PUT", "PATCH", "DELETE"].contains(&route.method.as_str());
    if conditional {
        all.push(parameter("header", "If-Match", true, "The `ETag` that the author has seen, or `*`.", tag()));
    }
    if route.method == "POST" {
        let description = "Random; a request that is sent again with it happens once.";
        let schema = json!({"type": "string", "pattern": "^[!-~]{1,255}$"});
        all.push(parameter("header", "Idempotency-Key", false, description, schema));
    }
    all
}

fn operation(route: &Route) -> Value {
    let permission = match route.requires {
        Requires::Holds(permission) => json!(permission),
        Requires::Known => json!("any"),
        Requires::Bootstrap | Requires::Anyone => Value::Null,
    };
    let made = route.name.ends_with("_create") || route.name == "bootstrap";
    let (status, said) = match () {
        () if made => ("201", "It is made."),
        () if route.method == "DELETE" => ("204", "It is gone."),
        () => ("200", "Done."),
    };
    let mut good = json!({"description": said});
    if status != "204" {
        good["content"] = content("application/json", answer(route));
    }
    if route.name.starts_with("audit") && route.name != "audit_verify" {
        good["content"]["application/jsonl"] = json!({"schema": {"type": "string"}});
    }
    if route.name == "usage" {
        for kind in ["text/csv", "application/jsonl"] {
            good["content"][kind] = json!({"schema": {"type": "string"}});
        }
    }
    let mut responses = json!({
        status: good,
        "default": {"description": "A problem (RFC 9457).", "content": content("application/problem+json", reference("Problem"))},
    });
    if route.safe() && route.path.contains('{') {
        responses["304"] = json!({"description": "Whoever asks has it already (`If-None-Match`)."});
    }
    let tag = route.name.split('_').next().expect("a name has a first part");
    let mut operation = json!({
        "operationId": route.name,
        "tags": [tag],
        "summary": route.summary,
        "x-edgeway-permission": permission,
        "parameters": parameters(route),
    });
    if let Some(body) = body(route) {
        operation["requestBody"] = body;
    }
    operation["responses"] = responses;
    operation
}

fn schemas() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut types = Types { generator: settings.into_generator(), named: Map::new() };
    let named = json!({"id": reference("Name")});
    types.kind::<Tenant>("Tenant", json!({}), named.clone());
    types.kind::<Team>("Team", json!({}), named.clone());
    types.kind::<Application>("Application", json!({}), named.clone());
    types.kind::<User>("User", json!({}), named.clone());
    types.kind::<Role>("Role", json!({}), named);
    let environment = json!({"type": "string", "description": "What it is called in its text.", "pattern": "^[a-z0-9]{1,16}$"});
    let shown = json!({
        "environment": environment,
        "revoked": {"$ref": "#/components/schemas/Timestamp"},
        "secrets": {"type": "array", "description": "Until when each of its secrets is good; null for as long as the key.", "items": {
            "type": "object", "properties": {"until": {"anyOf": [reference("Timestamp"), {"type": "null"}]}},
        }},
    });
    types.kind::<Terms>("Key", shown, json!({"environment": environment}));
    let mut told = types.named["Key"].clone();
    told["properties"]["key"] = json!({"type": "string", "description": "The key's text. It is told this once."});
    types.keep("KeyWithText", told);
    let (top_up, reset) = (types.members::<TopUp>(), types.members::<Reset>());
    types.keep("TopUp", top_up);
    types.keep("Reset", reset);
    let amount = json!({"type": ["integer", "string"], "description": "A number; of a budget an amount of money."});
    types.keep("Standing", json!({
        "type": "object", "required": ["measure", "limit", "charged", "remaining"],
        "properties": {
            "measure": {"type": "string"}, "per": {"type": ["string", "null"]}, "limit": amount, "credit": amount,
            "charged": amount, "remaining": amount, "open": {"type": "integer"}, "clear_after_seconds": {"type": ["number", "null"]},
        },
    }));
    let hash = json!({"type": "string", "description": "A SHA-256.", "pattern": "^[0-9a-f]{64}$"});
    types.keep(
        "Entry",
        json!({
            "type": "object", "required": ["seq", "at", "by", "action", "object", "request", "outcome", "previous", "hash"],
            "properties": {
                "seq": {"type": "integer"}, "at": reference("Timestamp"), "by": {"type": "string"}, "tenant": {"type": "string"},
                "action": {"type": "string"}, "object": {"type": "string"}, "request": {"type": "string"},
                "address": {"type": "string"}, "outcome": {"type": "string"},
                "detail": {"type": "object", "additionalProperties": {"type": "string"}}, "previous": hash, "hash": hash,
            },
        }),
    );
    types.keep(
        "End",
        json!({"type": "object", "required": ["seq", "hash"], "properties": {"seq": {"type": "integer"}, "hash": hash}}),
    );
    types.keep(
        "Broken",
        json!({
            "type": "object", "required": ["seq", "why"], "properties": {"seq": {"type": "integer"}, "why": {"type": "string"}},
        }),
    );
    types.keep(
        "Problem",
        json!({
            "type": "object", "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                "detail": {"type": "string", "description": "What happened, and what to do about it."},
                "code": {"type": "string", "description": "Stable."}, "instance": {"type": "string"},
            },
        }),
    );
    for name in ["Name", "Timestamp"] {
        assert!(types.generator.definitions().contains_key(name) || name == "Timestamp", "{name}");
    }
    let timestamp = Timestamp::json_schema(&mut types.generator).to_value();
    let mut named = types.named;
    named.extend(types.generator.take_definitions(true));
    named.entry("Timestamp").or_insert(timestamp);
    named
}

/// A line for each path and each schema, so that a change can be read.
fn generated() -> String {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    let lines = |members: &Map<String, Value>| {
        let lines: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        lines.join(",\n")
    };
    let info = json!({
        "title": "Edgeway administration", "version": "1",
        "description": "Tenants and what they are made of, limits, budgets, prices, usage, the audit trail and the configuration of a gateway.",
    });
    let schemes = json!({"key": {"type": "http", "scheme": "bearer", "description": "A key of `admin.keys`, or a virtual key with a role."}});
    format!(
        "{{\"openapi\":\"3.1.0\",\n\"info\":{info},\n\"security\":[{{\"key\":[]}}],\n\"paths\":{{\n{}\n}},\n\"components\":{{\"securitySchemes\":{schemes},\n\"schemas\":{{\n{}\n}}}}}}\n",
        lines(&paths),
        lines(&schemas()),
    )
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the document is a file")]
fn the_committed_document_is_the_generated_one() {
    let generated = generated();
    serde_json::from_str::<Value>(&generated).expect("it is JSON");
    if std::env::var_os("UPDATE").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/openapi.json");
        return std::fs::write(file, generated).expect("it can be written");
    }
    let differ = DOCUMENT.lines().zip(generated.lines()).find(|(committed, generated)| committed != generated);
    assert!(
        DOCUMENT == generated,
        "openapi.json differs; run `UPDATE=1 cargo test -p edgeway-core --lib openapi` and look at the change: {differ:?}"
    );
}

#[test]
fn every_schema_that_is_named_is_there() {
    let text = generated();
    let schemas = schemas();
    for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schemas.contains_key(name), "{name}");
    }
}
