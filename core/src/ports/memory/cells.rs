//! Cells under a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;

use super::{expired, full, lock};
use crate::error::Result;
use crate::ports::{CellStep, CellStore, Clock, Timestamp, VersionedStore};

/// Cells in one process: both as an actor ([`CellStore`]) and as a [`VersionedStore`], over the same states.
///
/// Invariant: versions come from one counter of the whole store and are never used twice, so a cell
/// that was deleted and made again cannot be mistaken for its former self.
pub struct MemoryCells {
    clock: Arc<dyn Clock>,
    capacity: usize,
    map: Mutex<Map>,
}

#[derive(Default)]
struct Map {
    cells: HashMap<String, Cell>,
    /// Invariant: the lengths of all names and states in `cells`.
    bytes: usize,
    versions: u64,
}

struct Cell {
    state: Bytes,
    version: u64,
    expires: Option<Timestamp>,
}

impl MemoryCells {
    /// An empty store for at most `capacity` bytes of names and states.
    pub fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self { clock, capacity, map: Mutex::default() }
    }

    fn store(&self, map: &mut Map, name: &str, state: Option<Bytes>, expires: Option<Timestamp>, now: Timestamp) -> Result<()> {
        let Some(state) = state.filter(|_| !expired(expires, now)) else {
            map.remove(name);
            return Ok(());
        };
        let size = name.len() + state.len();
        if map.bytes_without(name) + size > self.capacity {
            map.purge(now);
            if map.bytes_without(name) + size > self.capacity {
                return Err(full("the cell store", self.capacity));
            }
        }
        map.remove(name);
        map.bytes += size;
        map.versions += 1;
        map.cells.insert(name.to_owned(), Cell { state, version: map.versions, expires });
        Ok(())
    }
}

impl Map {
    fn bytes_without(&self, name: &str) -> usize {
        self.bytes - self.cells.get(name).map_or(0, |cell| name.len() + cell.state.len())
    }

    fn remove(&mut self, name: &str) {
        self.bytes = self.bytes_without(name);
        self.cells.remove(name);
    }

    fn purge(&mut self, now: Timestamp) {
        self.cells.retain(|_, cell| !expired(cell.expires, now));
        self.bytes = self.cells.iter().map(|(name, cell)| name.len() + cell.state.len()).sum();
    }
}

#[async_trait]
impl CellStore for MemoryCells {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        let mut map = lock(&self.map);
        let now = self.clock.now();
        let state = map.cells.get(name).filter(|cell| !expired(cell.expires, now)).map(|cell| cell.state.clone());
        let next = step.step(state.as_deref(), &command, now)?;
        self.store(&mut map, name, next.state, next.expires, now)?;
        Ok(next.reply)
    }
}

#[async_trait]
impl VersionedStore for MemoryCells {
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
        let now = self.clock.now();
        Ok(match lock(&self.map).cells.get(name) {
            Some(cell) => ((!expired(cell.expires, now)).then(|| cell.state.clone()), cell.version),
            None => (None, 0),
        })
    }

    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
        let mut map = lock(&self.map);
        if map.cells.get(name).map_or(0, |cell| cell.version) != version {
            return Ok(false);
        }
        let now = self.clock.now();
        self.store(&mut map, name, state, expires, now)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::error::ErrorKind;
    use crate::ports::memory::{ManualClock, SeededEntropy};
    use crate::ports::suite;

    fn store(capacity: usize) -> (Arc<ManualClock>, MemoryCells) {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1)));
        (clock.clone(), MemoryCells::new(clock, capacity))
    }

    #[test]
    fn passes_the_suite() {
        let (clock, cells) = store(1 << 20);
        assert_eq!(suite::cell_serial_history(&cells).now_or_never(), Some(Ok(())));
        assert_eq!(suite::cell_expiry(&cells, &*clock).now_or_never(), Some(Ok(())));
        assert_eq!(suite::cell_failed_step_changes_nothing(&cells).now_or_never(), Some(Ok(())));
        for _ in 0..2 {
            assert_eq!(suite::cell_pointer_one_winner(&cells, &SeededEntropy::new(clock.now().0)).now_or_never(), Some(Ok(())));
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(suite::compare_and_swap_one_winner(&cells).now_or_never(), Some(Ok(())));
        assert_eq!(suite::compare_and_swap_counts(&cells, &*clock).now_or_never(), Some(Ok(())));
        assert_eq!(suite::versioned_expiry(&cells, &*clock).now_or_never(), Some(Ok(())));
    }

    /// A store on which every reader meets all the others before anybody writes.
    struct Contended(MemoryCells);

    #[async_trait]
    impl VersionedStore for Contended {
        async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
            let read = self.0.read(name).await;
            let mut met = false;
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut met, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            read
        }

        async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
            self.0.replace(name, version, state, expires).await
        }
    }

    #[test]
    fn loops_that_lose_a_race_try_again_until_each_has_counted() {
        let (clock, cells) = store(1 << 20);
        let contended = Contended(cells);
        let mut counts = suite::compare_and_swap_counts(&contended, &*clock).boxed();
        let mut context = Context::from_waker(Waker::noop());
        let counted = (0..1000).find_map(|_| match counts.poll_unpin(&mut context) {
            Poll::Ready(check) => Some(check),
            Poll::Pending => None,
        });
        assert_eq!(counted, Some(Ok(())));
    }

    #[test]
    fn a_full_store_drops_what_has_expired_and_then_refuses() {
        let (clock, cells) = store(20);
        let put = |name: &'static str, expires| {
            let version = cells.read(name).now_or_never().expect("never waits").unwrap().1;
            cells.replace(name, version, Some(Bytes::from_static(b"123456789")), expires).now_or_never().expect("never waits")
        };
        assert!(put("a", Some(clock.now().plus(Duration::from_secs(1)))).unwrap());
        assert!(put("b", None).unwrap());
        assert_eq!(put("c", None).unwrap_err().kind, ErrorKind::Overloaded);
        clock.advance(Duration::from_secs(1));
        assert!(put("c", None).unwrap());
    }

    #[test]
    fn a_cell_made_again_is_not_its_former_self() {
        let (_, cells) = store(1 << 10);
        let one = || Some(Bytes::from_static(b"1"));
        cells.replace("x", 0, one(), None).now_or_never().expect("never waits").unwrap();
        let (_, old) = cells.read("x").now_or_never().expect("never waits").unwrap();
        cells.replace("x", old, None, None).now_or_never().expect("never waits").unwrap();
        cells.replace("x", 0, one(), None).now_or_never().expect("never waits").unwrap();
        assert!(!cells.replace("x", old, one(), None).now_or_never().expect("never waits").unwrap());
    }
}
