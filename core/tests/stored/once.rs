//! Requests that are sent again.

use std::time::Duration;

use serde_json::json;

use crate::objects::{OPERATOR, made, operator};
use crate::world::{FILE, Mood, World};

const ONCE: (&str, &str) = ("idempotency-key", "a-random-text");

#[test]
fn a_request_that_is_sent_again_happens_once_and_tells_no_secret_twice() {
    let world = World::new();
    let (here, there) = (world.instance(FILE), world.instance(FILE));
    made(&here, "tenants", &json!({"id": "acme"}));
    let body = "{\"title\": \"one\"}";
    let first = here.call(OPERATOR, "POST tenants/acme/keys", &[ONCE], body);
    let again = there.call(OPERATOR, "POST tenants/acme/keys", &[ONCE], body);
    assert!(first.status == 201 && first.json["key"].is_string() && !first.headers.contains_key("idempotency-replayed"));
    assert_eq!((again.status, again.headers.get("location")), (201, first.headers.get("location")));
    assert_eq!((again.json["id"].clone(), again.json["key"].is_null()), (first.json["id"].clone(), true));
    assert_eq!((again.etag, again.headers["idempotency-replayed"].to_str().ok()), (first.etag, Some("true")));
    assert_eq!(operator(&here, "GET tenants/acme/keys", "").json["items"].as_array().map(Vec::len), Some(1));

    for (line, other) in [("POST tenants/acme/keys", "{\"title\": \"two\"}"), ("POST tenants/acme/teams", body)] {
        let reused = here.call(OPERATOR, line, &[ONCE], other);
        assert_eq!((reused.status, reused.json["code"].as_str()), (422, Some("idempotency_key_reused")), "{line}");
    }
    // Somebody else's key is another.
    let mine = first.json["key"].as_str().expect("a text");
    let refused = here.call(mine, "POST tenants/acme/keys", &[ONCE], body);
    assert_eq!(refused.status, 403, "{}", refused.json);
    for wrong in ["", "a b", &"k".repeat(256)] {
        assert_eq!(here.call(OPERATOR, "POST tenants/acme/keys", &[("idempotency-key", wrong)], body).status, 400, "{wrong}");
    }
    world.clock.advance(Duration::from_secs(86_401));
    assert_eq!(
        here.call(OPERATOR, "POST tenants/acme/keys", &[ONCE], "{\"title\": \"two\"}").status,
        201,
        "a day later it is new"
    );
}

#[test]
fn what_was_refused_may_be_tried_again_under_the_same_key() {
    let world = World::new();
    let instance = world.instance(FILE);
    let line = "POST tenants/acme/keys";
    assert_eq!(instance.call(OPERATOR, line, &[ONCE], "{}").status, 404);
    made(&instance, "tenants", &json!({"id": "acme"}));
    assert_eq!(instance.call(OPERATOR, line, &[ONCE], "{\"team\": \"red\"}").status, 422);
    world.feel(Mood::Fails);
    assert_eq!(instance.call(OPERATOR, line, &[ONCE], "{}").status, 503);
    world.feel(Mood::Well);
    assert_eq!(instance.call(OPERATOR, line, &[ONCE], "{}").status, 201);
}
