//! Documents that are wrong, and stores that are away: the last good one serves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::cell::pointer;
use edgeway_core::config::Versions;
use futures_util::FutureExt;
use http::Request;

use crate::world::{FILE, Mood, World, administer};

const SLOW: &str = "[models.slow]\ntarget = \"demo/echo\"";
const BAD: &str = "[models.slow]\ntarget = \"nobody/x\"";

/// Stores a document past the desk, as another gateway with another file could.
fn store(world: &World, expected: u64, text: &str) {
    let versions = Versions::of(&world.memory.ports).expect("there are stores");
    let change = pointer::Change { id: expected + 1000, expected, by: "somebody".into(), note: String::new() };
    versions.push(text, change).now_or_never().expect("memory never waits").expect("memory does not fail");
}

fn later(world: &World, seconds: u64) {
    world.clock.advance(Duration::from_secs(seconds));
}

#[test]
fn a_document_with_errors_is_refused_with_all_of_them_and_changes_nothing() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    let refused = instance.push(1, "[models.slow]\ntarget = \"nobody/x\"\n[routes.r]\nmodels = [\"*\"]\ntimeout = 5");
    assert_eq!((refused.status, refused.json["code"].as_str()), (422, Some("config_refused")));
    let found = refused.json["diagnostics"].as_array().expect("a list");
    assert!(found.len() >= 2, "{found:?}");
    assert_eq!(found[0]["origin"]["layer"], "stored");
    assert_eq!((instance.models(), instance.show()["version"].as_u64()), (vec!["fast".to_owned(), "slow".to_owned()], Some(1)));
    assert_eq!(instance.push(1, "a = = b").status, 422);
}

#[test]
fn nobody_locks_the_door_behind_them() {
    let world = World::new();
    let instance = world.instance(FILE);
    for text in ["[admin]\nkeys = []", "{\"admin\": null}"] {
        let refused = instance.push(0, text);
        assert_eq!((refused.status, refused.json["code"].as_str()), (409, Some("locks_out")), "{text}");
    }
    assert_eq!(instance.show()["version"], 0);
    let push = Request::put("/admin/v1/config").header("if-match", "\"0\"");
    let at_the_store = administer(&instance.gateway, push, "[admin]\nkeys = []");
    assert_eq!(at_the_store["version"], 1, "who is at the store can undo it there");
}

#[test]
fn a_stored_version_that_does_not_compile_here_leaves_the_last_good_one_and_says_so_once() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    store(&world, 1, BAD);
    for _ in 0..3 {
        later(&world, 10);
        assert_eq!(instance.models(), ["fast", "slow"]);
    }
    assert_eq!(world.notices(), ["config_served 1", "config_pushed 1", "config_refused 2"]);
    let shown = instance.show();
    assert_eq!((shown["version"].as_u64(), shown["serving"]["version"].as_u64()), (Some(2), Some(1)));
    assert_eq!(shown["refused"]["version"], 2);
    assert_eq!(shown["refused"]["diagnostics"][0]["path"], "models.slow.target");
    assert_eq!(shown["refused"]["diagnostics"][0]["origin"]["source"], "version 2");

    assert_eq!(world.instance(FILE).models(), ["fast"], "a new instance has file and environment");
    instance.push(2, SLOW);
    later(&world, 10);
    instance.models();
    assert!(instance.show()["refused"].is_null());
}

#[test]
fn while_the_store_is_away_the_last_good_one_serves_and_requests_do_not_wait() {
    for mood in [Mood::Fails, Mood::NeverAnswers] {
        let world = World::new();
        let instance = world.instance(FILE);
        instance.push(0, SLOW);
        let elsewhere = world.instance(FILE);
        elsewhere.models();
        store(&world, 1, "");
        world.feel(mood);
        later(&world, 60);
        let request = Request::get("/v1/models").body(Body::Empty).expect("well formed");
        let handled = instance.handle(request);
        let response = handled.response.now_or_never().expect("no request waits for the store");
        assert_eq!(response.status(), 200);
        drop(response);
        handled.after.now_or_never().expect("a look that does not end is given up");
        assert_eq!(world.notices().last().map(String::as_str), Some("config_unreadable 0"));
        world.feel(Mood::Well);
        later(&world, 10);
        assert_eq!(instance.models(), ["fast", "slow"]);
        assert_eq!(instance.models(), ["fast"], "the store is back, and so is version 2");
    }
}

