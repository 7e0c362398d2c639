//! The audit trail: every change on record before it is made, everybody who was turned away, and tampering that shows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::audit::{Deed, Entry, Outcome, Trail};
use edgeway_core::cell::chain::KEPT;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::identity::{Keys, Name, Tenant, Terms};
use edgeway_core::objects::Objects;
use edgeway_core::ports::{KvEntry, KvPage, KvStore};
use edgeway_core::{Body, Gateway};
use futures_util::FutureExt;
use http::Request;
use serde_json::{Value, json};

use crate::world::{Answered, FILE, Instance, Mood, World};

const SLOW: &str = "[models.slow]\ntarget = \"demo/echo\"";
const ADMIN: &str = "admin-secret";

fn now<T>(future: impl Future<Output = Result<T>>) -> T {
    future.now_or_never().expect("memory never waits").expect("memory does not fail")
}

fn trail(world: &World) -> Trail {
    Trail::of(&world.memory.ports).expect("there are stores")
}

fn entries(world: &World) -> Vec<Entry> {
    now(trail(world).list(0, 1000, |_| true)).entries
}

/// What is on record, as `outcome action object`.
fn told(world: &World) -> Vec<String> {
    let told = |entry: &Entry| format!("{} {} {}", entry.deed.outcome.name(), entry.deed.action, entry.deed.object);
    entries(world).iter().map(told).collect()
}

fn ask(instance: &Instance, key: &str, method: &str, path: &str, body: &Value) -> Answered {
    let request = Request::builder().method(method).uri(format!("/admin/v1/{path}")).header("if-match", "*");
    let request = request.header("content-type", "application/json").header("authorization", format!("Bearer {key}"));
    let body = if body.is_null() { Body::Empty } else { Body::from(body.to_string()) };
    instance.ask(request.body(body).expect("well formed"))
}

fn get(instance: &Instance, key: &str, path: &str) -> Answered {
    ask(instance, key, "GET", path, &Value::Null)
}

/// A tenant, and the text of a key of it with this role.
fn tenant(world: &World, name: &str, role: &str) -> (String, String) {
    let objects = Objects::of(&world.memory.ports).expect("there are cells");
    let (name, role): (Name, Name) = (name.parse().expect("a name"), role.parse().expect("a name"));
    let made: Tenant = serde_json::from_value(json!({"created": "2026-01-01T00:00:00Z"})).expect("a tenant");
    now(objects.create(None, name.as_str(), &made)).expect("it is new");
    let keys = Keys { objects: &objects, entropy: &*world.memory.ports.entropy, now: world.memory.ports.clock.now() };
    let issued = now(keys.create(Some(&name), "live", Terms { role: Some(role), ..Terms::default() }));
    (issued.id, issued.text.expose().to_owned())
}

#[test]
fn a_change_is_on_record_before_it_is_made_and_after() {
    let world = World::new();
    let instance = world.instance(FILE);
    let pushed = instance.admin("PUT", "?note=more%20models", &[("if-match", "\"0\"")], SLOW);
    assert_eq!(pushed.status, 200);
    assert_eq!(told(&world), ["begun config_push config", "done config_push config"]);
    let all = entries(&world);
    for entry in &all {
        assert_eq!((entry.deed.by.as_str(), entry.deed.tenant.as_deref()), ("EDGEWAY_ADMIN_KEY", None));
        assert!(entry.deed.request.starts_with("req_"));
    }
    let detail = |index: usize, name: &str| all[index].deed.detail.get(name).map(String::as_str);
    assert_eq!((detail(0, "note"), detail(0, "if_match")), (Some("more models"), Some("\"0\"")));
    assert_eq!(detail(0, "digest"), instance.show()["current"]["digest"].as_str());
    assert_eq!((detail(1, "begun"), detail(1, "version")), (Some("1"), Some("1")));

    assert_eq!(instance.push(0, "").status, 412);
    assert_eq!(told(&world)[2..], ["begun config_push config", "failed config_push config"]);
    assert_eq!(entries(&world)[3].deed.detail["code"], "version_conflict");
    assert_eq!(instance.admin("POST", "/rollback", &[], "{\"to\": 9}").status, 404);
    assert_eq!(told(&world)[4..], ["begun config_rollback config/rollback", "failed config_rollback config/rollback"]);
    assert_eq!(entries(&world)[4].deed.detail["to"], "9");

    let push = Request::put("/admin/v1/config").header("if-match", "\"1\"").header("content-type", "application/toml");
    let answer = Gateway::administer(&instance.gateway, "ada", push.body(Bytes::new()).expect("well formed"));
    assert_eq!(answer.now_or_never().expect("memory never waits").status, 200);
    let last = entries(&world).pop().expect("an entry");
    assert_eq!((last.deed.by.as_str(), last.deed.request.as_str(), last.deed.outcome), ("ada", "", Outcome::Done));
    assert!(now(trail(&world).verify(0)).intact);
}

