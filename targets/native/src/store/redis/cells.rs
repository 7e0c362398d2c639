//! Cells: an actor in each instance, and a compare-and-swap script between instances.
//!
//! A cell's commands queue up in their instance; one task a cell takes all that wait, runs their steps one after the other on
//! one state, and replaces the state if no other instance did meanwhile. So N commands cost one round trip, and instances
//! race each other only once a queue, not once a command. A loser gets the state that won with its refusal and runs its steps
//! again on that.
//!
//! Time is Redis's own, the same for every instance. A version is the larger of the last one plus 1 and the time in
//! microseconds, so none repeats, even after the database was emptied. Invariant: a reply is given only after Redis has
//! taken the state that it belongs to.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{CellStep, CellStore, CellVersion, Entropy, Timestamp, VersionedStore};
use tokio::sync::oneshot;

use super::RedisStore;
use super::link::{Again, Failure, Lane, Pipe, Script, read};
use crate::ports::entropy::SystemEntropy;
use crate::store::away;

/// Takes the cell and the counter of versions; the version that is expected (`-` to look only), whether there is a new state
/// (`1` or `0`), the state, its expiry in microseconds (`0` for never) and in milliseconds. Gives whether it was replaced,
/// then what is there now: version, state, expiry; then seconds and microseconds of the time.
pub(super) const SWAP: &str = "
local now = redis.call('TIME')
local row = redis.call('HMGET', KEYS[1], 'version', 'state', 'expires')
local version = row[1] or '0'
if ARGV[1] ~= version then
    return {0, version, row[2], row[3], now[1], now[2]}
end
if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
    return {1, '0', false, false, now[1], now[2]}
end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
version = string.format('%.0f', math.max(last + 1, now[1] * 1000000 + now[2]))
redis.call('SET', KEYS[2], version)
redis.call('HSET', KEYS[1], 'version', version, 'state', ARGV[3], 'expires', ARGV[4])
if ARGV[4] == '0' then
    redis.call('PERSIST', KEYS[1])
else
    redis.call('PEXPIREAT', KEYS[1], ARGV[5])
end
return {1, version, false, false, now[1], now[2]}
";

/// Most commands of one cell that wait.
const WAITING: usize = 16_384;
/// Most commands that share a round trip.
const TOGETHER: usize = 512;
/// How often a queue races other instances before its commands are refused.
const ATTEMPTS: u32 = 48;
/// The most that is waited after a lost race: the first time, and ever. Half of it is random.
const PAUSE: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(50));

/// Cells, as an actor and as a versioned store.
pub(super) struct Cells {
    queues: Mutex<HashMap<String, Vec<Asked>>>,
    swap: Script,
}

struct Asked {
    step: &'static dyn CellStep,
    command: Bytes,
    reply: oneshot::Sender<Result<Bytes>>,
}

impl Cells {
    pub(super) fn new() -> Self {
        Self { queues: Mutex::default(), swap: Script::new(SWAP) }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Vec<Asked>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a command; whether a task has to be started for its cell.
    fn queue(&self, name: &str, asked: Asked) -> Result<bool> {
        let mut queues = self.queues();
        match queues.get_mut(name) {
            Some(queue) if queue.len() >= WAITING => {
                Err(Error::new(ErrorKind::Overloaded, "Too many requests change the same state at once. Try again in a moment.")
                    .source(format_args!("cell {name}: {WAITING} commands wait")))
            }
            Some(queue) => {
                queue.push(asked);
                Ok(false)
            }
            None => {
                queues.insert(name.to_owned(), vec![asked]);
                Ok(true)
            }
        }
    }

    /// The commands that wait now. A cell without any has no task.
    fn next(&self, name: &str) -> Vec<Asked> {
        let mut queues = self.queues();
        match queues.get_mut(name) {
            Some(queue) if queue.is_empty() => {
                queues.remove(name);
                Vec::new()
            }
            Some(queue) => queue.drain(..queue.len().min(TOGETHER)).collect(),
            None => Vec::new(),
        }
    }
}

/// A cell as Redis had it last.
struct Seen {
    version: String,
    state: Option<Bytes>,
    expires: Option<Timestamp>,
    /// Redis's time then, and when that was.
    time: (Timestamp, Instant),
}

impl Seen {
    fn now(&self) -> Timestamp {
        self.time.0.plus(self.time.1.elapsed())
    }
}

/// A cell in Redis, and the way there.
struct Cell<'a> {
    swap: &'a Script,
    pipe: &'a Pipe,
    row: String,
    versions: String,
}

impl Cell<'_> {
    async fn look(&self) -> Result<Seen, Failure> {
        let request = self.swap.call(&[&self.row, &self.versions], &[b"-"]);
        let asked = Instant::now();
        Ok(seen(self.pipe.send(&request, Again::Harmless).await?, asked)?.1)
    }

    /// Replaces the state that was seen. Whether it did, and what is there now.
    async fn replace(&self, version: &str, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<(bool, Seen), Failure> {
        let micros = expires.map_or(0, |expires| expires.0.max(1));
        let (expiry, deadline) = (micros.to_string(), micros.div_ceil(1000).to_string());
        let there: &[u8] = if state.is_some() { b"1" } else { b"0" };
        let bytes = state.as_deref().unwrap_or_default();
        let arguments = [version.as_bytes(), there, bytes, expiry.as_bytes(), deadline.as_bytes()];
        let request = self.swap.call(&[&self.row, &self.versions], &arguments);
        let asked = Instant::now();
        // A second try could not tell the first one's success from a lost race.
        let (replaced, mut seen) = seen(self.pipe.send(&request, Again::Never).await?, asked)?;
        if replaced {
            (seen.state, seen.expires) = (state, expires);
        }
        Ok((replaced, seen))
    }
}

