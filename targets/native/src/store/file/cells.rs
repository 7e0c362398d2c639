//! Cells: steps run on the writer's thread, within the transaction that keeps what they leave behind.

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::Result;
use edgeway_core::ports::{CellStep, CellStore, Timestamp, VersionedStore};

use super::FileStore;
use super::tables::{CELLS, cell};

#[async_trait]
impl CellStore for FileStore {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        let name = name.to_owned();
        self.writer.change(move |tables| tables.step(&name, step, &command)).await
    }
}

#[async_trait]
impl VersionedStore for FileStore {
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
        let now = self.clock.now();
        self.writer.read(|read| {
            let row = read.open_table(CELLS)?.get(name)?;
            let cell = row.map(|row| cell(row.value(), now)).unwrap_or_default();
            Ok((cell.state, cell.version))
        })
    }

    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
        let name = name.to_owned();
        self.writer.change(move |tables| tables.swap(&name, version, state, expires)).await
    }
}