#[test]
fn what_changes_nothing_leaves_nothing() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    let before = entries(&world).len();
    assert_eq!(instance.admin("POST", "/check", &[], SLOW).status, 200);
    assert_eq!(instance.admin("PUT", "?dry_run=true", &[("if-match", "\"1\"")], "").status, 200);
    assert_eq!(instance.admin("GET", "/history", &[], "").status, 200);
    assert_eq!(get(&instance, ADMIN, "audit").status, 200);
    assert_eq!(get(&instance, ADMIN, "nothing/here").status, 404);
    assert_eq!(entries(&world).len(), before);
}

/// A key-value store that takes everything but pages of the trail.
struct NoPages(Arc<dyn KvStore>);

#[async_trait]
impl KvStore for NoPages {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        self.0.fetch(key).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        match key.starts_with("audit/") {
            true => Err(Error::new(ErrorKind::Overloaded, "The store is away.").source("no pages today")),
            false => self.0.put(key, value, ttl).await,
        }
    }
    async fn delete(&self, key: &str) -> Result<()> {
        self.0.delete(key).await
    }
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        self.0.list(prefix, cursor, limit).await
    }
}

#[test]
fn nothing_is_changed_that_cannot_be_put_on_record() {
    let mut world = World::new();
    let kv = world.memory.ports.kv.clone().expect("there is one");
    world.memory.ports.kv = Some(Arc::new(NoPages(kv.clone())));
    let instance = world.instance(FILE);
    assert_eq!(instance.push(0, SLOW).status, 200, "the cell has room");
    for _ in 2..KEPT {
        now(trail(&world).append(&Deed::default()));
    }
    for (method, path, body) in [("PUT", "config", json!({"models": {}})), ("POST", "tenants", json!({"id": "acme"}))] {
        let refused = ask(&instance, ADMIN, method, path, &body);
        assert_eq!((refused.status, refused.json["code"].as_str()), (503, Some("not_recorded")), "{path}");
        assert!(refused.json["detail"].as_str().is_some_and(|detail| detail.contains("no pages today")));
    }
    assert_eq!(instance.show()["version"], 1);
    assert_eq!(get(&instance, ADMIN, "tenants/acme").status, 404);
    assert_eq!(get(&instance, "wrong", "config").status, 401, "who is denied stays denied");
    assert_eq!(entries(&world).len(), KEPT, "nothing that was acknowledged is lost");

    world.memory.ports.kv = Some(kv);
    let instance = world.instance(FILE);
    assert_eq!(ask(&instance, ADMIN, "POST", "tenants", &json!({"id": "acme"})).status, 201);
    assert_eq!(told(&world)[KEPT..], ["begun tenants_create tenants", "done tenants_create tenants/acme"]);
    assert!(now(trail(&world).verify(0)).intact);
}

