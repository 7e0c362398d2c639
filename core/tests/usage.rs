//! What is kept of requests, and how it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::chat::Usage;
use edgeway_core::config::{self, Availability, Records};
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::{Inbound, Outcome, Record};
use edgeway_core::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};
use edgeway_core::ports::{Event, KvEntry, KvPage, KvStore, Timestamp};
use edgeway_core::usage::{Dimension, NanoUsd, Page, Query, Tenants, UsageLog, groups};
use edgeway_core::{Body, Gateway};
use futures_util::FutureExt;
use http::Request;

const NOON: &str = "2026-11-25T12:00:00Z";
const KEPT: Records = Records { store: true, retention: Duration::from_secs(90 * 86_400) };

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn memory() -> (MemoryPorts, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::skipping(at(NOON)));
    (MemoryPorts::new(clock.clone(), Arc::new(ScriptedHttp::replies(clock.clone(), []))), clock)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory never waits")
}

fn record(number: u64, tenant: Option<&str>) -> Record {
    Record {
        id: format!("req_{number:04}"),
        received: at(NOON).plus(Duration::from_secs(40 * number)),
        tenant: tenant.map(str::to_owned),
        team: Some(if number.is_multiple_of(2) { "even" } else { "odd" }.to_owned()),
        labels: Arc::new(BTreeMap::from([("stage".to_owned(), "test".to_owned())])),
        model: "m".to_owned(),
        outcome: Some(Outcome::Complete),
        usage: Some(Usage { input: 10, output: number, ..Usage::default() }),
        cost: (number != 3).then_some(NanoUsd(number)),
        first_byte: Some(Duration::from_millis(5)),
        elapsed: Duration::from_millis(20),
        ..Record::default()
    }
}

fn question(tenants: Tenants) -> Query {
    Query {
        tenants,
        from: at("2026-11-25T00:00:00Z"),
        until: at("2026-11-26T00:00:00Z"),
        filters: vec![],
        limit: 500,
        after: None,
    }
}

/// Follows a question to its end.
fn all(kv: &dyn KvStore, mut query: Query) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let page = now(query.page(kv)).expect("a page");
        query.after.clone_from(&page.next);
        let end = page.next.is_none();
        pages.push(page);
        if end {
            return pages;
        }
        assert!(pages.len() < 1_000, "it never ends");
    }
}

fn ids(pages: &[Page]) -> Vec<&str> {
    pages.iter().flat_map(|page| &page.rows).map(|(_, row)| row.id.as_str()).collect()
}

#[test]
fn every_record_is_met_once_whatever_the_size_of_a_page() {
    let (memory, _) = memory();
    let log = UsageLog::new(&memory.ports);
    for number in 0..20 {
        now(log.keep(KEPT, &record(number, Some("acme"))));
        now(log.keep(KEPT, &record(number, Some("acme")))); // again: it changes nothing
        now(log.keep(KEPT, &record(100 + number, None)));
    }
    let kv = &**memory.ports.kv.as_ref().expect("memory has one");
    let acme: Vec<String> = (0..20).map(|number| format!("req_{number:04}")).collect();
    let nobody: Vec<String> = (100..120).map(|number| format!("req_{number:04}")).collect();
    for limit in [1, 7, 20, 500, usize::MAX] {
        let ask = |tenants| Query { limit, ..question(tenants) };
        assert_eq!(ids(&all(kv, ask(Tenants::One(Some("acme".into()))))), acme);
        assert_eq!(ids(&all(kv, ask(Tenants::One(None)))), nobody);
        assert_eq!(ids(&all(kv, ask(Tenants::All))), [nobody.clone(), acme.clone()].concat());
        assert!(all(kv, ask(Tenants::All)).iter().all(|page| page.looked_at <= limit.clamp(1, 500)));
    }
    assert!(ids(&all(kv, question(Tenants::One(Some("other".into()))))).is_empty());
}

