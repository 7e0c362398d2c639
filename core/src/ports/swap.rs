//! Cells over a store that can only compare and swap.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{CellStep, CellStore, Clock, Entropy, VersionedStore, compare_and_swap};
use crate::error::Result;

/// Cells in the compare-and-swap form, for every platform whose store is a [`VersionedStore`].
///
/// A command that lost a race waits a random time (full jitter: anything from nothing to a ceiling that doubles from
/// [`FIRST_PAUSE`](Self::FIRST_PAUSE) to [`LAST_PAUSE`](Self::LAST_PAUSE)) and runs the step again on what it reads then.
///
/// Bound: at most [`ATTEMPTS`](Self::ATTEMPTS) reads and as many writes; between them at most 4.4 s of pauses, 2.2 s on
/// average. Beyond that the error is [`Overloaded`](crate::ErrorKind::Overloaded), and the command has *not* taken effect.
/// An error of the store or of the step is returned at once; after one of the store, nobody knows.
pub struct SwapCells {
    store: Arc<dyn VersionedStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SwapCells {
    /// How often a command is tried.
    pub const ATTEMPTS: u32 = 24;
    /// The most that is waited after the first attempt.
    pub const FIRST_PAUSE: Duration = Duration::from_millis(2);
    /// The most that is waited after any attempt.
    pub const LAST_PAUSE: Duration = Duration::from_millis(256);

    /// Cells over `store`.
    pub fn new(store: Arc<dyn VersionedStore>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, clock, entropy }
    }

    /// The most that is waited after a failed attempt, which count from 1.
    fn ceiling(attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        Self::FIRST_PAUSE.saturating_mul(1 << doublings).min(Self::LAST_PAUSE)
    }

    fn pause(&self, attempt: u32) -> Duration {
        let ceiling = u64::try_from(Self::ceiling(attempt).as_micros()).expect("LAST_PAUSE is far below 500,000 years");
        Duration::from_micros(self.entropy.u64() % (ceiling + 1))
    }
}

#[async_trait]
impl CellStore for SwapCells {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        let now = || self.clock.now();
        let pause = |attempt| self.clock.sleep(self.pause(attempt));
        compare_and_swap(&*self.store, name, step, &command, Self::ATTEMPTS, now, pause).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;

    use super::*;
    use crate::error::ErrorKind;
    use crate::ports::memory::{ManualClock, MemoryCells, SeededEntropy};
    use crate::ports::{Timestamp, suite};

    fn over(store: Arc<dyn VersionedStore>, clock: &Arc<ManualClock>) -> SwapCells {
        SwapCells::new(store, clock.clone(), Arc::new(SeededEntropy::new(3)))
    }

    #[test]
    fn passes_the_suite() {
        let clock = Arc::new(ManualClock::skipping(Timestamp(1)));
        let cells = over(Arc::new(MemoryCells::new(clock.clone(), 1 << 20)), &clock);
        assert_eq!(suite::cell_serial_history(&cells).now_or_never(), Some(Ok(())));
        assert_eq!(suite::cell_expiry(&cells, &*clock).now_or_never(), Some(Ok(())));
        assert_eq!(suite::cell_failed_step_changes_nothing(&cells).now_or_never(), Some(Ok(())));
    }

    /// Somebody else is always faster.
    #[derive(Default)]
    struct Lost {
        reads: AtomicU32,
        writes: AtomicU32,
    }

    #[async_trait]
    impl VersionedStore for Lost {
        async fn read(&self, _: &str) -> Result<(Option<Bytes>, u64)> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            Ok((None, 0))
        }

        async fn replace(&self, _: &str, _: u64, _: Option<Bytes>, _: Option<Timestamp>) -> Result<bool> {
            self.writes.fetch_add(1, Ordering::Relaxed);
            Ok(false)
        }
    }

    #[test]
    fn gives_up_within_the_documented_bound() {
        let clock = Arc::new(ManualClock::skipping(Timestamp(0)));
        let lost = Arc::new(Lost::default());
        let command = over(lost.clone(), &clock).command("x", suite::COUNTER, Bytes::from_static(b"add")).now_or_never();
        assert_eq!(command.expect("never waits").unwrap_err().kind, ErrorKind::Overloaded);
        assert_eq!((lost.reads.load(Ordering::Relaxed), lost.writes.load(Ordering::Relaxed)), (24, 24));
        let bound: Duration = (1..SwapCells::ATTEMPTS).map(SwapCells::ceiling).sum();
        assert_eq!(bound, Duration::from_millis(4350));
        assert!(clock.now() > Timestamp(0) && clock.now().since(Timestamp(0)) <= bound);
    }

    #[test]
    fn a_command_that_changes_nothing_writes_nothing() {
        let clock = Arc::new(ManualClock::skipping(Timestamp(0)));
        let lost = Arc::new(Lost::default());
        let command = over(lost.clone(), &clock).command("x", suite::COUNTER, Bytes::from_static(b"drop")).now_or_never();
        assert_eq!(command.expect("never waits").expect("no race"), Bytes::new());
        assert_eq!((lost.reads.load(Ordering::Relaxed), lost.writes.load(Ordering::Relaxed)), (1, 0));
    }

    #[test]
    fn pauses_fill_their_range_and_the_range_doubles_up_to_its_end() {
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        let cells = over(Arc::new(Lost::default()), &clock);
        for (attempt, ceiling) in [(1, 2), (2, 4), (7, 128), (8, 256), (9, 256), (u32::MAX, 256)] {
            let ceiling = Duration::from_millis(ceiling);
            assert_eq!(SwapCells::ceiling(attempt), ceiling);
            let pauses: Vec<_> = (0..200).map(|_| cells.pause(attempt)).collect();
            assert!(pauses.iter().all(|pause| *pause <= ceiling));
            assert!(pauses.iter().any(|pause| *pause < ceiling / 8) && pauses.iter().any(|pause| *pause > ceiling / 8 * 7));
        }
    }
}