#[test]
fn while_the_cells_are_away_nothing_is_changed() {
    let world = World::new();
    let instance = world.instance(FILE);
    instance.push(0, SLOW);
    world.cells.store(Mood::Fails as u8, Ordering::SeqCst);
    let refused = instance.push(1, "");
    assert_eq!((refused.status, refused.json["code"].as_str()), (503, Some("not_recorded")));
    assert_eq!(get(&instance, "wrong", "config").status, 401);
    world.cells.store(Mood::Well as u8, Ordering::SeqCst);
    assert_eq!(instance.show()["version"], 1);
}

#[test]
fn whoever_is_turned_away_is_on_record() {
    let world = World::new();
    let instance = world.instance(FILE);
    let (viewer, key) = tenant(&world, "acme", "viewer");
    tenant(&world, "globex", "viewer");
    let before = entries(&world).len();
    assert_eq!(get(&instance, &key, "config").status, 403);
    assert_eq!(get(&instance, &key, "tenants/globex/teams").status, 404);
    assert_eq!(ask(&instance, &key, "POST", "tenants/acme/teams", &json!({"id": "x"})).status, 403);
    assert_eq!(get(&instance, "ew_live_wrong", "config").status, 401);
    assert_eq!(get(&instance, &key, "tenants/acme/teams/none").status, 404, "what is not there was not denied");
    let all = &entries(&world)[before..];
    let told: Vec<_> = all.iter().map(|entry| (entry.deed.action.as_str(), entry.deed.object.as_str())).collect();
    let expected = [
        ("config_show", "config"),
        ("teams_list", "tenants/globex/teams"),
        ("teams_create", "tenants/acme/teams"),
        ("config_show", "config"),
    ];
    assert_eq!(told, expected);
    assert!(all.iter().all(|entry| entry.deed.outcome == Outcome::Denied));
    let who: Vec<_> = all.iter().map(|entry| entry.deed.by.as_str()).collect();
    assert_eq!(who, [&viewer, &viewer, &viewer, ""]);
    assert_eq!(all[3].deed.detail["code"], "unauthenticated");
}

#[test]
fn strangers_cannot_fill_the_trail_and_are_counted() {
    let world = World::new();
    let instance = world.instance(FILE);
    for _ in 0..200 {
        assert_eq!(get(&instance, "wrong", "config").status, 401);
    }
    assert_eq!(entries(&world).len(), 30);
    assert_eq!(instance.push(0, SLOW).status, 200, "who is known is still written down");
    world.clock.advance(Duration::from_secs(60));
    get(&instance, "wrong", "config");
    let last = entries(&world).pop().expect("an entry");
    assert_eq!(last.deed.detail["untold"], "170");
}

#[test]
fn a_tenants_administrator_sees_the_tenants_entries_and_no_others() {
    let world = World::new();
    let instance = world.instance(FILE);
    let (_, key) = tenant(&world, "acme", "owner");
    instance.push(0, SLOW);
    assert_eq!(ask(&instance, ADMIN, "POST", "tenants/acme/teams", &json!({"id": "ours"})).status, 201);
    assert_eq!(ask(&instance, ADMIN, "POST", "tenants", &json!({"id": "globex"})).status, 201);
    assert_eq!(ask(&instance, ADMIN, "POST", "tenants/globex/teams", &json!({"id": "theirs"})).status, 201);
    let own = get(&instance, &key, "tenants/acme/audit");
    assert_eq!(own.status, 200);
    let objects: Vec<_> = own.json["items"].as_array().expect("a list").iter().map(|entry| entry["object"].clone()).collect();
    assert_eq!(objects, ["tenants/acme/teams", "tenants/acme/teams/ours"]);
    assert!(own.json["end"].is_null());
    assert_eq!(get(&instance, &key, "audit").status, 403);
    assert_eq!(get(&instance, &key, "audit/verify").status, 403);
    assert_eq!(get(&instance, &key, "tenants/globex/audit").status, 404);
    let of_globex = get(&instance, ADMIN, "audit?tenant=globex&outcome=done").json;
    assert_eq!(of_globex["items"].as_array().map(Vec::len), Some(1), "{of_globex}");
    assert_eq!(get(&instance, ADMIN, "audit?outcome=maybe").status, 400);
    assert_eq!(get(&instance, ADMIN, "audit?after=x").status, 400);
}

