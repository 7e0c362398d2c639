//! What the tests share: a server with a handler of their own, and a client that speaks raw bytes.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "every test binary uses its own part of this")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests play the strangers: threads and raw sockets")]

pub mod redis;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use edgeway_core::exchange::Inbound;
use edgeway_core::{Body, Handled};
use edgeway_native::server::{Handler, Phase, Server, Settings};
use http::Response;

/// How long a test waits for what must happen. Only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port, with one worker, stopped when the test ends.
pub struct Running(Option<Server>);

impl Running {
    pub fn new(handler: Handler, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.workers = 1;
        change(&mut settings);
        Self(Some(Server::start(settings, handler).expect("a free port")))
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }
}

impl Deref for Running {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0.as_ref().expect("running until dropped")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let server = self.0.take().expect("dropped once");
        server.drain().advance(Phase::Stopped);
        server.stop();
    }
}

/// A handler from an async function.
pub fn handler<F, R>(answer: F) -> Handler
where
    F: Fn(Inbound) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    Arc::new(move |inbound| Handled { response: Box::pin(answer(inbound)), after: Box::pin(async {}) })
}

/// A handler that answers with method, path and body.
pub fn echo() -> Handler {
    handler(|inbound| async move {
        let (parts, body) = inbound.request.into_parts();
        match body.collect(1 << 20).await {
            Ok(body) => {
                let text = format!("{} {} {}", parts.method, parts.uri.path(), String::from_utf8_lossy(&body));
                Response::new(Body::from(text))
            }
            Err(error) => {
                let mut response = Response::new(Body::from(error.message.clone()));
                *response.status_mut() = error.status();
                response
            }
        }
    })
}

/// Says when it is dropped.
pub struct Dropped(Sender<()>);

/// A value, and the news of its drop.
pub fn dropped() -> (Dropped, Receiver<()>) {
    let (sender, receiver) = channel();
    (Dropped(sender), receiver)
}

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A client's socket.
pub struct Client(pub TcpStream);

impl Deref for Client {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut TcpStream {
        &mut self.0
    }
}

/// A response as it was read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time");
        stream.set_nodelay(true).expect("the option");
        Self(stream)
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(bytes.as_ref()).expect("an open connection");
        self
    }

    /// Reads one response by its content-length or chunks.
    pub fn answer(&mut self) -> Answer {
        let head = self.head();
        let status = head[9..12].parse().expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                answer.body.extend(chunk);
            }
        } else if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().expect("a number")];
            self.0.read_exact(&mut answer.body).expect("the whole body");
        }
        answer
    }

    /// Reads a head, byte by byte so as to take nothing of what follows.
    pub fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head)));
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("UTF-8")
    }

    /// Reads a chunk; `None` for the last one.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a chunk");
            line.push(byte[0]);
        }
        let size = std::str::from_utf8(&line[..line.len() - 2]).expect("digits");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).expect("the whole chunk");
        assert_eq!(chunk.split_off(size), b"\r\n");
        (size > 0).then_some(chunk)
    }

    /// Reads until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server does not close: {error}"),
        }
        rest
    }

    /// Closes with a reset, as a crashed client does.
    pub fn reset(self) {
        socket2::SockRef::from(&self.0).set_linger(Some(Duration::ZERO)).expect("the option");
    }
}

/// A provider: answers connections, one after the other, by a function over the raw socket.
pub fn provider(serve: impl Fn(Client) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a time");
            serve(Client(stream));
        }
    });
    address
}

/// A request without a body.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// A request with a body.
pub fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
