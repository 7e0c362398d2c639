//! The phases of a server's life, as every connection sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Takes requests.
    Serving,
    /// Takes requests, and asks clients to send their next ones elsewhere.
    Leaving,
    /// Takes no more; what is under way may end.
    Draining,
    /// Closes what is left.
    Stopped,
}

/// Tells connections about the phase, and counts them.
#[derive(Debug, Default)]
pub struct Drain {
    phase: AtomicU8,
    changed: Notify,
    connections: AtomicUsize,
    closed: Notify,
}

impl Drain {
    /// The phase now.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Leaving,
            2 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Moves on to a later phase; never back.
    pub fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Ends when `phase` is reached.
    pub async fn reached(&self, phase: Phase) {
        self.until(&self.changed, || self.phase() >= phase).await;
    }

    /// Ends when fewer connections than that are open.
    pub async fn fewer_than(&self, most: usize) {
        self.until(&self.closed, || self.connections() < most).await;
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Counts a connection until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> Entered {
        self.connections.fetch_add(1, Ordering::AcqRel);
        Entered(self.clone())
    }

    async fn until(&self, notify: &Notify, done: impl Fn() -> bool) {
        loop {
            // Registered before the look, so that a change between look and wait is not lost.
            if done() {
                return;
            }
            let mut notified = std::pin::pin!(notify.notified());
            notified.as_mut().enable();
            if done() {
                return;
            }
            notified.await;
        }
    }
}

/// An open connection.
pub struct Entered(Arc<Drain>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.closed.notify_waiters();
    }
}
