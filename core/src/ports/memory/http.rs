//! A provider that is a closure.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, pending, select};
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, Method, Response, Uri, header};

use super::lock;
use crate::body::{Body, BodyStream};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Clock, HttpClient, Network, Outbound, Timeouts, Timestamp};

/// Answers a request.
pub type Script = dyn Fn(Outbound) -> BoxFuture<'static, Result<Response<Body>>> + Send + Sync;

/// A request that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its method.
    pub method: Method,
    /// Its absolute address.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
    /// Its time budget.
    pub timeouts: Timeouts,
    /// Which addresses it could reach.
    pub network: Network,
}

/// An [`HttpClient`] whose other side is a script. Remembers what was sent.
///
/// Keeps the contract's timeouts by its clock: a script that does not answer, or a body that stalls,
/// ends in `UpstreamTimeout`; a body shorter than its `content-length` in `UpstreamUnavailable`. The request's body is
/// read whole before the script sees it.
pub struct ScriptedHttp {
    clock: Arc<dyn Clock>,
    script: Box<Script>,
    sent: Mutex<Vec<Sent>>,
    open: Arc<AtomicUsize>,
}

impl ScriptedHttp {
    const REQUEST_LIMIT: usize = 64 << 20;
    const SENT_LIMIT: usize = 10_000;

    /// A client that asks `script` for each answer.
    pub fn new(
        clock: Arc<dyn Clock>,
        script: impl Fn(Outbound) -> BoxFuture<'static, Result<Response<Body>>> + Send + Sync + 'static,
    ) -> Self {
        Self { clock, script: Box::new(script), sent: Mutex::default(), open: Arc::default() }
    }

    /// A client that gives these answers in order, and refuses connections after the last.
    pub fn replies(clock: Arc<dyn Clock>, replies: impl IntoIterator<Item = Result<Response<Body>>>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::new(clock, move |_| {
            let reply = lock(&replies).pop_front().unwrap_or_else(|| Err(broken("the script has no more replies")));
            async move { reply }.boxed()
        })
    }

    /// What was sent, oldest first (the first 10,000).
    pub fn sent(&self) -> Vec<Sent> {
        lock(&self.sent).clone()
    }

    /// Exchanges whose response has neither ended nor been dropped.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
}

#[async_trait]
impl HttpClient for ScriptedHttp {
    async fn send(&self, outbound: Outbound) -> Result<Response<Body>> {
        let guard = Open::new(&self.open);
        let Outbound { request, timeouts, network } = outbound;
        let (parts, body) = request.into_parts();
        let body = body.collect(Self::REQUEST_LIMIT).await?;
        {
            let mut sent = lock(&self.sent);
            if sent.len() < Self::SENT_LIMIT {
                let http::request::Parts { method, uri, headers, .. } = parts.clone();
                sent.push(Sent { method, uri, headers, body: body.clone(), timeouts, network });
            }
        }
        let started = self.clock.now();
        let outbound = Outbound { request: http::Request::from_parts(parts, body.into()), timeouts, network };
        let budget = timeouts.first_byte.min(timeouts.total);
        let response = within(&self.clock, budget, "first byte", (self.script)(outbound)).await??;
        let (parts, body) = response.into_parts();
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let stream: BodyStream = match body {
            Body::Empty => Box::pin(stream::empty()),
            Body::Full(bytes) => Box::pin(stream::iter([Ok(bytes)])),
            Body::Stream(stream) => stream,
        };
        let exchange = Exchange { clock: self.clock.clone(), stream, started, timeouts, length, read: 0, _guard: guard };
        Ok(Response::from_parts(parts, Body::stream(stream::unfold(Some(exchange), next_chunk))))
    }
}

/// One response body on its way.
struct Exchange {
    clock: Arc<dyn Clock>,
    stream: BodyStream,
    started: Timestamp,
    timeouts: Timeouts,
    length: Option<u64>,
    read: u64,
    _guard: Open,
}

async fn next_chunk(exchange: Option<Exchange>) -> Option<(Result<Bytes>, Option<Exchange>)> {
    let mut exchange = exchange?;
    let left = exchange.timeouts.total.saturating_sub(exchange.clock.now().since(exchange.started));
    let (budget, phase) = if left < exchange.timeouts.idle { (left, "total") } else { (exchange.timeouts.idle, "idle") };
    let item = within(&exchange.clock, budget, phase, exchange.stream.next()).await;
    match item {
        Ok(Some(Ok(chunk))) => {
            exchange.read += chunk.len() as u64;
            Some((Ok(chunk), Some(exchange)))
        }
        Ok(Some(Err(error))) | Err(error) => Some((Err(error), None)),
        Ok(None) if exchange.length.is_some_and(|length| length > exchange.read) => {
            Some((Err(broken("the body ended before its content-length")), None))
        }
        Ok(None) => None,
    }
}

