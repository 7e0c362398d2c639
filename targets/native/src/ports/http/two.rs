//! HTTP/2 connections to providers that agree on it in the TLS handshake. `hyper` drives them; each has a
//! task, and carries many requests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::body::BodyStream;
use edgeway_core::error::{Error, Result};
use futures_util::Stream as FuturesStream;
use http::{Request, Response, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::alarm::{Alarm, Phase};
use super::{broken, connect};
use crate::net::Stream;

/// Requests at once on one connection; more get another. Providers allow 100 or more.
const MOST_STREAMS: usize = 90;
/// How much of a response a provider may send before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// A handle of a connection. Clones share it.
#[derive(Clone)]
pub(super) struct Two {
    sender: SendRequest<Sending>,
    streams: Arc<AtomicUsize>,
}

impl Two {
    /// Shakes hands over a connected stream.
    pub(super) async fn open(stream: Stream) -> Result<Self> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| connect::unreachable_provider(format!("HTTP/2 handshake: {error}")))?;
        tokio::spawn(connection);
        Ok(Self { sender, streams: Arc::default() })
    }

    /// Whether the connection is open.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Whether another request fits.
    pub(super) fn has_room(&self) -> bool {
        self.streams.load(Ordering::Relaxed) < MOST_STREAMS
    }

    /// Whether nobody uses it.
    pub(super) fn is_unused(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
    }

    /// Takes a place on the connection, for as long as the guard lives.
    pub(super) fn enter(&self) -> Place {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Place(self.streams.clone())
    }

    /// Sends a request. One that the connection refused before it took it comes back.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Sending>,
        place: Place,
        mut alarm: Alarm,
    ) -> Result<Response<Body>, (Error, Option<(Request<Sending>, Alarm)>)> {
        alarm.enter(Phase::FirstByte);
        let response = match alarm.bound(self.sender.try_send_request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(mut failed)) => {
                let unseen = failed.take_message();
                return Err((broken("HTTP/2", failed.error()), unseen.map(|request| (request, alarm))));
            }
            Err(late) => return Err((late, None)),
        };
        alarm.enter(Phase::Idle);
        Ok(response.map(|incoming| match http_body::Body::is_end_stream(&incoming) {
            true => Body::Empty,
            false => Body::stream(Receiving { incoming, alarm, _place: place, over: false }),
        }))
    }
}

/// A request's place on a connection.
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request as HTTP/2 has it: the host is in the URI, and nothing belongs to one hop only.
pub(super) fn request(mut parts: http::request::Parts, body: Body) -> Request<Sending> {
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    parts.version = http::Version::HTTP_2;
    let body = match body {
        Body::Empty => Sending::Whole(Bytes::new()),
        Body::Full(bytes) => Sending::Whole(bytes),
        Body::Stream(stream) => Sending::Stream(stream),
    };
    Request::from_parts(parts, body)
}

/// A body on its way out.
pub(super) enum Sending {
    Whole(Bytes),
    Stream(BodyStream),
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => stream.as_mut().poll_next(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// A body that is still arriving.
struct Receiving {
    incoming: Incoming,
    alarm: Alarm,
    _place: Place,
    over: bool,
}

impl FuturesStream for Receiving {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        while !this.over {
            match http_body::Body::poll_frame(Pin::new(&mut this.incoming), cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.alarm.enter(Phase::Idle);
                    if let Ok(piece) = frame.into_data()
                        && !piece.is_empty()
                    {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(broken("HTTP/2", &error))));
                }
                Poll::Ready(None) => this.over = true,
                Poll::Pending => {
                    let late = ready!(this.alarm.poll(cx));
                    this.over = true;
                    return Poll::Ready(Some(Err(late)));
                }
            }
        }
        Poll::Ready(None)
    }
}
