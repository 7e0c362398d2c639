//! What the database holds: two tables of rows that may expire, and three totals.
//!
//! A row is its expiry (8 bytes, microseconds since the Unix epoch, little-endian; 0 for never), for a cell its version
//! (8 bytes), then its value. Invariant: `bytes` is the length of all keys and values; versions are never used twice.

use std::path::Path;

use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{CellStep, Clock, Timestamp};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use super::writer::Stored;

pub(super) const KV: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("kv");
pub(super) const CELLS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("cells");
const TOTALS: TableDefinition<'static, &str, u64> = TableDefinition::new("totals");

/// How rows are written; a database of a later format is not touched.
const FORMAT: u64 = 1;
/// Pages that are kept in memory.
const CACHE: usize = 4 << 20;
/// Rows that one slice of a sweep looks at.
const SLICE: usize = 1_000;
/// How long a full store waits before it looks for expired rows again.
const PURGE: std::time::Duration = std::time::Duration::from_secs(1);

/// What is known of all rows together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    bytes: u64,
    versions: u64,
    /// When a full store last looked for expired rows; not kept.
    purged: Timestamp,
}

/// Where a sweep goes on: behind this key of this table.
pub(super) struct Place {
    cells: bool,
    key: String,
}

/// Opens the database, or makes one.
pub(super) fn open(path: &Path) -> Stored<(Database, Totals)> {
    let database = Database::builder().set_cache_size(CACHE).create(path)?;
    let read = database.begin_read()?;
    let totals = match read.open_table(TOTALS) {
        Ok(table) => {
            let total = |name: &str| -> Stored<u64> { Ok(table.get(name)?.map_or(0, |value| value.value())) };
            let format = total("format")?;
            if format > FORMAT {
                let message = format!("format {format} is that of a later Edgeway; this one knows {FORMAT}");
                return Err(redb::Error::Io(std::io::Error::other(message)));
            }
            Totals { bytes: total("bytes")?, versions: total("versions")?, purged: Timestamp(0) }
        }
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let write = database.begin_write()?;
            write.open_table(KV)?;
            write.open_table(CELLS)?;
            write.open_table(TOTALS)?.insert("format", FORMAT)?;
            write.commit()?;
            Totals::default()
        }
        Err(error) => return Err(error.into()),
    };
    drop(read);
    Ok((database, totals))
}

/// Runs `work` in one transaction, which is on disk when this returns. One that changed nothing costs no fsync.
pub(super) fn transaction<T>(
    database: &Database,
    totals: Totals,
    capacity: u64,
    clock: &dyn Clock,
    work: impl FnOnce(&mut Tables<'_>) -> Stored<T>,
) -> Stored<(T, Totals)> {
    let write = database.begin_write()?;
    let (done, totals, changed) = {
        let mut tables =
            Tables { kv: write.open_table(KV)?, cells: write.open_table(CELLS)?, totals, capacity, clock, changed: false };
        let done = work(&mut tables)?;
        (done, tables.totals, tables.changed)
    };
    if changed {
        {
            let mut table = write.open_table(TOTALS)?;
            table.insert("bytes", totals.bytes)?;
            table.insert("versions", totals.versions)?;
        }
        write.commit()?;
    } else {
        write.abort()?;
    }
    Ok((done, totals))
}

/// The tables within a transaction.
pub(super) struct Tables<'t> {
    kv: Table<'t, &'static str, &'static [u8]>,
    cells: Table<'t, &'static str, &'static [u8]>,
    totals: Totals,
    capacity: u64,
    clock: &'t dyn Clock,
    changed: bool,
}

/// A cell's row.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) state: Option<Bytes>,
    pub(super) version: u64,
}

/// A value's row, unless it has expired.
pub(super) fn live(row: &[u8], now: Timestamp) -> Option<&[u8]> {
    let (expires, value) = row.split_first_chunk::<8>()?;
    let expires = u64::from_le_bytes(*expires);
    (expires == 0 || expires > now.0).then_some(value)
}

/// A cell's row: its version, and its state unless it has expired.
pub(super) fn cell(row: &[u8], now: Timestamp) -> Cell {
    let version = row.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    let state = live(row, now).and_then(|value| value.get(8..)).map(Bytes::copy_from_slice);
    Cell { state, version }
}

fn row(expires: Option<Timestamp>, version: Option<u64>, value: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(16 + value.len());
    // A row that expires at the epoch has expired, which 0 would not say.
    row.extend_from_slice(&expires.map_or(0, |expires| expires.0.max(1)).to_le_bytes());
    row.extend(version.iter().flat_map(|version| version.to_le_bytes()));
    row.extend_from_slice(value);
    row
}

fn size(key: &str, row: Option<&[u8]>) -> u64 {
    row.map_or(0, |row| (key.len() + row.len()) as u64)
}

