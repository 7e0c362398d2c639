//! Instances of one gateway over the same cells, many callers at once, and a provider that answers what it is told.

use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::config::{self, Availability};
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::{Inbound, Record};
use edgeway_core::ports::memory::{ManualClock, MemoryEvents, MemoryPorts, ScriptedHttp, SeededEntropy, Step, scripted};
use edgeway_core::ports::{CellStep, CellStore, Entropy, Outbound, Timestamp};
use edgeway_core::{Body, Gateway, Handled};
use futures_util::FutureExt;
use futures_util::future::join;
use http::{Request, Response, StatusCode};
use serde_json::json;

pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000_000_000);

const DOCUMENT: &str = r#"
[auth]
keys = ["ALICE", "BOB"]
[timeouts]
total = "60s"
first_byte = "30s"
[providers.oa]
base_url = "https://oa.test/v1"
dialects = ["openai_chat"]
key = "KEY"
[providers.an]
base_url = "https://an.test/v1"
dialects = ["anthropic_messages"]
key = "KEY"
"#;

/// Runs a future to its end. Nothing here waits for anything but other futures' turns.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..50_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it never ends");
}

/// Lets others go first, some times.
pub(crate) async fn pause(times: u64) {
    for _ in 0..times {
        let mut waited = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// Cells that answer when they like, or not at all.
pub(crate) struct Moody {
    cells: Arc<dyn CellStore>,
    dice: SeededEntropy,
    pub(crate) mood: AtomicU8,
    pub(crate) commands: AtomicU64,
}

/// Every command is answered, after some turns.
pub(crate) const WELL: u8 = 0;
/// No command takes effect.
pub(crate) const AWAY: u8 = 1;
/// Every command takes effect, and one answer in four is lost.
pub(crate) const FORGETFUL: u8 = 2;

/// No command is ever answered.
pub(crate) const SILENT: u8 = 3;

#[async_trait]
impl CellStore for Moody {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        self.commands.fetch_add(1, Ordering::SeqCst);
        let lost = || Err(Error::new(ErrorKind::Overloaded, "The store is away.").source("it was switched off"));
        pause(self.dice.u64() % 4).await;
        if self.mood.load(Ordering::SeqCst) == SILENT {
            std::future::pending::<()>().await;
        }
        if self.mood.load(Ordering::SeqCst) == AWAY {
            return lost();
        }
        let reply = self.cells.command(name, step, command).await;
        pause(self.dice.u64() % 4).await;
        let forgets = self.mood.load(Ordering::SeqCst) == FORGETFUL && self.dice.u64().is_multiple_of(4);
        if forgets { lost() } else { reply }
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) cells: Arc<Moody>,
    pub(crate) http: Arc<ScriptedHttp>,
    pub(crate) instances: Vec<Arc<Gateway>>,
}

/// Answers with so many tokens.
pub(crate) fn completion(input: u64, output: u64) -> Result<Response<Body>> {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
    });
    Ok(Response::builder().header("content-type", "application/json").body(body.to_string().into()).expect("well formed"))
}

/// A frame of a streamed answer.
pub(crate) fn chunk(content: &str) -> Bytes {
    let frame = json!({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": null}],
    });
    format!("data: {frame}\n\n").into()
}

/// A streamed answer.
pub(crate) fn stream(steps: impl IntoIterator<Item = Step>) -> Result<Response<Body>> {
    let body = scripted(Arc::new(ManualClock::at(NOW)), steps);
    Ok(Response::builder().header("content-type", "text/event-stream").body(body).expect("well formed"))
}

/// A world with so many instances; `provider` answers each call.
pub(crate) fn world(
    instances: usize,
    limits: &str,
    provider: impl Fn(Outbound) -> Result<Response<Body>> + Send + Sync + 'static,
) -> World {
    let clock = Arc::new(ManualClock::at(NOW));
    let dice = Mutex::new(SeededEntropy::new(3));
    let http = Arc::new(ScriptedHttp::new(clock.clone(), move |outbound| {
        let turns = dice.lock().expect("nobody panics with it").u64() % 6;
        let answer = provider(outbound);
        async move {
            pause(turns).await;
            answer
        }
        .boxed()
    }));
    let memory = MemoryPorts::new(clock.clone(), http.clone());
    for (name, secret) in [("KEY", "upstream-secret"), ("ALICE", "alice"), ("BOB", "bob")] {
        memory.secrets.set(name, secret);
    }
    let cells = Arc::new(Moody {
        cells: memory.ports.cells.clone().expect("memory has cells"),
        dice: SeededEntropy::new(7),
        mood: AtomicU8::new(WELL),
        commands: AtomicU64::new(0),
    });
    let open = |seed: u64| {
        let mut ports = memory.ports.clone();
        ports.cells = Some(cells.clone());
        ports.kv = None;
        ports.entropy = Arc::new(SeededEntropy::new(1000 + seed));
        let text = format!("{DOCUMENT}\n{limits}");
        let loaded = config::load(Some(("edgeway.toml", &text)), []).unwrap_or_else(|found| panic!("{}", config::render(&found)));
        let opened = finish(Gateway::open(ports, loaded, Availability::default()));
        opened.unwrap_or_else(|found| panic!("{}", config::render(&found))).0
    };
    let instances = (0..instances as u64).map(open).collect();
    World { clock, events: memory.events, cells, http, instances }
}

pub(crate) fn chat(key: &str, body: &serde_json::Value) -> Request<Body> {
    post("/v1/chat/completions", key, body)
}

pub(crate) fn post(path: &str, key: &str, body: &serde_json::Value) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::from(body.to_string()))
        .expect("well formed")
}

pub(crate) fn hi() -> serde_json::Value {
    json!({"model": "oa/m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]})
}

/// What came of a request.
pub(crate) type Answered = Response<Bytes>;

impl World {
    pub(crate) fn handle(&self, instance: usize, request: Request<Body>) -> Handled {
        self.instances[instance].handle(Inbound { request, peer: "192.0.2.1".parse().ok() })
    }

    /// Sends a request, reads the whole response, and settles: both at once, as platforms do.
    pub(crate) async fn send(&self, instance: usize, request: Request<Body>) -> Answered {
        let Handled { response, after } = self.handle(instance, request);
        let read = async {
            let (parts, body) = response.await.into_parts();
            Response::from_parts(parts, body.collect(1 << 20).await.expect("bodies to callers do not break"))
        };
        join(read, after).await.0
    }

    pub(crate) fn ask(&self, request: Request<Body>) -> Answered {
        finish(self.send(0, request))
    }

    pub(crate) fn later(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    pub(crate) fn set_mood(&self, mood: u8) {
        self.cells.mood.store(mood, Ordering::SeqCst);
    }

    pub(crate) fn commands(&self) -> u64 {
        self.cells.commands.swap(0, Ordering::SeqCst)
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.events.records()
    }
}

pub(crate) fn header<'a>(response: &'a Answered, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("ASCII"))
}

pub(crate) fn text(response: &Answered) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

pub(crate) fn count(all: &[Answered], status: StatusCode) -> usize {
    all.iter().filter(|one| one.status() == status).count()
}
