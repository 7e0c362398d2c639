//! Connections that wait for their next request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edgeway_core::ports::Network;

use super::body::Sent;
use super::origin::Origin;

const MAX_IDLE: usize = 512;
const IDLE_TIME: Duration = Duration::from_secs(60);

/// What a connection may be used for again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Where it leads.
    pub(super) origin: Origin,
    /// Whether its address was checked to be a public one.
    pub(super) public: bool,
}

impl Key {
    /// The rule to connect under.
    pub(super) fn network(&self) -> Network {
        if self.public { Network::Public } else { Network::Any }
    }
}

/// An open connection.
pub(super) enum Connection {
    /// HTTP/1.1: one request at a time.
    One(hyper::client::conn::http1::SendRequest<Sent>),
    /// HTTP/2: many.
    Two(hyper::client::conn::http2::SendRequest<Sent>),
}

/// Idle connections of one worker.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Key, Vec<(Connection, Instant)>>>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Vec<(Connection, Instant)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, if one is alive.
    pub(super) fn take(&self, key: &Key) -> Option<Connection> {
        let mut idle = self.lock();
        let waiting = idle.get_mut(key)?;
        while let Some((connection, since)) = waiting.pop() {
            if since.elapsed() > IDLE_TIME {
                waiting.clear();
                return None;
            }
            match &connection {
                Connection::One(sender) if sender.is_closed() => {}
                Connection::One(_) => return Some(connection),
                Connection::Two(sender) if sender.is_closed() => {}
                Connection::Two(sender) => {
                    let another = Connection::Two(sender.clone());
                    waiting.push((connection, Instant::now()));
                    return Some(another);
                }
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, key: Key, connection: Connection) {
        let mut idle = self.lock();
        let waiting = idle.entry(key).or_default();
        if waiting.len() < MAX_IDLE {
            waiting.push((connection, Instant::now()));
        }
    }
}
