//! Time. The runtime's clock stands still while code runs and moves with every input or output.

use std::time::Duration;

use async_trait::async_trait;
use edgeway_core::ports::{Clock, Timestamp};
use worker::Delay;
use worker::js_sys::Date;
use worker::send::SendFuture;

/// The longest timer that the runtime sets.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The runtime's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuntimeClock;

#[async_trait]
impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp(Date::now() as u64 * 1000)
    }

    async fn sleep(&self, duration: Duration) {
        let begun = self.now();
        loop {
            let left = duration.saturating_sub(self.now().since(begun)).min(LONGEST);
            if left.is_zero() {
                return;
            }
            // Timers count whole milliseconds, and may ring within the one before.
            let whole = Duration::from_millis(left.as_micros().div_ceil(1000) as u64);
            SendFuture::new(Delay::from(whole)).await;
        }
    }
}