#[test]
fn a_stretch_ends_where_it_says_and_a_page_keeps_the_stretch_of_the_one_before() {
    let (memory, _) = memory();
    let log = UsageLog::new(&memory.ports);
    (0..10).for_each(|number| now(log.keep(KEPT, &record(number, None))));
    let kv = &**memory.ports.kv.as_ref().expect("memory has one");
    let narrow = Query { from: at("2026-11-25T12:01:20Z"), until: at("2026-11-25T12:04:00Z"), ..question(Tenants::All) };
    assert_eq!(ids(&all(kv, narrow.clone())), ["req_0002", "req_0003", "req_0004", "req_0005"]);
    let first = now(Query { limit: 2, ..narrow.clone() }.page(kv)).expect("a page");
    let second = Query { from: Timestamp(0), until: Timestamp(1), after: first.next, ..narrow };
    let second = now(second.page(kv)).expect("a page");
    assert_eq!(second.stretch, first.stretch);
    assert_eq!(second.rows.first().map(|(_, row)| row.id.as_str()), Some("req_0004"));
    for (from, until) in [(NOON, NOON), (NOON, "2026-11-25T11:00:00Z"), (NOON, "2028-11-25T11:00:00Z")] {
        let error = now(Query { from: at(from), until: at(until), ..question(Tenants::All) }.page(kv)).expect_err("no stretch");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
}

#[test]
fn rows_add_up_by_what_they_have_in_common() {
    let (memory, _) = memory();
    let log = UsageLog::new(&memory.ports);
    (0..10).for_each(|number| now(log.keep(KEPT, &record(number, Some("acme")))));
    let kv = &**memory.ports.kv.as_ref().expect("memory has one");
    let by = ["team", "label:stage", "hour"].map(|name| Dimension::parse(name).expect("a dimension"));
    let pages = all(kv, question(Tenants::All));
    let found = groups(pages.iter().flat_map(|page| page.rows.iter().map(|(_, row)| row)), &by);
    let told: Vec<_> = found.iter().map(|group| (group.by["team"].as_str(), group.requests, group.tokens.output)).collect();
    assert_eq!(told, [("even", 5, 20), ("odd", 5, 25)]);
    assert_eq!((found[0].by["label:stage"].as_str(), found[0].by["hour"].as_str()), ("test", "2026-11-25T12"));
    assert_eq!((found[1].cost, found[1].unpriced, found[1].elapsed_ms, found[1].first_byte_ms), (NanoUsd(22), 1, 100, 25));
    let odd = Query { filters: vec![(by[0].clone(), "odd".into())], ..question(Tenants::All) };
    assert_eq!(ids(&all(kv, odd)).len(), 5);
    for name in ["", "label:", "caller", "secret", "Team"] {
        assert!(Dimension::parse(name).is_none(), "{name}");
    }
}

#[test]
fn records_expire_and_so_does_what_says_that_there_are_any() {
    let (memory, clock) = memory();
    let log = UsageLog::new(&memory.ports);
    let short = Records { retention: Duration::from_secs(3_600), ..KEPT };
    now(log.keep(short, &record(0, Some("acme"))));
    now(log.keep(Records { store: false, ..KEPT }, &record(1, Some("acme"))));
    let kv = &**memory.ports.kv.as_ref().expect("memory has one");
    assert_eq!(ids(&all(kv, question(Tenants::All))), ["req_0000"]);
    clock.advance(Duration::from_secs(3_601));
    assert!(ids(&all(kv, question(Tenants::All))).is_empty());
    assert_eq!(now(kv.list("usage-of/", None, 10)).expect("a page").keys, ["usage-of/acme"]);
    clock.advance(Duration::from_secs(2 * 86_400));
    assert!(now(kv.list("", None, 10)).expect("a page").keys.is_empty());
}

/// A store that fails a number of times.
struct Failing {
    store: Arc<dyn KvStore>,
    times: AtomicUsize,
}

#[async_trait]
impl KvStore for Failing {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        self.store.fetch(key).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        let failed = self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if failed {
            return Err(Error::new(ErrorKind::Overloaded, "The store is away."));
        }
        self.store.put(key, value, ttl).await
    }
    async fn delete(&self, key: &str) -> Result<()> {
        self.store.delete(key).await
    }
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        self.store.list(prefix, cursor, limit).await
    }
}

