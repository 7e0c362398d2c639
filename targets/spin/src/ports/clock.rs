//! WASI's clocks.

use std::time::Duration;

use async_trait::async_trait;
use edgeway_core::ports::{Clock, Timestamp};
use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};

use crate::local::Local;

/// The time of the machine.
pub(crate) struct WasiClock;

#[async_trait]
impl Clock for WasiClock {
    fn now(&self) -> Timestamp {
        let now = system_clock::now();
        let seconds = u64::try_from(now.seconds).unwrap_or(0);
        Timestamp(seconds.saturating_mul(1_000_000).saturating_add(u64::from(now.nanoseconds) / 1_000))
    }

    async fn sleep(&self, duration: Duration) {
        Local::future(wait(duration)).await;
    }
}

/// Waits at least so long.
pub(crate) async fn wait(duration: Duration) {
    monotonic_clock::wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
}
