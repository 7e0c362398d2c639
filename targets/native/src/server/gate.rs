//! What stands between the socket and `hyper`: requests pass whole and unambiguous, or not at all.
//!
//! `hyper` serves HTTP/1.1 leniently in places: it merges repeated lengths, prefers chunks over a length, and
//! takes lines that end in a bare line feed. The gate reads every head first ([`head`](super::head)) and follows the body's
//! framing to the next one, so `hyper` only ever sees requests that nobody could read differently. A request
//! that does not pass ends the input; when what came before it is answered, the gate asks the handler for the
//! refusal, so that it is recorded like any answer, writes it and closes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use edgeway_core::exchange::Refused;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;
use super::exchange::Handler;
use super::head::{self, Begun, Framing};
use super::service::Refusing;
use crate::http1::scratch;
use crate::net::Stream;
use crate::timer;

/// How long a client that was answered may go on sending: closing at once would make the kernel throw the
/// answer away with what the client sent.
const LINGER: Duration = Duration::from_secs(2);

/// What the gate, the service and the driver of one connection know together. All run in one task.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<State>>);

struct State {
    /// Requests that are not answered to their end.
    under_way: usize,
    /// When the connection is given up if nothing moves; `None` while the gateway is at work.
    deadline: Option<Instant>,
    /// Whether a head has begun to arrive.
    partial: bool,
    refusal: Option<Box<Refused>>,
    /// Whether the head that has begun to arrive is refused for its slowness.
    late: bool,
    /// Who waits for the request under way to end, to refuse the next.
    waiting: Option<Waker>,
}