#[test]
fn a_store_that_fails_is_tried_again_and_what_is_lost_is_said_once_a_minute() {
    let (mut memory, clock) = memory();
    let store = memory.ports.kv.take().expect("memory has one");
    let failing = Arc::new(Failing { store: store.clone(), times: AtomicUsize::new(2) });
    memory.ports.kv = Some(failing.clone());
    let log = UsageLog::new(&memory.ports);
    now(log.keep(KEPT, &record(0, None)));
    assert_eq!(ids(&all(&*store, question(Tenants::All))), ["req_0000"]);
    let said = || memory.events.all().iter().filter(|event| matches!(event, Event::Notice(_))).count();
    assert_eq!(said(), 0);
    failing.times.store(usize::MAX, Ordering::SeqCst);
    (1..4).for_each(|number| now(log.keep(KEPT, &record(number, None))));
    assert!(said() >= 1 && said() <= 2, "{}", said());
    let before = said();
    clock.advance(Duration::from_secs(60));
    now(log.keep(KEPT, &record(5, None)));
    assert_eq!(said(), before + 1);
}

#[test]
fn requests_to_models_are_kept_with_their_cost_and_strangers_are_not() {
    let (memory, _) = memory();
    memory.secrets.set("KEY", "s3cret");
    let file = "[auth]\nkeys = [\"KEY\"]\n[models.\"demo/echo\"]\nprice = { input = \"1usd\", output = \"2usd\" }";
    let loaded = config::load(Some(("edgeway.toml", file)), []).expect("TOML");
    let opened = now(Gateway::open(memory.ports.clone(), loaded, Availability::default()));
    let (gateway, _) = opened.unwrap_or_else(|found| panic!("{}", config::render(&found)));
    let ask = |path: &str, key: &str, body: &'static str| {
        let request =
            Request::post(path).header("content-type", "application/json").header("authorization", format!("Bearer {key}"));
        let handled = gateway.handle(Inbound { request: request.body(Body::from(body)).expect("a request"), peer: None });
        let body = now(handled.response).into_body();
        now(body.collect(1 << 20)).expect("a body");
        now(handled.after);
    };
    let good = r#"{"model":"demo/echo","messages":[{"role":"user","content":"three words here"}]}"#;
    ask("/v1/chat/completions", "s3cret", good);
    ask("/v1/chat/completions", "wrong", good);
    ask("/v1/chat/completions", "s3cret", r#"{"model":"demo/none","messages":[]}"#);
    ask("/v1/nothing", "s3cret", good);
    let kv = &**memory.ports.kv.as_ref().expect("memory has one");
    let pages = all(kv, question(Tenants::All));
    let rows: Vec<_> = pages.iter().flat_map(|page| &page.rows).map(|(_, row)| row).collect();
    let mut told: Vec<_> = rows.iter().map(|row| (row.model.as_str(), row.error.as_str(), row.caller.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [("demo/echo", "", "KEY"), ("demo/none", "model_not_found", "KEY")]);
    let row = rows.iter().find(|row| row.error.is_empty()).expect("the good one");
    let usage = row.usage.expect("what it took");
    let cost = usage.input * 1_000 + usage.output * 2_000;
    assert_eq!((row.cost, row.because.as_str()), (Some(NanoUsd(cost)), "the request names the provider"));
}

/// A gateway with ten records, an administrator, and what `GET /admin/v1/usage` answers to them.
fn administered() -> impl Fn(&str, &[(&str, &str)]) -> (u16, http::HeaderMap, String) {
    let (memory, _) = memory();
    memory.secrets.set("KEY", "adm1n");
    let log = UsageLog::new(&memory.ports);
    (0..10).for_each(|number| now(log.keep(KEPT, &record(number, (number > 5).then_some("acme")))));
    let loaded = config::load(Some(("edgeway.toml", "[admin]\nkeys = [\"KEY\"]")), []).expect("TOML");
    let opened = now(Gateway::open(memory.ports.clone(), loaded, Availability::default()));
    let (gateway, _) = opened.unwrap_or_else(|found| panic!("{}", config::render(&found)));
    move |query, headers| {
        let mut request = Request::get(format!("/admin/v1/usage{query}")).header("authorization", "Bearer adm1n");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let handled = gateway.handle(Inbound { request: request.body(Body::Empty).expect("a request"), peer: None });
        let (parts, body) = now(handled.response).into_parts();
        let body = now(body.collect(1 << 20)).expect("a body");
        now(handled.after);
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).expect("text"))
    }
}

const TODAY: &str = "?from=2026-11-25&until=2026-11-26";

