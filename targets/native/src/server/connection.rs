//! A client's connection, from accept to close.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::exchange::Inbound;
use edgeway_core::{Body, Error, ErrorKind, Result};
use futures_util::Stream;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;

use super::drain::Phase;
use super::exchange::Exchange;
use super::{Limits, Shared};
use crate::net::Stream as Socket;

/// Serves a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, tcp: TcpStream, peer: IpAddr) {
    let _entered = shared.drain.enter();
    let _ = tcp.set_nodelay(true);
    let limits = shared.limits;
    let socket = match &shared.tls {
        None => Socket::plain(tcp),
        Some(config) => {
            let handshake = TlsAcceptor::from(config.clone()).accept(tcp);
            match tokio::time::timeout(limits.header_time, handshake).await {
                Ok(Ok(stream)) => Socket::tls(stream.into()),
                _ => return,
            }
        }
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_headers(limits.headers)
        .max_buf_size(limits.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes as u32);
    let handler = shared.handler.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let request = request.map(|incoming| received(incoming, limits));
        let exchange = Exchange::start(&handler, Inbound { request, peer: Some(peer) });
        async { Ok::<_, Infallible>(exchange.await) }
    });
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let mut notice = std::pin::pin!(shared.drain.reached(Phase::Draining));
    let (mut registered, mut told) = (false, false);
    let _ = std::future::poll_fn(|cx| {
        // The notice keeps the waker of its first poll, which is this task's: polling it for every wake-up
        // of the connection would only cost a lock.
        if !std::mem::replace(&mut registered, true) {
            let _ = notice.as_mut().poll(cx);
        }
        if !told && shared.drain.phase() != Phase::Serving {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
}

fn received(incoming: Incoming, limits: Limits) -> Body {
    match http_body::Body::is_end_stream(&incoming) {
        true => Body::Empty,
        false => Body::stream(Received { incoming, patience: limits.body_time, timer: None }),
    }
}

/// A request's body. A client that stops sending is given up after a while.
struct Received {
    incoming: Incoming,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stream for Received {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let this = self.get_mut();
        loop {
            match http_body::Body::poll_frame(Pin::new(&mut this.incoming), cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(chunk) = frame.into_data() {
                        this.timer = None;
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let error =
                        Error::new(ErrorKind::InvalidRequest, "The request's body ended before its end, or was malformed.")
                            .source(error);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(this.patience)));
                    std::task::ready!(timer.as_mut().poll(cx));
                    let error = Error::new(ErrorKind::InvalidRequest, "The request's body stopped arriving. Send it again.");
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}
