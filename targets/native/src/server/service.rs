//! Between `hyper` and core, for HTTP/1.1 and HTTP/2 alike: requests in, responses out.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::Inbound;
use futures_util::Stream as FuturesStream;
use http::{Request, Response, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::drain::Phase;
use super::exchange::{self, Answer, Exchange, Settlement};
use super::gate::Pulse;
use super::{Limits, Shared};
use crate::timer::{self, Timer};

/// Hands a request to core. The work starts at once, and ends when the future or the response's body is dropped.
pub(super) fn answer(
    server: &Arc<Shared>,
    request: Request<Incoming>,
    peer: IpAddr,
    pulse: &Pulse,
) -> impl Future<Output = Response<Sending>> + use<> {
    let busy = Busy::begin(pulse, server.limits);
    let refused = refusal_while_draining(server, &request);
    let exchange = refused.is_none().then(|| {
        let patience = server.limits.body_time;
        let request = request.map(|incoming| match http_body::Body::is_end_stream(&incoming) {
            true => Body::Empty,
            false => Body::stream(Receiving { incoming, patience, timer: None, over: false }),
        });
        Exchange::start(&server.handler, Inbound { request, peer: Some(peer) })
    });
    async move {
        let Answer { mut response, settlement } = match (exchange, refused) {
            (Some(exchange), _) => exchange.await,
            (None, refused) => Answer { response: refused.unwrap_or_default(), settlement: Settlement::none() },
        };
        // What belongs to this hop is the server's to say.
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE] {
            response.headers_mut().remove(name);
        }
        response.map(|body| Sending { body, _settlement: settlement, _busy: busy })
    }
}

/// Readiness is the one question that the server answers itself: core does not know of the drain.
fn refusal_while_draining<B>(server: &Shared, request: &Request<B>) -> Option<Response<Body>> {
    let asked = server.drain.phase() != Phase::Serving && request.uri().path() == "/ready";
    asked.then(|| exchange::json(http::StatusCode::SERVICE_UNAVAILABLE, "{\"status\":\"draining\"}"))
}

/// A request under way.
struct Busy(Pulse, Limits);

impl Busy {
    fn begin(pulse: &Pulse, limits: Limits) -> Self {
        pulse.begin();
        Self(pulse.clone(), limits)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end(&self.1);
    }
}

/// A response's body. Field order matters: the body goes before the settlement.
pub(super) struct Sending {
    body: Body,
    _settlement: Settlement,
    _busy: Busy,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        exchange::poll_piece(&mut self.body, cx).map_ok(Frame::data)
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

/// A request's body. A client that stops sending is given up after a while.
struct Receiving {
    incoming: Incoming,
    patience: Duration,
    timer: Option<Timer>,
    over: bool,
}

impl FuturesStream for Receiving {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        while !this.over {
            let error = match http_body::Body::poll_frame(Pin::new(&mut this.incoming), cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) if !piece.is_empty() => {
                        this.timer = None;
                        return Poll::Ready(Some(Ok(piece)));
                    }
                    _ => continue,
                },
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(error))) => {
                    Error::new(ErrorKind::InvalidRequest, "The request's body is malformed, or ended before its end.")
                        .source(error)
                }
                Poll::Pending => {
                    let timer = this.timer.get_or_insert_with(|| Timer::at(timer::after(this.patience)));
                    ready!(timer.poll(cx));
                    Error::new(ErrorKind::InvalidRequest, "The request's body stopped arriving. Send it again.")
                }
            };
            this.over = true;
            return Poll::Ready(Some(Err(error)));
        }
        this.over = true;
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_refused_while_the_server_drains_and_nothing_else_is() {
        let handler: super::super::Handler = Arc::new(|_| panic!("not asked"));
        let server = Shared { handler, limits: Limits::default(), tls: None, drain: Arc::default() };
        let ask = |path: &str| refusal_while_draining(&server, &Request::get(path).body(()).expect("a request"));
        assert!(ask("/ready").is_none());
        server.drain.advance(Phase::Draining);
        assert_eq!(ask("/ready").expect("refused").status(), http::StatusCode::SERVICE_UNAVAILABLE);
        assert!(ask("/health").is_none() && ask("/v1/messages").is_none());
    }
}
