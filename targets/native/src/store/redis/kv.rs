//! The key-value store: a value is a string with Redis's own expiry; its key is also in an index, sorted by bytes.
//!
//! `SCAN` has no order and walks every key of the database, so pages come from the index. It may hold keys whose value has
//! expired; whoever meets one removes it. Invariant: every value's key is in the index.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::Result;
use edgeway_core::ports::{KvEntry, KvPage, KvStore, admissible};
use redis::pipe;

use super::link::{Again, Lane};
use super::{RedisStore, milliseconds};

/// Takes the index; the values' prefix, the bounds and the most keys. Gives where to go on (empty at the end), then keys.
/// Looks at 4,096 keys at most, so that a heap of expired ones holds nobody else up.
pub(super) const LIST: &str = "
local keys, from, most = {''}, ARGV[2], tonumber(ARGV[4])
for _ = 1, 16 do
    local page = redis.call('ZRANGEBYLEX', KEYS[1], from, ARGV[3], 'LIMIT', 0, 256)
    for _, key in ipairs(page) do
        if redis.call('EXISTS', ARGV[1] .. key) == 0 then
            redis.call('ZREM', KEYS[1], key)
        elseif #keys > most then
            keys[1] = keys[#keys]
            return keys
        else
            keys[#keys + 1] = key
        end
        from = '(' .. key
    end
    if #page < 256 then
        return keys
    end
end
keys[1] = string.sub(from, 2)
return keys
";

#[async_trait]
impl KvStore for RedisStore {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        let mut request = pipe();
        request.get(self.value(key));
        let (value,): (Option<Bytes>,) = self.link.ask(Lane::Small, Again::Harmless, request).await?;
        Ok(value.map(|value| KvEntry { value }))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        admissible(key, &value)?;
        let mut request = pipe();
        request.atomic().zadd(self.index(), key, 0);
        let set = request.cmd("SET").arg(self.value(key)).arg(&value[..]);
        if let Some(ttl) = ttl {
            set.arg("PX").arg(milliseconds(ttl));
        }
        self.link.ask(Lane::Small, Again::Harmless, request).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let mut request = pipe();
        request.atomic().del(self.value(key)).zrem(self.index(), key);
        self.link.ask(Lane::Small, Again::Harmless, request).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        self.page(prefix, cursor, limit).await
    }
}

impl RedisStore {
    /// A page of keys. Removes the expired among those that it passes.
    pub(super) async fn page(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        let from = match cursor {
            Some(last) if last >= prefix => format!("({last}"),
            _ => format!("[{prefix}"),
        };
        // No text has the byte 255, so this is behind every key that begins with the prefix.
        let to = [b"(", prefix.as_bytes(), b"\xff"].concat();
        let limit = limit.max(1).to_string();
        let values = self.value("");
        let arguments = [values.as_bytes(), from.as_bytes(), &to, limit.as_bytes()];
        let request = self.list.call(&[&self.index()], &arguments);
        let (mut keys,): (Vec<String>,) = self.link.ask(Lane::Small, Again::Harmless, request).await?;
        let cursor = Some(keys.remove(0)).filter(|cursor| !cursor.is_empty());
        Ok(KvPage { keys, cursor })
    }
}
