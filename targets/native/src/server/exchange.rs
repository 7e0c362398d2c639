//! One request: into core, out of core, and its settlement.
//!
//! Invariants: a settlement runs to its end exactly once, even when the client goes away, because it is
//! polled where the response ends and spawned if it is not ready there; a panic in a request is one JSON
//! answer with status 500, and nothing else stops.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::{Inbound, Refused};
use edgeway_core::{Body, Gateway, Handled};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Response, StatusCode, header};

/// What answers requests: a [`Gateway`], or a test's own function.
pub trait Handle: Send + Sync {
    /// Answers a request.
    fn handle(&self, inbound: Inbound) -> Handled;

    /// Answers a request that the server refuses. Left out: in the caller's protocol, without a trace.
    fn refuse(&self, refused: Refused) -> Handled {
        let Refused { request, status, error } = refused;
        let body = edgeway_core::endpoint::guess_dialect(&request.into_parts().0).codec().encode_error(&error, "");
        Handled { response: Box::pin(std::future::ready(json(status, body))), after: Box::pin(std::future::ready(())) }
    }
}

/// What answers requests, shared by all connections.
pub type Handler = Arc<dyn Handle>;

impl<F: Fn(Inbound) -> Handled + Send + Sync> Handle for F {
    fn handle(&self, inbound: Inbound) -> Handled {
        self(inbound)
    }
}

/// A gateway whose refusals are recorded like its answers.
pub struct Served(pub Arc<Gateway>);

impl Handle for Served {
    fn handle(&self, inbound: Inbound) -> Handled {
        self.0.handle(inbound)
    }

    fn refuse(&self, refused: Refused) -> Handled {
        self.0.refuse(refused)
    }
}

/// A response under way.
pub(super) struct Exchange {
    // Field order matters in both structs: the work is dropped before the settlement, which waits for its end.
    response: Option<BoxFuture<'static, Response<Body>>>,
    settlement: Settlement,
}

/// A response. Dropping the body before the settlement is what ends the request.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    pub(super) settlement: Settlement,
}

impl Exchange {
    /// Hands a request to the handler.
    pub(super) fn start(handler: &Handler, inbound: Inbound) -> Self {
        Self::guarded(|| handler.handle(inbound))
    }

    /// Hands a request to the handler, to be refused.
    pub(super) fn refuse(handler: &Handler, refused: Refused) -> Self {
        Self::guarded(|| handler.refuse(refused))
    }

    fn guarded(handle: impl FnOnce() -> Handled) -> Self {
        match catch_unwind(AssertUnwindSafe(handle)) {
            Ok(handled) => Self { response: Some(handled.response), settlement: Settlement(Some(handled.after)) },
            Err(panic) => {
                report(panic);
                Self { response: None, settlement: Settlement(None) }
            }
        }
    }
}

impl Future for Exchange {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let response = match &mut self.response {
            None => panicked(),
            Some(response) => match catch_unwind(AssertUnwindSafe(|| response.as_mut().poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(response)) => response,
                Err(panic) => {
                    report(panic);
                    panicked()
                }
            },
        };
        self.response = None;
        Poll::Ready(Answer { response, settlement: std::mem::replace(&mut self.settlement, Settlement(None)) })
    }
}

/// Runs what is left to do after a response, wherever the response ends.
pub(super) struct Settlement(Option<BoxFuture<'static, ()>>);

impl Drop for Settlement {
    fn drop(&mut self) {
        let Some(mut after) = self.0.take() else { return };
        match catch_unwind(AssertUnwindSafe(|| after.as_mut().poll(&mut Context::from_waker(Waker::noop())))) {
            Ok(Poll::Ready(())) => {}
            Ok(Poll::Pending) => super::tasks::spawn(after),
            Err(panic) => report(panic),
        }
    }
}

/// The next piece of a body. After an error, and after a panic, there is none.
pub(super) fn poll_piece(body: &mut Body, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
    match body {
        Body::Empty => Poll::Ready(None),
        Body::Full(bytes) => {
            let bytes = std::mem::take(bytes);
            *body = Body::Empty;
            Poll::Ready(Some(Ok(bytes)))
        }
        Body::Stream(stream) => {
            let next = catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll_next(cx))).unwrap_or_else(|panic| {
                report(panic);
                Poll::Ready(Some(Err(Error::new(ErrorKind::Internal, "The gateway has failed."))))
            });
            if matches!(next, Poll::Ready(None | Some(Err(_)))) {
                *body = Body::Empty;
            }
            next
        }
    }
}

/// A whole JSON answer of the server's own.
fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn panicked() -> Response<Body> {
    const BODY: &str = "{\"error\":{\"message\":\"The gateway has failed. Its operator finds the cause in the log.\",\
                        \"type\":\"server_error\",\"param\":null,\"code\":\"internal\"}}";
    json(StatusCode::INTERNAL_SERVER_ERROR, BODY)
}

/// The panic hook has said what and where; this says what became of it.
fn report(panic: Box<dyn Any + Send>) {
    drop(panic);
    eprintln!("edgeway: a request failed by the panic above; the gateway goes on");
}
