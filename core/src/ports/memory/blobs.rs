//! Objects in a map.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{expired, full, lock};
use crate::body::Body;
use crate::error::Result;
use crate::ports::{BlobStore, Clock, Timestamp};

/// Objects in a map. A second `put` of a key replaces the object whole.
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    capacity: usize,
    objects: Mutex<HashMap<String, Object>>,
}

struct Object {
    bytes: Bytes,
    expires: Option<Timestamp>,
}

impl MemoryBlobs {
    /// An empty store for at most `capacity` bytes of keys and objects together.
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { clock, capacity, objects: Mutex::default() }
    }
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn fetch(&self, key: &str) -> Result<Option<Body>> {
        let now = self.clock.now();
        let objects = lock(&self.objects);
        let object = objects.get(key).filter(|object| !expired(object.expires, now));
        Ok(object.map(|object| object.bytes.clone().into()))
    }

    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()> {
        let bytes = body.collect(self.capacity).await?;
        let now = self.clock.now();
        let mut objects = lock(&self.objects);
        objects.retain(|_, object| !expired(object.expires, now));
        let others: usize =
            objects.iter().filter(|(other, _)| *other != key).map(|(key, object)| key.len() + object.bytes.len()).sum();
        if others + key.len() + bytes.len() > self.capacity {
            return Err(full("the blob store", self.capacity));
        }
        objects.insert(key.to_owned(), Object { bytes, expires: ttl.map(|ttl| now.plus(ttl)) });
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        lock(&self.objects).remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::error::ErrorKind;
    use crate::ports::memory::ManualClock;
    use crate::ports::suite;

    fn store(capacity: usize) -> (Arc<ManualClock>, MemoryBlobs) {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1)));
        (clock.clone(), MemoryBlobs::new(clock, capacity))
    }

    #[test]
    fn passes_the_suite() {
        let (clock, blobs) = store(1 << 20);
        assert_eq!(suite::blob_round_trip(&blobs).now_or_never(), Some(Ok(())));
        assert_eq!(suite::blob_visible_when_whole(&blobs).now_or_never(), Some(Ok(())));
        assert_eq!(suite::blob_ttl(&blobs, &*clock).now_or_never(), Some(Ok(())));
    }

    #[test]
    fn a_full_store_drops_what_has_expired_and_then_refuses() {
        let (clock, blobs) = store(20);
        let put = |key: &'static str, ttl| blobs.put(key, Body::from("123456789"), ttl).now_or_never().expect("never waits");
        put("a", Some(Duration::from_secs(1))).unwrap();
        put("b", None).unwrap();
        assert_eq!(put("c", None).unwrap_err().kind, ErrorKind::Overloaded);
        put("b", None).expect("replacing takes no more room");
        clock.advance(Duration::from_secs(1));
        put("c", None).expect("the expired object made room");
    }
}
