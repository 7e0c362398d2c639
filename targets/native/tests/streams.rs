//! Streams: every event at once, no more than the client takes, and an end to the work when the client goes.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests play the strangers: threads and raw sockets")]

mod support;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::exchange::Inbound;
use edgeway_core::ports::{HttpClient, Network, Outbound, Timeouts};
use edgeway_core::{Body, Handled, Result};
use edgeway_native::ports::http::{Client as HttpPort, Connector};
use futures_util::Stream;
use http::Response;
use support::*;

/// A stream that is fed by the test.
fn fed() -> (tokio::sync::mpsc::UnboundedSender<Bytes>, Body, Receiver<()>) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let (guard, news) = dropped();
    let stream = futures_util::stream::poll_fn(move |cx| {
        let _ = &guard;
        receiver.poll_recv(cx).map(|piece| piece.map(Ok))
    });
    (sender, Body::stream(stream), news)
}

fn once(body: Body) -> impl Fn(Inbound) -> std::future::Ready<Response<Body>> + Send + Sync + 'static {
    let body = Mutex::new(Some(body));
    move |_| std::future::ready(Response::new(body.lock().expect("no panic").take().unwrap_or_default()))
}

#[test]
fn every_event_reaches_the_client_before_the_next_one_exists() {
    let (feed, body, _) = fed();
    let server = Running::new(handler(once(body)), |_| {});
    let mut client = server.client();
    client.send(get("/stream"));
    assert!(client.head().contains("transfer-encoding: chunked"), "the head does not wait for the first event");
    for event in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
        feed.send(Bytes::from_static(event.as_bytes())).expect("somebody reads");
        assert_eq!(client.chunk().expect("an event"), event.as_bytes());
    }
    drop(feed);
    assert_eq!(client.chunk(), None);
    client.send(get("/next"));
    assert_eq!(client.answer().status, 200);
}

/// Ways for a client to go away.
const WAYS: [fn(Client); 3] = [
    |client| drop(client),
    |client| client.reset(),
    |client| {
        client.shutdown(std::net::Shutdown::Write).expect("open");
        // Kept open the other way until the server has reacted.
        std::thread::spawn(move || Client(client.0).rest());
    },
];

#[test]
fn a_client_that_goes_away_while_it_streams_ends_the_work() {
    for leave in WAYS {
        let (feed, body, news) = fed();
        let server = Running::new(handler(once(body)), |_| {});
        let mut client = server.client();
        client.send(get("/stream"));
        client.head();
        feed.send(Bytes::from_static(b"x")).expect("somebody reads");
        client.chunk();
        leave(client);
        news.recv_timeout(PATIENCE).expect("the body is dropped although nothing more is written");
    }
}

#[test]
fn a_client_that_goes_away_before_the_answer_ends_the_work() {
    for leave in WAYS {
        let (guard, news) = dropped();
        let (begun, began) = channel();
        let state = Mutex::new(Some((guard, begun)));
        let server = Running::new(
            handler(move |inbound| {
                let (guard, begun) = state.lock().expect("no panic").take().expect("one request");
                async move {
                    let body = inbound.request.into_body().collect(1000).await.expect("a body");
                    let _ = (&guard, begun.send(body));
                    std::future::pending().await
                }
            }),
            |_| {},
        );
        let mut client = server.client();
        client.send(post("/slow", "{}"));
        began.recv_timeout(PATIENCE).expect("the request arrives");
        leave(client);
        news.recv_timeout(PATIENCE).expect("the work is dropped");
    }
}

