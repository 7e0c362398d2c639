//! Cells: small named states with one serial history. Everything that must be exact is one.
//!
//! A cell's meaning is a pure function, [`CellStep`]; a platform only supplies the serialisation:
//! an actor that runs the step inside (Durable Object, or a lock with a log), or
//! [`compare_and_swap`] over a two-method [`VersionedStore`] (DynamoDB, SQLite, Redis).

use async_trait::async_trait;
use bytes::Bytes;

use super::Timestamp;
use crate::error::{Error, ErrorKind, Result};

/// One step of a cell: `(state, command, now) -> (state, reply, expiry)`.
///
/// `state` is `None` when the cell does not exist or has expired. A returned state of `None` deletes
/// it. Must be deterministic: a compare-and-swap loop may run it more than once. A state that is returned as it came
/// keeps its expiry, so a platform need not write it again (a question costs a read, a refusal too).
pub trait CellStep: Send + Sync {
    /// The step's name; an actor platform looks the function up by it.
    fn name(&self) -> &'static str;
    /// Runs it.
    fn step(&self, state: Option<&[u8]>, command: &[u8], now: Timestamp) -> Result<CellVersion>;
}

/// What a step leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellVersion {
    /// The new state; `None` deletes the cell.
    pub state: Option<Bytes>,
    /// The answer to the command.
    pub reply: Bytes,
    /// When the state stops existing.
    pub expires: Option<Timestamp>,
}

/// Strong cells.
///
/// Contract: all commands of one cell have one serial order, seen by every instance; a reply is
/// returned only after the new state is durable; an error says nothing about whether the command
/// took effect, so commands carry ids where that matters.
#[async_trait]
pub trait CellStore: Send + Sync {
    /// Runs `step` with `command` on the cell called `name`.
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes>;
}

/// A store that can replace a value only if nobody else did.
///
/// Contract: reads are strong; `replace` succeeds for exactly one of several writers that read the
/// same version. A state past its expiry is returned as absent, with its version.
#[async_trait]
pub trait VersionedStore: Send + Sync {
    /// The state and its version; version 0 when the cell never existed.
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)>;
    /// Stores `state` if the version is still `version`; says whether it did.
    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool>;
}

/// Runs a step over a versioned store, at most `attempts` times. `now` is read for each attempt;
/// `pause` waits between them (with jitter) and gets the number of the failed attempt, from 1.
/// A state that the step leaves as it was is not written: the strong read was the whole command.
pub async fn compare_and_swap<P, F>(
    store: &dyn VersionedStore,
    name: &str,
    step: &dyn CellStep,
    command: &[u8],
    attempts: u32,
    now: impl Fn() -> Timestamp + Send,
    pause: P,
) -> Result<Bytes>
where
    P: Fn(u32) -> F + Send,
    F: Future<Output = ()> + Send,
{
    for attempt in 1..=attempts {
        let (state, version) = store.read(name).await?;
        let next = step.step(state.as_deref(), command, now())?;
        if next.state == state || store.replace(name, version, next.state, next.expires).await? {
            return Ok(next.reply);
        }
        if attempt < attempts {
            pause(attempt).await;
        }
    }
    Err(Error::new(ErrorKind::Overloaded, "Too many requests change the same state at once. Try again in a moment.")
        .source(format_args!("cell {name}: {attempts} attempts lost the race")))
}
