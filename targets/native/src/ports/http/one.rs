//! An HTTP/1.1 connection to a provider: one request at a time, driven by whoever waits for the answer.
//!
//! There is no task behind a connection: the request that waits reads the socket itself, so a chunk is one
//! wake-up from the provider's socket to the client's, and dropping the request closes the socket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::Result;
use futures_util::Stream as FuturesStream;
use http::Response;

use super::alarm::{Alarm, Phase};
use super::answer::{Answer, Framing, HeadReader};
use super::broken;
use super::call::Call;
use super::origin::Origin;
use super::pool::Pool;
use crate::http1::scratch;
use crate::net::Stream;

/// An open connection.
pub(super) struct One {
    stream: Stream,
}

impl One {
    /// Takes a connected stream.
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Whether a request may be sent: the provider has neither closed nor spoken out of turn.
    pub(super) fn is_ready(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Sends the call and reads the head of its answer.
    pub(super) async fn exchange(&mut self, call: &mut Call, alarm: &mut Alarm) -> Result<Answer> {
        alarm.enter(Phase::FirstByte);
        let mut reader = HeadReader::new(call.is_head);
        let mut sent = None;
        poll_fn(|cx| {
            if sent.is_none() {
                match call.poll_send(&mut self.stream, cx) {
                    Poll::Ready(Ok(Ok(()))) => {
                        sent = Some(Ok(()));
                        alarm.enter(Phase::FirstByte);
                    }
                    Poll::Ready(Ok(Err(error))) => return Poll::Ready(Err(error)),
                    // A provider that refuses a request may answer before it has read it all, and close.
                    Poll::Ready(Err(error)) if call.is_untouched() => return Poll::Ready(Err(broken("send", &error))),
                    Poll::Ready(Err(error)) => sent = Some(Err(error)),
                    Poll::Pending => {}
                }
            }
            match self.poll_answer(&mut reader, cx) {
                Poll::Ready(Ok(mut answer)) => {
                    answer.keep &= matches!(sent, Some(Ok(())));
                    return Poll::Ready(Ok(answer));
                }
                Poll::Ready(Err(error)) => {
                    let sending = sent.as_ref().and_then(|sent| sent.as_ref().err());
                    return Poll::Ready(Err(sending.map_or(error, |sending| broken("send", sending))));
                }
                Poll::Pending => {}
            }
            alarm.poll(cx).map(Err)
        })
        .await
    }

    fn poll_answer(&mut self, reader: &mut HeadReader, cx: &mut Context<'_>) -> Poll<Result<Answer>> {
        loop {
            let read = scratch::poll_read(&mut self.stream, cx, scratch::SIZE, |bytes| match bytes {
                [] => Err(broken("receive", &io::Error::from(io::ErrorKind::UnexpectedEof))),
                bytes => reader.take(bytes),
            });
            match ready!(read) {
                Ok(Ok(Some(answer))) => return Poll::Ready(Ok(answer)),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(error) => return Poll::Ready(Err(broken("receive", &error))),
            }
        }
    }
}

/// Where a connection goes when its answer has ended.
pub(super) struct Home {
    pub(super) pool: Arc<Pool>,
    pub(super) origin: Origin,
}

/// Makes the response: whole when all of it is here, else a stream that owns the connection.
pub(super) fn response(connection: One, answer: Answer, mut alarm: Alarm, home: Home) -> Response<Body> {
    let Answer { head, framing, first, keep } = answer;
    if framing.is_over() {
        if keep {
            home.pool.put_one(home.origin, connection);
        }
        return head.map(|()| Body::from(first));
    }
    alarm.enter(Phase::Idle);
    head.map(|()| Body::stream(Receiving { open: Some(Open { connection, framing, keep, alarm, home }), first }))
}

/// A body that is still arriving.
struct Receiving {
    first: Bytes,
    /// Gone when the body has ended or failed.
    open: Option<Open>,
}

struct Open {
    connection: One,
    framing: Framing,
    keep: bool,
    alarm: Alarm,
    home: Home,
}

impl Open {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            let Self { connection, framing, keep, .. } = self;
            let read = scratch::poll_read(&mut connection.stream, cx, scratch::SIZE, |bytes| {
                if bytes.is_empty() {
                    return match framing {
                        Framing::Close => Ok(None),
                        _ => Err(broken("receive", &io::Error::from(io::ErrorKind::UnexpectedEof))),
                    };
                }
                let read = framing.take(bytes)?;
                *keep &= !read.excess;
                Ok(Some(Bytes::copy_from_slice(&bytes[..read.payload])))
            });
            let piece = match read {
                Poll::Ready(Ok(piece)) => piece?,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken("receive", &error))),
                Poll::Pending => return self.alarm.poll(cx).map(Err),
            };
            match piece {
                // Only framing: the end, or half of a chunk's size.
                Some(piece) if piece.is_empty() && !self.framing.is_over() => {}
                piece => return Poll::Ready(Ok(piece)),
            }
        }
    }
}

impl FuturesStream for Receiving {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.first))));
        }
        let Some(open) = &mut this.open else { return Poll::Ready(None) };
        let piece = match ready!(open.poll_piece(cx)) {
            Ok(piece) => piece,
            Err(error) => {
                this.open = None;
                return Poll::Ready(Some(Err(error)));
            }
        };
        if open.framing.is_over() || piece.is_none() {
            if let Some(Open { connection, keep: true, home, .. }) = this.open.take() {
                home.pool.put_one(home.origin, connection);
            }
        } else {
            open.alarm.enter(Phase::Idle);
        }
        Poll::Ready(piece.filter(|piece| !piece.is_empty()).map(Ok))
    }
}
