//! Cells' states with versions, in the table: what [`SwapCells`](edgeway_core::ports::SwapCells) needs.
//!
//! A version is a random number that no other writing has, so a version that was read is never the version of something
//! else. A state that is removed leaves its version behind, for an hour at least: a writer that read the cell before it
//! was made does not win after it was removed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::error::Result;
use edgeway_core::ports::{Timestamp, VersionedStore};

use super::table::{Item, Table};

/// A cell is alone in its partition, so that busy cells do not meet.
const SORT: &str = "-";

/// The store.
pub struct TableCells(Arc<Table>);

impl TableCells {
    /// A store in a table.
    pub fn new(table: Arc<Table>) -> Self {
        Self(table)
    }
}

#[async_trait]
impl VersionedStore for TableCells {
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
        let Some(item) = self.0.get(&partition(name), SORT).await? else { return Ok((None, 0)) };
        let version = item.get_number("n").unwrap_or(0);
        let lives = item.lives(self.0.aws().clock.now()) && item.get_number("gone").is_none();
        Ok((lives.then(|| item.get_bytes("s")), version))
    }

    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
        let aws = self.0.aws();
        let next = aws.entropy.u64() >> 1 | 1; // never 0, and within what every reader of numbers takes
        let item = Item::key(&partition(name), SORT).number("n", next);
        let item = match state {
            Some(state) => item.bytes("s", &state).expires(expires),
            None => item.number("gone", 1).expires(Some(aws.clock.now())),
        };
        self.0.put_over(item, version).await
    }
}

fn partition(name: &str) -> String {
    format!("cell#{name}")
}
