//! Cells' states in SQLite, each with a version.
//!
//! A version never comes again: a cell that is made anew begins with the time in microseconds, so a writer who read an
//! older cell of the same name fails.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::error::Result;
use edgeway_core::ports::{Clock, Entropy, Timestamp, VersionedStore};
use spin_sdk::sqlite::Value;

use super::database::Database;
use crate::local::Local;

/// One of so many writes also removes states whose time has passed.
const SWEEP_EVERY: u64 = 256;

/// The versioned store.
pub(crate) struct SqliteCells {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SqliteCells {
    /// Cells in a database, by this clock.
    pub(crate) fn new(database: Arc<Database>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { database, clock, entropy }
    }

    async fn sweep(&self) {
        const SWEEP: &str =
            "DELETE FROM edgeway_cell WHERE name IN (SELECT name FROM edgeway_cell WHERE expires <= ?1 LIMIT 100)";
        // Whoever fails here leaves the work to the next.
        let _ = self.database.run(SWEEP, &[time(self.clock.now())]).await;
    }
}

#[async_trait]
impl VersionedStore for SqliteCells {
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
        Local::future(async {
            const READ: &str = "SELECT version, state, expires FROM edgeway_cell WHERE name = ?1";
            let mut rows = self.database.run(READ, &[name.into()]).await?;
            let Some([Value::Integer(version), state, expires]) = rows.pop().and_then(|row| <[Value; 3]>::try_from(row).ok())
            else {
                return Ok((None, 0));
            };
            let expired = matches!(expires, Value::Integer(expires) if Timestamp(expires.cast_unsigned()) <= self.clock.now());
            let state = match state {
                Value::Blob(state) if !expired => Some(Bytes::from(state)),
                _ => None,
            };
            Ok((state, version.cast_unsigned()))
        })
        .await
    }

    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
        const INSERT: &str = "INSERT INTO edgeway_cell (name, version, state, expires) VALUES (?1, ?2, ?3, ?4) \
                              ON CONFLICT (name) DO NOTHING RETURNING version";
        const UPDATE: &str = "UPDATE edgeway_cell SET version = version + 1, state = ?3, expires = ?4 WHERE name = ?1 AND version = ?2 RETURNING version";
        const DELETE: &str = "DELETE FROM edgeway_cell WHERE name = ?1 AND version = ?2 RETURNING version";
        Local::future(async {
            let known = Value::Integer(version.cast_signed());
            let expires = expires.map_or(Value::Null, time);
            let rows = match (state, version) {
                (Some(state), 0) => {
                    let state = Value::Blob(state.into());
                    self.database.run(INSERT, &[name.into(), time(self.clock.now()), state, expires]).await?
                }
                (Some(state), _) => {
                    let state = Value::Blob(state.into());
                    self.database.run(UPDATE, &[name.into(), known, state, expires]).await?
                }
                // Nothing was there and nothing shall be; somebody else's cell is a lost race all the same.
                (None, 0) => return Ok(self.read(name).await?.1 == 0),
                (None, _) => self.database.run(DELETE, &[name.into(), known]).await?,
            };
            if self.entropy.u64().is_multiple_of(SWEEP_EVERY) {
                self.sweep().await;
            }
            Ok(!rows.is_empty())
        })
        .await
    }
}

fn time(at: Timestamp) -> Value {
    Value::Integer(i64::try_from(at.0).unwrap_or(i64::MAX))
}
