//! The contracts of [`CellStore`] and [`VersionedStore`].

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all};

use super::{AFTER, BRIEF, Check, same, works};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{CellStep, CellStore, CellVersion, Clock, Timestamp, VersionedStore, compare_and_swap};

/// The suite's step, for the platforms that look steps up by name. Its state is a count; it knows
/// `add` (replies the new count), `brief` (the same, and the count is gone after a second), `drop` and `fail`.
pub static COUNTER: &dyn CellStep = &Counter;

struct Counter;

impl CellStep for Counter {
    fn name(&self) -> &'static str {
        "edgeway-suite-counter"
    }

    fn step(&self, state: Option<&[u8]>, command: &[u8], now: Timestamp) -> Result<CellVersion> {
        let count = state.and_then(|state| std::str::from_utf8(state).ok()?.parse::<u64>().ok()).unwrap_or(0);
        let next = Bytes::from((count + 1).to_string());
        match command {
            b"add" => Ok(CellVersion { state: Some(next.clone()), reply: next, expires: None }),
            b"brief" => Ok(CellVersion { state: Some(next.clone()), reply: next, expires: Some(now.plus(BRIEF)) }),
            b"drop" => Ok(CellVersion::default()),
            _ => Err(Error::new(ErrorKind::Conflict, "The suite asked for this failure.")),
        }
    }
}

async fn command(cells: &dyn CellStore, name: &str, command: &'static [u8]) -> Result<Bytes, String> {
    works("a command", cells.command(name, COUNTER, Bytes::from_static(command)).await)
}

/// Fifty commands at once give fifty different replies; other cells are not touched; a dropped cell begins anew.
pub async fn cell_serial_history(cells: &dyn CellStore) -> Check {
    let (name, other) = ("edgeway-suite/serial", "edgeway-suite/serial-other");
    for name in [name, other] {
        same("the reply of a drop", command(cells, name, b"drop").await?, Bytes::new())?;
    }
    let replies = join_all((0..50).map(|_| command(cells, name, b"add"))).await;
    let mut counts = Vec::new();
    for reply in replies {
        counts.push(String::from_utf8_lossy(&reply?).parse::<u64>().map_err(|error| error.to_string())?);
    }
    counts.sort_unstable();
    same("the replies to fifty commands at once", counts, (1..=50).collect())?;
    same("the count of another cell", command(cells, other, b"add").await?, Bytes::from_static(b"1"))?;
    for name in [name, other] {
        command(cells, name, b"drop").await?;
        same("the count of a dropped cell", command(cells, name, b"add").await?, Bytes::from_static(b"1"))?;
        command(cells, name, b"drop").await?;
    }
    Ok(())
}

/// A state past its expiry does not exist; a later step without expiry keeps it for good.
pub async fn cell_expiry(cells: &dyn CellStore, clock: &dyn Clock) -> Check {
    let (brief, kept) = ("edgeway-suite/expiry", "edgeway-suite/expiry-kept");
    for name in [brief, kept] {
        command(cells, name, b"drop").await?;
        command(cells, name, b"brief").await?;
    }
    same("a count before its expiry", command(cells, kept, b"add").await?, Bytes::from_static(b"2"))?;
    clock.sleep(AFTER).await;
    same("a count after its expiry", command(cells, brief, b"add").await?, Bytes::from_static(b"1"))?;
    same("a count whose expiry was lifted", command(cells, kept, b"add").await?, Bytes::from_static(b"3"))?;
    for name in [brief, kept] {
        command(cells, name, b"drop").await?;
    }
    Ok(())
}

/// A step that fails gives its error and leaves the state as it was.
pub async fn cell_failed_step_changes_nothing(cells: &dyn CellStore) -> Check {
    let name = "edgeway-suite/failed";
    command(cells, name, b"drop").await?;
    command(cells, name, b"add").await?;
    let failed = cells.command(name, COUNTER, Bytes::from_static(b"fail")).await;
    same("a step's own error", failed.map_err(|error| error.kind), Err(ErrorKind::Conflict))?;
    same("the count after a failed step", command(cells, name, b"add").await?, Bytes::from_static(b"2"))?;
    command(cells, name, b"drop").await.map(drop)
}

/// Removes a state whatever its version; the version that is left.
async fn clear(store: &dyn VersionedStore, name: &str) -> Result<u64, String> {
    let (_, version) = works("reading", store.read(name).await)?;
    works("removing", store.replace(name, version, None, None).await)?;
    let (state, version) = works("reading", store.read(name).await)?;
    same("a removed state", state, None)?;
    Ok(version)
}

/// Of two writers that read the same version one wins; the other's version is stale from then on.
pub async fn compare_and_swap_one_winner(store: &dyn VersionedStore) -> Check {
    let name = "edgeway-suite/swap";
    let version = clear(store, name).await?;
    let put = |text: &'static [u8]| store.replace(name, version, Some(Bytes::from_static(text)), None);
    let (one, two) = join(put(b"one"), put(b"two")).await;
    let winners = (works("replacing", one)?, works("replacing", two)?);
    let winner: &[u8] = match winners {
        (true, false) => b"one",
        (false, true) => b"two",
        _ => return Err(format!("two writers of one version: expected one winner, saw {winners:?}")),
    };
    let (state, newer) = works("reading", store.read(name).await)?;
    same("the state after the race", state.as_deref(), Some(winner))?;
    same("whether the version is a new one", newer != version, true)?;
    same("whether a stale version still writes", works("replacing", put(b"late").await)?, false)?;
    clear(store, name).await.map(drop)
}

/// Twenty loops at once count to twenty.
pub async fn compare_and_swap_counts(store: &dyn VersionedStore, clock: &dyn Clock) -> Check {
    let name = "edgeway-suite/swap-count";
    clear(store, name).await?;
    let add = || compare_and_swap(store, name, COUNTER, b"add", 200, || clock.now(), |_| clock.sleep(Duration::from_millis(1)));
    for result in join_all((0..20).map(|_| add())).await {
        works("a compare-and-swap loop", result)?;
    }
    let (state, _) = works("reading", store.read(name).await)?;
    same("the count of twenty loops", state.as_deref(), Some(&b"20"[..]))?;
    clear(store, name).await.map(drop)
}

/// A state past its expiry reads as absent and can be replaced by the version that came with it.
pub async fn versioned_expiry(store: &dyn VersionedStore, clock: &dyn Clock) -> Check {
    let name = "edgeway-suite/swap-expiry";
    let version = clear(store, name).await?;
    let value = || Some(Bytes::from_static(b"v"));
    let expires = Some(clock.now().plus(BRIEF));
    same("whether the first write wins", works("replacing", store.replace(name, version, value(), expires).await)?, true)?;
    same("a state before its expiry", works("reading", store.read(name).await)?.0, value())?;
    clock.sleep(AFTER).await;
    let (state, version) = works("reading", store.read(name).await)?;
    same("a state after its expiry", state, None)?;
    let replaced = works("replacing an expired state", store.replace(name, version, value(), None).await)?;
    same("whether an expired state can be replaced", replaced, true)?;
    clear(store, name).await.map(drop)
}
