//! The time budget of one exchange, on one timer.
//!
//! A timer per phase would be armed and disarmed for every chunk. Here the timer is armed once; moving the
//! deadline only writes it down, and the timer looks again when it rings early. So a chunk costs one look
//! at the clock, and a stream of any length one timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::Timeouts;
use tokio::time::{Instant, Sleep, sleep_until};

/// What the exchange is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A connection.
    Connect,
    /// The response's headers.
    FirstByte,
    /// The next chunk of the response.
    Idle,
}

/// An exchange's deadline.
pub(super) struct Alarm {
    timeouts: Timeouts,
    phase: Phase,
    deadline: Instant,
    latest: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Alarm {
    /// Starts the budget with the connect phase.
    pub(super) fn start(timeouts: Timeouts) -> Self {
        let now = Instant::now();
        let latest = later(now, timeouts.total);
        let deadline = later(now, timeouts.connect).min(latest);
        Self { timeouts, phase: Phase::Connect, deadline, latest, timer: Box::pin(sleep_until(deadline)) }
    }

    /// Begins a phase: its time starts now.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        let allowed = match phase {
            Phase::Connect => self.timeouts.connect,
            Phase::FirstByte => self.timeouts.first_byte,
            Phase::Idle => self.timeouts.idle,
        };
        self.deadline = later(Instant::now(), allowed).min(self.latest);
    }

    /// Ready with the error when the phase has taken too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        loop {
            if self.deadline < self.timer.deadline() {
                self.timer.as_mut().reset(self.deadline);
            }
            std::task::ready!(self.timer.as_mut().poll(cx));
            if self.deadline <= self.timer.deadline() {
                return Poll::Ready(self.error());
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }

    /// Runs `work` within the budget.
    pub(super) async fn bound<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            self.poll(cx).map(Err)
        })
        .await
    }

    fn error(&self) -> Error {
        let (phase, allowed) = if self.deadline == self.latest {
            ("total", self.timeouts.total)
        } else {
            match self.phase {
                Phase::Connect => ("connect", self.timeouts.connect),
                Phase::FirstByte => ("first-byte", self.timeouts.first_byte),
                Phase::Idle => ("idle", self.timeouts.idle),
            }
        };
        Error::new(ErrorKind::UpstreamTimeout, "The provider did not answer in time.")
            .source(format_args!("{phase} timeout after {allowed:?}"))
    }
}

/// `now` plus `duration`, or as far in the future as there is.
fn later(now: Instant, duration: Duration) -> Instant {
    // A century: what the timer can hold, and longer than any request.
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeouts(connect: u64, first_byte: u64, idle: u64, total: u64) -> Timeouts {
        let [connect, first_byte, idle, total] = [connect, first_byte, idle, total].map(Duration::from_millis);
        Timeouts { connect, first_byte, idle, total }
    }

    async fn ring(alarm: &mut Alarm) -> String {
        let error = std::future::poll_fn(|cx| alarm.poll(cx)).await;
        assert_eq!(error.kind, ErrorKind::UpstreamTimeout);
        error.source.expect("a cause")
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_names_itself() {
        let mut alarm = Alarm::start(timeouts(10, 20, 30, 1000));
        assert!(ring(&mut alarm).await.starts_with("connect timeout after 10ms"));
        alarm.enter(Phase::FirstByte);
        assert!(ring(&mut alarm).await.starts_with("first-byte"));
        alarm.enter(Phase::Idle);
        assert!(ring(&mut alarm).await.starts_with("idle"));
    }

    #[tokio::test(start_paused = true)]
    async fn progress_moves_the_idle_deadline_but_not_the_total() {
        let mut alarm = Alarm::start(timeouts(10, 10, 10, 100));
        let start = Instant::now();
        for _ in 0..12 {
            alarm.enter(Phase::Idle);
            let _ = alarm.bound(tokio::time::sleep(Duration::from_millis(8))).await;
        }
        alarm.enter(Phase::Idle);
        let error = alarm.bound(std::future::pending::<()>()).await.expect_err("the total is over");
        assert!(error.source.expect("a cause").starts_with("total timeout after 100ms"));
        assert_eq!(start.elapsed().as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_without_end_is_allowed() {
        let mut alarm = Alarm::start(Timeouts {
            connect: Duration::MAX,
            first_byte: Duration::MAX,
            idle: Duration::MAX,
            total: Duration::MAX,
        });
        assert!(alarm.bound(async { 1 }).await.is_ok());
    }
}