type Row = (bool, String, Option<Bytes>, Option<u64>, u64, u64);

fn seen(answer: redis::Value, asked: Instant) -> Result<(bool, Seen), Failure> {
    let ((replaced, version, state, expires, seconds, micros),): (Row,) = read(answer)?;
    let time = (Timestamp(seconds * 1_000_000 + micros), asked);
    let expires = expires.filter(|expires| *expires > 0).map(Timestamp);
    let state = state.filter(|_| expires.is_none_or(|expires| expires > time.0));
    Ok((replaced, Seen { version, state, expires, time }))
}

/// Runs what waits for a cell until nothing does.
async fn run(store: Arc<RedisStore>, name: String) {
    let cell = store.cell(&name);
    let mut known = None;
    loop {
        let batch = store.cells.next(&name);
        if batch.is_empty() {
            return;
        }
        match settle(&cell, known.take(), &batch).await {
            Ok((replies, seen)) => {
                known = Some(seen);
                // Whoever asked may have gone; the change stands.
                batch.into_iter().zip(replies).for_each(|(asked, reply)| drop(asked.reply.send(reply)));
            }
            Err(error) => batch.into_iter().for_each(|asked| drop(asked.reply.send(Err(error.clone())))),
        }
    }
}

/// Runs a batch of commands until Redis has taken what they leave behind.
async fn settle(cell: &Cell<'_>, known: Option<Seen>, batch: &[Asked]) -> Result<(Vec<Result<Bytes>>, Seen)> {
    // What an earlier batch left is good enough to try a change on, but no answer: another instance may have written since.
    let mut current = known.is_none();
    let mut seen = match known {
        Some(seen) => seen,
        None => cell.look().await.map_err(away)?,
    };
    for attempt in 0..ATTEMPTS {
        let now = seen.now();
        let live = seen.state.clone().filter(|_| seen.expires.is_none_or(|expires| expires > now));
        let (replies, state, expires) = steps(batch, live.clone(), seen.expires.filter(|_| live.is_some()), now);
        let changed = state != live || (state.is_some() && expires != seen.expires);
        match (changed, current) {
            (false, true) => return Ok((replies, seen)),
            (false, false) => {
                seen = cell.look().await.map_err(away)?;
                current = true;
                continue;
            }
            (true, _) => {}
        }
        let (replaced, there) = cell.replace(&seen.version, state, expires).await.map_err(away)?;
        if replaced {
            return Ok((replies, there));
        }
        seen = there;
        current = true;
        tokio::time::sleep(pause(attempt)).await;
    }
    Err(Error::new(ErrorKind::Overloaded, "Too many requests change the same state at once. Try again in a moment.")
        .source(format_args!("cell {}: {ATTEMPTS} attempts lost the race", cell.row)))
}

/// Runs the steps of a batch on one state, each on what the one before left.
fn steps(
    batch: &[Asked],
    mut state: Option<Bytes>,
    mut expires: Option<Timestamp>,
    now: Timestamp,
) -> (Vec<Result<Bytes>>, Option<Bytes>, Option<Timestamp>) {
    let replies = batch.iter().map(|asked| {
        let ran = catch_unwind(AssertUnwindSafe(|| asked.step.step(state.as_deref(), &asked.command, now)));
        let panicked = |_| Error::new(ErrorKind::Internal, "The gateway failed to change its state.").source("a step panicked");
        let CellVersion { state: next, reply, expires: until } = ran.map_err(panicked)??;
        state = next.filter(|_| until.is_none_or(|until| until > now));
        expires = until.filter(|_| state.is_some());
        Ok(reply)
    });
    let replies = replies.collect();
    (replies, state, expires)
}

fn pause(attempt: u32) -> Duration {
    let half = PAUSE.0.saturating_mul(1 << attempt.min(10)).min(PAUSE.1) / 2;
    half + half.mul_f64(SystemEntropy.u64() as f64 / u64::MAX as f64)
}

impl RedisStore {
    fn cell(&self, name: &str) -> Cell<'_> {
        let (row, versions) = (self.key("cell", name), self.key("versions", ""));
        Cell { swap: &self.cells.swap, pipe: self.link.pipe(Lane::Small), row, versions }
    }
}

/// The stores of one Redis, for every port that they are.
pub(in crate::store) struct Shared(pub(in crate::store) Arc<RedisStore>);

#[async_trait]
impl CellStore for Shared {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        let (reply, answered) = oneshot::channel();
        if self.0.cells.queue(name, Asked { step, command, reply })? {
            self.0.link.runtime().spawn(run(self.0.clone(), name.to_owned()));
        }
        answered.await.unwrap_or_else(|_| Err(away("the store is closed")))
    }
}

#[async_trait]
impl VersionedStore for Shared {
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
        let (store, name) = (self.0.clone(), name.to_owned());
        let seen = self.0.on_link(async move { store.cell(&name).look().await }).await?;
        Ok((seen.state, seen.version.parse().map_err(away)?))
    }

    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
        let (store, name) = (self.0.clone(), name.to_owned());
        self.0
            .on_link(async move { store.cell(&name).replace(&version.to_string(), state, expires).await })
            .await
            .map(|done| done.0)
    }
}
