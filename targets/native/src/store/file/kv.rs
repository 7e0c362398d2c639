//! The key-value store: reads see the last commit, writes go through the writer.

use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::Result;
use edgeway_core::ports::{KvEntry, KvPage, KvStore, admissible};

use super::FileStore;
use super::tables::{KV, live};

#[async_trait]
impl KvStore for FileStore {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        let now = self.clock.now();
        self.writer.read(|read| {
            let row = read.open_table(KV)?.get(key)?;
            let value = row.as_ref().and_then(|row| live(row.value(), now)).map(Bytes::copy_from_slice);
            Ok(value.map(|value| KvEntry { value }))
        })
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        admissible(key, &value)?;
        let key = key.to_owned();
        self.writer.change(move |tables| tables.put(&key, &value, ttl)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.writer.change(move |tables| tables.delete(&key)).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        let now = self.clock.now();
        // A cursor is the last key of the page before.
        let from = match cursor {
            Some(last) if last >= prefix => Bound::Excluded(last),
            _ => Bound::Included(prefix),
        };
        let limit = limit.max(1);
        self.writer.read(|read| {
            let table = read.open_table(KV)?;
            let mut keys: Vec<String> = Vec::new();
            for entry in table.range::<&str>((from, Bound::Unbounded))? {
                let (key, row) = entry?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                if live(row.value(), now).is_none() {
                    continue;
                }
                if keys.len() == limit {
                    let cursor = keys.last().cloned();
                    return Ok(KvPage { keys, cursor });
                }
                keys.push(key.value().to_owned());
            }
            Ok(KvPage { keys, cursor: None })
        })
    }
}
