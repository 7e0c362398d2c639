//! A client's connection, from accept to close: TLS if there is any, then HTTP/1.1 or HTTP/2, driven by `hyper`.
//!
//! Which of the two is agreed on in the TLS handshake, or told by the first bytes: a client that knows
//! speaks HTTP/2 at once (h2c, prior knowledge).

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::drain::{Entered, Phase};
use super::gate::{Gate, Pulse};
use super::service::Sending;
use super::{Shared, service};
use crate::net::Stream;
use crate::timer::{self, Timer};

/// How much of a request an HTTP/2 client may send before it is read.
const WINDOW: u32 = 256 * 1024;
/// How often a silent HTTP/2 client is asked whether it is there, and how long it has to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIME: Duration = Duration::from_secs(10);
/// The smallest buffer that `hyper` takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// Serves a connection until it ends. It is counted as long as `_entered` lives.
pub(super) async fn serve(server: Arc<Shared>, tcp: TcpStream, peer: IpAddr, _entered: Entered) {
    // Events go out when they happen. A kernel without the option is slower, not wrong.
    let _ = tcp.set_nodelay(true);
    let limits = server.limits;
    // The rare cases are boxed, so that a plain HTTP/1.1 connection, of which there are thousands, stays small.
    let stream = match &server.tls {
        None => Stream::plain(tcp),
        Some(config) => {
            let handshake = Box::pin(TlsAcceptor::from(config.clone()).accept(tcp));
            match tokio::time::timeout(limits.header_time, handshake).await {
                Ok(Ok(stream)) => Stream::tls(stream.into()),
                _ => return,
            }
        }
    };
    let pulse = Pulse::new(&limits);
    if stream.is_http2() {
        return Box::pin(serve_http2(&server, stream, peer, pulse)).await;
    }
    let mut gate = Gate::new(stream, pulse.clone(), limits, server.handler.clone());
    let mut timer = Timer::at(timer::after(limits.header_time));
    let begun = poll_fn(|cx| match gate.poll_is_http2(cx) {
        Poll::Pending => timer.poll(cx).map(|()| Ok(None)),
        Poll::Ready(begun) => Poll::Ready(begun.map(Some)),
    });
    match begun.await {
        Ok(Some(true)) => Box::pin(serve_http2(&server, gate.into_stream(), peer, pulse)).await,
        Ok(Some(false)) => serve_http1(&server, gate, peer, pulse, timer).await,
        Ok(None) if gate.is_late() => serve_http1(&server, gate, peer, pulse, timer).await,
        Ok(None) | Err(_) => {}
    }
}

async fn serve_http1(server: &Arc<Shared>, gate: Gate, peer: IpAddr, pulse: Pulse, timer: Timer) {
    let limits = server.limits;
    // The gate has checked sizes; here they only must not be smaller.
    let connection = http1::Builder::new()
        .max_buf_size(limits.header_bytes.max(SMALLEST_BUFFER))
        .max_headers(limits.headers)
        .serve_connection(TokioIo::new(gate), answers(server, peer, &pulse));
    drive(server, &pulse, timer, connection, |connection| connection.graceful_shutdown()).await;
}

async fn serve_http2(server: &Arc<Shared>, stream: Stream, peer: IpAddr, pulse: Pulse) {
    let limits = server.limits;
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME)
        .serve_connection(TokioIo::new(stream), answers(server, peer, &pulse));
    let timer = Timer::at(timer::after(limits.header_time));
    drive(server, &pulse, timer, connection, |connection| connection.graceful_shutdown()).await;
}

/// What answers a connection's requests.
fn answers(
    server: &Arc<Shared>,
    peer: IpAddr,
    pulse: &Pulse,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Sending>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Sending>, Infallible>> + Send + 'static,
> + use<> {
    let (server, pulse) = (server.clone(), pulse.clone());
    service_fn(move |request| {
        let answer = service::answer(&server, request, peer, &pulse);
        async { Ok(answer.await) }
    })
}

/// Polls a connection to its end. Tells it, once, that the server drains; gives it up when its time is over.
async fn drive<C: Future>(server: &Shared, pulse: &Pulse, mut timer: Timer, connection: C, drain: impl Fn(Pin<&mut C>)) {
    let mut connection = pin!(connection);
    let mut drained = pin!(server.drain.reached(Phase::Draining));
    let (mut heard, mut told) = (None, false);
    poll_fn(|cx: &mut Context<'_>| {
        // Polled once a phase: the notice keeps this task's waker, and asking again for every wake-up would cost a lock.
        let phase = server.drain.phase();
        if !told && heard.replace(phase) != Some(phase) && drained.as_mut().poll(cx).is_ready() {
            told = true;
            drain(connection.as_mut());
        }
        loop {
            // How it ended matters to nobody: a client's protocol error has been answered, a broken socket cannot be.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let Some(deadline) = pulse.deadline() else { return Poll::Pending };
            timer.set(deadline);
            if timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            if !pulse.expire() {
                return Poll::Ready(());
            }
        }
    })
    .await;
}
