//! HTTP/1.1 as a stranger's bytes: framing, limits, keep-alive, time.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests play the strangers: threads and raw sockets")]

mod support;

use std::time::Duration;

use edgeway_core::Body;
use http::Response;
use support::*;

#[test]
fn requests_on_one_connection_are_answered_in_order_however_they_arrive() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    let all = [post("/a", "one"), get("/b"), post("/c", "three"), get("/d")].concat();
    // Pipelined in one write.
    client.send(&all);
    let expected = ["POST /a one", "GET /b ", "POST /c three", "GET /d "];
    for text in expected {
        assert_eq!(client.answer().text(), text);
    }
    // Byte by byte: the gate holds heads back until they are whole.
    let mut reader = Client(client.try_clone().expect("a handle"));
    let slow = std::thread::spawn(move || {
        for byte in all.as_bytes() {
            client.send([*byte]);
        }
        client
    });
    for text in expected {
        assert_eq!(reader.answer().text(), text);
    }
    drop(slow.join().expect("sent"));
}

#[test]
fn chunked_bodies_are_read_and_the_connection_goes_on() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    let body = "4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\nx-trailer: z\r\n\r\n";
    let request = format!("POST /a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{body}");
    client.send(format!("{request}{request}{}", get("/b")));
    assert_eq!(client.answer().text(), "POST /a wikipedia");
    assert_eq!(client.answer().text(), "POST /a wikipedia");
    assert_eq!(client.answer().text(), "GET /b ");
}

#[test]
fn large_bodies_arrive_whole() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    let body = "0123456789abcdef".repeat(40_000);
    client.send(post("/a", &body));
    assert_eq!(client.answer().text(), format!("POST /a {body}"));
    client.send(get("/b"));
    assert_eq!(client.answer().text(), "GET /b ");
}

#[test]
fn ambiguous_framing_is_refused_in_json_and_the_connection_ends() {
    let server = Running::new(echo(), |_| {});
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for head in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: 5 5",
        "content-length: 0x5",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: identity",
        "transfer-encoding : chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "x: y\r\n folded: z",
        "x: y\n\r\nz: 1",
        "x\x01: y",
        "host: other",
    ] {
        let mut client = server.client();
        client.send(format!("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\r\n{smuggled}"));
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{head:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.json()["type"], "error", "the caller's protocol is Anthropic's: {head:?}");
        assert!(client.rest().is_empty(), "{head:?} must end the connection");
    }
}

#[test]
fn a_bad_request_behind_a_good_one_does_not_cost_the_good_one_its_answer() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    client.send(format!("{}GET /b HTTP/1.1\nhost: localhost\n\n", post("/a", "x")));
    assert_eq!(client.answer().text(), "POST /a x");
    assert_eq!(client.answer().status, 400);
    assert!(client.rest().is_empty());
}

#[test]
fn a_bad_request_waits_for_the_answer_before_it() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let server = Running::new(
        handler(move |_| {
            let wait = wait.lock().expect("no panic").take().expect("one request");
            async move {
                wait.await.expect("told to go on");
                Response::new(Body::from("late"))
            }
        }),
        |_| {},
    );
    let mut client = server.client();
    client.send(format!("{}GET / HTTP/1.1\r\n\r\n", get("/a")));
    client.set_nonblocking(true).expect("the option");
    let early = std::io::Read::read(&mut client.0, &mut [0]).expect_err("nothing is said yet");
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    client.set_nonblocking(false).expect("the option");
    go.send(()).expect("the handler waits");
    assert_eq!(client.answer().text(), "late");
    assert_eq!(client.answer().status, 400);
    assert!(client.rest().is_empty());
}

