//! The time budget of one exchange: one deadline for the phase it is in, and never later than the total's.

use std::future::Future;
use std::task::{Context, Poll};

use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::Timeouts;
use tokio::time::Instant;

use crate::timer::{self, Timer};

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
    latest: Instant,
    timer: Timer,
}

impl Alarm {
    /// Starts the budget with the connect phase.
    pub(super) fn start(timeouts: Timeouts) -> Self {
        let latest = timer::after(timeouts.total);
        let timer = Timer::at(timer::after(timeouts.connect).min(latest));
        Self { timeouts, phase: Phase::Connect, latest, timer }
    }

    /// Begins a phase: its time starts now.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        let allowed = match phase {
            Phase::Connect => self.timeouts.connect,
            Phase::FirstByte => self.timeouts.first_byte,
            Phase::Idle => self.timeouts.idle,
        };
        self.timer.set(timer::after(allowed).min(self.latest));
    }

    /// Ready with the error when the phase has taken too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        // A provider that never pauses uses up the task's share of polls, and a timer that gets none does not ring.
        if Instant::now() >= self.timer.deadline() {
            return Poll::Ready(self.error());
        }
        self.timer.poll(cx).map(|()| self.error())
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
        let (phase, allowed) = if self.timer.deadline() == self.latest {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
    async fn a_task_without_a_poll_left_still_hears_the_alarm() {
        let mut alarm = Alarm::start(timeouts(10, 10, 10, 100));
        tokio::time::advance(Duration::from_millis(11)).await;
        let rung = std::future::poll_fn(move |cx| {
            while let Poll::Ready(poll) = tokio::task::coop::poll_proceed(cx) {
                poll.made_progress();
            }
            Poll::Ready(alarm.poll(cx).is_ready())
        });
        assert!(tokio::spawn(rung).await.expect("no panic"));
    }
}
