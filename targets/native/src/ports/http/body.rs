//! Bodies of an exchange: what is sent, and what is received within the time budget.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use edgeway_core::body::BodyStream;
use edgeway_core::{Body, Error, Result};
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::alarm::{Alarm, Phase};
use super::pool::{Connection, Key, Pool};

/// A body on its way out.
pub(super) enum Sent {
    Full(Option<Bytes>),
    Stream(BodyStream),
}

impl Sent {
    pub(super) fn new(body: Body) -> Self {
        match body {
            Body::Empty => Self::Full(None),
            Body::Full(bytes) => Self::Full(Some(bytes)),
            Body::Stream(stream) => Self::Stream(stream),
        }
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream.as_mut().poll_next(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// A response's body.
pub(super) struct Received {
    incoming: Incoming,
    alarm: Alarm,
    back: Option<(Arc<Pool>, Key, Connection)>,
    over: bool,
}

impl Received {
    pub(super) fn body(incoming: Incoming, alarm: Alarm, pool: Arc<Pool>, key: Key, connection: Connection) -> Body {
        let mut received = Self { incoming, alarm, back: Some((pool, key, connection)), over: false };
        if http_body::Body::is_end_stream(&received.incoming) {
            received.finish();
            return Body::Empty;
        }
        Body::stream(received)
    }

    fn finish(&mut self) {
        self.over = true;
        if let Some((pool, key, connection)) = self.back.take() {
            pool.put(key, connection);
        }
    }
}

impl Stream for Received {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        loop {
            if this.over {
                return Poll::Ready(None);
            }
            match http_body::Body::poll_frame(Pin::new(&mut this.incoming), cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        if http_body::Body::is_end_stream(&this.incoming) {
                            this.finish();
                        } else {
                            this.alarm.enter(Phase::Idle);
                        }
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(super::broken(&error))));
                }
                Poll::Ready(None) => this.finish(),
                Poll::Pending => {
                    let error = std::task::ready!(this.alarm.poll(cx));
                    this.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
