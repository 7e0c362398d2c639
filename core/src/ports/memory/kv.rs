//! A key-value store in a map.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{expired, full, lock};
use crate::error::Result;
use crate::ports::{Clock, KvEntry, KvPage, KvStore, Timestamp, admissible};

/// A key-value store in a map.
pub struct MemoryKv {
    clock: Arc<dyn Clock>,
    capacity: usize,
    map: Mutex<Map>,
}

#[derive(Default)]
struct Map {
    entries: BTreeMap<String, Value>,
    /// Invariant: the lengths of all keys and values in `entries`.
    bytes: usize,
}

struct Value {
    bytes: Bytes,
    expires: Option<Timestamp>,
}

impl MemoryKv {
    /// An empty store for at most `capacity` bytes of keys and values.
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { clock, capacity, map: Mutex::default() }
    }
}

impl Map {
    fn remove(&mut self, key: &str) {
        if let Some(value) = self.entries.remove(key) {
            self.bytes -= key.len() + value.bytes.len();
        }
    }

    fn purge(&mut self, now: Timestamp) {
        self.entries.retain(|key, value| {
            let keep = !expired(value.expires, now);
            if !keep {
                self.bytes -= key.len() + value.bytes.len();
            }
            keep
        });
    }
}

#[async_trait]
impl KvStore for MemoryKv {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        let now = self.clock.now();
        let map = lock(&self.map);
        let value = map.entries.get(key).filter(|value| !expired(value.expires, now));
        Ok(value.map(|value| KvEntry { value: value.bytes.clone() }))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        admissible(key, &value)?;
        let now = self.clock.now();
        let size = key.len() + value.len();
        let mut map = lock(&self.map);
        let replaced = map.entries.get(key).map_or(0, |old| key.len() + old.bytes.len());
        if map.bytes - replaced + size > self.capacity {
            map.purge(now);
            let replaced = map.entries.get(key).map_or(0, |old| key.len() + old.bytes.len());
            if map.bytes - replaced + size > self.capacity {
                return Err(full("kv", self.capacity));
            }
        }
        map.remove(key);
        map.bytes += size;
        map.entries.insert(key.to_owned(), Value { bytes: value, expires: ttl.map(|ttl| now.plus(ttl)) });
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        lock(&self.map).remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        let now = self.clock.now();
        let map = lock(&self.map);
        // A cursor is the last key of the page before.
        let from = match cursor {
            Some(last) if last >= prefix => Bound::Excluded(last),
            _ => Bound::Included(prefix),
        };
        let mut live = map
            .entries
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, value)| !expired(value.expires, now))
            .map(|(key, _)| key.clone());
        let keys: Vec<_> = live.by_ref().take(limit.max(1)).collect();
        let cursor = live.next().and_then(|_| keys.last().cloned());
        Ok(KvPage { keys, cursor })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::error::ErrorKind;
    use crate::ports::memory::ManualClock;
    use crate::ports::suite;

    fn store(capacity: usize) -> (Arc<ManualClock>, MemoryKv) {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1)));
        (clock.clone(), MemoryKv::new(clock, capacity))
    }

    #[test]
    fn passes_the_suite() {
        let (clock, kv) = store(4 << 20);
        assert_eq!(suite::kv_round_trip(&kv).now_or_never(), Some(Ok(())));
        assert_eq!(suite::kv_ttl(&kv, &*clock).now_or_never(), Some(Ok(())));
        assert_eq!(suite::kv_list_pages(&kv).now_or_never(), Some(Ok(())));
        assert_eq!(suite::kv_limits(&kv).now_or_never(), Some(Ok(())));
        let map = lock(&kv.map);
        assert_eq!(map.bytes, map.entries.iter().map(|(key, value)| key.len() + value.bytes.len()).sum::<usize>());
    }

    #[test]
    fn a_full_store_drops_what_has_expired_and_then_refuses() {
        let (clock, kv) = store(20);
        let put =
            |key: &'static str, ttl| kv.put(key, Bytes::from_static(b"123456789"), ttl).now_or_never().expect("never waits");
        put("a", Some(Duration::from_secs(1))).unwrap();
        put("b", None).unwrap();
        assert_eq!(put("c", None).unwrap_err().kind, ErrorKind::Overloaded);
        put("b", None).expect("replacing takes no more room");
        clock.advance(Duration::from_secs(1));
        put("c", None).expect("the expired entry made room");
        assert_eq!(lock(&kv.map).bytes, 20);
    }
}
