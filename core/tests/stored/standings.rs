//! How limits and budgets stand, and what an administrator may do about it.

use serde_json::{Value, json};

use crate::objects::{OPERATOR, key, made, operator, tenant};
use crate::world::{FILE, World};

#[test]
fn a_budget_is_topped_up_once_and_reset_by_who_may() {
    let world = World::new();
    let instance = world.instance(FILE);
    let owner = tenant(&instance, "acme", "owner");
    let shares = json!({"id": "red", "limits": {"requests": ["5/minute"], "concurrency": 2}, "budgets": [{"amount": "20usd", "per": "month"}]});
    made(&instance, "tenants/acme/teams", &shares);

    let limits = instance.call(&owner, "GET tenants/acme/limits?team=red", &[], "");
    let stands = |item: &Value| (item["measure"].clone(), item["per"].clone(), item["limit"].clone(), item["remaining"].clone());
    assert_eq!(limits.json["of"], "team/acme/red", "{}", limits.json);
    assert_eq!(stands(&limits.json["items"][0]), (json!("requests"), json!("minute"), json!(5), json!(5)));
    assert_eq!(stands(&limits.json["items"][1]), (json!("concurrency"), Value::Null, json!(2), json!(2)));
    assert_eq!(instance.call(&owner, "GET tenants/acme/limits", &[], "").json["items"], json!([]));

    let top_up = json!({"team": "red", "per": "month", "amount": "5.5usd"}).to_string();
    for _ in 0..2 {
        let topped = instance.call(&owner, "POST tenants/acme/budgets/top-up", &[("idempotency-key", "april")], &top_up);
        assert_eq!((&topped.json["credit"], &topped.json["remaining"]), (&json!("5.5usd"), &json!("25.5usd")), "{}", topped.json);
    }
    let budgets = instance.call(&owner, "GET tenants/acme/budgets?team=red", &[], "");
    assert_eq!(budgets.json["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(budgets.json["items"][0]["credit"], "5.5usd");
    let reset = json!({"team": "red", "per": "month"}).to_string();
    assert_eq!(instance.call(&owner, "POST tenants/acme/budgets/reset", &[], &reset).status, 200);

    for (line, body, status) in [
        ("POST tenants/acme/budgets/top-up", json!({"team": "red", "per": "day", "amount": "5usd"}), 422),
        ("POST tenants/acme/budgets/top-up", json!({"team": "red", "per": "month", "amount": "0usd"}), 422),
        ("POST tenants/acme/budgets/top-up", json!({"team": "red", "per": "month", "amount": "-5usd"}), 422),
        ("POST tenants/acme/budgets/top-up", json!({"team": "blue", "per": "month", "amount": "5usd"}), 404),
        ("POST tenants/acme/budgets/top-up", json!({"team": "red", "key": "x", "per": "month", "amount": "5usd"}), 422),
        ("POST tenants/rival/budgets/top-up", json!({"team": "red", "per": "month", "amount": "5usd"}), 404),
    ] {
        assert_eq!(instance.call(&owner, line, &[], &body.to_string()).status, status, "{line} {body}");
    }
    assert_eq!(operator(&instance, "GET tenants/acme/budgets?team=RED", "").status, 400);
    let viewer = key(&instance, "acme", &json!({"role": "viewer"}));
    assert_eq!(instance.call(&viewer, "GET tenants/acme/budgets?team=red", &[], "").status, 200);
    assert_eq!(instance.call(&viewer, "POST tenants/acme/budgets/reset", &[], &reset).status, 403);
}

#[test]
fn everybody_is_told_who_they_are_and_what_the_api_is() {
    let world = World::new();
    let instance = world.instance(FILE);
    tenant(&instance, "acme", "owner");
    let plain = key(&instance, "acme", &json!({"labels": {"tier": "gold"}}));
    let me = instance.call(&plain, "GET whoami", &[], "");
    let told = (me.status, &me.json["proof"], &me.json["tenant"], &me.json["permissions"], &me.json["labels"]["tier"]);
    assert_eq!(told, (200, &json!("key"), &json!("acme"), &json!(["invoke"]), &json!("gold")), "{}", me.json);
    assert!(!me.json.to_string().contains("ew_"));
    assert_eq!(instance.call(OPERATOR, "GET whoami", &[], "").json["tenant"], Value::Null);
    assert_eq!(instance.call("nobody", "GET whoami", &[], "").status, 401);
    assert_eq!(instance.call(&plain, "GET openapi.json", &[], "").json["openapi"], "3.1.0");
}
