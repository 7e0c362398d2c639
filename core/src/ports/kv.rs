//! Eventual key-value store.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};

/// A value as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvEntry {
    /// The value.
    pub value: Bytes,
}

/// A page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvPage {
    /// Keys, ascending.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` at the end.
    pub cursor: Option<String>,
}

/// An eventually consistent key-value store.
///
/// Contract: keys are 1 to 512 bytes of UTF-8; values at most 1 MiB; a value whose time to live has
/// passed is never returned; a write is seen by the same instance at once and by others eventually
/// (so nothing may be counted here); `list` returns keys in ascending byte order.
#[async_trait]
pub trait KvStore: Send + Sync {
    /// The value of a key.
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>>;
    /// Stores a value, for `ttl` if given.
    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()>;
    /// Removes a key; removing what is not there succeeds.
    async fn delete(&self, key: &str) -> Result<()>;
    /// Keys that begin with `prefix`, at most `limit`, from `cursor` on.
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage>;
}

/// The longest key in bytes.
const KEY_LIMIT: usize = 512;
/// The largest value in bytes.
const VALUE_LIMIT: usize = 1 << 20;

/// Refuses keys and values that the contract does not allow; for implementations whose platform would take them.
pub fn admissible(key: &str, value: &[u8]) -> Result<()> {
    if !key.is_empty() && key.len() <= KEY_LIMIT && value.len() <= VALUE_LIMIT {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "The gateway tried to store what its store does not take.").source(format_args!(
        "kv takes keys of 1 to {KEY_LIMIT} bytes and values of at most {VALUE_LIMIT}; these have {} and {}",
        key.len(),
        value.len()
    )))
}
