//! Values by key, in the table. What an item cannot hold (DynamoDB allows 400 KB) lies in parts beside it.
//!
//! A large value is written parts first, then its item, which names the writing that the parts belong to; so a reader sees
//! the old value or the new one and never a mixture. Parts of what was replaced are removed afterwards.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{KvEntry, KvPage, KvStore, Timestamp};
use futures_util::future::{join_all, try_join_all};

use super::aws::away;
use super::table::{Item, Table};

const PARTITION: &str = "kv";
const PARTS: &str = "part";
/// Bytes of a value in one item.
const PART: usize = 350 << 10;
const MOST_KEY: usize = 512;
const MOST_VALUE: usize = 1 << 20;
/// How often a value is read whose parts are being replaced.
const READS: usize = 4;
/// Largest page of a query.
const MOST_PAGE: usize = 1000;

/// The store.
pub struct TableKv(Arc<Table>);

impl TableKv {
    /// A store in a table.
    pub fn new(table: Arc<Table>) -> Self {
        Self(table)
    }

    fn now(&self) -> Timestamp {
        self.0.aws().clock.now()
    }

    /// The parts of a value; `None` when one of them is gone.
    async fn parts(&self, key: &str, item: &Item) -> Result<Option<Bytes>> {
        let first = item.get_bytes("v");
        let Some((writing, count)) = parts_of(item) else { return Ok(Some(first)) };
        let names: Vec<String> = (0..count).map(|number| part_name(key, writing, number)).collect();
        let parts = try_join_all(names.iter().map(|name| self.0.get(PARTS, name))).await?;
        let mut whole = BytesMut::from(&first[..]);
        for part in parts {
            let Some(part) = part else { return Ok(None) };
            whole.extend_from_slice(&part.get_bytes("v"));
        }
        Ok(Some(whole.freeze()))
    }

    /// Removes the parts of an item that is no more. What is left behind by a failure only costs its room.
    async fn forget(&self, key: &str, item: Option<Item>) {
        if let Some((writing, count)) = item.as_ref().and_then(parts_of) {
            let names: Vec<String> = (0..count).map(|number| part_name(key, writing, number)).collect();
            join_all(names.iter().map(|name| self.0.delete(PARTS, name))).await;
        }
    }
}

#[async_trait]
impl KvStore for TableKv {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        for _ in 0..READS {
            let item = self.0.get(PARTITION, key).await?;
            let Some(item) = item.filter(|item| item.lives(self.now())) else { return Ok(None) };
            if let Some(value) = self.parts(key, &item).await? {
                return Ok(Some(KvEntry { value }));
            }
        }
        Err(away("dynamodb", format_args!("the value of {key} was replaced at every one of {READS} reads")))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        if key.is_empty() || key.len() > MOST_KEY || value.len() > MOST_VALUE {
            return Err(Error::new(ErrorKind::PayloadTooLarge, "The store takes keys of 1 to 512 bytes and values up to 1 MiB."));
        }
        let expires = ttl.map(|ttl| self.now().plus(ttl));
        let (first, rest) = value.split_at(value.len().min(PART));
        let mut item = Item::key(PARTITION, key).bytes("v", first).expires(expires);
        if !rest.is_empty() {
            let writing = format!("{:016x}", self.0.aws().entropy.u64());
            let parts = rest.chunks(PART).enumerate().map(|(number, bytes)| {
                let name = part_name(key, &writing, number as u64);
                self.0.put(Item::key(PARTS, &name).bytes("v", bytes).expires(expires))
            });
            let written = try_join_all(parts).await?;
            item = item.number("n", written.len() as u64).text("g", &writing);
        }
        let old = self.0.put(item).await?;
        self.forget(key, old).await;
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let old = self.0.delete(PARTITION, key).await?;
        self.forget(key, old).await;
        Ok(())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        let mut page = KvPage { keys: Vec::new(), cursor: cursor.map(str::to_owned) };
        while page.keys.len() < limit {
            let wanted = (limit - page.keys.len()).min(MOST_PAGE);
            let found = self.0.query(PARTITION, prefix, page.cursor.as_deref(), wanted).await?;
            let now = self.now();
            let living = found.items.iter().filter(|item| item.lives(now)).filter_map(|item| item.get_text("sk"));
            page.keys.extend(living.map(str::to_owned));
            page.cursor = found.after;
            if page.cursor.is_none() {
                break;
            }
        }
        Ok(page)
    }
}

/// Which writing an item's parts belong to, and how many there are.
fn parts_of(item: &Item) -> Option<(&str, u64)> {
    Some((item.get_text("g")?, item.get_number("n")?))
}

fn part_name(key: &str, writing: &str, number: u64) -> String {
    format!("{key}#{writing}#{number}")
}
