//! Objects of one kind, as they were a moment ago.
//!
//! | the object was read | the store | what is given |
//! |---|---|---|
//! | less than `refresh` ago | | as it was |
//! | longer ago | answers | what the store says |
//! | less than `grace` ago | fails, or does not answer within [`PATIENCE`] | as it was |
//! | the same | did so less than `refresh` ago | as it was; the store is not asked |
//! | longer ago, or never | fails | its error |
//!
//! A clock that goes back makes everything old. Invariant: no more objects than the bound are remembered.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};

use super::recent::Recent;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Name;
use crate::objects::{Object, Objects};
use crate::ports::{Clock, Timestamp};

/// How long a request waits for the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// How objects are read for one request.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) objects: &'a Objects,
    pub(super) clock: &'a dyn Clock,
    pub(super) now: Timestamp,
    /// How old what is known may be.
    pub(super) refresh: Duration,
    /// How old it may be while the store does not answer.
    pub(super) grace: Duration,
    /// When the store last failed, in microseconds.
    pub(super) failed: &'a AtomicU64,
}

/// An object as it is known.
pub(super) struct Got<T> {
    /// None when there is none.
    pub(super) object: Option<Arc<T>>,
    /// When the store said so.
    pub(super) read: Timestamp,
    /// Whether the store was not asked for this.
    pub(super) remembered: bool,
}

pub(super) struct Known<T> {
    recent: Recent<String, Seen<T>>,
}

struct Seen<T> {
    object: Arc<T>,
    read: Timestamp,
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), ..*self }
    }
}

impl<T: Object> Known<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { recent: Recent::new(most) }
    }

    /// The object, as it is or was.
    pub(super) async fn get(&self, tenant: Option<&Name>, id: &str, reading: Reading<'_>) -> Result<Got<T>> {
        let Reading { now, refresh, grace, .. } = reading;
        let seen = self.recent.get(&place(tenant, id));
        let remembered = |Seen { object, read }| Ok(Got { object: Some(object), read, remembered: true });
        if let Some(seen) = seen.clone().filter(|seen| younger(seen.read, now, refresh)) {
            return remembered(seen);
        }
        let Some(seen) = seen.filter(|seen| younger(seen.read, now, grace)) else { return self.read(tenant, id, reading).await };
        let failed = Timestamp(reading.failed.load(Ordering::Relaxed));
        if younger(failed, reading.clock.now(), refresh) {
            return remembered(seen);
        }
        self.read(tenant, id, reading).await.or_else(|_| remembered(seen))
    }

    /// The object, as the store has it.
    pub(super) async fn read(&self, tenant: Option<&Name>, id: &str, reading: Reading<'_>) -> Result<Got<T>> {
        let Reading { objects, clock, now, .. } = reading;
        let answer = pin!(objects.get::<T>(tenant, id));
        let stored = match select(answer, clock.sleep(PATIENCE)).await {
            Either::Left((stored, _)) => stored.map_err(|error| error.source.unwrap_or(error.message)),
            Either::Right(_) => Err(format!("the store gave no answer within {} s", PATIENCE.as_secs())),
        };
        let stored = stored.map_err(|why| {
            reading.failed.store(clock.now().0, Ordering::Relaxed);
            away(why)
        })?;
        let object = stored.map(|stored| Arc::new(stored.value));
        match &object {
            Some(object) => {
                self.recent.put(place(tenant, id), Seen { object: object.clone(), read: now });
            }
            None => self.recent.remove(&place(tenant, id)),
        }
        Ok(Got { object, read: now, remembered: false })
    }

    pub(super) fn clear(&self) {
        self.recent.clear();
    }
}

/// Whether `at` is less than `age` away from `now`, in either direction.
pub(super) fn younger(at: Timestamp, now: Timestamp, age: Duration) -> bool {
    Duration::from_micros(now.0.abs_diff(at.0)) < age
}

fn place(tenant: Option<&Name>, id: &str) -> String {
    format!("{}/{id}", tenant.map_or("-", Name::as_str))
}

fn away(why: String) -> Error {
    Error::new(ErrorKind::Overloaded, "The gateway cannot check API keys at the moment. Try again in a few seconds.")
        .retry_after(Some(Duration::from_secs(1)))
        .source(why)
}
