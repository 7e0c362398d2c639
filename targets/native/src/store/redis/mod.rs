//! Redis: state that several instances share.
//!
//! | what | key | kind |
//! |---|---|---|
//! | values | `PREFIX:value:KEY` | string with expiry |
//! | keys of values | `PREFIX:keys` | sorted set, for lists in order |
//! | cells | `PREFIX:cell:NAME` | hash of version, state, expiry |
//! | the last version | `PREFIX:versions` | string |
//! | objects | `PREFIX:blob:KEY` | string with expiry |
//! | events | `PREFIX:events` | capped stream |
//!
//! Invariant: gateways with one prefix are one gateway; with two they have nothing in common.

mod blobs;
mod cells;
mod events;
mod kv;
mod link;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use edgeway_core::Result;
use edgeway_core::config::RedisAddress;
use edgeway_core::ports::Secret;
use redis::pipe;

use super::away;
use super::backlog::Backlog;
use cells::Cells;
pub(super) use cells::Shared;
use events::Stream;
use link::{Again, Failure, Lane, Link, Script};

/// How often expired keys are taken out of the index.
const SWEEP: Duration = Duration::from_secs(600);

/// A Redis server, and what of it belongs to a gateway.
pub(super) struct RedisStore {
    link: Link,
    prefix: String,
    cells: Cells,
    list: Script,
}

/// Everything in Redis.
pub(super) struct Server {
    pub(super) store: Arc<RedisStore>,
    pub(super) events: Arc<Backlog>,
}

/// What a first look at the server found.
pub(super) enum Found {
    Ready,
    /// It may come; the gateway serves meanwhile.
    Away(String),
}

impl Server {
    /// Starts, and looks for the server. An error is one that waiting does not mend.
    pub(super) fn open(address: &RedisAddress, password: Option<Secret>) -> std::result::Result<(Self, Found), String> {
        let link = Link::start(address, password).map_err(|error| error.to_string())?;
        let (prefix, cells, list) = (address.prefix.clone(), Cells::new(), Script::new(kv::LIST));
        let store = Arc::new(RedisStore { link, prefix, cells, list });
        let mut ping = pipe();
        ping.cmd("PING").ignore();
        let look = store.link.pipe(Lane::Small).clone();
        // Whoever opens a store may do so within a runtime, which cannot wait for a future here.
        let (tell, told) = std::sync::mpsc::channel();
        store.link.runtime().spawn(async move { tell.send(look.send(&ping.into(), Again::Harmless).await) });
        let looked = told.recv().map_err(|error| error.to_string())?;
        let found = match looked {
            Ok(_) => Found::Ready,
            Err(Failure::Denied(why)) => return Err(why),
            Err(failure) => Found::Away(failure.to_string()),
        };
        let events = Arc::new(Backlog::start(Stream(store.clone())).map_err(|error| error.to_string())?);
        store.link.runtime().spawn(sweep(Arc::downgrade(&store)));
        Ok((Self { store, events }, found))
    }

    /// Writes what waits. What comes later is refused.
    pub(super) fn close(&self) {
        self.events.close();
        self.store.link.close();
    }
}

impl RedisStore {
    fn key(&self, kind: &str, name: &str) -> String {
        match name {
            "" => format!("{}:{kind}", self.prefix),
            name => format!("{}:{kind}:{name}", self.prefix),
        }
    }

    fn value(&self, key: &str) -> String {
        format!("{}:value:{key}", self.prefix)
    }

    fn index(&self) -> String {
        self.key("keys", "")
    }

    /// Runs work on the connections' thread.
    async fn on_link<T: Send + 'static>(
        &self,
        work: impl Future<Output = std::result::Result<T, Failure>> + Send + 'static,
    ) -> Result<T> {
        self.link.runtime().spawn(work).await.map_err(|_| away("the store is closed"))?.map_err(away)
    }
}

/// Walks the index now and then: looking at a key whose value has expired removes it.
async fn sweep(store: std::sync::Weak<RedisStore>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(store) = store.upgrade() else { return };
        let mut cursor = None;
        while let Ok(page) = store.page("", cursor.as_deref(), 1_000).await {
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
}

/// A time to live as Redis takes it: at least a millisecond.
fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4)
}
