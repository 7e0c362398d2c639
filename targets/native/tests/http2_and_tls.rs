//! HTTP/2 with prior knowledge, and TLS on both sides, with certificates made for the test.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests play the strangers: threads and raw sockets")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::ErrorKind;
use edgeway_core::ports::{HttpClient, Network, Outbound, Timeouts};
use edgeway_native::ports::http::{Client as HttpPort, Connector};
use edgeway_native::tls;
use http::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use support::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A body of one piece.
struct Once(Option<Bytes>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
    }
}

async fn text(mut body: hyper::body::Incoming) -> String {
    let mut text = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| http_body::Body::poll_frame(std::pin::Pin::new(&mut body), cx)).await {
        if let Ok(data) = frame.expect("a good frame").into_data() {
            text.extend_from_slice(&data);
        }
    }
    String::from_utf8(text).expect("UTF-8")
}

#[test]
fn a_client_that_knows_speaks_http2_without_tls() {
    let server = Running::new(echo(), |_| {});
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address()).await.expect("a server");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        for (path, body) in [("/a", "one"), ("/b", ""), ("/c", "three")] {
            let request = Request::post(format!("http://test{path}")).body(Once(Some(Bytes::from(body)))).expect("a request");
            let response = sender.send_request(request).await.expect("an answer");
            assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
            assert_eq!(text(response.into_body()).await, format!("POST {path} {body}"));
        }
    });
}

#[test]
fn an_http2_request_has_no_more_header_fields_than_another_and_is_refused_alike() {
    let server = Running::new(echo(), |settings| settings.limits.headers = 20);
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address()).await.expect("a server");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        for (fields, status) in [(20, 200), (21, 431), (3, 200)] {
            let mut request = Request::post("http://test/v1/messages");
            for field in 0..fields {
                request = request.header("x-field", field);
            }
            let request = request.body(Once(Some(Bytes::from("x")))).expect("a request");
            let response = sender.send_request(request).await.expect("an answer");
            assert_eq!(response.status().as_u16(), status, "{fields} fields");
            let body = text(response.into_body()).await;
            assert_eq!(body.contains("more than 20 header fields"), status == 431, "{body}");
        }
    });
}

#[test]
fn http1_and_http2_share_a_port() {
    let server = Running::new(echo(), |_| {});
    let mut client = server.client();
    client.send(get("/one"));
    assert_eq!(client.answer().text(), "GET /one ");
    let mut client = server.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let mut settings = [0; 9];
    std::io::Read::read_exact(&mut client.0, &mut settings).expect("a frame");
    assert_eq!(settings[3], 4, "the server answers with SETTINGS");
}

#[test]
fn an_http2_stream_that_is_reset_ends_its_work() {
    let (guard, news) = dropped();
    let guard = std::sync::Mutex::new(Some(guard));
    let server = Running::new(
        handler(move |_| {
            let guard = guard.lock().expect("no panic").take();
            async move {
                let stream = futures_util::stream::poll_fn(move |_| {
                    let _ = &guard;
                    std::task::Poll::Pending
                });
                Response::new(Body::stream(stream))
            }
        }),
        |_| {},
    );
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address()).await.expect("a server");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        let response =
            sender.send_request(Request::get("http://test/").body(Once(None)).expect("a request")).await.expect("headers");
        drop(response); // resets the stream; the connection stays
        tokio::task::spawn_blocking(move || news.recv_timeout(PATIENCE).expect("the body is dropped")).await.expect("no panic");
        assert!(sender.is_ready());
    });
}

/// A certificate for `localhost`, as files, and as what a client must trust.
struct Certificate {
    folder: std::path::PathBuf,
    root: CertificateDer<'static>,
}

impl Certificate {
    fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = std::env::temp_dir().join(format!("edgeway-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
        Self { folder, root: made.cert.der().clone() }
    }

    fn server(&self) -> Arc<rustls::ServerConfig> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        Arc::new(tls::server_config(&file("cert.pem"), &file("key.pem")).expect("files that belong together"))
    }

    fn client(&self, alpn: &[&str]) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        let mut config = tls::client_config_with(roots).expect("a configuration");
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn outbound(address: SocketAddr, body: &'static str) -> Outbound {
    let request =
        Request::post(format!("https://localhost:{}/secure", address.port())).body(Body::from(body)).expect("a request");
    let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE, total: PATIENCE };
    Outbound { request, timeouts, network: Network::Any }
}

#[test]
fn tls_carries_http1_and_http2_as_the_handshake_agrees_in_both_directions() {
    let certificate = Certificate::new("both");
    let server = Running::new(echo(), |settings| settings.tls = Some(certificate.server()));
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)]
    {
        let port = HttpPort::new(Connector::new().with_tls(certificate.client(alpn)), 1);
        runtime().block_on(async {
            // Twice: the second request takes the kept connection.
            for body in ["first", "second"] {
                let response = port.send(outbound(server.address(), body)).await.expect("an answer");
                assert_eq!(response.version(), version);
                let text = response.into_body().collect(1000).await.expect("the body");
                assert_eq!(text, format!("POST /secure {body}"));
            }
        });
    }
    assert!(server.drain().connections() <= 3, "one connection a client");
}

#[test]
fn requests_run_side_by_side_on_one_http2_connection() {
    let certificate = Certificate::new("side");
    let server = Running::new(echo(), |settings| settings.tls = Some(certificate.server()));
    let port = HttpPort::new(Connector::new().with_tls(certificate.client(&["h2"])), 1);
    runtime().block_on(async {
        port.send(outbound(server.address(), "opens")).await.expect("an answer");
        let many = (0..50).map(|_| port.send(outbound(server.address(), "x")));
        for answer in futures_util::future::join_all(many).await {
            assert_eq!(answer.expect("an answer").into_body().collect(100).await.expect("the body"), "POST /secure x");
        }
        assert_eq!(server.drain().connections(), 1);
    });
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let certificate = Certificate::new("stranger");
    let other = Certificate::new("other");
    let server = Running::new(echo(), |settings| settings.tls = Some(certificate.server()));
    for connector in [Connector::new().with_tls(other.client(&[])), Connector::new()] {
        let error = runtime()
            .block_on(async { HttpPort::new(connector, 1).send(outbound(server.address(), "x")).await.expect_err("no trust") });
        assert_eq!(error.kind, ErrorKind::UpstreamUnavailable);
        assert!(error.source.expect("a cause").contains("certificate"));
    }
}

#[test]
fn files_that_are_no_certificate_are_refused_with_their_names() {
    let certificate = Certificate::new("files");
    let file = |name: &str| certificate.folder.join(name).display().to_string();
    for (chain, key) in
        [("missing.pem", "key.pem"), ("cert.pem", "missing.pem"), ("key.pem", "key.pem"), ("cert.pem", "cert.pem")]
    {
        let message = tls::server_config(&file(chain), &file(key)).expect_err("refused");
        assert!(message.contains(".pem"), "{message}");
    }
}
