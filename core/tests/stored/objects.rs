//! Tenants and what they are made of, as a client of the administration meets them.

use serde_json::{Value, json};

use crate::world::{Answered, FILE, Instance, Mood, World};

pub(crate) const OPERATOR: &str = "admin-secret";

pub(crate) fn operator(instance: &Instance, line: &str, body: &str) -> Answered {
    instance.call(OPERATOR, line, &[], body)
}

/// Makes something, which must work.
pub(crate) fn made(instance: &Instance, path: &str, body: &Value) -> Answered {
    let made = operator(instance, &format!("POST {path}"), &body.to_string());
    assert_eq!(made.status, 201, "{path}: {}", made.json);
    made
}

/// A tenant and the text of a key of it with a role.
pub(crate) fn tenant(instance: &Instance, name: &str, role: &str) -> String {
    made(instance, "tenants", &json!({"id": name}));
    key(instance, name, &json!({"role": role}))
}

pub(crate) fn key(instance: &Instance, tenant: &str, terms: &Value) -> String {
    made(instance, &format!("tenants/{tenant}/keys"), terms).json["key"].as_str().expect("a text").to_owned()
}

/// Every collection of a tenant's, and what makes one of it.
pub(crate) fn collections() -> [(&'static str, Value); 5] {
    [
        ("teams", json!({"id": "red", "title": "Red", "limits": {"requests": ["60/minute"]}})),
        ("applications", json!({"id": "shop", "team": "red", "budgets": [{"amount": "20usd", "per": "month"}]})),
        ("users", json!({"id": "ada", "email": "ada@example.com", "role": "developer"})),
        ("roles", json!({"id": "caller", "permissions": ["invoke", "usage:read"]})),
        ("keys", json!({"team": "red", "access": {"models": ["gpt-*"]}, "labels": {"tier": "gold"}})),
    ]
}

#[test]
fn an_object_is_made_shown_changed_and_removed_by_who_has_seen_it() {
    let world = World::new();
    let instance = world.instance(FILE);
    made(&instance, "tenants", &json!({"id": "acme", "title": "Acme"}));
    for (collection, body) in collections() {
        let path = format!("tenants/acme/{collection}");
        let new = made(&instance, &path, &body);
        let id = new.json["id"].as_str().expect("an id").to_owned();
        let item = format!("{path}/{id}");
        assert_eq!(new.headers["location"].to_str().ok(), Some(format!("/admin/v1/{item}").as_str()));
        assert_eq!((new.etag.as_deref(), new.json["version"].as_u64()), (Some("\"1\""), Some(1)));
        for (name, value) in
            body.as_object().expect("an object").iter().filter(|(name, _)| *name != "budgets" && *name != "limits")
        {
            assert_eq!(&new.json[name], value, "{item}");
        }

        let shown = operator(&instance, &format!("GET {item}"), "");
        let mut expected = new.json.clone();
        expected.as_object_mut().expect("an object").shift_remove("key");
        assert_eq!((shown.status, &shown.json), (200, &expected));
        let known = instance.call(OPERATOR, &format!("GET {item}"), &[("if-none-match", "W/\"1\"")], "");
        assert_eq!((known.status, known.etag.as_deref()), (304, Some("\"1\"")));

        let patch = |tag: &str, body: &str| instance.call(OPERATOR, &format!("PATCH {item}"), &[("if-match", tag)], body);
        assert_eq!(operator(&instance, &format!("PATCH {item}"), "{\"title\": \"x\"}").json["code"], "if_match_required");
        assert_eq!(patch("\"7\"", "{\"title\": \"x\"}").json["code"], "version_conflict");
        let changed = patch("\"1\"", "{\"title\": \"New\"}");
        assert_eq!((changed.status, changed.etag.as_deref(), changed.json["title"].as_str()), (200, Some("\"2\""), Some("New")));
        assert_eq!(changed.json["created"], new.json["created"]);
        assert_eq!(patch("\"2\"", "{\"title\": null}").json["title"], "", "a null puts the default back");
        assert_eq!(patch("*", "{\"titel\": \"x\"}").json["code"], "invalid_object");
        assert_eq!(patch("*", "{\"created\": \"2026-01-01T00:00:00Z\"}").status, 422);
        let put = instance.call(OPERATOR, &format!("PUT {item}"), &[("if-match", "*")], "{\"title\": \"All\"}");
        assert_eq!(
            (put.status, put.json["title"].as_str(), put.json["version"].as_u64()),
            (200, Some("All"), Some(4)),
            "{}",
            put.json
        );

        let listed = operator(&instance, &format!("GET {path}"), "");
        assert_eq!((listed.json["items"][0]["id"].as_str(), &listed.json["next"]), (Some(id.as_str()), &Value::Null));
        let gone = instance.call(OPERATOR, &format!("DELETE {item}"), &[("if-match", "\"4\"")], "");
        assert_eq!(gone.status, 204);
        for line in [format!("GET {item}"), format!("DELETE {item}")] {
            assert_eq!(instance.call(OPERATOR, &line, &[("if-match", "*")], "").status, 404, "{line}");
        }
        // The next one begins where this ended, so an old tag fits nothing new.
        if collection != "keys" {
            assert_eq!(made(&instance, &path, &body).json["version"], 6, "{collection}");
        }
    }
}

#[test]
fn a_list_is_read_page_by_page_each_leading_to_the_next() {
    let world = World::new();
    let instance = world.instance(FILE);
    made(&instance, "tenants", &json!({"id": "acme"}));
    for number in 0..7 {
        made(&instance, "tenants/acme/teams", &json!({"id": format!("team-{number}")}));
    }
    let (mut seen, mut path) = (Vec::new(), "tenants/acme/teams?limit=3".to_owned());
    loop {
        let page = operator(&instance, &format!("GET {path}"), "");
        seen.extend(
            page.json["items"].as_array().expect("a list").iter().map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        let Some(link) = page.headers.get("link") else {
            assert_eq!(page.json["next"], Value::Null);
            break;
        };
        let link = link.to_str().expect("ASCII");
        path = link.strip_prefix("</admin/v1/").and_then(|link| link.strip_suffix(">; rel=\"next\"")).expect("a link").to_owned();
        assert!(path.contains(page.json["next"].as_str().expect("a place")));
    }
    assert_eq!(seen, (0..7).map(|number| format!("team-{number}")).collect::<Vec<_>>());
}

#[test]
fn what_an_object_names_is_there() {
    let world = World::new();
    let instance = world.instance(FILE);
    made(&instance, "tenants", &json!({"id": "acme"}));
    made(&instance, "tenants", &json!({"id": "rival"}));
    made(&instance, "tenants/rival/teams", &json!({"id": "red"}));
    for body in [json!({"team": "red"}), json!({"application": "x"}), json!({"user": "x"}), json!({"role": "x"})] {
        let refused = operator(&instance, "POST tenants/acme/keys", &body.to_string());
        assert_eq!((refused.status, refused.json["code"].as_str()), (422, Some("invalid_object")), "{body}");
    }
    let refused = operator(&instance, "POST tenants/acme/teams", &json!({"id": "a", "limits": {"concurrency": 0}}).to_string());
    assert_eq!(refused.json["errors"][0]["at"], "limits.concurrency");
    for body in ["{}", "{\"id\": \"A\"}", "{\"id\": 5}", "{\"id\": \"a\", \"limits\": {\"requests\": [\"5/fortnight\"]}}"] {
        assert_eq!(operator(&instance, "POST tenants/acme/teams", body).status, 422, "{body}");
    }
    for body in ["[]", "{", "{\"id\": \"a\", \"id\": \"b\"}", "nonsense"] {
        assert_eq!(operator(&instance, "POST tenants/acme/teams", body).status, 400, "{body}");
    }
    made(&instance, "tenants/acme/teams", &json!({"id": "a"}));
    assert_eq!(operator(&instance, "POST tenants/acme/teams", "{\"id\": \"a\"}").json["code"], "exists");
    let refused = instance.call(OPERATOR, "DELETE tenants/acme", &[("if-match", "*")], "");
    assert_eq!((refused.status, refused.json["code"].as_str()), (409, Some("not_empty")));
    assert_eq!(instance.call(OPERATOR, "DELETE tenants/acme/teams/a", &[("if-match", "*")], "").status, 204);
    assert_eq!(instance.call(OPERATOR, "DELETE tenants/acme", &[("if-match", "*")], "").status, 204);
    assert_eq!(operator(&instance, "GET tenants/acme", "").status, 404);
}

#[test]
fn a_keys_text_is_told_once_and_its_seals_never() {
    let world = World::new();
    let instance = world.instance(FILE);
    tenant(&instance, "acme", "owner");
    let new = made(&instance, "tenants/acme/keys", &json!({"environment": "test", "expires": "2033-01-01T00:00:00Z"}));
    let (id, text) = (new.json["id"].as_str().expect("an id"), new.json["key"].as_str().expect("a text"));
    assert!(text.starts_with(&format!("ew_test_{id}_")), "{text}");
    let item = format!("tenants/acme/keys/{id}");
    let shown = operator(&instance, &format!("GET {item}"), "").json;
    let listed = operator(&instance, "GET tenants/acme/keys", "").json;
    let rotated = operator(&instance, &format!("POST {item}/rotate"), "{\"overlap\": \"1h\"}");
    assert_eq!(rotated.json["secrets"].as_array().map(Vec::len), Some(2), "{}", rotated.json);
    assert!(rotated.json["key"].as_str().is_some_and(|other| other != text));
    let secret = text.rsplit('_').nth(1).expect("a secret");
    for answer in [&shown, &listed, &rotated.json] {
        let answer = answer.to_string();
        assert!(!answer.contains(secret) && !answer.contains("salt") && !answer.contains("mac\""), "{answer}");
    }
    assert!(shown["key"].is_null());
    let revoked = operator(&instance, &format!("POST {item}/revoke"), "");
    assert!(revoked.json["revoked"].is_string(), "{}", revoked.json);
    assert_eq!(operator(&instance, &format!("POST {item}/revoke"), "").json["revoked"], revoked.json["revoked"]);
    assert_eq!(operator(&instance, &format!("POST {item}/rotate"), "").json["code"], "ended");
    for body in ["{\"overlap\": 5}", "{\"overlap\": \"31d\"}", "{\"overlap\": \"1\"}", "{\"x\": 1}"] {
        assert_eq!(operator(&instance, &format!("POST {item}/rotate"), body).status, 422, "{body}");
    }
    assert_eq!(operator(&instance, "POST tenants/acme/keys", "{\"environment\": \"Live\"}").status, 422);
}

#[test]
fn a_store_that_is_away_is_said_to_be() {
    let world = World::new();
    let instance = world.instance(FILE);
    made(&instance, "tenants", &json!({"id": "acme"}));
    world.feel(Mood::Fails);
    for line in ["GET tenants", "GET tenants/acme", "GET tenants/acme/keys"] {
        let answer = operator(&instance, line, "");
        assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("store_away")), "{line}");
    }
    // A change goes on record first.
    let answer = operator(&instance, "POST tenants", "{\"id\": \"b\"}");
    assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("not_recorded")));
}