#[test]
fn a_store_that_fails_is_an_event_and_is_shown() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    world.feel(Mood::Fails);
    for _ in 0..3 {
        later(&world, 10);
        instance.models();
    }
    assert_eq!(world.notices(), ["config_served 1", "config_pushed 1", "config_unreadable 0"]);
    let answered = instance.admin("GET", "/history", &[], "");
    assert_eq!((answered.status, answered.json["code"].as_str()), (503, Some("store_away")));
    assert!(answered.json["detail"].as_str().is_some_and(|detail| detail.contains("it was switched off")));
    assert_eq!(instance.push(1, "").status, 503);
    world.feel(Mood::Well);
    later(&world, 10);
    instance.models();
    assert!(instance.show()["refused"].is_null());
}

#[test]
fn an_instance_that_starts_while_the_store_is_away_serves_its_file_and_looks_again() {
    for mood in [Mood::Fails, Mood::NeverAnswers] {
        let world = World::new();
        world.instance(FILE).push(0, SLOW);
        world.feel(mood);
        let instance = world.instance(FILE);
        let before = world.clock_micros();
        assert_eq!(instance.models(), ["fast"], "{mood:?}");
        let waited = Duration::from_micros(world.clock_micros() - before);
        assert!(waited <= Duration::from_millis(500), "the first request waited {waited:?}");
        assert_eq!(world.notices().last().map(String::as_str), Some("config_unreadable 0"));
        world.feel(Mood::Well);
        later(&world, 10);
        instance.models();
        assert_eq!(instance.models(), ["fast", "slow"]);
    }
}

#[test]
fn health_never_waits_for_the_store() {
    let world = World::new();
    world.feel(Mood::NeverAnswers);
    let instance = world.instance(FILE);
    let before = world.clock_micros();
    let answered = instance.ask(Request::get("/health").body(Body::Empty).expect("well formed"));
    assert_eq!((answered.status, world.clock_micros()), (200, before));
}

#[test]
fn a_text_that_is_late_or_damaged_is_never_served() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    store(&world, 1, "[models.other]\ntarget = \"demo/echo\"");
    let kv = world.memory.ports.kv.clone().expect("there is one");
    let keys = kv.list("config/", None, 10).now_or_never().expect("memory never waits").expect("well").keys;
    for key in keys {
        kv.put(&key, Bytes::from_static(b"[models.evil]\ntarget = \"demo/echo\""), None)
            .now_or_never()
            .expect("now")
            .expect("well");
    }
    later(&world, 10);
    instance.models();
    assert_eq!(instance.models(), ["fast", "slow"]);
    let shown = instance.show();
    assert!(shown["refused"]["why"].as_str().is_some_and(|why| why.contains("not what was stored")), "{shown}");
}

#[test]
fn a_change_that_cannot_be_put_on_record_is_not_acknowledged() {
    let world = World::new();
    let instance = world.instance(FILE);
    world.events.store(1, Ordering::SeqCst);
    let answered = instance.push(0, SLOW);
    assert_eq!((answered.status, answered.json["code"].as_str()), (500, Some("not_recorded")));
    assert_eq!(answered.json["version"], 1);
}

#[test]
fn without_stores_the_file_serves_and_a_push_says_what_is_missing() {
    let mut world = World::new();
    world.memory.ports.cells = None;
    let instance = world.instance(FILE);
    assert_eq!(instance.models(), ["fast"]);
    let answered = instance.push(0, SLOW);
    assert_eq!((answered.status, answered.json["code"].as_str()), (501, Some("no_store")));
    assert!(answered.json["detail"].as_str().is_some_and(|detail| detail.contains("bind `EDGEWAY_KV`")), "{}", answered.json);
    for (method, path) in [("GET", "/history"), ("GET", "/1"), ("POST", "/rollback")] {
        assert_eq!(instance.admin(method, path, &[], "").status, 501, "{method} {path}");
    }
    assert_eq!((instance.show()["store"].as_bool(), instance.show()["version"].as_u64()), (Some(false), Some(0)));
    assert_eq!(instance.admin("POST", "/check", &[], SLOW).json["ok"], true);
}