#[test]
fn an_abandoned_request_is_settled_and_its_provider_let_go() {
    let (told, upstream) = channel::<&'static str>();
    let address = provider(move |mut connection| {
        connection.head();
        connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
        told.send("asked").expect("the test listens");
        assert!(connection.rest().is_empty());
        told.send("let go").expect("the test listens");
    });
    let (settled, settlement) = channel::<()>();
    let client = Arc::new(HttpPort::new(Connector::new(), 1));
    let server = Running::new(
        Arc::new(move |_| {
            let (client, settled) = (client.clone(), settled.clone());
            let (guard, ended) = tokio::sync::oneshot::channel::<()>();
            let response = async move {
                let response = client.send(outbound(address)).await.expect("an answer");
                response.map(|body| guarded(body, guard))
            };
            let after = async move {
                let _ = ended.await; // dropped with the body
                tokio::task::yield_now().await;
                let _ = settled.send(());
            };
            Handled { response: Box::pin(response), after: Box::pin(after) }
        }),
        |_| {},
    );
    let mut client = server.client();
    client.send(get("/stream"));
    client.head();
    assert_eq!(client.chunk().expect("an event"), b"x");
    assert_eq!(upstream.recv_timeout(PATIENCE), Ok("asked"));
    drop(client);
    assert_eq!(upstream.recv_timeout(PATIENCE), Ok("let go"));
    settlement.recv_timeout(PATIENCE).expect("settled");
}

fn guarded(body: Body, guard: tokio::sync::oneshot::Sender<()>) -> Body {
    let Body::Stream(mut stream) = body else { panic!("a stream") };
    Body::stream(futures_util::stream::poll_fn(move |cx| {
        let _ = &guard;
        stream.as_mut().poll_next(cx)
    }))
}

fn outbound(address: std::net::SocketAddr) -> Outbound {
    let request = http::Request::get(format!("http://{address}/x")).body(Body::Empty).expect("a request");
    let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE, total: PATIENCE };
    Outbound { request, timeouts, network: Network::Any }
}

/// Produces as fast as it is asked, and counts.
struct Flood {
    produced: Arc<AtomicUsize>,
    left: usize,
    _guard: Dropped,
}

const PIECE: usize = 64 * 1024;

impl Stream for Flood {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.produced.fetch_add(PIECE, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; PIECE]))))
    }
}

fn flood(pieces: usize) -> (Body, Arc<AtomicUsize>, Receiver<()>) {
    let produced = Arc::new(AtomicUsize::new(0));
    let (guard, news) = dropped();
    (Body::stream(Flood { produced: produced.clone(), left: pieces, _guard: guard }), produced, news)
}

#[test]
fn a_slow_reader_holds_its_provider_back() {
    const TOTAL: usize = 128 << 20;
    // What kernel buffers on both sides and the server's own may hold at most.
    const SLACK: usize = 24 << 20;
    let (body, produced, _news) = flood(TOTAL / PIECE);
    let server = Running::new(handler(once(body)), |_| {});
    let mut client = server.client();
    client.send(get("/flood"));
    client.head();
    let mut taken = 0;
    while let Some(chunk) = client.chunk() {
        taken += chunk.len();
        let ahead = produced.load(Ordering::SeqCst) - taken;
        assert!(ahead <= SLACK, "{ahead} bytes were produced that nobody took");
    }
    assert_eq!(taken, TOTAL);
}

#[test]
fn a_reader_that_has_stopped_is_given_up() {
    let (body, _, news) = flood(usize::MAX);
    let server = Running::new(handler(once(body)), |settings| settings.limits.write_time = Duration::from_millis(100));
    let mut client = server.client();
    client.send(get("/flood"));
    client.head();
    news.recv_timeout(PATIENCE).expect("the body is dropped");
}

#[test]
fn an_answer_that_breaks_off_does_not_look_complete() {
    let (feed, body, _) = fed();
    let Body::Stream(mut stream) = body else { panic!("a stream") };
    let broken = futures_util::stream::poll_fn(move |cx| match stream.as_mut().poll_next(cx) {
        Poll::Ready(None) => {
            Poll::Ready(Some(Err(edgeway_core::Error::new(edgeway_core::ErrorKind::UpstreamUnavailable, "broken"))))
        }
        other => other,
    });
    let server = Running::new(handler(once(Body::stream(broken))), |_| {});
    let mut client = server.client();
    client.send(get("/stream"));
    client.head();
    feed.send(Bytes::from_static(b"half")).expect("somebody reads");
    assert_eq!(client.chunk().expect("what there was"), b"half");
    drop(feed);
    assert!(client.rest().is_empty(), "no last chunk");
}
