//! Large immutable objects.

use std::time::Duration;

use async_trait::async_trait;

use crate::body::Body;
use crate::error::Result;

/// Stores large objects.
///
/// Contract: a key is written once and never changed (a second `put` of a key may be refused or
/// replace it whole, never mix); reads stream; an expired object is never returned.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// The object's bytes.
    async fn fetch(&self, key: &str) -> Result<Option<Body>>;
    /// Stores an object, for `ttl` if given. It is visible only when all of it is stored.
    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()>;
    /// Removes an object; removing what is not there succeeds.
    async fn delete(&self, key: &str) -> Result<()>;
}
