//! A deadline that moves cheaply.
//!
//! Arming and disarming a timer for every chunk of every stream is a trip to the timer wheel each time.
//! Here the timer is armed once; moving the deadline only writes it down, and the timer looks again when it
//! rings early. So moving costs a look at the clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// One deadline.
pub(crate) struct Timer {
    deadline: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    /// A deadline.
    pub(crate) fn at(deadline: Instant) -> Self {
        Self { deadline, sleep: Box::pin(sleep_until(deadline)) }
    }

    /// The deadline.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Moves the deadline.
    pub(crate) fn set(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Ready when the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.deadline < self.sleep.deadline() {
                self.sleep.as_mut().reset(self.deadline);
            }
            ready!(self.sleep.as_mut().poll(cx));
            if self.deadline <= self.sleep.deadline() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.deadline);
        }
    }
}

/// So long from now, or as far in the future as there is.
pub(crate) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    // A century: what the timer can hold, and longer than any request.
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_moves_both_ways() {
        let start = Instant::now();
        let elapsed = || start.elapsed().as_millis();
        let mut timer = Timer::at(after(Duration::from_millis(10)));
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(elapsed(), 10);
        timer.set(after(Duration::from_millis(50)));
        timer.set(after(Duration::from_millis(20)));
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(elapsed(), 30);
        timer.set(after(Duration::from_millis(50)));
        assert!(timer.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        timer.set(after(Duration::from_millis(5)));
        poll_fn(|cx| timer.poll(cx)).await;
        assert_eq!(elapsed(), 35);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_without_end_is_allowed() {
        let mut timer = Timer::at(after(Duration::MAX));
        assert!(timer.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
    }
}