impl Tables<'_> {
    pub(super) fn put(&mut self, key: &str, value: &[u8], ttl: Option<std::time::Duration>) -> Stored<Result<()>> {
        let now = self.clock.now();
        let row = row(ttl.map(|ttl| now.plus(ttl)), None, value);
        self.replace(false, key, Some(&row), now)
    }

    pub(super) fn delete(&mut self, key: &str) -> Stored<Result<()>> {
        let now = self.clock.now();
        self.replace(false, key, None, now)
    }

    /// Runs a step on a cell.
    pub(super) fn step(&mut self, name: &str, step: &dyn CellStep, command: &[u8]) -> Stored<Result<Bytes>> {
        let now = self.clock.now();
        let before = self.cell(name, now)?;
        let next = match step.step(before.state.as_deref(), command, now) {
            Ok(next) => next,
            Err(error) => return Ok(Err(error)),
        };
        let stored = self.keep(name, next.state, next.expires, now)?;
        Ok(stored.map(|()| next.reply))
    }

    /// Replaces a cell's state if its version is still `version`; says whether it did.
    pub(super) fn swap(
        &mut self,
        name: &str,
        version: u64,
        state: Option<Bytes>,
        expires: Option<Timestamp>,
    ) -> Stored<Result<bool>> {
        let now = self.clock.now();
        if self.cell(name, now)?.version != version {
            return Ok(Ok(false));
        }
        Ok(self.keep(name, state, expires, now)?.map(|()| true))
    }

    fn cell(&self, name: &str, now: Timestamp) -> Stored<Cell> {
        Ok(self.cells.get(name)?.map(|row| cell(row.value(), now)).unwrap_or_default())
    }

    fn keep(&mut self, name: &str, state: Option<Bytes>, expires: Option<Timestamp>, now: Timestamp) -> Stored<Result<()>> {
        let Some(state) = state.filter(|_| expires.is_none_or(|expires| expires > now)) else {
            return self.replace(true, name, None, now);
        };
        self.totals.versions += 1;
        let row = row(expires, Some(self.totals.versions), &state);
        self.replace(true, name, Some(&row), now)
    }

    /// Replaces a row, or removes it. Refuses what does not fit.
    fn replace(&mut self, cells: bool, key: &str, row: Option<&[u8]>, now: Timestamp) -> Stored<Result<()>> {
        let mut rest = self.rest(cells, key)?;
        if row.is_some() && rest + size(key, row) > self.capacity && now.since(self.totals.purged) >= PURGE {
            self.totals.purged = now;
            let mut place = None;
            while let Some(next) = self.sweep(place)? {
                place = Some(next);
            }
            rest = self.rest(cells, key)?;
        }
        if row.is_some() && rest + size(key, row) > self.capacity {
            return Ok(Err(Error::new(ErrorKind::Overloaded, "The gateway's store is full. Try again later.")
                .source(format_args!("the store holds its {} bytes", self.capacity))));
        }
        let table = if cells { &mut self.cells } else { &mut self.kv };
        let was = match row {
            Some(row) => table.insert(key, row)?.is_some(),
            None => table.remove(key)?.is_some(),
        };
        self.totals.bytes = rest + size(key, row);
        self.changed |= was || row.is_some();
        Ok(Ok(()))
    }

    /// The bytes of all rows but this one.
    fn rest(&self, cells: bool, key: &str) -> Stored<u64> {
        let table = if cells { &self.cells } else { &self.kv };
        let here = table.get(key)?.map_or(0, |row| size(key, Some(row.value())));
        Ok(self.totals.bytes.saturating_sub(here))
    }

    /// Removes the expired among the next rows from `place` on. `None` at the end.
    pub(super) fn sweep(&mut self, place: Option<Place>) -> Stored<Option<Place>> {
        let now = self.clock.now();
        let Place { cells, key: from } = place.unwrap_or(Place { cells: false, key: String::new() });
        let table = if cells { &mut self.cells } else { &mut self.kv };
        let (mut seen, mut last, mut expired) = (0, None, Vec::new());
        for entry in table.range::<&str>((std::ops::Bound::Excluded(from.as_str()), std::ops::Bound::Unbounded))?.take(SLICE) {
            let (key, row) = entry?;
            seen += 1;
            if live(row.value(), now).is_none() {
                expired.push((key.value().to_owned(), size(key.value(), Some(row.value()))));
            }
            last = Some(key.value().to_owned());
        }
        for (key, size) in expired {
            table.remove(key.as_str())?;
            self.totals.bytes = self.totals.bytes.saturating_sub(size);
            self.changed = true;
        }
        Ok(match last.filter(|_| seen == SLICE) {
            Some(key) => Some(Place { cells, key }),
            None if cells => None,
            None => Some(Place { cells: true, key: String::new() }),
        })
    }
}