#[test]
fn malformed_chunks_end_in_a_refusal() {
    let server = Running::new(echo(), |_| {});
    for body in ["4\nwiki\n0\n\n", "zz\r\n", "4\r\nwikiX0\r\n\r\n", "ffffffffffffffffff\r\n", "4\r\nwi\r\nki0\r\n\r\n"] {
        let mut client = server.client();
        client.send(format!("POST /a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{body}"));
        assert_eq!(client.answer().status, 400, "{body:?}");
        client.rest();
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let server = Running::new(echo(), |_| {});
    for bytes in ["\x16\x03\x01\x02\x00\x01\x00", "SSH-2.0-x\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "\0\0\0\0"] {
        let mut client = server.client();
        client.send(bytes);
        assert_eq!(client.answer().status, 400, "{bytes:?}");
        client.rest();
    }
    let mut client = server.client();
    client.send(get("/still-there"));
    assert_eq!(client.answer().text(), "GET /still-there ");
}

#[test]
fn heads_over_the_limits_are_refused() {
    let server = Running::new(echo(), |settings| {
        settings.limits.header_bytes = 16 * 1024;
        settings.limits.headers = 20;
    });
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(20));
    let large = format!("GET / HTTP/1.1\r\nhost: localhost\r\na: {}\r\n\r\n", "b".repeat(17 * 1024));
    let endless = format!("GET /{}", "b".repeat(17 * 1024));
    for head in [many, large, endless] {
        let mut client = server.client();
        client.send(&head);
        assert_eq!(client.answer().status, 431);
        client.rest();
    }
    let mut client = server.client();
    let fits = format!("GET / HTTP/1.1\r\nhost: localhost\r\na: {}\r\n{}\r\n", "b".repeat(15 * 1024), "a: b\r\n".repeat(18));
    client.send(fits);
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_refused_upload_gets_its_answer_although_the_client_goes_on_sending() {
    let server = Running::new(
        handler(|_unread| async {
            let mut response = Response::new(Body::from("too large"));
            *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
            response
        }),
        |_| {},
    );
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\n");
    // A client that writes before it reads must not meet a reset: it would never look at its answer.
    for _ in 0..64 {
        client.send([b'x'; 65_536]);
    }
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (413, "too large"));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_when_its_body_is_wanted() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    client.send("POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 100 "));
    client.send("ok");
    assert_eq!(client.answer().text(), "POST /a ok");

    let refusing = Running::new(handler(|_unread| async { Response::new(Body::from("no, thank you")) }), |_| {});
    let mut client = refusing.client();
    client.send("POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().text(), "no, thank you");
    assert!(client.rest().is_empty());

    let mut client = server.client();
    client.send("POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nexpect: a-miracle\r\n\r\n");
    assert_eq!(client.answer().status, 417);
}

#[test]
fn http10_clients_are_served_and_closed() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    client.send("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "GET /old ");
    assert!(client.rest().is_empty());
    let mut client = server.client();
    client.send("GET /old HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!(client.answer().text(), "GET /old ");
    client.send("GET /again HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "GET /again ");
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_given_up_with_an_answer() {
    let server = Running::new(echo(), |settings| settings.limits.header_time = Duration::from_millis(100));
    let mut first = server.client();
    first.send("GET / HTTP/1.1\r\nhost: te");
    assert_eq!(first.answer().status, 408);
    assert!(first.rest().is_empty());
    // On a connection that was used before, too.
    let mut second = server.client();
    second.send(get("/a"));
    assert_eq!(second.answer().status, 200);
    second.send("GET / HTTP/1.1\r\n");
    assert_eq!(second.answer().status, 408);
    assert!(second.rest().is_empty());
    // A single byte could still begin HTTP/2; whoever sends no more is told all the same.
    let mut third = server.client();
    third.send("P");
    assert_eq!(third.answer().status, 408);
    assert!(third.rest().is_empty());
    // A client that says nothing at all is just let go.
    assert!(server.client().rest().is_empty());
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Running::new(echo(), |settings| settings.limits.idle_time = Duration::from_millis(100));
    let mut client = server.client();
    client.send(get("/a"));
    assert_eq!(client.answer().status, 200);
    assert!(client.rest().is_empty());
}

#[test]
fn a_body_that_stops_arriving_is_given_up() {
    let server = Running::new(echo(), |settings| settings.limits.body_pause = Duration::from_millis(100));
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhalf");
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("stopped arriving"));
}

#[test]
fn connections_over_the_cap_wait_for_their_turn() {
    let server = Running::new(echo(), |settings| settings.limits.connections = 2);
    let mut first = server.client();
    let mut second = server.client();
    for client in [&mut first, &mut second] {
        client.send(get("/in"));
        assert_eq!(client.answer().status, 200);
    }
    let mut third = server.client();
    third.send(get("/waits"));
    // The third is connected, by the kernel, but nobody reads it while the cap is reached.
    second.send(get("/still"));
    assert_eq!(second.answer().status, 200);
    assert!(server.drain().connections() <= 2);
    drop(first);
    assert_eq!(third.answer().text(), "GET /waits ");
}

#[test]
fn a_panic_is_one_json_answer_and_nothing_else_stops() {
    let server = Running::new(
        handler(|inbound| async move {
            match inbound.request.uri().path() {
                "/later" => {
                    tokio::task::yield_now().await;
                    panic!("in the response")
                }
                "/body" => Response::new(Body::stream(futures_util::stream::poll_fn(|_| panic!("in the body")))),
                _ => Response::new(Body::from("fine")),
            }
        }),
        |_| {},
    );
    let mut client = server.client();
    client.send(get("/later"));
    let answer = client.answer();
    assert_eq!(answer.status, 500);
    assert_eq!(answer.json()["error"]["code"], "internal");
    // The same connection goes on, and so do others while a body breaks off.
    client.send(get("/fine"));
    assert_eq!(client.answer().text(), "fine");
    let mut broken = server.client();
    broken.send(get("/body"));
    let rest = broken.rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a body that broke off must not look complete");
    client.send(get("/fine"));
    assert_eq!(client.answer().text(), "fine");
}
