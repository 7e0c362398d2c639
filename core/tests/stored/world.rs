//! Instances of one gateway over the same stores, and an operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::config::{self, Availability, Hints};
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::Inbound;
use edgeway_core::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};
use edgeway_core::ports::{CellStep, CellStore, Event, EventSink, KvEntry, KvPage, KvStore, Timestamp};
use edgeway_core::{Body, Gateway, Handled};
use futures_util::FutureExt;
use futures_util::future::pending;
use http::{HeaderMap, Request, Response};
use serde_json::Value;

/// What whoever is at the stores themselves asks.
pub(crate) fn administer(gateway: &Gateway, request: http::request::Builder, body: &str) -> Value {
    let request = request.header("content-type", "application/toml").body(Bytes::from(body.to_owned())).expect("well formed");
    gateway.administer("ada", request).now_or_never().expect("memory never waits").body().clone()
}

pub(crate) const FILE: &str = "\
[admin]
keys = [\"EDGEWAY_ADMIN_KEY\"]
[models.fast]
target = \"demo/echo\"
";

/// Stores that do what they are told.
pub(crate) struct Moody<S: ?Sized> {
    mood: Arc<AtomicU8>,
    store: Arc<S>,
}

/// How stores behave.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Mood {
    Well,
    Fails,
    NeverAnswers,
}

impl<S: ?Sized> Moody<S> {
    async fn mood(&self) -> Result<()> {
        match self.mood.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => Err(Error::new(ErrorKind::Overloaded, "The store is away.").source("it was switched off")),
            _ => pending().await,
        }
    }
}

#[async_trait]
impl KvStore for Moody<dyn KvStore> {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        self.mood().await?;
        self.store.fetch(key).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        self.mood().await?;
        self.store.put(key, value, ttl).await
    }
    async fn delete(&self, key: &str) -> Result<()> {
        self.mood().await?;
        self.store.delete(key).await
    }
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        self.mood().await?;
        self.store.list(prefix, cursor, limit).await
    }
}

#[async_trait]
impl CellStore for Moody<dyn CellStore> {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        self.mood().await?;
        self.store.command(name, step, command).await
    }
}

#[async_trait]
impl EventSink for Moody<dyn EventSink> {
    async fn append(&self, event: Event) -> Result<()> {
        self.mood().await?;
        self.store.append(event).await
    }
}

/// A platform; gateways on it share its stores.
pub(crate) struct World {
    pub(crate) memory: MemoryPorts,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) kv: Arc<AtomicU8>,
    pub(crate) cells: Arc<AtomicU8>,
    pub(crate) events: Arc<AtomicU8>,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1_700_000_000_000_000)));
        let http = Arc::new(ScriptedHttp::replies(clock.clone(), []));
        let mut memory = MemoryPorts::new(clock.clone(), http);
        memory.secrets.set("EDGEWAY_ADMIN_KEY", "admin-secret");
        let [kv, cells, events] = [0; 3].map(|_| Arc::new(AtomicU8::new(0)));
        memory.ports.kv = memory.ports.kv.take().map(|store| Arc::new(Moody { mood: kv.clone(), store }) as Arc<dyn KvStore>);
        memory.ports.cells =
            memory.ports.cells.take().map(|store| Arc::new(Moody { mood: cells.clone(), store }) as Arc<dyn CellStore>);
        memory.ports.events = Arc::new(Moody { mood: events.clone(), store: memory.ports.events.clone() });
        Self { memory, clock, kv, cells, events }
    }

    /// Another instance, with a file of its own.
    pub(crate) fn instance(&self, file: &str) -> Instance {
        let loaded = config::load(Some(("edgeway.toml", file)), []).expect("TOML");
        let hints = Hints { secret: "run `vault put NAME`", store: "bind `EDGEWAY_KV`" };
        let available = Availability { hints, ..Availability::default() };
        let opened = Gateway::open(self.memory.ports.clone(), loaded, available).now_or_never().expect("memory never waits");
        let (gateway, _) = opened.unwrap_or_else(|found| panic!("{}", config::render(&found)));
        Instance { gateway }
    }

    pub(crate) fn feel(&self, mood: Mood) {
        self.kv.store(mood as u8, Ordering::SeqCst);
        self.cells.store(mood as u8, Ordering::SeqCst);
    }

    pub(crate) fn clock_micros(&self) -> u64 {
        self.memory.ports.clock.now().0
    }

    /// The names of what happened to the gateway since the start, in order.
    pub(crate) fn notices(&self) -> Vec<String> {
        let notices = self.memory.events.notices();
        notices.iter().map(|notice| format!("{} {}", notice.event, notice.version.unwrap_or(0))).collect()
    }
}

pub(crate) struct Instance {
    pub(crate) gateway: Arc<Gateway>,
}

pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Instance {
    pub(crate) fn handle(&self, request: Request<Body>) -> Handled {
        self.gateway.handle(Inbound { request, peer: None })
    }

    /// Sends a request, reads its answer, does what comes after.
    pub(crate) fn ask(&self, request: Request<Body>) -> Answered {
        let Handled { response, after } = self.handle(request);
        let answered = Answered::read(response.now_or_never().expect("nothing to wait for"));
        assert!(after.now_or_never().is_some(), "the settlement waits");
        answered
    }

    pub(crate) fn admin(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let mut request = Request::builder().method(method).uri(format!("/admin/v1/config{path}"));
        request = request.header("authorization", "Bearer admin-secret");
        let kind = if path.starts_with("/rollback") { "application/json" } else { "application/toml" };
        request = request.header("content-type", kind);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(body.to_owned())).expect("well formed"))
    }

    /// Asks the administration for what is below `/admin/v1/`, with a key. A body is JSON.
    pub(crate) fn call(&self, key: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let mut request = Request::builder().method(method).uri(format!("/admin/v1/{path}"));
        request = request.header("authorization", format!("Bearer {key}"));
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(body.to_owned())).expect("well formed"))
    }

    pub(crate) fn push(&self, expected: u64, text: &str) -> Answered {
        self.admin("PUT", "", &[("if-match", &format!("\"{expected}\""))], text)
    }

    pub(crate) fn show(&self) -> Value {
        self.admin("GET", "", &[], "").json
    }

    /// The names of the models that callers see: what of the configuration they can tell apart.
    pub(crate) fn models(&self) -> Vec<String> {
        let request = Request::get("/v1/models").body(Body::Empty).expect("well formed");
        let listed = self.ask(request).json;
        let names = listed["data"].as_array().expect("a list").iter().filter_map(|model| model["id"].as_str());
        names.filter(|name| *name != "demo/echo").map(str::to_owned).collect()
    }
}

impl Answered {
    pub(crate) fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect(1 << 20).now_or_never().expect("nothing to wait for").expect("a whole body");
        let etag = parts.headers.get("etag").map(|etag| etag.to_str().expect("ASCII").to_owned());
        let status = parts.status.as_u16();
        if body.is_empty() {
            assert!(matches!(status, 204 | 304) && !parts.headers.contains_key("content-type"), "{status}");
            return Self { status, etag, headers: parts.headers, json: Value::Null };
        }
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        if parts.headers["content-type"] == "application/problem+json" {
            assert_eq!((json["status"].as_u64(), json["code"].is_string()), (Some(status.into()), true));
        }
        Self { status, etag, headers: parts.headers, json }
    }
}
