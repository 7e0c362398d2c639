//! What a tenant's own administrators can reach, and what they can grant.

use serde_json::json;

use crate::objects::{collections, key, made, operator, tenant};
use crate::world::{FILE, World};

#[test]
fn to_another_tenants_administrator_nothing_is_there() {
    let world = World::new();
    let instance = world.instance(FILE);
    let owner = tenant(&instance, "acme", "owner");
    tenant(&instance, "rival", "owner");
    for (collection, body) in collections() {
        let id = made(&instance, &format!("tenants/rival/{collection}"), &body).json["id"].as_str().expect("an id").to_owned();
        let (theirs, none) = (format!("tenants/rival/{collection}"), format!("tenants/nobody/{collection}"));
        let mut lines = vec![format!("GET {theirs}"), format!("POST {theirs}")];
        lines.extend(["GET", "PUT", "PATCH", "DELETE"].map(|method| format!("{method} {theirs}/{id}")));
        if collection == "keys" {
            lines.extend(["rotate", "revoke"].map(|act| format!("POST {theirs}/{id}/{act}")));
        }
        for line in lines {
            let body = if line.starts_with("P") { body.to_string() } else { String::new() };
            let refused = instance.call(&owner, &line, &[("if-match", "*")], &body);
            let absent = instance.call(&owner, &line.replace(&theirs, &none), &[("if-match", "*")], &body);
            assert_eq!((refused.status, refused.json["code"].as_str()), (404, Some("not_found")), "{line}");
            assert_eq!(refused.json["detail"], absent.json["detail"], "{line}: no hint that there is such a tenant");
        }
        assert_eq!(operator(&instance, &format!("GET {theirs}/{id}"), "").json["version"], 1, "nothing happened to it");
        // Its id in one's own tenant is somebody else, or nobody.
        assert_eq!(instance.call(&owner, &format!("GET tenants/acme/{collection}/{id}"), &[], "").status, 404);
    }
    assert_eq!(instance.call(&owner, "GET tenants/rival", &[], "").status, 404);
    assert_eq!(instance.call(&owner, "GET tenants/acme", &[], "").status, 200);
    let listed = instance.call(&owner, "GET tenants", &[], "");
    assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed.json["items"][0]["id"], "acme");
    for line in ["POST tenants", "PATCH tenants/acme", "DELETE tenants/acme", "GET config", "POST config/rollback"] {
        assert_eq!(instance.call(&owner, line, &[("if-match", "*")], "").status, 403, "{line}");
    }
}

#[test]
fn nobody_grants_what_they_do_not_hold() {
    let world = World::new();
    let instance = world.instance(FILE);
    let owner = tenant(&instance, "acme", "owner");
    let admin = key(&instance, "acme", &json!({"role": "admin"}));
    let powerful = made(&instance, "tenants/acme/keys", &json!({"role": "owner"})).json["id"].as_str().expect("an id").to_owned();
    let role = json!({"id": "role-maker", "permissions": ["roles:write", "keys:write"]}).to_string();
    assert_eq!(instance.call(&owner, "POST tenants/acme/roles", &[], &role).status, 201);
    for (line, body) in [
        ("POST tenants/acme/keys".to_owned(), json!({"role": "owner"})),
        ("POST tenants/acme/keys".to_owned(), json!({"role": "role-maker"})),
        ("POST tenants/acme/users".to_owned(), json!({"id": "eve", "role": "owner"})),
        ("POST tenants/acme/users".to_owned(), json!({"id": "eve"})),
        ("PATCH tenants/acme/keys/KEY".to_owned(), json!({"title": "mine now"})),
        ("POST tenants/acme/keys/KEY/rotate".to_owned(), json!({})),
    ] {
        let line = line.replace("KEY", &powerful);
        let refused = instance.call(&admin, &line, &[("if-match", "*")], &body.to_string());
        assert_eq!((refused.status, refused.json["lacking"][0].as_str()), (403, Some("roles:write")), "{line} {body}");
        assert!(!refused.json.to_string().contains("ew_"));
    }
    assert_eq!(instance.call(&admin, "POST tenants/acme/roles", &[], &role).status, 403, "it makes no roles at all");
    for body in [json!({"role": "developer"}), json!({}), json!({"role": "admin"})] {
        assert_eq!(instance.call(&admin, "POST tenants/acme/keys", &[], &body.to_string()).status, 201, "{body}");
    }
    let viewer = key(&instance, "acme", &json!({"role": "viewer"}));
    assert_eq!(instance.call(&viewer, "GET tenants/acme/keys", &[], "").status, 200);
    assert_eq!(instance.call(&viewer, "POST tenants/acme/keys", &[], "{}").status, 403);
    let refused = instance.call(&owner, "POST tenants/acme/roles", &[], &json!({"id": "admin", "permissions": []}).to_string());
    assert_eq!(refused.status, 422, "the roles that are always there keep their names");
}