/// Runs `work`, at most for `budget`. Work that is ready wins.
async fn within<T>(clock: &Arc<dyn Clock>, budget: Duration, phase: &str, work: impl Future<Output = T> + Send) -> Result<T> {
    let mut work = std::pin::pin!(work);
    match select(work.as_mut(), clock.sleep(budget)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Error::new(ErrorKind::UpstreamTimeout, "The provider did not answer in time.")
            .source(format_args!("{phase} timeout after {budget:?}"))),
    }
}

/// Counts itself.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a scripted body does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes as one chunk.
    Chunk(Bytes),
    /// Waits.
    Pause(Duration),
    /// Sends nothing more, and does not end.
    Stall,
    /// Breaks off.
    Break,
}

/// A body that does these steps in order and ends cleanly after the last.
pub fn scripted(clock: Arc<dyn Clock>, steps: impl IntoIterator<Item = Step>) -> Body {
    let steps: VecDeque<_> = steps.into_iter().collect();
    let stream = stream::unfold((clock, steps), |(clock, mut steps)| async move {
        loop {
            match steps.pop_front()? {
                Step::Chunk(chunk) => return Some((Ok(chunk), (clock, steps))),
                Step::Pause(duration) => clock.sleep(duration).await,
                Step::Stall => pending().await,
                Step::Break => {
                    steps.clear();
                    return Some((Err(broken("the script breaks off")), (clock, steps)));
                }
            }
        }
    });
    Body::Stream(Box::pin(stream) as Pin<Box<_>>)
}

fn broken(source: &str) -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, "The connection to the provider was lost.").source(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    fn outbound(body: &'static str) -> Outbound {
        let request = http::Request::post("http://provider.test/v1/x").header("a", "b").body(Body::from(body)).unwrap();
        let timeouts = Timeouts { connect: SECOND, first_byte: SECOND, idle: SECOND, total: SECOND * 10 };
        Outbound { request, timeouts, network: Network::Public }
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(ManualClock::skipping(Timestamp(0)))
    }

    fn chunk(text: &'static str) -> Step {
        Step::Chunk(Bytes::from_static(text.as_bytes()))
    }

    fn exchange(response: Response<Body>) -> (Vec<String>, Option<ErrorKind>) {
        let http = ScriptedHttp::replies(clock(), [Ok(response)]);
        let response = http.send(outbound("{}")).now_or_never().expect("never waits").unwrap();
        let Body::Stream(stream) = response.into_body() else { panic!("a scripted response streams") };
        let items: Vec<_> = stream.collect::<Vec<_>>().now_or_never().expect("never waits");
        assert_eq!(http.open(), 0, "an ended exchange is closed");
        let error = items.iter().find_map(|item| item.as_ref().err().map(|error| error.kind));
        (items.into_iter().flatten().map(|chunk| String::from_utf8_lossy(&chunk).into_owned()).collect(), error)
    }

    #[test]
    fn chunks_keep_their_boundaries_and_pauses_take_time() {
        let body = scripted(clock(), [chunk("a"), Step::Pause(SECOND), chunk("bc")]);
        assert_eq!(exchange(Response::new(body)), (vec!["a".into(), "bc".into()], None));
    }

    #[test]
    fn a_stall_is_a_timeout_and_a_break_or_a_short_body_is_a_lost_connection() {
        let stalled = Response::new(scripted(clock(), [chunk("a"), Step::Stall]));
        assert_eq!(exchange(stalled), (vec!["a".into()], Some(ErrorKind::UpstreamTimeout)));
        let broken = Response::new(scripted(clock(), [chunk("a"), Step::Break, chunk("b")]));
        assert_eq!(exchange(broken), (vec!["a".into()], Some(ErrorKind::UpstreamUnavailable)));
        let short = Response::builder().header("content-length", "3").body(Body::from("ab")).unwrap();
        assert_eq!(exchange(short), (vec!["ab".into()], Some(ErrorKind::UpstreamUnavailable)));
    }

    #[test]
    fn requests_are_remembered_and_a_silent_script_times_out() {
        let http = ScriptedHttp::new(clock(), |_| pending().boxed());
        let error = http.send(outbound("{\"a\":1}")).now_or_never().expect("never waits").unwrap_err();
        assert_eq!((error.kind, http.open()), (ErrorKind::UpstreamTimeout, 0));
        let sent = http.sent();
        assert_eq!((sent.len(), sent[0].uri.path(), &sent[0].body[..]), (1, "/v1/x", &b"{\"a\":1}"[..]));
    }

    #[test]
    fn dropping_a_body_closes_its_exchange() {
        let http = ScriptedHttp::replies(clock(), [Ok(Response::new(scripted(clock(), [Step::Stall])))]);
        let response = http.send(outbound("")).now_or_never().expect("never waits").unwrap();
        assert_eq!(http.open(), 1);
        drop(response);
        assert_eq!(http.open(), 0);
        let error = http.send(outbound("")).now_or_never().expect("never waits").unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamUnavailable);
    }
}
