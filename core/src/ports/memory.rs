//! Every port in memory, for tests and for the pieces of a platform that need no durability.
//!
//! Each type honours its trait's contract (the functions of [`super::suite`] run over all of them),
//! takes its time from a [`Clock`](super::Clock) and holds at most what it is told to: a full store drops what has
//! expired and then refuses with `Overloaded`. What it does not do: survive the process, or be seen by another instance.
//!
//! Invariant: no lock is held across an await, and no future waits for anything but the clock.

mod blobs;
mod cells;
mod clock;
mod entropy;
mod events;
mod http;
mod kv;
mod secrets;
mod vectors;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use blobs::MemoryBlobs;
pub use cells::MemoryCells;
pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use events::MemoryEvents;
pub use http::{Script, ScriptedHttp, Sent, Step, scripted};
pub use kv::MemoryKv;
pub use secrets::MemorySecrets;
pub use vectors::MemoryVectors;

use super::{HttpClient, Ports, Timestamp};
use crate::error::{Error, ErrorKind};

/// Every port in memory, around one clock. Tests keep the parts that they look at afterwards.
pub struct MemoryPorts {
    /// The time.
    pub clock: Arc<ManualClock>,
    /// What was recorded.
    pub events: Arc<MemoryEvents>,
    /// Where to put keys.
    pub secrets: Arc<MemorySecrets>,
    /// All of them, for a gateway.
    pub ports: Ports,
}

impl MemoryPorts {
    /// Ports with small stores, over `clock` and `http`.
    pub fn new(clock: Arc<ManualClock>, http: Arc<dyn HttpClient>) -> Self {
        const BYTES: usize = 64 << 20;
        let events = Arc::new(MemoryEvents::new(10_000));
        let secrets = Arc::new(MemorySecrets::default());
        let ports = Ports {
            http,
            kv: Some(Arc::new(MemoryKv::new(clock.clone(), BYTES))),
            cells: Some(Arc::new(MemoryCells::new(clock.clone(), BYTES))),
            blobs: Some(Arc::new(MemoryBlobs::new(clock.clone(), BYTES))),
            events: events.clone(),
            vectors: Some(Arc::new(MemoryVectors::new(BYTES))),
            secrets: secrets.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::new(1)),
        };
        Self { clock, events, secrets, ports }
    }
}

/// Locks. A panic in another thread leaves plain data behind, which is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn expired(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_some_and(|expires| expires <= now)
}

fn full(what: &str, capacity: usize) -> Error {
    Error::new(ErrorKind::Overloaded, "The gateway's store is full. Try again later.")
        .source(format_args!("{what} in memory holds its {capacity} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ports_share_one_clock() {
        let clock = Arc::new(ManualClock::at(Timestamp(5)));
        let http = Arc::new(ScriptedHttp::replies(clock.clone(), []));
        let memory = MemoryPorts::new(clock.clone(), http);
        clock.advance(std::time::Duration::from_micros(2));
        assert_eq!(memory.ports.clock.now(), Timestamp(7));
    }
}
