//! Connections that wait for their next request, for one worker thread.
//!
//! Bounded three ways: so many idle connections an origin, so many in all, and each for so long. Only the
//! worker's own thread uses the pool, so its lock is never contended; it is there because core's futures
//! are `Send`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::one::One;
use super::origin::Origin;
use super::two::Two;

/// Most idle connections to one origin.
const MOST_IDLE: usize = 512;
/// Most origins with idle connections.
const MOST_ORIGINS: usize = 256;
/// How long a connection may be idle: less than what servers usually allow (60 to 75 seconds), so that
/// a request seldom meets a connection that is being closed.
const IDLE_TIME: Duration = Duration::from_secs(45);
/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(15);

/// Idle connections of one worker.
#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    origins: HashMap<Origin, Idle>,
    sweeping: bool,
}

#[derive(Default)]
struct Idle {
    one: Vec<(One, Instant)>,
    two: Vec<Two>,
}

/// A connection that may be used again.
pub(super) enum Kept {
    /// For this request alone.
    One(One),
    /// Shared.
    Two(Two),
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, of those that are still good.
    pub(super) fn take(&self, origin: &Origin) -> Option<Kept> {
        let mut state = self.lock();
        let idle = state.origins.get_mut(origin)?;
        while let Some((mut connection, since)) = idle.one.pop() {
            if since.elapsed() >= IDLE_TIME {
                idle.one.clear(); // the others are older
            } else if connection.is_ready() {
                return Some(Kept::One(connection));
            }
        }
        idle.two.retain(Two::is_open);
        idle.two.iter().find(|connection| connection.has_room()).cloned().map(Kept::Two)
    }

    /// Keeps a connection whose answer has ended.
    pub(super) fn put_one(self: &Arc<Self>, origin: Origin, connection: One) {
        self.put(origin, |idle| {
            if idle.one.len() == MOST_IDLE {
                idle.one.remove(0);
            }
            idle.one.push((connection, Instant::now()));
        });
    }

    /// Shares a connection.
    pub(super) fn put_two(self: &Arc<Self>, origin: Origin, connection: Two) {
        self.put(origin, |idle| idle.two.push(connection));
    }

    fn put(self: &Arc<Self>, origin: Origin, change: impl FnOnce(&mut Idle)) {
        let mut state = self.lock();
        if state.origins.len() >= MOST_ORIGINS && !state.origins.contains_key(&origin) {
            return;
        }
        change(state.origins.entry(origin).or_default());
        if !std::mem::replace(&mut state.sweeping, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has been idle for too long. False when nothing is left.
    fn sweep_once(&self) -> bool {
        let mut state = self.lock();
        state.origins.retain(|_, idle| {
            idle.one.retain_mut(|(connection, since)| since.elapsed() < IDLE_TIME && connection.is_ready());
            idle.two.retain(|connection| connection.is_open() && !connection.is_unused());
            !idle.one.is_empty() || !idle.two.is_empty()
        });
        state.sweeping = !state.origins.is_empty();
        state.sweeping
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        match pool.upgrade() {
            Some(pool) if pool.sweep_once() => {}
            _ => return,
        }
    }
}
