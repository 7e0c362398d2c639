//! Programs of cells: state machines for whatever must be exact.
//!
//! | program | what it keeps | used for |
//! |---|---|---|
//! | [`allowance`] | what is charged in a window or for good, and open reservations | rate limits, budgets, leased slices |
//! | [`concurrency`] | who holds a slot, and who stands in line | so many requests at once |
//! | [`pointer`] | one value, its versions, who set it | the version of the configuration |
//! | [`object`] | one value and its version | tenants, keys and the like: see [`objects`](crate::objects) |
//! | [`directory`] | names, in order | what objects there are |
//! | [`chain`] | entries that name the one before by its hash | the audit trail |
//!
//! [`lease`] is the other half of an allowance: slices of it from which an instance admits without asking.
//!
//! A program is a pure function from a state and a command to the next state and a reply, written once for all
//! platforms. What serialises the commands of one cell is the platform's ([`CellStore`]); see `docs/cells.md`.
//!
//! Invariants of every program: integers only; the size of a state has a bound; a command that is sent again, because
//! nobody knows whether it took effect, changes nothing more; time that goes back counts as time that stands still.

pub mod allowance;
pub mod chain;
pub mod concurrency;
pub mod directory;
pub mod lease;
pub mod object;
pub mod pack;
pub mod pointer;
pub mod window;

/// The examples of `docs/cells.md` are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/cells.md")]
struct Manual;

use std::marker::PhantomData;

use bytes::Bytes;
use pack::Pack;

use crate::error::{Error, ErrorKind, Result};
use crate::ports::{CellStep, CellStore, CellVersion, Timestamp, suite};

/// Every program that ships, by name.
static STEPS: &[&dyn CellStep] = &[
    step::<allowance::Allowance>(),
    step::<concurrency::Concurrency>(),
    step::<pointer::Pointer>(),
    step::<object::Object>(),
    step::<directory::Directory>(),
    step::<chain::Chain>(),
];

/// Finds a step by its [`name`](CellStep::name), for platforms that run steps in an actor.
///
/// The suite's own step is there only with the feature `suite`.
pub fn find_step(name: &str) -> Option<&'static dyn CellStep> {
    let tests: &[&'static dyn CellStep] = if cfg!(any(test, feature = "suite")) { &[suite::COUNTER] } else { &[] };
    STEPS.iter().chain(tests).copied().find(|step| step.name() == name)
}

/// A program, in types.
pub trait Program: Sized + Send + Sync + 'static {
    /// Its name; never changes, since platforms may keep it beside a state.
    const NAME: &'static str;
    /// What is kept.
    type State: Pack;
    /// What can be asked.
    type Command: Pack;
    /// What is answered.
    type Reply: Pack;

    /// Runs a command. `state` is `None` when there is none, or none any more. An error leaves the state as it is.
    fn run(state: Option<Self::State>, command: Self::Command, now: Timestamp) -> Result<(Next<Self::State>, Self::Reply)>;
    /// When a state means as much as none, and stops existing.
    fn expires(state: &Self::State) -> Option<Timestamp>;
}

/// What a command leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<S> {
    /// The state as it was, or none if there was none. Costs no write where cells are compare-and-swap.
    Same,
    /// Another state.
    State(S),
    /// No state: the cell is as if it had never been.
    Nothing,
}

/// A program's step, over bytes.
struct Step<P>(PhantomData<fn() -> P>);

impl<P: Program> CellStep for Step<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn step(&self, state: Option<&[u8]>, command: &[u8], now: Timestamp) -> Result<CellVersion> {
        let before = state.map(P::State::from_bytes).transpose()?;
        let kept = before.as_ref().and_then(P::expires);
        let (next, reply) = P::run(before, P::Command::from_bytes(command)?, now)?;
        let (state, expires) = match next {
            Next::Same => (state.map(Bytes::copy_from_slice), kept),
            Next::Nothing => (None, None),
            Next::State(state) => (Some(state.to_bytes()), P::expires(&state)),
        };
        Ok(CellVersion { state, reply: reply.to_bytes(), expires })
    }
}

/// The step of a program.
pub const fn step<P: Program>() -> &'static dyn CellStep {
    &Step::<P>(PhantomData)
}

/// Sends a command to the cell called `name`, which runs program `P`.
///
/// An error says nothing about whether the command took effect (see [`CellStore`]): send the same command again.
pub async fn command<P: Program>(cells: &dyn CellStore, name: &str, command: &P::Command) -> Result<P::Reply> {
    let command = command.to_bytes();
    P::Reply::from_bytes(&cells.command(name, step::<P>(), command).await?)
}

/// How often [`insist`] sends a command.
const ATTEMPTS: usize = 3;

/// Sends a command as [`command`] does, and again if nobody knows whether it took effect; for commands with an id, or that
/// change nothing when they are sent twice.
pub async fn insist<P: Program>(cells: &dyn CellStore, name: &str, what: &P::Command) -> Result<P::Reply> {
    let mut answer = command::<P>(cells, name, what).await;
    for _ in 1..ATTEMPTS {
        match &answer {
            Err(error) if error.kind != ErrorKind::InvalidRequest => answer = command::<P>(cells, name, what).await,
            _ => break,
        }
    }
    answer
}

/// Refuses what is longer than a program keeps, in bytes.
fn fits(what: &str, length: usize, most: usize) -> Result<()> {
    if length <= most {
        return Ok(());
    }
    let message = format!("The {what} has {length} bytes; at most {most} are kept. Send a shorter one.");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_found_by_its_own_name_and_nothing_else_is() {
        let names: std::collections::BTreeSet<_> = STEPS.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), STEPS.len(), "two steps have one name");
        for name in names {
            assert_eq!(find_step(name).expect("a step of the table").name(), name);
        }
        assert!(find_step(suite::COUNTER.name()).is_some());
        assert!(find_step("").is_none());
    }
}
