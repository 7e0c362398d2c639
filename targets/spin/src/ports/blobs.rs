//! Large objects in SQLite: parts of a fixed size under an upload's random name, and one row that says which upload a key
//! means.
//!
//! Invariant: an object is seen when its row is written, which is after its last part; a later upload of the same key
//! replaces it whole.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{BlobStore, Clock, Entropy, Timestamp};
use futures_util::StreamExt;
use spin_sdk::sqlite::Value;

use super::database::Database;
use crate::local::Local;

/// Bytes of a part.
const PART: usize = 64 * 1024;
/// When parts without an object are known to be left over: the upload broke off.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// The object store.
pub(crate) struct SqliteBlobs {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SqliteBlobs {
    /// Objects in a database, by this clock.
    pub(crate) fn new(database: Arc<Database>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { database, clock, entropy }
    }

    /// Writes the parts of an object; says how many there are.
    async fn upload(&self, upload: &str, body: Body) -> Result<i64> {
        let mut stream = match body {
            Body::Empty => return Ok(0),
            Body::Full(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes)])),
            Body::Stream(stream) => stream,
        };
        let (mut part, mut waiting) = (0, BytesMut::new());
        while let Some(piece) = stream.next().await {
            waiting.extend_from_slice(&piece?);
            while waiting.len() >= PART {
                self.write(upload, part, waiting.split_to(PART).freeze()).await?;
                part += 1;
            }
        }
        if !waiting.is_empty() {
            self.write(upload, part, waiting.freeze()).await?;
            part += 1;
        }
        Ok(part)
    }

    async fn write(&self, upload: &str, part: i64, data: Bytes) -> Result<()> {
        const WRITE: &str = "INSERT INTO edgeway_blob_part (upload, part, written, data) VALUES (?1, ?2, ?3, ?4)";
        let written = time(self.clock.now());
        self.database.run(WRITE, &[upload.into(), Value::Integer(part), written, Value::Blob(data.into())]).await.map(drop)
    }

    async fn drop_parts(&self, upload: &str) -> Result<()> {
        self.database.run("DELETE FROM edgeway_blob_part WHERE upload = ?1", &[upload.into()]).await.map(drop)
    }

    /// Removes objects whose time has passed, and parts that no object has had for a day.
    async fn sweep(&self) -> Result<()> {
        const EXPIRED: &str = "DELETE FROM edgeway_blob WHERE expires <= ?1";
        const LEFT: &str =
            "DELETE FROM edgeway_blob_part WHERE written <= ?1 AND upload NOT IN (SELECT upload FROM edgeway_blob)";
        let now = self.clock.now();
        self.database.run(EXPIRED, &[time(now)]).await?;
        let day_ago = Timestamp(now.0.saturating_sub(u64::try_from(ABANDONED.as_micros()).unwrap_or(u64::MAX)));
        self.database.run(LEFT, &[time(day_ago)]).await.map(drop)
    }
}

#[async_trait]
impl BlobStore for SqliteBlobs {
    async fn fetch(&self, key: &str) -> Result<Option<Body>> {
        Local::future(async {
            const FIND: &str = "SELECT upload, parts FROM edgeway_blob WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
            let rows = self.database.run(FIND, &[key.into(), time(self.clock.now())]).await?;
            let Some([Value::Text(upload), Value::Integer(count)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
            Ok(Some(parts(self.database.clone(), upload.clone(), *count)))
        })
        .await
    }

    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()> {
        Local::future(async {
            const POINT: &str = "INSERT INTO edgeway_blob (key, upload, parts, expires) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) \
                                 DO UPDATE SET upload = excluded.upload, parts = excluded.parts, expires = excluded.expires";
            let upload = format!("{:016x}{:016x}", self.entropy.u64(), self.entropy.u64());
            let parts = match self.upload(&upload, body).await {
                Ok(parts) => parts,
                Err(error) => {
                    let _ = self.drop_parts(&upload).await;
                    return Err(error);
                }
            };
            let expires = ttl.map_or(Value::Null, |ttl| time(self.clock.now().plus(ttl)));
            self.database.run(POINT, &[key.into(), upload.into(), Value::Integer(parts), expires]).await?;
            // The parts of an object that was replaced stay for a day: it may still be read.
            let _ = self.sweep().await;
            Ok(())
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Local::future(async {
            const DELETE: &str = "DELETE FROM edgeway_blob WHERE key = ?1 RETURNING upload";
            for row in self.database.run(DELETE, &[key.into()]).await? {
                if let [Value::Text(upload)] = row.as_slice() {
                    self.drop_parts(upload).await?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// An object's parts, one statement each, as they are read.
fn parts(database: Arc<Database>, upload: String, count: i64) -> Body {
    Body::stream(Local::stream(futures_util::stream::try_unfold(0, move |part| {
        let (database, upload) = (database.clone(), upload.clone());
        async move {
            const READ: &str = "SELECT data FROM edgeway_blob_part WHERE upload = ?1 AND part = ?2";
            if part == count {
                return Ok(None);
            }
            let mut rows = database.run(READ, &[upload.as_str().into(), Value::Integer(part)]).await?;
            match rows.pop().and_then(|mut row| row.pop()) {
                Some(Value::Blob(data)) => Ok(Some((Bytes::from(data), part + 1))),
                _ => Err(Error::new(ErrorKind::Internal, "A stored object is gone.").source("it was deleted while it was read")),
            }
        }
    })))
}

fn time(at: Timestamp) -> Value {
    Value::Integer(i64::try_from(at.0).unwrap_or(i64::MAX))
}
