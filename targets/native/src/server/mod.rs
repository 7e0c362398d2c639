//! The HTTP server: one thread a core, each with its own listener, runtime and connections.
//!
//! Nothing is shared between workers on the way of a request, so a request costs no lock that another core
//! could hold. The kernel spreads connections over the workers (`SO_REUSEPORT`).

mod connection;
mod drain;
mod exchange;
mod gate;
mod head;
mod listener;
mod service;
mod tasks;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use drain::{Drain, Phase};
pub use exchange::{Handle, Handler, Served};

/// What protects the server from its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of a request's head.
    pub header_bytes: usize,
    /// Most header fields of a request.
    pub headers: usize,
    /// Longest time from a request's first byte to the end of its head, and for a TLS handshake.
    pub header_time: Duration,
    /// Longest pause inside a request's body.
    pub body_pause: Duration,
    /// Longest time from a request's head to the end of its body.
    pub body_time: Duration,
    /// Longest time in which a client takes nothing of its response.
    pub write_time: Duration,
    /// How long a connection may wait for its next request.
    pub idle_time: Duration,
    /// Most connections; more wait to be accepted.
    pub connections: usize,
    /// Most requests at once on an HTTP/2 connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 64 * 1024,
            headers: 100,
            header_time: Duration::from_secs(10),
            body_pause: Duration::from_secs(30),
            body_time: Duration::from_secs(300),
            write_time: Duration::from_secs(60),
            idle_time: Duration::from_secs(75),
            connections: 65_536,
            streams: 250,
        }
    }
}

/// How to serve.
pub struct Settings {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Threads, each with its own listener; at least one.
    pub workers: usize,
    /// Limits.
    pub limits: Limits,
    /// TLS, if clients are to be served with it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How long requests may take to end after a drain has begun.
    pub drain: Duration,
}

impl Settings {
    /// Plain HTTP on an address, one worker a core, default limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, workers: cores(), limits: Limits::default(), tls: None, drain: Duration::from_secs(30) }
    }
}

/// How many workers there are when nobody says: one a core.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What the connections of one server share.
struct Shared {
    handler: Handler,
    limits: Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
    drain: Arc<Drain>,
}

/// A server that runs.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    allowed: Duration,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens and serves. Returns when connections are accepted.
    pub fn start(settings: Settings, handler: Handler) -> io::Result<Self> {
        let listeners = listener::open(settings.listen, settings.workers.max(1))?;
        let address = listeners[0].local_addr()?;
        let shared = Arc::new(Shared { handler, limits: settings.limits, tls: settings.tls, drain: Arc::default() });
        let mut workers = Vec::with_capacity(listeners.len());
        for (index, listener) in listeners.into_iter().enumerate() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let shared = shared.clone();
            let allowed = settings.drain;
            let run = move || {
                WORKER.set(index);
                runtime.block_on(listener::accept(&shared, listener));
                runtime.block_on(finish(&shared, allowed));
            };
            workers.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
        }
        Ok(Self { shared, address, allowed: settings.drain, workers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its phase, and the way to end it.
    pub fn drain(&self) -> Arc<Drain> {
        self.shared.drain.clone()
    }

    /// Stops accepting, lets requests under way end within the drain time, then closes what is left.
    /// Returns how many connections had to be closed.
    pub fn stop(self) -> usize {
        self.shared.drain.advance(Phase::Draining);
        let until = Instant::now() + self.allowed + Duration::from_secs(1);
        let mut left = 0;
        for worker in self.workers {
            while !worker.is_finished() && Instant::now() < until && self.shared.drain.phase() != Phase::Stopped {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            left = self.shared.drain.connections().max(left);
            self.shared.drain.advance(Phase::Stopped);
            let _ = worker.join();
        }
        left
    }
}

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// The number of the worker thread that calls; 0 on other threads.
pub fn worker() -> usize {
    WORKER.get()
}

/// Waits for connections and settlements to end, within the time allowed or until the server is stopped.
async fn finish(shared: &Shared, allowed: Duration) {
    let ended = async {
        shared.drain.fewer_than(1).await;
        while tasks::under_way() > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(allowed) => {}
        () = shared.drain.reached(Phase::Stopped) => {}
    }
}
