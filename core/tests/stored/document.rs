//! Where values come from when a stored document lies on top, and what it cannot say.

use std::sync::Arc;

use edgeway_core::Gateway;
use edgeway_core::config::{self, Availability};
use futures_util::FutureExt;
use http::Request;
use serde_json::Value;

use crate::world::{FILE, World, administer};

/// A gateway with a file and a variable.
fn layered(world: &World) -> Arc<Gateway> {
    let environment = [("EDGEWAY__TIMEOUTS__IDLE".to_owned(), "1m".to_owned())];
    let file = format!("{FILE}[timeouts]\nidle = \"3m\"\nconnect = \"3s\"");
    let loaded = config::load(Some(("edgeway.toml", &file)), environment).expect("TOML");
    let opened = Gateway::open(world.memory.ports.clone(), loaded, Availability::default()).now_or_never().expect("now");
    opened.unwrap_or_else(|found| panic!("{}", config::render(&found))).0
}

fn ask(gateway: &Gateway, path: &str) -> Value {
    administer(gateway, Request::get(format!("/admin/v1/{path}")), "")
}

fn check(gateway: &Gateway, text: &str) -> Value {
    administer(gateway, Request::post("/admin/v1/config/check"), text)
}

fn push(gateway: &Gateway, text: &str) -> Value {
    administer(gateway, Request::put("/admin/v1/config").header("if-match", "*"), text)
}

fn origin(shown: &Value, path: &str) -> (String, String) {
    let values = shown["values"].as_array().expect("a list");
    let value = values.iter().find(|value| value["path"] == path).expect("a value there");
    (value["value"].to_string(), value["origin"]["source"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn the_stored_document_lies_over_file_and_environment_and_each_value_says_where_it_is_from() {
    let world = World::new();
    let gateway = layered(&world);
    assert_eq!(push(&gateway, "[timeouts]\nidle = \"2m\"")["changed"], true);
    let shown = ask(&gateway, "config");
    assert_eq!(origin(&shown, "timeouts.idle"), ("\"2m\"".into(), "version 1".into()));
    assert_eq!(origin(&shown, "timeouts.connect"), ("\"3s\"".into(), "edgeway.toml".into()));
    assert_eq!(gateway.config().timeouts.idle.as_secs(), 120);
    assert_eq!(push(&gateway, "")["changes"][0]["after"]["origin"]["source"], "EDGEWAY__TIMEOUTS__IDLE");
    assert_eq!(gateway.config().timeouts.idle.as_secs(), 60);
    assert_eq!(ask(&gateway, "config/history")["versions"][0]["by"], "ada");
}

#[test]
fn a_null_in_a_stored_document_takes_a_value_of_a_lower_layer_away() {
    let world = World::new();
    let gateway = layered(&world);
    push(&gateway, r#"{"models": {"fast": null}, "timeouts": {"idle": null}}"#);
    assert!(gateway.config().models.is_empty());
    assert_eq!(gateway.config().timeouts.idle.as_secs(), 120, "the gateway's default");
}

#[test]
fn what_a_server_reads_only_once_is_said_to_have_no_effect() {
    let world = World::new();
    let gateway = layered(&world);
    let checked = check(&gateway, "[server]\nlisten = \"127.0.0.1:1\"\nmax_body = \"1MiB\"");
    assert_eq!((checked["ok"].as_bool(), checked["warnings"].as_u64()), (Some(true), Some(1)), "{checked}");
    assert_eq!(checked["diagnostics"][0]["path"], "server.listen");
}

#[test]
fn a_stored_document_may_name_new_secrets() {
    let world = World::new();
    world.memory.secrets.set("NEW_KEY", "x");
    let gateway = layered(&world);
    push(&gateway, "[providers.groq]\nkey = \"NEW_KEY\"");
    assert!(gateway.config().providers["groq"].enabled);
    let checked = check(&gateway, "[auth]\nkeys = [\"EDGEWAY_ADMIN_KEY\"]");
    assert_eq!((checked["errors"].as_u64(), checked["diagnostics"][0]["path"].as_str()), (Some(1), Some("admin.keys[0]")));
}

#[test]
fn no_answer_holds_a_secret() {
    let world = World::new();
    world.memory.secrets.set("GROQ_API_KEY", "gsk_secret-of-the-provider");
    let gateway = layered(&world);
    push(&gateway, "[providers.groq]\nenabled = true");
    let refused = push(&gateway, "[providers.groq]\nkey = \"gsk_secret-of-the-provider\"");
    assert_eq!(refused["code"], "config_refused");
    for asked in ["config", "config/history", "config/1"] {
        let text = ask(&gateway, asked).to_string() + &refused.to_string();
        assert!(!text.contains("secret-of-the-provider") && !text.contains("admin-secret"), "{text}");
    }
}
