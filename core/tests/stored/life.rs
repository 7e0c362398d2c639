//! The life of a version: pushed, served, replaced, brought back.

use std::time::Duration;

use edgeway_core::Body;
use futures_util::FutureExt;
use http::Request;
use serde_json::json;

use crate::world::{FILE, World};

const SLOW: &str = "[models.slow]\ntarget = \"demo/echo\"";

#[test]
fn a_push_is_seen_at_once_where_it_was_made_and_elsewhere_within_the_refresh() {
    let world = World::new();
    let (here, there) = (world.instance(FILE), world.instance(FILE));
    assert_eq!((here.models(), there.models()), (vec!["fast".to_owned()], vec!["fast".to_owned()]));

    let pushed = here.push(0, SLOW);
    assert_eq!((pushed.status, pushed.etag.as_deref()), (200, Some("\"1\"")), "{}", pushed.json);
    assert_eq!(here.models(), ["fast", "slow"]);
    assert_eq!(there.models(), ["fast"]);

    world.clock.advance(Duration::from_millis(9_999));
    there.models();
    assert_eq!(there.models(), ["fast"]);
    world.clock.advance(Duration::from_millis(1));
    there.models(); // its `after` looks
    assert_eq!(there.models(), ["fast", "slow"]);
    assert_eq!(world.instance(FILE).models(), ["fast", "slow"], "a new instance has it for its first request");
}

#[test]
fn a_request_under_way_keeps_the_configuration_that_it_began_with() {
    let world = World::new();
    let file = format!(
        "{FILE}[providers.one]\nbase_url = \"http://127.0.0.1:1/v1\"\n[routes.all]\nmodels = [\"m\"]\ntargets = [\"one/a\"]"
    );
    let instance = world.instance(&file);
    instance.models();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    // The body's end is held back until the push is through: the request has its configuration and not yet its plan.
    let (sender, receiver) = futures_channel::oneshot::channel::<()>();
    let (head, tail) = body.split_at(10);
    let (head, tail) = (head.to_owned(), tail.to_owned());
    let late = async move {
        receiver.await.expect("sent");
        Ok(tail.into())
    };
    let stream = futures_util::StreamExt::chain(futures_util::stream::iter([Ok(head.into())]), futures_util::stream::once(late));
    let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
    let mut handled = instance.handle(request.body(Body::stream(stream)).expect("well formed"));
    assert!((&mut handled.response).now_or_never().is_none(), "the body has not ended");

    assert_eq!(instance.push(0, "[routes.all]\ntargets = [\"demo/echo\"]").status, 200);
    sender.send(()).expect("the request waits");
    let response = handled.response.now_or_never().expect("the body has ended");
    assert_eq!(response.status(), 502, "the provider of its own configuration, which does not answer");
    drop(response);
    let request = Request::post("/v1/chat/completions").header("content-type", "application/json");
    let answered = instance.ask(request.body(Body::from(body)).expect("well formed"));
    assert_eq!(answered.status, 200, "{}", answered.json);
}

#[test]
fn nobody_replaces_what_they_have_not_seen() {
    let world = World::new();
    let instance = world.instance(FILE);
    assert_eq!(instance.push(0, SLOW).status, 200);
    let lost = instance.push(0, "[models.mine]\ntarget = \"demo/echo\"");
    assert_eq!((lost.status, lost.json["code"].as_str()), (412, Some("version_conflict")));
    assert_eq!(
        (lost.json["current"]["version"].as_u64(), lost.json["current"]["by"].as_str()),
        (Some(1), Some("EDGEWAY_ADMIN_KEY"))
    );
    assert_eq!(instance.models(), ["fast", "slow"]);
    assert_eq!(instance.push(1, "[models.mine]\ntarget = \"demo/echo\"").status, 200);
    assert_eq!(instance.models(), ["fast", "mine"]);
    assert_eq!(instance.admin("PUT", "", &[("if-match", "*")], SLOW).json["version"], 3);
}

