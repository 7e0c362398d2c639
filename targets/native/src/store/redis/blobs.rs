//! Large objects: a string each, in memory like everything in Redis, so with a bound of its own.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::ports::BlobStore;
use edgeway_core::{Body, Result};
use redis::pipe;

use super::link::{Again, Lane};
use super::{RedisStore, milliseconds};

/// The largest object in bytes.
const LARGEST: usize = 32 << 20;

#[async_trait]
impl BlobStore for RedisStore {
    async fn fetch(&self, key: &str) -> Result<Option<Body>> {
        let mut request = pipe();
        request.get(self.key("blob", key));
        let (object,): (Option<Bytes>,) = self.link.ask(Lane::Large, Again::Harmless, request).await?;
        Ok(object.map(Body::from))
    }

    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()> {
        let bytes = body.collect(LARGEST).await?;
        let mut request = pipe();
        let set = request.cmd("SET").arg(self.key("blob", key)).arg(&bytes[..]);
        if let Some(ttl) = ttl {
            set.arg("PX").arg(milliseconds(ttl));
        }
        self.link.ask(Lane::Large, Again::Harmless, request).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let mut request = pipe();
        request.del(self.key("blob", key));
        self.link.ask(Lane::Large, Again::Harmless, request).await
    }
}
