//! The embedded store: one folder, one process.
//!
//! | what | where | durable when |
//! |---|---|---|
//! | values and cells | `state.redb`, a transactional B-tree | the change is answered |
//! | objects | `blobs/`, a file each | the put is answered |
//! | events | `events/`, numbered files of JSON lines | the append is answered |
//! | whose folder it is | `lock`, held for as long as the process lives | |
//!
//! Invariant: whatever was answered is there after a crash, and nothing of what was not answered is there in part.

mod blobs;
mod cells;
mod journal;
mod kv;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use edgeway_core::ports::Clock;

use super::backlog::Backlog;
use blobs::Blobs;
use journal::Journal;
use writer::Writer;

/// Most bytes of values and cells.
const STATE: u64 = 1 << 30;
/// Most bytes of objects.
const OBJECTS: u64 = 4 << 30;
/// How often expired objects are looked for.
const SWEEP: Duration = Duration::from_secs(600);

/// Values and cells in one database.
pub(super) struct FileStore {
    writer: Writer,
    clock: Arc<dyn Clock>,
}

/// Everything in a folder.
pub(super) struct Folder {
    pub(super) state: Arc<FileStore>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) events: Arc<Backlog>,
    housekeeping: Mutex<Option<JoinHandle<()>>>,
    closing: Arc<std::sync::atomic::AtomicBool>,
    _lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another process uses it.
    Taken,
    /// It cannot be read or written, or holds something else.
    Broken(String),
}

impl Folder {
    /// Opens the store in `folder`, or makes one.
    pub(super) fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let broken = |path: &Path, error: &dyn std::fmt::Display| Refusal::Broken(format!("{}: {error}", path.display()));
        make(folder).map_err(|error| broken(folder, &error))?;
        let lock = lock(&folder.join("lock"))?;
        let database = folder.join("state.redb");
        let writer = Writer::open(database.clone(), clock.clone(), STATE).map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen => Refusal::Taken,
            error => broken(&database, &error),
        })?;
        let state = Arc::new(FileStore { writer, clock: clock.clone() });
        let blobs = folder.join("blobs");
        let blobs = Arc::new(Blobs::open(blobs.clone(), clock, OBJECTS).map_err(|error| broken(&blobs, &error))?);
        let events = folder.join("events");
        let events = Journal::open(events.clone()).and_then(Backlog::start).map_err(|error| broken(&events, &error))?;
        let closing = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let housekeeping = sweep(blobs.clone(), closing.clone()).map_err(|error| broken(folder, &error))?;
        Ok(Self { state, blobs, events: Arc::new(events), housekeeping: Mutex::new(Some(housekeeping)), closing, _lock: lock })
    }

    /// Writes what waits. What comes later is refused.
    pub(super) fn close(&self) {
        self.events.close();
        self.state.writer.close();
        self.closing.store(true, std::sync::atomic::Ordering::Release);
        if let Some(housekeeping) = self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner).take() {
            housekeeping.thread().unpark();
        }
    }
}

/// Makes the folder, for this user only: it holds what callers asked and were answered.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn lock(path: &PathBuf) -> Result<File, Refusal> {
    let broken = |error: io::Error| Refusal::Broken(format!("{}: {error}", path.display()));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(broken)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Refusal::Taken),
        Err(TryLockError::Error(error)) => Err(broken(error)),
    }
}

/// Starts to remove expired objects, now and then.
fn sweep(blobs: Arc<Blobs>, closing: Arc<std::sync::atomic::AtomicBool>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("housekeeping".into()).stack_size(128 * 1024).spawn(move || {
        while !closing.load(std::sync::atomic::Ordering::Acquire) {
            blobs.sweep();
            std::thread::park_timeout(SWEEP);
        }
    })
}