#[test]
fn a_rollback_is_a_new_version_with_an_old_document() {
    let world = World::new();
    let (here, there) = (world.instance(FILE), world.instance(FILE));
    here.push(0, SLOW);
    here.push(1, "");
    assert_eq!(here.models(), ["fast"]);
    let back = here.admin("POST", "/rollback?note=it%20was%20better", &[], "");
    assert_eq!((back.status, back.json["version"].as_u64()), (200, Some(3)), "{}", back.json);
    assert_eq!(
        (here.models(), there.models()),
        (vec!["fast".to_owned(), "slow".to_owned()], vec!["fast".to_owned(), "slow".to_owned()])
    );
    let history = here.admin("GET", "/history", &[], "").json;
    let seen: Vec<_> = history["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["version"].as_u64(), entry["note"].as_str()))
        .collect();
    assert_eq!(seen, [(Some(3), Some("it was better")), (Some(2), Some("")), (Some(1), Some(""))]);
    assert_eq!(here.admin("GET", "/1", &[], "").json["document"], SLOW);
    let unknown = here.admin("POST", "/rollback", &[], "{\"to\": 9}");
    assert_eq!((unknown.status, unknown.json["detail"].as_str()), (404, Some("Version 9 is not kept; 1 to 3 are.")));
    assert_eq!(here.admin("GET", "/9", &[], "").status, 404);
}

#[test]
fn a_dry_run_does_everything_but_the_change() {
    let world = World::new();
    let instance = world.instance(FILE);
    let dry = instance.admin("PUT", "?dry_run=true", &[("if-match", "\"0\"")], SLOW);
    assert_eq!((dry.status, dry.json["changed"].as_bool(), dry.json["version"].as_u64()), (200, Some(false), Some(0)));
    assert_eq!(dry.json["changes"][0]["path"], "models.slow.target");
    assert_eq!(instance.admin("PUT", "?dry_run=true", &[("if-match", "\"1\"")], SLOW).status, 412);
    assert_eq!(instance.admin("PUT", "?dry_run=true", &[("if-match", "\"0\"")], "[models.slow]\ntarget = \"x/y\"").status, 422);
    assert_eq!((instance.models(), instance.show()["version"].as_u64()), (vec!["fast".to_owned()], Some(0)));
    instance.push(0, SLOW);
    instance.push(1, "");
    let dry = instance.admin("POST", "/rollback?dry_run=true", &[], "");
    assert_eq!((dry.status, dry.json["changed"].as_bool()), (200, Some(false)));
    assert_eq!(instance.models(), ["fast"]);
    assert!(world.notices().iter().all(|notice| !notice.ends_with('3')), "{:?}", world.notices());
}

#[test]
fn the_same_document_again_is_no_new_version() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    let again = instance.push(1, SLOW);
    assert_eq!((again.status, again.json["changed"].as_bool(), again.etag.as_deref()), (200, Some(false), Some("\"1\"")));
}

#[test]
fn every_change_is_on_record_with_who_and_what() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.admin("PUT", "?note=first", &[("if-match", "\"0\"")], SLOW);
    instance.push(1, "");
    instance.admin("POST", "/rollback", &[], "{\"to\": 1}");
    let notices = world.memory.events.notices();
    let changes: Vec<_> = notices.iter().filter(|notice| notice.event != "config_served").collect();
    let seen: Vec<_> = changes
        .iter()
        .map(|notice| (notice.event, notice.by.as_str(), notice.previous, notice.version, notice.message.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("config_pushed", "EDGEWAY_ADMIN_KEY", None, Some(1), "first"),
            ("config_pushed", "EDGEWAY_ADMIN_KEY", Some(1), Some(2), ""),
            ("config_rolled_back", "EDGEWAY_ADMIN_KEY", Some(2), Some(3), ""),
        ]
    );
    assert!(changes.iter().all(|notice| notice.request.starts_with("req_") && notice.digest.len() == 64));
    assert!(!format!("{notices:?}").contains("admin-secret"));
}

#[test]
fn only_an_administrators_key_opens_the_door() {
    let world = World::new();
    world.memory.secrets.set("CALLER", "caller-secret");
    let instance = world.instance(&format!("[auth]\nkeys = [\"CALLER\"]\n{FILE}"));
    let with = |key: Option<&str>| {
        let mut request = Request::get("/admin/v1/config");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        instance.ask(request.body(Body::Empty).expect("well formed"))
    };
    for key in [None, Some("caller-secret"), Some("admin-secre"), Some("")] {
        let refused = with(key);
        assert_eq!((refused.status, refused.json["code"].as_str()), (401, Some("unauthenticated")), "{key:?}");
    }
    assert_eq!(with(Some("admin-secret")).status, 200);
    let request =
        Request::get("/v1/models").header("authorization", "Bearer admin-secret").body(Body::Empty).expect("well formed");
    assert_eq!(instance.ask(request).status, 401, "an administrator's key calls no model");
    let off = world.instance("");
    let answered = off.show();
    assert_eq!((answered["status"].as_u64(), answered["code"].as_str()), (Some(403), Some("permission_denied")));
    assert!(answered["detail"].as_str().is_some_and(|detail| detail.contains("EDGEWAY_ADMIN_KEY")), "{answered}");
}

#[test]
fn what_is_asked_of_nobody_is_a_problem_too() {
    let world = World::new();
    let instance = world.instance(FILE);
    for (method, path, status) in [("GET", "/nothing", 404), ("DELETE", "", 405), ("POST", "/check/", 200)] {
        let answered = instance.admin(method, path, &[], "");
        assert_eq!(answered.status, status, "{method} {path}: {}", answered.json);
    }
    let large = "#".repeat(edgeway_core::config::DOCUMENT_BYTES + 1);
    assert_eq!(instance.push(0, &large).status, 413);
    assert_eq!(instance.push(0, &large[1..]).status, 200);
}
