//! Between `hyper` and core, for HTTP/1.1 and HTTP/2 alike: requests in, responses out.

use std::fmt::Display;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::{Inbound, Refused};
use futures_util::Stream as FuturesStream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::drain::Phase;
use super::exchange::{self, Answer, Exchange, Handler, Settlement};
use super::gate::Pulse;
use super::head;
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
    let (limits, version) = (server.limits, request.version());
    let body = |incoming| match http_body::Body::is_end_stream(&incoming) {
        true => Body::Empty,
        false => Body::stream(Receiving::new(incoming, &limits)),
    };
    let exchange = match head::admit(request, &limits) {
        Ok(request) => Exchange::start(&server.handler, Inbound { request: request.map(body), peer: Some(peer) }),
        Err(refused) => Exchange::refuse(&server.handler, *refused),
    };
    let drain = server.drain.clone();
    async move {
        let Answer { mut response, settlement } = exchange.await;
        own_hop(response.headers_mut());
        // A client that will soon find nobody here looks elsewhere with its next request.
        if drain.phase() == Phase::Leaving && version < Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Sending { body, _settlement: settlement, _busy: busy })
    }
}

/// What belongs to this hop is the server's to say.
fn own_hop(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TE] {
        headers.remove(name);
    }
}

/// A refusal that becomes bytes: the handler's answer, in HTTP/1.1, to a request that never got past the gate. It is
/// settled when they are known, for a client like that may never take them.
pub(super) struct Refusing {
    exchange: Exchange,
    bodiless: bool,
}

impl Refusing {
    pub(super) fn start(handler: &Handler, refused: Refused) -> Self {
        let bodiless = refused.request.method() == Method::HEAD;
        Self { exchange: Exchange::refuse(handler, refused), bodiless }
    }
}

impl Future for Refusing {
    type Output = Bytes;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Answer { mut response, settlement: _settlement } = ready!(Pin::new(&mut self.exchange).poll(cx));
        own_hop(response.headers_mut());
        // A refusal is whole: nothing waits for a client that is let go.
        let body = match response.body() {
            Body::Full(bytes) => bytes.clone(),
            _ => Bytes::new(),
        };
        let head = head::farewell(response.status(), response.headers(), body.len());
        let body = if self.bodiless { Bytes::new() } else { body };
        Poll::Ready([&head[..], &body].concat().into())
    }
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

/// A request's body. A client that stops sending is given up after a while, and so is one that never comes to an end.
struct Receiving<B> {
    incoming: B,
    pause: Duration,
    until: Instant,
    timer: Option<Timer>,
    over: bool,
}

impl<B> Receiving<B> {
    fn new(incoming: B, limits: &Limits) -> Self {
        Self { incoming, pause: limits.body_pause, until: timer::after(limits.body_time), timer: None, over: false }
    }
}

impl<B: http_body::Body<Data = Bytes, Error: Display> + Unpin> FuturesStream for Receiving<B> {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        while !this.over {
            let error = match Pin::new(&mut this.incoming).poll_frame(cx) {
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
                    let (pause, until) = (this.pause, this.until);
                    let timer = this.timer.get_or_insert_with(|| Timer::at(timer::after(pause).min(until)));
                    ready!(timer.poll(cx));
                    let message = match Instant::now() < until {
                        true => "The request's body stopped arriving. Send it again.",
                        false => "The request's body took too long to arrive. Send it faster, or a smaller one.",
                    };
                    Error::new(ErrorKind::InvalidRequest, message)
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
    use std::convert::Infallible;

    use edgeway_core::Result;
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    /// A client that sends a byte at a time, with pauses between.
    struct Dribble {
        bytes: usize,
        every: Duration,
        timer: Timer,
    }

    impl http_body::Body for Dribble {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.bytes == 0 {
                return Poll::Ready(None);
            }
            ready!(self.timer.poll(cx));
            let next = timer::after(self.every);
            self.timer.set(next);
            self.bytes -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b".")))))
        }
    }

    #[test]
    fn a_refusal_speaks_the_callers_protocol_and_a_head_request_gets_no_body() {
        let handler: Handler = Arc::new(|_: Inbound| -> edgeway_core::Handled { panic!("a refused request is not handled") });
        let told = |head: &[u8]| {
            let refused = head::read(head, 0, &Limits::default()).expect_err("two lengths");
            let words = Refusing::start(&handler, *refused).now_or_never().expect("ready at once");
            String::from_utf8(words.to_vec()).expect("UTF-8")
        };
        let text = told(b"POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-api-key: k\r\ncontent-length: x\r\n\r\n");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n") && head.contains("connection: close"));
        assert!(head.contains(&format!("content-length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["type"], "error");
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("content-length")));

        let text = told(b"HEAD /v1/models HTTP/1.1\r\nhost: h\r\ncontent-length: x\r\n\r\n");
        assert!(text.ends_with("\r\n\r\n") && !text.contains("content-length: 0"), "{text}");
    }

    async fn received(bytes: usize, every: Duration) -> (Result<usize>, Duration) {
        let limits = Limits { body_pause: Duration::from_secs(30), body_time: Duration::from_secs(300), ..Limits::default() };
        let start = Instant::now();
        let dribble = Dribble { bytes, every, timer: Timer::at(timer::after(every)) };
        let mut body = Receiving::new(dribble, &limits);
        let mut count = 0;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => count += piece.len(),
                Err(error) => return (Err(error), start.elapsed()),
            }
        }
        (Ok(count), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_a_longest_pause_and_a_longest_time() {
        let second = Duration::from_secs(1);
        let (slow, _) = received(200, second).await;
        assert_eq!(slow.expect("slow, but not too slow"), 200);

        let (stopped, elapsed) = received(3, 40 * second).await;
        assert!(stopped.expect_err("a pause of 40 s").message.contains("stopped arriving"));
        assert_eq!(elapsed, 30 * second);

        let (dribbling, elapsed) = received(1000, 7 * second).await;
        assert!(dribbling.expect_err("it would take two hours").message.contains("took too long"));
        assert_eq!(elapsed, 300 * second);
    }
}
