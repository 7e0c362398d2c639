//! The key-value store `default`, with the expiry that it lacks.
//!
//! A value is stored as `0x01`, its expiry (microseconds since the epoch, little-endian, 0 for none), and its bytes.
//! Spin lists all keys of a store at once and in no order, so a page costs as much as the whole store: the gateway lists
//! only what an administrator asks for.
//!
//! Invariant: what this file did not write is as good as absent, so another component may share the store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Clock, KvEntry, KvPage, KvStore, Timestamp};
use spin_sdk::key_value::{Error as Refusal, Store};

use crate::local::Local;

const LABEL: &str = "default";
const FORMAT: u8 = 1;
const HEAD: usize = 1 + size_of::<u64>();
/// Core's limits, in bytes.
const LONGEST_KEY: usize = 512;
const LARGEST_VALUE: usize = 1 << 20;

/// The component's key-value store.
pub(crate) struct SpinKv {
    clock: Arc<dyn Clock>,
}

impl SpinKv {
    /// The store, by this clock.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    async fn live(&self, store: &Store, key: &str) -> Result<Option<Bytes>> {
        let Some(stored) = store.get(key).await.map_err(|error| refused(&error))? else { return Ok(None) };
        let Some((&FORMAT, rest)) = stored.split_first() else { return Ok(None) };
        let Some((expires, _)) = rest.split_first_chunk() else { return Ok(None) };
        let expires = Timestamp(u64::from_le_bytes(*expires));
        let live = expires == Timestamp(0) || expires > self.clock.now();
        Ok(live.then(|| Bytes::from(stored).slice(HEAD..)))
    }
}

#[async_trait]
impl KvStore for SpinKv {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        Local::future(async {
            let value = self.live(&open().await?, key).await?;
            Ok(value.map(|value| KvEntry { value }))
        })
        .await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        if key.is_empty() || key.len() > LONGEST_KEY || value.len() > LARGEST_VALUE {
            return Err(Error::new(ErrorKind::PayloadTooLarge, "This does not fit into the gateway's store.")
                .source(format_args!("a key of {} bytes with a value of {}", key.len(), value.len())));
        }
        let expires = ttl.map_or(0, |ttl| self.clock.now().plus(ttl).0);
        let stored = [&[FORMAT][..], &expires.to_le_bytes(), &value].concat();
        Local::future(async { open().await?.set(key, stored).await.map_err(|error| refused(&error)) }).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Local::future(async { open().await?.delete(key).await.map_err(|error| refused(&error)) }).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        Local::future(async {
            let store = open().await?;
            let mut keys = store.get_keys().await.collect().await.map_err(|error| refused(&error))?;
            keys.retain(|key| key.starts_with(prefix) && cursor.is_none_or(|cursor| key.as_str() >= cursor));
            keys.sort_unstable();
            let mut page = KvPage::default();
            for key in keys {
                if self.live(&store, &key).await?.is_none() {
                    continue;
                }
                if page.keys.len() == limit {
                    page.cursor = Some(key);
                    break;
                }
                page.keys.push(key);
            }
            Ok(page)
        })
        .await
    }
}

/// Whether the component has the store. One that does not answer now is there all the same.
pub(crate) async fn given() -> bool {
    !matches!(Store::open(LABEL).await, Err(Refusal::NoSuchStore | Refusal::AccessDenied))
}

async fn open() -> Result<Store> {
    Store::open(LABEL).await.map_err(|error| refused(&error))
}

fn refused(error: &Refusal) -> Error {
    match error {
        Refusal::NoSuchStore | Refusal::AccessDenied => {
            Error::new(ErrorKind::Misconfigured, "The gateway's key-value store is not there.").source(format_args!(
                "the key-value store `{LABEL}`: {error}; write key_value_stores = [\"{LABEL}\"] under [component.edgeway] in spin.toml"
            ))
        }
        Refusal::StoreTableFull | Refusal::Other(_) => {
            Error::new(ErrorKind::Overloaded, "The gateway's store does not answer. Try again in a moment.")
                .source(format_args!("the key-value store `{LABEL}`: {error}"))
        }
    }
}
