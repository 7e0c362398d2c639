//! What every implementation of a port must pass, as functions that run inside the real runtime.
//!
//! Each function checks one sentence of its trait's contract and says in plain words what it saw.
//! They use names that begin with `edgeway-suite` and clean up after themselves before they begin,
//! so they can run against a store that is in use and again after a failure. Waiting goes through
//! the [`Clock`] they are given: a manual clock makes them instant.
//!
//! ```
//! # use std::sync::Arc;
//! # use edgeway_core::ports::{Timestamp, memory::{ManualClock, MemoryKv}, suite};
//! # async fn check() -> suite::Check {
//! let clock = Arc::new(ManualClock::skipping(Timestamp(0)));
//! let kv = MemoryKv::new(clock.clone(), 1 << 20);
//! suite::kv_ttl(&kv, &*clock).await
//! # }
//! ```
//!
//! [`answer`] runs them by name, over HTTP, in whatever runtime a target lives in.
//!
//! Invariant: a function never passes because it did nothing; it fails when the port does nothing.

mod answer;
mod blob;
mod cell;
mod kv;
mod program;
mod vector;

use std::fmt::Debug;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub use answer::{ABSENT_SECRET, PRESENT_SECRET, Subject, all_names, answer, names};
pub use blob::{blob_round_trip, blob_ttl, blob_visible_when_whole};
pub use cell::{
    COUNTER, cell_expiry, cell_failed_step_changes_nothing, cell_serial_history, compare_and_swap_counts,
    compare_and_swap_one_winner, versioned_expiry,
};
use futures_util::FutureExt;
pub use kv::{kv_limits, kv_list_pages, kv_round_trip, kv_ttl};
pub use program::{
    cell_allowance_never_exceeds, cell_chain_has_no_gaps, cell_concurrency_never_exceeds, cell_directory_lists_all,
    cell_leases_never_exceed, cell_left_reservation_is_charged, cell_object_one_winner, cell_pointer_one_winner,
    cell_reservation_expires_as_charged, cell_reserve_and_leave, cell_settles_once,
};
pub use vector::{vector_nearest, vector_one_dimension};

use super::{Clock, Entropy, Event, EventSink, SecretStore};
use crate::exchange::Record;

/// What a suite function says: nothing, or what was wrong.
pub type Check = Result<(), String>;

/// How long the suite's short-lived things live. Stores with whole seconds can keep it.
const BRIEF: Duration = Duration::from_secs(1);
/// Long enough for them to be gone.
const AFTER: Duration = Duration::from_millis(2100);

/// `seen` must be `expected`.
fn same<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Check {
    if seen == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, saw {seen:?}")) }
}

/// A port's error, as a finding.
fn works<T>(what: &str, result: crate::error::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{what}: {error:?}"))
}

/// A sleep takes at least its time.
pub async fn clock_sleeps(clock: &dyn Clock) -> Check {
    let duration = Duration::from_millis(20);
    let before = clock.now();
    clock.sleep(duration).await;
    let slept = clock.now().since(before);
    if slept >= duration { Ok(()) } else { Err(format!("a sleep of {duration:?} took {slept:?}")) }
}

/// A sleep that has not ended waits, and dropping it ends it. Not for clocks whose sleeps skip.
pub async fn clock_sleep_cancels(clock: &dyn Clock) -> Check {
    let mut sleep = clock.sleep(Duration::from_secs(3600));
    let polled = sleep.poll_unpin(&mut Context::from_waker(Waker::noop()));
    same("an hour's sleep, looked at right away", polled, Poll::Pending)
}

/// Random bytes fill the whole buffer and do not repeat.
pub fn entropy_differs(entropy: &dyn Entropy) -> Check {
    let (mut first, mut second) = ([0_u8; 61], [0_u8; 61]);
    entropy.fill(&mut first);
    entropy.fill(&mut second);
    if first == second {
        return Err("two buffers got the same bytes".into());
    }
    // 16 zeros in a row come by chance once in 2^128.
    match first.windows(16).any(|window| window.iter().all(|byte| *byte == 0)) {
        true => Err(format!("a part of the buffer was not filled: {first:?}")),
        false => Ok(()),
    }
}

/// A name that is not set, or is blank, has no secret.
pub async fn secret_absent_is_none(secrets: &dyn SecretStore, name: &str) -> Check {
    let secret = works("looking up an absent secret", secrets.secret(name).await)?;
    same("whether an absent secret is there", secret.is_some(), false)
}

/// The platform has set `name` to `value` and a line end; the line end is not part of the secret.
pub async fn secret_is_trimmed(secrets: &dyn SecretStore, name: &str, value: &str) -> Check {
    let secret = works("looking up a secret", secrets.secret(name).await)?.ok_or("the secret is not there")?;
    // The value itself stays out of the message.
    same("whether the secret is its trimmed value", secret.expose() == value, true)
}

/// Appending returns.
pub async fn event_append(events: &dyn EventSink) -> Check {
    let record = || Record { id: "edgeway-suite".into(), operation: "suite", ..Record::default() };
    for _ in 0..3 {
        works("appending an event", events.append(Event::Request(Box::new(record()))).await)?;
    }
    Ok(())
}