#[test]
fn an_administrator_gets_sums_rows_and_tables() {
    let ask = administered();
    let (status, _, body) = ask(&format!("{TODAY}&group_by=tenant,day"), &[]);
    let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, value["groups"].as_array().map(Vec::len), value["next"].is_null()), (200, Some(2), true));
    let acme = &value["groups"][1];
    assert_eq!(acme["by"], serde_json::json!({"tenant": "acme", "day": "2026-11-25"}));
    assert_eq!((&acme["requests"], &acme["input"], &acme["output"]), (&4.into(), &40.into(), &30.into()));
    assert_eq!(acme["cost"], "0.00000003usd");
    let (_, headers, body) = ask(&format!("{TODAY}&tenant=acme"), &[("accept", "text/csv")]);
    assert_eq!((headers["content-type"].to_str().ok(), body.lines().count()), (Some("text/csv; charset=utf-8"), 5));
    let (_, headers, body) = ask(&format!("{TODAY}&tenant=-&team=odd&format=jsonl"), &[]);
    assert_eq!((headers["content-type"].to_str().ok(), body.lines().count()), (Some("application/jsonl"), 3));
    let first: serde_json::Value = serde_json::from_str(body.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["id"], "req_0001");
}

#[test]
fn an_administrator_follows_a_link_to_the_end() {
    let ask = administered();
    let (mut query, mut met) = (format!("{TODAY}&format=jsonl&limit=3"), 0);
    for _ in 0..10 {
        let (status, headers, body) = ask(&query, &[]);
        assert_eq!(status, 200, "{body}");
        met += body.lines().count();
        let Some(link) = headers.get("link").map(|link| link.to_str().expect("text")) else { break };
        let (path, _) = link.trim_start_matches('<').split_once('>').expect("a link");
        query = path.trim_start_matches("/admin/v1/usage").to_owned();
    }
    assert_eq!(met, 10);
}

#[test]
fn a_question_that_is_none_says_why() {
    let ask = administered();
    for (query, status) in [
        ("?from=yesterday", 400),
        ("?from=2026-11-26&until=2026-11-25", 400),
        ("?group_by=secret", 400),
        ("?colour=red", 400),
        ("?team=a&team=b", 400),
        ("?limit=501", 400),
        ("?limit=0", 400),
        ("?format=xml", 400),
        ("?after=e30", 400),
        ("?tenant=No%20Name", 400),
        ("?tenant=other&label:stage=test", 200),
    ] {
        let (found, _, body) = ask(query, &[]);
        assert_eq!(found, status, "{query}: {body}");
    }
}

#[test]
fn an_administrator_reads_the_catalog_page_by_page_and_what_is_stated_instead() {
    let (memory, _) = memory();
    memory.secrets.set("KEY", "adm1n");
    let file = "[admin]\nkeys = [\"KEY\"]\n[models.\"openai/gpt-4o\"]\nprice = { input = \"1usd\", output = \"2usd\" }";
    let loaded = config::load(Some(("edgeway.toml", file)), []).expect("TOML");
    let opened = now(Gateway::open(memory.ports.clone(), loaded, Availability::default()));
    let (gateway, _) = opened.unwrap_or_else(|found| panic!("{}", config::render(&found)));
    let ask = |query: &str| {
        let request = Request::get(format!("/admin/v1/prices{query}")).header("authorization", "Bearer adm1n");
        let handled = gateway.handle(Inbound { request: request.body(Body::Empty).expect("a request"), peer: None });
        let (parts, body) = now(handled.response).into_parts();
        let body = now(body.collect(1 << 20)).expect("a body");
        now(handled.after);
        (parts.status.as_u16(), serde_json::from_slice::<serde_json::Value>(&body).expect("JSON"))
    };
    let (mut after, mut met) = (String::new(), Vec::new());
    for _ in 0..20 {
        let (status, body) = ask(&format!("?limit=100{after}"));
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["stated"]["openai/gpt-4o"]["input"], "1usd");
        met.extend(body["items"].as_array().expect("a list").clone());
        let Some(next) = body["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert!(met.len() > 250 && met.iter().filter(|entry| !entry["price"].is_null()).count() >= 150, "{}", met.len());
    let (_, body) = ask("?provider=anthropic&model=claude-opus-4.6");
    assert_eq!(body["items"][0]["price"]["cache_read"], "0.5usd");
    assert_eq!((&body["items"][0]["tools"], &body["items"][0]["context"]), (&true.into(), &1_000_000.into()));
    assert_eq!(ask("?after=x").0, 400);
}
