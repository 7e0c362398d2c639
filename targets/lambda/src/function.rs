//! One invocation: event in, answer out, and what follows an answer.
//!
//! | what happens | the caller gets | the request is settled |
//! |---|---|---|
//! | the answer ends | its last byte, and the end after the settlement | before the end |
//! | time is nearly up before an answer | 504 in its protocol | before the answer |
//! | time is nearly up in a stream | an error event in its protocol, and the end | before the end |
//! | the stream goes on all the same, [`PARTING`] later | its end | before the end |
//! | the platform breaks the answer off | nothing | before the next invocation |
//! | a panic | 500 in its protocol | before the answer |
//!
//! A client that goes away is none of these: Lambda keeps that from a function, and takes the answer to its end.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use edgeway_core::dialect::DialectId;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::{Body, Handled, unserved};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Response;
use lambda_http::request::LambdaRequest;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::event::{self, Asked, Mode, Way};
use crate::ports::deadline::late;
use crate::reply::{self, MOST_WHOLE, Reply};
use crate::start::{Refusal, Serving};

/// What a settlement may take of the time that the platform allows an invocation.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long before that providers are given up: what core may take to tell the caller.
const PARTING: Duration = Duration::from_millis(250);

/// The function: a gateway, or why there is none.
pub(crate) struct Function {
    serving: Result<Serving, Refusal>,
    unsettled: Unsettled,
}

impl Function {
    /// A function with what came of its start.
    pub(crate) fn new(serving: Result<Serving, Refusal>) -> Self {
        Self { serving, unsettled: Unsettled::default() }
    }

    /// Answers an event, before `deadline` (milliseconds since 1970).
    pub(crate) async fn answer(&self, event: LambdaRequest, deadline: u64) -> Reply {
        let until = until(deadline);
        let mode = self.serving.as_ref().map_or(Mode::Automatic, |serving| serving.mode);
        let Some(Asked { inbound, way }) = event::read(event, mode) else {
            let error = Error::invalid("path", "The request's path or host is no part of a URL.");
            return self.refuse(DialectId::OpenAiChat, &error, Way::Two);
        };
        let (parts, body) = inbound.request.into_parts();
        let dialect = unserved::dialect(&parts);
        let serving = match &self.serving {
            Ok(serving) => serving,
            Err(Refusal(why)) => return self.give(unserved::misconfigured(&parts, why), way),
        };
        serving.deadline.set(until.checked_sub(PARTING).unwrap_or(until));
        let request = http::Request::from_parts(parts, body);
        let handled = serving.handle(edgeway_core::exchange::Inbound { request, peer: inbound.peer });
        match way {
            Way::Stream => self.stream(handled, until, dialect).await,
            way => self.whole(handled, until, dialect, way).await,
        }
    }

    /// Waits for the settlements of answers that were broken off.
    pub(crate) async fn settled(&self) {
        for settlement in self.unsettled.take() {
            let _ = timeout_at(Instant::now() + LAST_WORDS, settlement).await;
        }
    }

    async fn stream(&self, handled: Handled, until: Instant, dialect: DialectId) -> Reply {
        let mut settlement = Settlement::new(handled.after, until, &self.unsettled);
        let answer = settlement.beside(AssertUnwindSafe(handled.response).catch_unwind());
        match timeout_at(until, answer).await {
            Ok(Ok(response)) => reply::streamed(response, settlement),
            failed => {
                let error = failure(failed.err());
                settlement.finish().await;
                self.refuse(dialect, &error, Way::Stream)
            }
        }
    }

    async fn whole(&self, handled: Handled, until: Instant, dialect: DialectId, way: Way) -> Reply {
        let mut settlement = Settlement::new(handled.after, until, &self.unsettled);
        let answer = async {
            let (parts, body) = handled.response.await.into_parts();
            let body = body.collect(MOST_WHOLE).await.map_err(|error| match error.kind {
                ErrorKind::PayloadTooLarge => Error::new(
                    ErrorKind::UpstreamInvalid,
                    format!(
                        "The answer is larger than the {MOST_WHOLE} bytes that can be given whole. Ask for a shorter one, or call \
                         the gateway through a function URL, which streams."
                    ),
                ),
                _ => error,
            })?;
            Ok(Response::from_parts(parts, body))
        };
        let answer = settlement.beside(AssertUnwindSafe(answer).catch_unwind());
        let answered = match timeout_at(until, answer).await {
            Ok(Ok(answered)) => answered,
            failed => Err(failure(failed.err())),
        };
        settlement.finish().await;
        match answered {
            Ok(response) => reply::whole(response, way),
            Err(error) => self.refuse(dialect, &error, way),
        }
    }

    fn refuse(&self, dialect: DialectId, error: &Error, way: Way) -> Reply {
        self.give(unserved::error(dialect, error), way)
    }

    /// Gives an answer that is whole already.
    fn give(&self, response: Response<Body>, way: Way) -> Reply {
        match way {
            Way::Stream => reply::streamed(response, Settlement::none(&self.unsettled)),
            way => reply::whole(response.map(whole), way),
        }
    }
}

/// The bytes of a body that is whole already, as those of errors are.
fn whole(body: Body) -> Bytes {
    body.collect(usize::MAX).now_or_never().and_then(Result::ok).unwrap_or_default()
}

/// Why there is no answer: the time was up, or a panic (whose hook has said what and where).
fn failure(elapsed: Option<tokio::time::error::Elapsed>) -> Error {
    match elapsed {
        Some(_) => late(),
        None => Error::new(ErrorKind::Internal, "The gateway has failed. Its operator finds the cause in the log."),
    }
}

/// When work for an invocation has to end, by the time at which the platform ends it (milliseconds since 1970).
fn until(deadline: u64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline).saturating_sub(now).saturating_sub(LAST_WORDS);
    // The platform allows fifteen minutes; a clock that is wrong is not believed beyond an hour.
    Instant::now() + left.min(Duration::from_secs(3600))
}

/// Settlements that were left when their answers were dropped.
#[derive(Clone, Default)]
struct Unsettled(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Unsettled {
    fn add(&self, work: BoxFuture<'static, ()>) {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|handle| !handle.is_finished());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            handles.push(runtime.spawn(work));
        }
    }

    fn take(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is left to do for a request when its answer ends.
pub(crate) struct Settlement {
    after: Option<BoxFuture<'static, ()>>,
    until: Option<Pin<Box<Sleep>>>,
    unsettled: Unsettled,
}

impl Settlement {
    fn new(after: BoxFuture<'static, ()>, until: Instant, unsettled: &Unsettled) -> Self {
        Self { after: Some(after), until: Some(Box::pin(sleep_until(until))), unsettled: unsettled.clone() }
    }

    /// For an answer that core has no part in.
    fn none(unsettled: &Unsettled) -> Self {
        Self { after: None, until: None, unsettled: unsettled.clone() }
    }

    /// Whether the answer has to end now, finished or not; wakes the task when it has to. Says so once.
    pub(crate) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let late = self.until.as_mut().is_some_and(|until| until.as_mut().poll(cx).is_ready());
        if late {
            self.until = None;
        }
        late
    }

    /// Ready when the request is settled.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(after) = &mut self.after {
            ready!(after.as_mut().poll(cx));
            self.after = None;
        }
        Poll::Ready(())
    }

    /// Does `work`, and beside it what a request that lasts needs: its slots are renewed.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| {
            let _ = self.poll(cx);
            work.as_mut().poll(cx)
        })
        .await
    }

    async fn finish(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some(after) = self.after.take() {
            self.unsettled.add(after);
        }
    }
}
