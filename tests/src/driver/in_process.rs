//! The core itself, in this process: memory ports, a clock that skips, providers that are a script.
//!
//! Nothing here waits for time or for another thread: futures are polled by hand, and one that waits for nothing that
//! could wake it is reported instead of hanging the run.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use edgeway_core::config::{self, Availability};
use edgeway_core::exchange::{Inbound, Record};
use edgeway_core::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp, Step as CoreStep, scripted};
use edgeway_core::ports::{Clock, Timestamp};
use edgeway_core::usage::line;
use edgeway_core::{Body, Error, ErrorKind, Gateway};
use futures_util::future::pending;
use futures_util::{FutureExt, StreamExt};

use super::{Driver, Observed, Running};
use crate::case::{Case, Request, Turn};
use crate::script::{Answer, Seen, Step};

/// Runs cases on the core in this process.
pub struct InProcess;

/// The scripted providers' address; nothing listens there.
const UPSTREAM: &str = "http://127.0.0.1:1";

impl Driver for InProcess {
    fn name(&self) -> &str {
        "in_process"
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Running + '_>, String> {
        let document = case.config.replace("{{upstream}}", UPSTREAM);
        let rendered = |found: Vec<config::Diagnostic>| config::render(&found);
        let loaded = config::load(Some(("edgeway.toml", &document)), case.bindings.iter().cloned()).map_err(rendered)?;
        let clock = Arc::new(ManualClock::skipping(Timestamp(1_750_000_000_000_000)));
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let script = (answers.clone(), clock.clone());
        let http = Arc::new(ScriptedHttp::new(clock.clone(), move |_| {
            let answer: Option<Answer> = script.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if answer.as_ref().is_some_and(|answer| answer.steps.first() == Some(&Step::Stall)) {
                return pending().boxed();
            }
            let response = respond(answer, script.1.clone());
            async move { response }.boxed()
        }));
        let memory = MemoryPorts::new(clock, http.clone());
        case.bindings.iter().for_each(|(name, value)| memory.secrets.set(name, value));
        let open = Gateway::open(memory.ports.clone(), loaded, Availability::default());
        let (gateway, _) = poll(open).ok_or("the gateway does not open")?.map_err(rendered)?;
        Ok(Box::new(Core { gateway, memory, http, answers, asked: 0, recorded: 0 }))
    }
}

struct Core {
    gateway: Arc<Gateway>,
    memory: MemoryPorts,
    http: Arc<ScriptedHttp>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: usize,
    recorded: usize,
}

impl Running for Core {
    fn turn(&mut self, turn: &Turn, request: &Request) -> Result<Observed, String> {
        let answers = turn.upstream.iter().map(|exchange| exchange.answer.clone());
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers.collect();
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(&request.path).header("host", "localhost");
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let inbound = builder.body(Body::from(request.body.clone())).map_err(|error| format!("the case's request: {error}"))?;
        let handled = self.gateway.handle(Inbound { request: inbound, peer: None });
        let response = poll(handled.response).ok_or("the gateway's response waits for ever")?;

        let mut observed = Observed { status: response.status().as_u16(), ..Observed::default() };
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        observed.headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        read(response.into_body(), request.hang_up_after, &mut observed)?;
        poll(handled.after).ok_or("the settlement waits for ever")?;
        if self.http.open() > 0 {
            return Err("the gateway holds an exchange with the provider open".into());
        }
        observed.asked = self.http.sent().split_off(self.asked).iter().map(seen).collect();
        self.asked += observed.asked.len();
        observed.records = self.memory.events.records().split_off(self.recorded).iter().map(record).collect();
        self.recorded += observed.records.len();
        Ok(observed)
    }

    fn finish(self: Box<Self>) -> Result<Vec<serde_json::Value>, String> {
        Ok(self.memory.events.records().split_off(self.recorded).iter().map(record).collect())
    }
}

/// A record as the log has it, so that one expectation serves every target.
fn record(record: &Record) -> serde_json::Value {
    let mut line = Vec::new();
    line::json(&mut line, record);
    serde_json::from_slice(&line).expect("a record's line is JSON")
}

/// A script's answer as a port gives it. Breaking off before the first byte is a failure to connect.
fn respond(answer: Option<Answer>, clock: Arc<dyn Clock>) -> edgeway_core::Result<http::Response<Body>> {
    let lost = || Error::new(ErrorKind::UpstreamUnavailable, "The connection to the provider was lost.").source("the script");
    let answer = answer.ok_or_else(lost)?;
    if matches!(answer.steps.first(), Some(Step::Reset | Step::HangUp)) {
        return Err(lost());
    }
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    if let [Step::Chunk(body)] = answer.steps.as_slice() {
        response = response.header("content-length", body.len());
    }
    let steps = answer.steps.into_iter().map(|step| match step {
        Step::Chunk(chunk) => CoreStep::Chunk(Bytes::from(chunk)),
        Step::Reset | Step::HangUp => CoreStep::Break,
        Step::Stall => CoreStep::Stall,
    });
    response
        .body(scripted(clock, steps))
        .map_err(|error| Error::new(ErrorKind::Internal, "The script is no response.").source(error))
}

fn read(body: Body, hang_up_after: Option<usize>, observed: &mut Observed) -> Result<(), String> {
    match body {
        Body::Empty => {}
        Body::Full(bytes) => observed.body.extend_from_slice(&bytes),
        Body::Stream(mut stream) => {
            for chunks in 0_usize.. {
                if hang_up_after.is_some_and(|most| chunks >= most) {
                    break; // the caller goes away: the body is dropped
                }
                match poll(stream.next()).ok_or("the response's body waits for ever")? {
                    None => break,
                    Some(Ok(chunk)) => observed.body.extend_from_slice(&chunk),
                    Some(Err(error)) => {
                        observed.broken = Some(format!("{error:?}"));
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn seen(sent: &edgeway_core::ports::memory::Sent) -> Seen {
    let headers = sent
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Seen {
        method: sent.method.as_str().to_owned(),
        path: sent.uri.path_and_query().map_or("", |path| path.as_str()).to_owned(),
        headers: headers.collect(),
        body: sent.body.to_vec(),
    }
}

/// Remembers that something woke it.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs a future for as long as it makes progress; `None` when it waits for nothing that was going to happen.
fn poll<F: Future>(future: F) -> Option<F::Output> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut future: Pin<&mut F> = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if woken.0.swap(false, Ordering::AcqRel) => {}
            Poll::Pending => return None,
        }
    }
}
