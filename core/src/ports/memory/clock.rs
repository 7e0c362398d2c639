//! A clock that a test moves.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::lock;
use crate::ports::{Clock, Timestamp};

/// A clock that stands still until it is moved.
///
/// [`ManualClock::at`]: sleepers wait until [`advance`](Self::advance) or [`set`](Self::set) reaches them.
/// [`ManualClock::skipping`]: a sleep moves the clock itself and returns at once, so nothing ever waits.
pub struct ManualClock {
    state: Mutex<State>,
    skips: bool,
}

struct State {
    now: Timestamp,
    slept: u64,
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
}

impl ManualClock {
    /// A clock that only its owner moves.
    pub fn at(now: Timestamp) -> Self {
        Self { state: Mutex::new(State { now, slept: 0, sleepers: BTreeMap::new() }), skips: false }
    }

    /// A clock that every sleep moves.
    pub fn skipping(now: Timestamp) -> Self {
        Self { skips: true, ..Self::at(now) }
    }

    /// Moves the clock forward and wakes whoever has slept enough.
    pub fn advance(&self, duration: Duration) {
        self.move_to(|now| now.plus(duration));
    }

    /// Sets the clock, back as well as forward.
    pub fn set(&self, now: Timestamp) {
        self.move_to(|_| now);
    }

    /// How many sleep.
    pub fn sleepers(&self) -> usize {
        lock(&self.state).sleepers.len()
    }

    fn move_to(&self, to: impl FnOnce(Timestamp) -> Timestamp) {
        let woken = {
            let mut state = lock(&self.state);
            let now = to(state.now);
            state.now = now;
            let later = state.sleepers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut state.sleepers, later)
        };
        woken.into_values().for_each(Waker::wake);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        lock(&self.state).now
    }

    async fn sleep(&self, duration: Duration) {
        if self.skips {
            self.advance(duration);
            return;
        }
        let sleep = {
            let mut state = lock(&self.state);
            state.slept += 1;
            Sleep { clock: self, key: (state.now.plus(duration), state.slept) }
        };
        sleep.await;
    }
}

/// Waits in [`State::sleepers`]; leaves it when dropped.
struct Sleep<'a> {
    clock: &'a ManualClock,
    key: (Timestamp, u64),
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.clock.state);
        if state.now >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        lock(&self.clock.state).sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{FutureExt, join};

    use super::*;
    use crate::ports::suite;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn passes_the_suite_whether_moved_or_skipping() {
        let moved = ManualClock::at(Timestamp(0));
        let mut sleeps = Box::pin(join(suite::clock_sleeps(&moved), async {}));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sleeps.poll_unpin(&mut context).is_pending());
        moved.advance(SECOND);
        assert_eq!(sleeps.poll_unpin(&mut context), Poll::Ready((Ok(()), ())));
        assert_eq!(suite::clock_sleep_cancels(&moved).now_or_never(), Some(Ok(())));

        let skipping = ManualClock::skipping(Timestamp(0));
        assert_eq!(suite::clock_sleeps(&skipping).now_or_never(), Some(Ok(())));
    }

    #[test]
    fn sleepers_wake_in_their_own_time_and_a_dropped_one_is_forgotten() {
        let clock = ManualClock::at(Timestamp(0));
        let mut context = Context::from_waker(Waker::noop());
        let (mut short, mut long) = (clock.sleep(SECOND), clock.sleep(SECOND * 2));
        assert!(short.poll_unpin(&mut context).is_pending() && long.poll_unpin(&mut context).is_pending());
        assert_eq!(clock.sleepers(), 2);
        clock.advance(SECOND);
        assert!(short.poll_unpin(&mut context).is_ready() && long.poll_unpin(&mut context).is_pending());
        drop(long);
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_its_sleepers() {
        let clock = ManualClock::at(Timestamp(10_000_000));
        let mut context = Context::from_waker(Waker::noop());
        let mut sleep = clock.sleep(SECOND);
        assert!(sleep.poll_unpin(&mut context).is_pending());
        clock.set(Timestamp(0));
        assert_eq!(clock.now(), Timestamp(0));
        assert!(sleep.poll_unpin(&mut context).is_pending());
        assert_eq!(clock.sleepers(), 1);
    }
}
