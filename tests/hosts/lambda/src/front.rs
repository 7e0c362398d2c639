//! The HTTP side: a request becomes an invocation, its answer a response, chunk by chunk.
//!
//! As the services do it, a request is read whole before the function hears of it, and a caller that goes away does not
//! end its invocation.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use edgeway_tests::http1::{Connection, Head};

use crate::event::Source;
use crate::queue::{Invocation, Queue};
use crate::reply::Piece;
use crate::sandbox::Pieces;

/// Most bytes of a request: what a function URL takes.
const MOST: usize = 6 << 20;
/// How long the end waits for what is under way.
const DRAIN: Duration = Duration::from_secs(30);

/// The front.
pub(crate) struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    queue: Arc<Queue>,
    stopped: AtomicBool,
    under_way: AtomicUsize,
    quiet: (Mutex<()>, Condvar),
}

impl Front {
    /// Listens on a free port.
    pub(crate) fn start(source: Source, queue: Arc<Queue>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            source,
            queue,
            stopped: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            quiet: Default::default(),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), false) = (stream, accepting.stopped.load(Ordering::Acquire)) else { continue };
                let shared = accepting.clone();
                std::thread::spawn(move || {
                    // A caller that breaks off is the caller's business.
                    let _ = shared.serve(stream);
                });
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more, and waits for what is under way.
    pub(crate) fn drain(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        let (lock, changed) = &self.shared.quiet;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |_: &mut ()| self.shared.under_way.load(Ordering::Acquire) > 0;
        drop(changed.wait_timeout_while(guard, DRAIN, busy));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(stream)?;
        while let Some(head) = connection.read_head()? {
            let too_large =
                head.header("content-length").and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > MOST);
            if too_large {
                return connection.write(&refusal(413, "Request Too Long"));
            }
            let body = connection.read_body(&head, false)?;
            if self.stopped.load(Ordering::Acquire) {
                return connection.write(&refusal(503, "Service Unavailable"));
            }
            let _busy = Busy::new(self);
            let (answer, pieces) = channel();
            self.queue.put(Invocation { event: self.source.event(&head, &body).to_string().into_bytes(), answer });
            let keep = respond(&mut connection, &head, &pieces);
            // The function's answer is taken to its end, whoever listens.
            while pieces.recv().is_ok() {}
            if !keep? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Writes a response; says whether the connection may be used again.
fn respond(connection: &mut Connection, request: &Head, pieces: &Pieces) -> io::Result<bool> {
    let Ok(Piece::Head { status, headers }) = pieces.recv() else {
        connection.write(&refusal(502, "Internal Server Error"))?;
        return Ok(false);
    };
    let counted = headers.iter().any(|(name, _)| name == "content-length");
    let mut head = format!("HTTP/1.1 {status} x\r\n");
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let bodiless = request.word(0) == "HEAD" || status == 204 || status == 304;
    head.push_str(if counted || bodiless { "\r\n" } else { "transfer-encoding: chunked\r\n\r\n" });
    connection.write(head.as_bytes())?;
    loop {
        match pieces.recv() {
            Ok(Piece::Body(bytes)) if bodiless || bytes.is_empty() => {}
            Ok(Piece::Body(bytes)) if counted => connection.write(&bytes)?,
            Ok(Piece::Body(bytes)) => connection.write_chunk(&bytes)?,
            Ok(Piece::End) => {
                if !counted && !bodiless {
                    connection.write(b"0\r\n\r\n")?;
                }
                return Ok(!request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")));
            }
            // Without the last chunk, so that the caller sees that it broke off.
            _ => return Ok(false),
        }
    }
}

fn refusal(status: u16, text: &str) -> Vec<u8> {
    let body = format!("{{\"message\":\"{text}\"}}");
    format!(
        "HTTP/1.1 {status} {text}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request under way.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.under_way.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let _guard = self.0.quiet.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.quiet.1.notify_all();
    }
}