impl Pulse {
    /// The pulse of a connection that has to send its first head in time.
    pub(super) fn new(limits: &Limits) -> Self {
        let deadline = Some(timer::after(limits.header_time));
        Self(Arc::new(Mutex::new(State { under_way: 0, deadline, partial: false, refusal: None, late: false, waiting: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        state.under_way += 1;
        state.deadline = None;
    }

    /// A request has been answered, or given up.
    pub(super) fn end(&self, limits: &Limits) {
        let mut state = self.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.deadline = Some(timer::after(if state.partial { limits.header_time } else { limits.idle_time }));
            if let Some(waker) = state.waiting.take() {
                waker.wake();
            }
        }
    }

    /// When the connection is given up if nothing moves.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.lock().deadline
    }

    /// The time is over. True when the client is told, because it has sent half a head; else the connection just ends.
    pub(super) fn expire(&self) -> bool {
        let mut state = self.lock();
        let tell = std::mem::take(&mut state.partial) && state.under_way == 0;
        if tell {
            state.late = true;
            state.deadline = Some(timer::after(LINGER));
        }
        tell
    }
}

/// A client's socket, behind the gate.
pub(super) struct Gate {
    stream: Stream,
    pulse: Pulse,
    limits: Limits,
    handler: Handler,
    /// What passed and has not been taken yet.
    passed: Bytes,
    /// A head that is not complete, and how much of it has been looked at.
    held: BytesMut,
    seen: usize,
    /// What is left of the current request's body; `None` between requests.
    body: Option<Framing>,
    /// Why the body cannot be read on.
    malformed: Option<&'static str>,
    /// Whether the client does not take what is written.
    blocked: bool,
    farewell: Farewell,
}

/// The end of a connection.
enum Farewell {
    /// Not begun.
    None,
    /// The handler is asked for its words.
    Asking(Box<Refusing>),
    /// A refusal on its way out.
    Telling(Bytes),
    /// Nothing more is said; the client is listened to until it is done.
    Lingering,
}

impl Gate {
    pub(super) fn new(stream: Stream, pulse: Pulse, limits: Limits, handler: Handler) -> Self {
        let (passed, held) = (Bytes::new(), BytesMut::new());
        Self {
            stream,
            pulse,
            limits,
            handler,
            passed,
            held,
            seen: 0,
            body: None,
            malformed: None,
            blocked: false,
            farewell: Farewell::None,
        }
    }

    /// Waits for the first bytes, and says whether they begin HTTP/2. Fails when the client has gone.
    pub(super) fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if let Some(http2) = head::is_http2(&self.held) {
                return Poll::Ready(Ok(http2));
            }
            let held = &mut self.held;
            let read = scratch::poll_read(&mut self.stream, cx, scratch::SIZE, |bytes| {
                held.extend_from_slice(bytes);
                bytes.len()
            });
            if ready!(read)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Refuses a client that has not sent enough for [`Gate::poll_is_http2`]. False when it has sent nothing: it is just let go.
    pub(super) fn is_late(&mut self) -> bool {
        self.pulse.lock().partial = !self.held.is_empty();
        self.seen = self.held.len();
        self.pulse.expire()
    }

    /// The socket, with the first bytes given back.
    pub(super) fn into_stream(mut self) -> Stream {
        self.stream.unread(self.held.freeze());
        self.stream
    }

    /// How much of the input passes. What does not is held back, or refused.
    fn admit(&mut self, input: &[u8], mut seen: usize) -> usize {
        let mut passed = 0;
        while passed < input.len() {
            let rest = &input[passed..];
            if let Some(framing) = &mut self.body {
                match framing.skip(rest) {
                    Ok(taken) => {
                        passed += taken;
                        self.body = self.body.take().filter(|framing| !framing.is_over());
                        continue;
                    }
                    // Whoever reads the body is told, and answers.
                    Err(malformed) => {
                        self.malformed = Some(malformed.0);
                        return passed;
                    }
                }
            }
            match head::read(rest, std::mem::take(&mut seen), &self.limits) {
                Ok(Begun::Head(framing, length)) => {
                    passed += length;
                    self.body = Some(framing).filter(|framing| !framing.is_over());
                }
                Ok(Begun::Partial) => {
                    self.hold(rest);
                    return passed;
                }
                Err(refusal) => {
                    self.pulse.lock().refusal = Some(refusal);
                    break;
                }
            }
        }
        self.pulse.lock().partial = false;
        passed
    }

    fn hold(&mut self, rest: &[u8]) {
        self.held.extend_from_slice(rest);
        self.seen = self.held.len();
        let mut state = self.pulse.lock();
        if !std::mem::replace(&mut state.partial, true) && state.under_way == 0 {
            state.deadline = Some(timer::after(self.limits.header_time));
        }
    }

    /// Says the refusal, if there is one, and closes; then listens until the client is done.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.farewell {
                Farewell::None => {
                    let mut state = self.pulse.lock();
                    let late = state.late.then(|| head::too_slow(&self.held));
                    let refusal = state.refusal.take().or(late);
                    if refusal.is_none() && self.body.is_none() {
                        drop(state);
                        return Pin::new(&mut self.stream).poll_shutdown(cx);
                    }
                    state.deadline = Some(timer::after(LINGER));
                    self.farewell = match refusal {
                        Some(refused) => Farewell::Asking(Box::new(Refusing::start(&self.handler, *refused))),
                        None => Farewell::Telling(Bytes::new()),
                    };
                }
                Farewell::Asking(refusing) => {
                    let words = ready!(Pin::new(refusing).poll(cx));
                    self.farewell = Farewell::Telling(words);
                }
                Farewell::Telling(words) if words.is_empty() => {
                    ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                    self.farewell = Farewell::Lingering;
                }
                Farewell::Telling(words) => {
                    let told = ready!(Pin::new(&mut self.stream).poll_write(cx, words))?;
                    words.advance(told);
                }
                Farewell::Lingering => {
                    let heard = scratch::poll_read(&mut self.stream, cx, scratch::SIZE, |bytes| bytes.len());
                    if !matches!(ready!(heard), Ok(1..)) {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    /// Starts and ends the time that a client has to take something of its response.
    fn wrote<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() != self.blocked {
            self.blocked = written.is_pending();
            let mut state = self.pulse.lock();
            if self.blocked {
                state.deadline = Some(timer::after(self.limits.write_time));
            } else if state.under_way > 0 {
                state.deadline = None;
            }
        }
        written
    }
}

impl AsyncRead for Gate {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.passed.is_empty() {
                let here = this.passed.len().min(buf.remaining());
                buf.put_slice(&this.passed.split_to(here));
                return Poll::Ready(Ok(()));
            }
            {
                let mut state = this.pulse.lock();
                if state.refusal.is_some() || state.late {
                    // The end of the input, but only when what came before is answered: an end in the middle
                    // of a request means that the client is gone.
                    if state.under_way == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    state.waiting = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            if let Some(why) = this.malformed {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
            }
            // Read where it is wanted, and looked at there: usually a whole request passes without a copy.
            let before = buf.filled().len();
            if this.held.len() == this.seen {
                ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
                if buf.filled().len() == before {
                    return Poll::Ready(Ok(()));
                }
            }
            if this.held.is_empty() {
                let passed = this.admit(&buf.filled()[before..], 0);
                buf.set_filled(before + passed);
                if passed > 0 {
                    return Poll::Ready(Ok(()));
                }
                // All of it is held back, or refused.
            } else {
                let mut held = std::mem::take(&mut this.held);
                held.extend_from_slice(&buf.filled()[before..]);
                buf.set_filled(before);
                let seen = std::mem::take(&mut this.seen);
                let passed = this.admit(&held, seen);
                this.passed = held.split_to(passed).freeze();
            }
        }
    }
}

impl AsyncWrite for Gate {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.wrote(written)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_farewell(cx)
    }
}
