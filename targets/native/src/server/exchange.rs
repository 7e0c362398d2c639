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
use edgeway_core::exchange::Inbound;
use edgeway_core::{Body, Error, Handled};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};

/// What answers requests: [`Gateway::handle`](edgeway_core::Gateway::handle), or a test's own.
pub type Handler = Arc<dyn Fn(Inbound) -> Handled + Send + Sync>;

/// A response under way.
pub(super) struct Exchange {
    response: Option<BoxFuture<'static, Response<Body>>>,
    settlement: Option<Settlement>,
}

impl Exchange {
    /// Hands a request to the handler.
    pub(super) fn start(handler: &Handler, inbound: Inbound) -> Self {
        match catch_unwind(AssertUnwindSafe(|| handler(inbound))) {
            Ok(handled) => Self { response: Some(handled.response), settlement: Some(Settlement(Some(handled.after))) },
            Err(panic) => {
                report(panic);
                Self { response: None, settlement: None }
            }
        }
    }
}

impl Future for Exchange {
    type Output = Response<ResponseBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
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
        let settlement = self.settlement.take();
        Poll::Ready(response.map(|body| ResponseBody { body, _settlement: settlement }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // The work goes first: the settlement waits for its end.
        self.response = None;
        self.settlement = None;
    }
}

/// Runs what is left to do after a response, wherever the response ends.
struct Settlement(Option<BoxFuture<'static, ()>>);

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

/// A response's body on its way to the client. Field order matters: the body goes before the settlement.
pub(super) struct ResponseBody {
    body: Body,
    _settlement: Option<Settlement>,
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let outcome = match &mut self.body {
            Body::Empty => return Poll::Ready(None),
            Body::Full(bytes) => Ok(Poll::Ready(Some(Ok(std::mem::take(bytes))))),
            Body::Stream(stream) => catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll_next(cx))),
        };
        let outcome = outcome.unwrap_or_else(|panic| {
            report(panic);
            Poll::Ready(Some(Err(Error::new(edgeway_core::ErrorKind::Internal, "The gateway has failed."))))
        });
        if matches!(self.body, Body::Full(_)) || matches!(outcome, Poll::Ready(None | Some(Err(_)))) {
            self.body = Body::Empty;
        }
        outcome.map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.body, Body::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer that the server gives before a request reaches core.
pub(super) fn refusal(status: StatusCode, name: &str, message: &str) -> Response<Body> {
    let body = format!("{{\"error\":{{\"message\":\"{message}\",\"type\":\"{name}\",\"code\":\"{name}\"}}}}\n");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn panicked() -> Response<Body> {
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The gateway has failed. The operator finds the cause in its log.")
}

/// The panic hook has printed the message and the place; here only the request is named as its victim.
fn report(_panic: Box<dyn Any + Send>) {
    eprintln!("edgeway: a request failed by a panic (above); the gateway goes on");
}
