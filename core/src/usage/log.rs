//! Where records of requests are kept: one key a request in the key-value store, so that nothing is counted there.
//!
//! | key | value |
//! |---|---|
//! | `usage/TENANT/2026-12-31/23/59/req_...` | the line of a request that came in that minute, see [`super::line`] |
//! | `usage-of/TENANT` | nothing: there are records of that tenant |
//!
//! A request of no tenant is kept under `-`, which is no tenant's name. Only requests that name a model are kept: what else
//! comes (health checks, strangers without a key) is in the gateway's log alone.
//!
//! Invariant: a record is there at most once, for its key holds its id; a second write of it changes nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};

use super::line;
use crate::config::Records;
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::{Notice, Record};
use crate::ports::{Clock, Event, EventSink, KvStore, Ports, Timestamp};

/// The name under which requests of no tenant are kept.
pub(super) const NOBODY: &str = "-";

/// What the keys of records begin with.
pub(super) const ROWS: &str = "usage/";

/// What the keys of tenants begin with.
pub(super) const OF: &str = "usage-of/";

/// How often a write is tried again, and after how long.
const AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// How long an attempt may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most tenants of which an instance remembers that they are written down.
const REMEMBERED: usize = 1024;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// Where records are kept.
pub struct UsageLog {
    kv: Option<Arc<dyn KvStore>>,
    events: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
    /// Tenants that were written down, and on which day.
    noted: Mutex<BTreeMap<String, u64>>,
    /// The minute in which it was last said that records are lost.
    complained: AtomicU64,
}

impl UsageLog {
    /// A log in the platform's key-value store; it keeps nothing where there is none.
    pub fn new(ports: &Ports) -> Self {
        let (kv, events, clock) = (ports.kv.clone(), ports.events.clone(), ports.clock.clone());
        Self { kv, events, clock, noted: Mutex::default(), complained: AtomicU64::new(0) }
    }

    /// Keeps a record. What cannot be written after three attempts is in the gateway's log alone; at most once a minute an
    /// event says so.
    pub fn keep<'a>(&'a self, records: Records, record: &Record) -> impl Future<Output = ()> + Send + use<'a> {
        let wanted = records.store && !record.model.is_empty();
        let kept = self.kv.as_ref().filter(|_| wanted).map(|kv| {
            let tenant = record.tenant.as_deref().unwrap_or(NOBODY);
            let mut text = Vec::with_capacity(768);
            line::json(&mut text, record);
            (kv.clone(), key(tenant, record.received, &record.id), Bytes::from(text), self.note(tenant, record.received))
        });
        async move {
            let Some((kv, key, text, note)) = kept else { return };
            let row = self.put(&*kv, &key, text, records.retention).await;
            let tenant = match note {
                // As long as any of its records, whenever on this day they come.
                Some(note) => self.put(&*kv, &note, Bytes::new(), records.retention + Duration::from_secs(2 * DAY)).await,
                None => Ok(()),
            };
            if let Err(error) = row.and(tenant) {
                self.complain(record_of(&key), error.source.unwrap_or(error.message)).await;
            }
        }
    }

    /// The key that says that there are records of a tenant, if it was not written today.
    fn note(&self, tenant: &str, now: Timestamp) -> Option<String> {
        let today = now.seconds() / DAY;
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(tenant) == Some(&today) {
            return None;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(tenant.to_owned(), today);
        Some(format!("{OF}{tenant}"))
    }

    async fn put(&self, kv: &dyn KvStore, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        for pause in AGAIN {
            match self.attempt(kv, key, value.clone(), ttl).await {
                Ok(()) => return Ok(()),
                Err(_) => self.clock.sleep(pause).await,
            }
        }
        self.attempt(kv, key, value, ttl).await
    }

    async fn attempt(&self, kv: &dyn KvStore, key: &str, value: Bytes, ttl: Duration) -> Result<()> {
        match select(kv.put(key, value, Some(ttl)), self.clock.sleep(PATIENCE)).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => {
                let source = format_args!("the key-value store has not answered for {PATIENCE:?}").to_string();
                Err(Error::new(ErrorKind::Internal, "The record of the request could not be kept.").source(source))
            }
        }
    }

    async fn complain(&self, request: &str, why: String) {
        let at = self.clock.now();
        let minute = at.seconds() / 60;
        if self.complained.swap(minute, Ordering::Relaxed) == minute {
            return;
        }
        let notice = Notice { event: "usage_not_kept", at, request: request.to_owned(), message: why, ..Notice::default() };
        let _ = self.events.append(Event::Notice(Box::new(notice))).await;
    }
}

/// The key of a record.
fn key(tenant: &str, received: Timestamp, id: &str) -> String {
    format!("{ROWS}{tenant}/{}{id}", minute(received))
}

/// `2026-12-31/23/59/`: the place of a minute.
pub(super) fn minute(moment: Timestamp) -> String {
    let text = moment.to_string();
    format!("{}/{}/{}/", &text[..10], &text[11..13], &text[14..16])
}

fn record_of(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}