#[test]
fn the_trail_is_read_page_by_page_and_tampering_shows() {
    let world = World::new();
    let instance = world.instance(FILE);
    for number in 0..40 {
        now(trail(&world).append(&Deed { object: format!("thing/{number}"), ..Deed::default() }));
    }
    let (mut seen, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = get(&instance, ADMIN, &format!("audit?limit=15&after={after}")).json;
        seen.extend(page["items"].as_array().expect("a list").iter().map(|entry| entry["seq"].as_u64().expect("a number")));
        assert_eq!(page["end"]["seq"], 40);
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    let verdict = get(&instance, ADMIN, "audit/verify").json;
    assert_eq!((&verdict["intact"], &verdict["checked"]), (&json!(true), &json!(40)));

    let kv = world.memory.ports.kv.clone().expect("there is one");
    let keys = now(kv.list("audit/", None, 100)).keys;
    let page = keys.iter().find(|key| key.ends_with("/000000000001")).expect("the second page");
    let stored = now(kv.fetch(page)).expect("it is stored").value;
    let text = std::str::from_utf8(&stored).expect("text").replace("thing/20", "thing/21");
    now(kv.put(page, text.into(), None));
    let verdict = get(&instance, ADMIN, "audit/verify").json;
    assert_eq!((&verdict["intact"], &verdict["broken"]["seq"]), (&json!(false), &json!(21)));

    let request = Request::get("/admin/v1/audit?limit=2").header("authorization", "Bearer admin-secret");
    let lines = instance.handle(request.header("accept", "application/jsonl").body(Body::Empty).expect("well formed"));
    let response = lines.response.now_or_never().expect("nothing to wait for");
    assert_eq!(response.headers()["content-type"], "application/jsonl");
    assert_eq!(response.headers()["link"], "</admin/v1/audit?limit=2&after=2>; rel=\"next\"");
    let body = response.into_body().collect(1 << 16).now_or_never().expect("never waits").expect("whole");
    let lines: Vec<Entry> =
        std::str::from_utf8(&body).expect("text").lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
    assert_eq!(lines, entries(&world)[..2]);
}

#[test]
fn no_secret_gets_into_the_trail() {
    let world = World::new();
    let instance = world.instance(FILE);
    tenant(&world, "acme", "owner");
    let made = ask(&instance, ADMIN, "POST", "tenants/acme/keys", &json!({"title": "for the shop"}));
    assert_eq!(made.status, 201, "{}", made.json);
    let canaries = ["sk-canary-1", "sk-canary-2", "sk-canary-3", ADMIN];
    instance.admin("PUT", "", &[("if-match", "\"0\"")], "[providers.openai]\napi_key = \"sk-canary-1\"");
    ask(&instance, ADMIN, "PUT", "config", &json!({"providers": {"openai": {"api_key": "sk-canary-2"}}}));
    ask(&instance, ADMIN, "POST", "tenants/acme/teams", &json!({"id": "x", "secret": "sk-canary-3"}));
    get(&instance, "sk-canary-1", "config?key=sk-canary-2");
    let kept: String = entries(&world).iter().map(Entry::line).collect();
    assert!(kept.contains("for the shop") && kept.contains("keys_create") && kept.contains("secret"), "{kept}");
    for canary in canaries {
        assert!(!kept.contains(canary), "{canary}: {kept}");
    }
    let texts = made.json.to_string();
    let key = texts.split('"').find(|text| text.starts_with("ew_")).expect("the key's text");
    let secret = key.split('_').nth(3).expect("a secret");
    assert!(secret.len() > 10 && !kept.contains(secret));
}
