//! The one writer of the database: changes queue up, and all that wait share one transaction and one fsync.
//!
//! Invariants: a change is answered only after the transaction that holds it is on disk; changes run one after the
//! other, in the order in which they were asked for; a transaction that fails changes nothing and fails all that it held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::Clock;
use redb::{Database, ReadTransaction, ReadableDatabase};
use tokio::sync::oneshot;

use super::tables::{self, Tables, Totals};
use crate::store::away;

/// Most changes that wait. A disk that keeps up never has more than it has callers.
const WAITING: usize = 16_384;
/// How often expired rows are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a database that failed is left alone before it is opened again.
const REST: Duration = Duration::from_secs(1);

/// What a change gives: its own answer, or the database's failure.
pub(super) type Stored<T> = std::result::Result<T, redb::Error>;

/// The database and its writing thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    /// `None` after a failure, until it can be opened again, and after the end.
    database: RwLock<Option<Database>>,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// How many transactions there were.
    transactions: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Box<dyn Job>>,
    closed: bool,
}

/// A change on its way, whatever its answer's type.
trait Job: Send {
    fn run(&mut self, tables: &mut Tables<'_>) -> Stored<()>;
    fn answer(self: Box<Self>);
    fn fail(self: Box<Self>, error: Error);
}

struct Asked<T, F> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&mut Tables<'_>) -> Stored<Result<T>> + Send> Job for Asked<T, F> {
    fn run(&mut self, tables: &mut Tables<'_>) -> Stored<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let ran = catch_unwind(AssertUnwindSafe(|| work(tables)));
        self.outcome = Some(match ran {
            Ok(stored) => stored?,
            Err(_) => Err(Error::new(ErrorKind::Internal, "The gateway failed to change its state.").source("a step panicked")),
        });
        Ok(())
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have gone; the change stands.
            let _ = self.reply.send(outcome);
        }
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

impl Writer {
    /// Opens the database and starts the thread. `capacity` bounds the bytes of all keys and values together.
    pub(super) fn open(path: PathBuf, clock: Arc<dyn Clock>, capacity: u64) -> Result<Self, redb::Error> {
        let (database, totals) = tables::open(&path)?;
        let queue = Mutex::default();
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            queue,
            changed: Condvar::new(),
            transactions: AtomicU64::new(0),
        });
        let mut desk = Desk { shared: shared.clone(), path, clock, capacity, totals, sweep: Sweep::default() };
        let thread = std::thread::Builder::new().name("store".into()).stack_size(256 * 1024).spawn(move || desk.work());
        Ok(Self { shared, thread: Mutex::new(Some(thread.map_err(redb::Error::Io)?)) })
    }

    /// Runs a change in the next transaction; returns when it is on disk.
    pub(super) async fn change<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tables<'_>) -> Stored<Result<T>> + Send + 'static,
    {
        let (reply, answered) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            if queue.closed {
                return Err(away("the store is closed"));
            }
            if queue.jobs.len() >= WAITING {
                return Err(Error::new(ErrorKind::Overloaded, "The gateway's store is too busy. Try again in a moment.")
                    .source(format_args!("{WAITING} changes wait for the disk")));
            }
            queue.jobs.push(Box::new(Asked { work: Some(work), outcome: None, reply }));
            self.shared.changed.notify_one();
        }
        answered.await.unwrap_or_else(|_| Err(away("the store's thread ended")))
    }

    /// Reads what was committed last.
    pub(super) fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Stored<T>) -> Result<T> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| away("the store is closed, or its disk failed"))?;
        let read = || look(&database.begin_read().map_err(redb::Error::from)?);
        read().map_err(away)
    }

    /// Changes that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.shared.queue().jobs.len()
    }

    /// Transactions so far.
    #[cfg(test)]
    pub(super) fn transactions(&self) -> u64 {
        self.shared.transactions.load(Ordering::Acquire)
    }

    /// Writes what waits and closes the database. What comes later is refused.
    pub(super) fn close(&self) {
        self.shared.queue().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the writing thread sits.
struct Desk {
    shared: Arc<Shared>,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    capacity: u64,
    totals: Totals,
    sweep: Sweep,
}

/// How far the search for expired rows is.
struct Sweep {
    next: Instant,
    from: Option<tables::Place>,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { next: Instant::now() + SWEEP, from: None }
    }
}

impl Desk {
    fn work(&mut self) {
        loop {
            let jobs = {
                let mut queue = self.shared.queue();
                loop {
                    if !queue.jobs.is_empty() {
                        break std::mem::take(&mut queue.jobs);
                    }
                    if queue.closed {
                        drop(queue);
                        *self.shared.database.write().unwrap_or_else(PoisonError::into_inner) = None;
                        return;
                    }
                    let idle = self.sweep.next.saturating_duration_since(Instant::now());
                    if idle.is_zero() {
                        break Vec::new();
                    }
                    queue = self.shared.changed.wait_timeout(queue, idle).unwrap_or_else(PoisonError::into_inner).0;
                }
            };
            if !jobs.is_empty() {
                self.commit(jobs);
            }
            if self.sweep.next <= Instant::now() {
                self.sweep();
            }
        }
    }

    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        match self.transaction(|tables| jobs.iter_mut().try_for_each(|job| job.run(tables))) {
            Ok(()) => jobs.into_iter().for_each(Job::answer),
            Err(error) => {
                let error = away(error);
                jobs.into_iter().for_each(|job| job.fail(error.clone()));
                self.reopen();
            }
        }
    }

    /// One slice of the search, so that changes never wait for a whole one.
    fn sweep(&mut self) {
        let from = self.sweep.from.take();
        match self.transaction(|tables| tables.sweep(from)) {
            Ok(Some(place)) => self.sweep.from = Some(place),
            Ok(None) => self.sweep.next = Instant::now() + SWEEP,
            Err(_) => {
                self.sweep.next = Instant::now() + SWEEP;
                self.reopen();
            }
        }
    }

    fn transaction<T>(&mut self, work: impl FnOnce(&mut Tables<'_>) -> Stored<T>) -> Stored<T> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| redb::Error::Io(std::io::Error::other("the store's disk failed")))?;
        let (done, totals) = tables::transaction(database, self.totals, self.capacity, &*self.clock, work)?;
        self.totals = totals;
        self.shared.transactions.fetch_add(1, Ordering::AcqRel);
        Ok(done)
    }

    /// After a failure the database refuses everything until it is opened again.
    fn reopen(&mut self) {
        let mut slot = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        *slot = None;
        match tables::open(&self.path) {
            Ok((database, totals)) => {
                *slot = Some(database);
                self.totals = totals;
            }
            Err(_) => {
                drop(slot);
                std::thread::sleep(REST);
            }
        }
    }
}
