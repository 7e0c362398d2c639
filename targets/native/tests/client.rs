//! The HTTP client against providers that misbehave: time, truncation, reuse, and addresses that are not allowed.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests play the strangers: threads and raw sockets")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::{HttpClient, Network, Outbound, Timeouts};
use edgeway_core::{Body, Result};
use edgeway_native::ports::http::{Client as HttpPort, Connector};
use futures_util::StreamExt;
use http::{Method, Request, Response};
use support::*;

const LONG: Timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE, total: PATIENCE };
const SHORT: Duration = Duration::from_millis(80);

fn port() -> HttpPort {
    HttpPort::new(Connector::new(), 1)
}

fn outbound(address: SocketAddr, body: impl Into<Body>) -> Outbound {
    let request = Request::post(format!("http://{address}/v1/x?y=1")).header("x-test", "1").body(body.into()).expect("a request");
    Outbound { request, timeouts: LONG, network: Network::Any }
}

async fn whole(response: Response<Body>) -> Result<Bytes> {
    response.into_body().collect(1 << 20).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A provider that reads one request and says these bytes, then closes.
fn saying(words: &'static str) -> SocketAddr {
    provider(move |mut connection| {
        connection.head();
        connection.send(words);
    })
}

/// A provider that says these bytes and then nothing, for as long as the client stays.
fn stalling(words: &'static str) -> SocketAddr {
    provider(move |mut connection| {
        connection.head();
        connection.send(words);
        connection.rest();
    })
}

#[test]
fn a_request_goes_out_as_it_was_given_and_the_answer_comes_back_as_it_was_sent() {
    let (told, heard) = channel();
    let address = provider(move |mut connection| {
        let head = connection.head();
        let mut body = [0; 5];
        std::io::Read::read_exact(&mut connection.0, &mut body).expect("the body");
        told.send((head, body)).expect("the test listens");
        connection.send("HTTP/1.1 418 Teapot\r\nx-a: 1\r\nX-A: 2\r\ncontent-encoding: gzip\r\nlocation: http://elsewhere/\r\ncontent-length: 3\r\n\r\nraw");
    });
    runtime().block_on(async {
        let response = port().send(outbound(address, "hello")).await.expect("an answer, whatever its status");
        assert_eq!(response.status(), 418);
        assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
        assert_eq!(response.headers()["content-encoding"], "gzip", "nothing is decompressed");
        assert_eq!(response.headers()["location"], "http://elsewhere/", "no redirect is followed");
        assert_eq!(whole(response).await.expect("the body"), "raw");
    });
    let (head, body) = heard.recv_timeout(PATIENCE).expect("the request");
    assert_eq!(&body, b"hello");
    assert_eq!(head, format!("POST /v1/x?y=1 HTTP/1.1\r\nhost: {address}\r\nx-test: 1\r\ncontent-length: 5\r\n\r\n"));
}

#[test]
fn a_streamed_body_goes_out_in_chunks_or_by_its_length() {
    let (told, heard) = channel();
    let address = provider(move |mut connection| {
        let head = connection.head();
        let mut body = Vec::new();
        if head.contains("transfer-encoding: chunked") {
            while let Some(chunk) = connection.chunk() {
                body.extend(chunk);
            }
        } else {
            body = vec![0; 5];
            std::io::Read::read_exact(&mut connection.0, &mut body).expect("the body");
        }
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        told.send((head, body)).expect("the test listens");
    });
    let body = || Body::stream(futures_util::stream::iter(["he", "", "llo"].map(|piece| Ok(Bytes::from(piece)))));
    runtime().block_on(async {
        let port = port();
        assert_eq!(port.send(outbound(address, body())).await.expect("an answer").status(), 200);
        assert_eq!(heard.recv_timeout(PATIENCE).expect("the request").1, b"hello");
        let mut declared = outbound(address, body());
        declared.request.headers_mut().insert("content-length", 5.into());
        assert_eq!(port.send(declared).await.expect("an answer").status(), 200);
        let (head, sent) = heard.recv_timeout(PATIENCE).expect("the request");
        assert!(head.contains("content-length: 5\r\n") && !head.contains("chunked"));
        assert_eq!(sent, b"hello");
        let mut wrong = outbound(address, body());
        wrong.request.headers_mut().insert("content-length", 4.into());
        assert_eq!(port.send(wrong).await.expect_err("too long").kind, ErrorKind::InvalidRequest);
    });
}

#[test]
fn each_phase_has_its_own_time() {
    let silent = stalling("");
    let headed = stalling("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
    // A listener whose queue is full does not finish a handshake; TLS to a silent server does not either.
    runtime().block_on(async {
        let port = port();
        let timeouts = Timeouts { first_byte: SHORT, ..LONG };
        let late = port.send(Outbound { timeouts, ..outbound(silent, "") }).await.expect_err("silence");
        assert_phase(&late, "first-byte");

        let timeouts = Timeouts { idle: SHORT, ..LONG };
        let response = port.send(Outbound { timeouts, ..outbound(headed, "") }).await.expect("headers");
        let Body::Stream(mut body) = response.into_body() else { panic!("a stream") };
        assert_eq!(body.next().await.expect("a piece").expect("good"), "x");
        assert_phase(&body.next().await.expect("an item").expect_err("stalled"), "idle");
        assert!(body.next().await.is_none(), "an error is the last item");

        let timeouts = Timeouts { total: SHORT, ..LONG };
        let late = port.send(Outbound { timeouts, ..outbound(silent, "") }).await.expect_err("silence");
        assert_phase(&late, "total");

        let timeouts = Timeouts { connect: SHORT, ..LONG };
        let mut tls = Outbound { timeouts, ..outbound(stalling_tls(), "") };
        let uri = tls.request.uri().to_string().replace("http:", "https:");
        *tls.request.uri_mut() = uri.parse().expect("a URI");
        assert_phase(&port.send(tls).await.expect_err("no handshake"), "connect");
    });
}

/// Accepts, and never shakes hands.
fn stalling_tls() -> SocketAddr {
    provider(|mut connection| {
        connection.rest();
    })
}

fn assert_phase(error: &Error, phase: &str) {
    assert_eq!(error.kind, ErrorKind::UpstreamTimeout);
    assert!(error.source.as_deref().is_some_and(|source| source.starts_with(phase)), "{error:?}");
}

#[test]
fn a_body_that_ends_before_its_end_is_an_error() {
    for words in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
    ] {
        let address = saying(words);
        runtime().block_on(async {
            let response = port().send(outbound(address, "")).await.expect("headers");
            let Body::Stream(mut body) = response.into_body() else { panic!("a stream: {words:?}") };
            assert_eq!(body.next().await.expect("a piece").expect("good"), "half", "{words:?}");
            assert_eq!(body.next().await.expect("an item").expect_err("cut").kind, ErrorKind::UpstreamUnavailable, "{words:?}");
            assert!(body.next().await.is_none());
        });
    }
    // Without length and chunks, the end is the end.
    let address = saying("HTTP/1.1 200 OK\r\n\r\nall of it");
    runtime().block_on(async {
        assert_eq!(whole(port().send(outbound(address, "")).await.expect("headers")).await.expect("the body"), "all of it");
    });
}

#[test]
fn answers_that_are_no_answers_are_errors_of_the_provider() {
    for (words, kind) in [
        ("", ErrorKind::UpstreamUnavailable),
        ("HTTP/1.1 200 OK\r\nx: y", ErrorKind::UpstreamUnavailable),
        ("SSH-2.0-OpenSSH\r\n", ErrorKind::UpstreamInvalid),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n", ErrorKind::UpstreamInvalid),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n", ErrorKind::UpstreamInvalid),
    ] {
        let address = saying(words);
        let error = runtime().block_on(async { port().send(outbound(address, "")).await.expect_err(words) });
        assert_eq!(error.kind, kind, "{words:?}: {error:?}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let error = runtime().block_on(async { port().send(outbound(closed, "")).await.expect_err("refused") });
    assert_eq!(error.kind, ErrorKind::UpstreamUnavailable);
    assert!(!error.message.contains("127.0.0.1"), "the caller does not learn of addresses");
}

#[test]
fn a_connection_is_used_again_when_its_answer_has_ended() {
    let (told, heard) = channel();
    let address = provider(move |mut connection| {
        // As many requests as come on this connection.
        for number in 0.. {
            let mut first = [0];
            if std::io::Read::read(&mut connection.0, &mut first).unwrap_or(0) == 0 {
                break;
            }
            connection.head();
            told.send(number).expect("the test listens");
            let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
            let length = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            connection.send(if number % 2 == 0 { chunks } else { length });
        }
    });
    runtime().block_on(async {
        let port = port();
        for number in 0..4 {
            assert_eq!(whole(port.send(outbound(address, "")).await.expect("an answer")).await.expect("a body"), "ok");
            assert_eq!(heard.recv_timeout(PATIENCE), Ok(number), "the same connection");
        }
    });
}

#[test]
fn a_connection_whose_answer_was_dropped_is_not_used_again_and_closes_at_once() {
    let (told, heard) = channel();
    let address = provider(move |mut connection| {
        connection.head();
        connection.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
        told.send(connection.rest()).expect("the test listens");
    });
    runtime().block_on(async {
        let port = port();
        for _ in 0..2 {
            drop(port.send(outbound(address, "")).await.expect("headers"));
            assert_eq!(heard.recv_timeout(PATIENCE).expect("closed"), b"");
        }
    });
}

#[test]
fn a_kept_connection_that_the_provider_has_closed_is_replaced() {
    let (told, heard) = channel();
    let address = provider(move |mut connection| {
        connection.head();
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        drop(connection); // although it said nothing of closing
        told.send(()).expect("the test listens");
    });
    runtime().block_on(async {
        let port = port();
        for _ in 0..5 {
            assert_eq!(port.send(outbound(address, "")).await.expect("an answer").status(), 200);
            heard.recv_timeout(PATIENCE).expect("closed");
            // The runtime hears of it when it next looks at its sockets, which it does every so many turns.
            for _ in 0..256 {
                tokio::task::yield_now().await;
            }
        }
    });
}

#[test]
fn an_early_refusal_of_a_large_upload_is_read() {
    let address = provider(|mut connection| {
        connection.head();
        connection.send("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
        connection.rest();
    });
    runtime().block_on(async {
        let port = port();
        // Twice: a connection that holds half a request is not used again.
        for _ in 0..2 {
            let response = port.send(outbound(address, vec![b'x'; 16 << 20])).await.expect("an answer");
            assert_eq!(response.status(), 413);
            assert_eq!(whole(response).await.expect("the body"), "big");
        }
    });
}

#[test]
fn answers_to_head_have_no_body() {
    let address = stalling("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
    runtime().block_on(async {
        let mut head = outbound(address, Body::Empty);
        *head.request.method_mut() = Method::HEAD;
        let response = port().send(head).await.expect("an answer");
        assert_eq!(response.headers()["content-length"], "100");
        assert!(matches!(response.into_body(), Body::Empty));
    });
}

#[test]
fn addresses_that_are_not_public_are_refused_before_anything_is_sent() {
    let (told, heard) = channel();
    let address = provider(move |_| told.send(()).expect("the test listens"));
    let names: [(&str, Option<&str>); 5] = [
        ("127.0.0.1", None),
        ("localhost", None),
        ("rebinding.example", Some("127.0.0.1")),
        ("metadata.example", Some("169.254.169.254")),
        ("mapped.example", Some("::ffff:10.0.0.1")),
    ];
    for (host, resolves_to) in names {
        let connector = match resolves_to {
            None => Connector::new(),
            Some(text) => Connector::new().with_resolver(Arc::new(move |_, port| {
                let resolved = SocketAddr::new(text.parse().expect("an address"), port);
                Box::pin(async move { Ok(vec![resolved]) })
            })),
        };
        let request = Request::get(format!("http://{host}:{}/", address.port())).body(Body::Empty).expect("a request");
        let outbound = Outbound { request, timeouts: LONG, network: Network::Public };
        let error = runtime().block_on(async { HttpPort::new(connector, 1).send(outbound).await.expect_err(host) });
        assert_eq!(error.kind, ErrorKind::Misconfigured, "{host}");
        assert!(error.source.expect("a cause").starts_with("address guard"), "{host}");
    }
    assert!(heard.try_recv().is_err(), "nobody was called");
}
