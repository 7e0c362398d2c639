//! The total time of one exchange. The times of its phases are Spin's to keep.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::Timeouts;
use futures_util::future::{Either, select};

use crate::ports::clock;

/// An exchange's total time, from now on.
pub(super) struct Budget {
    total: Duration,
    over: Pin<Box<dyn Future<Output = ()>>>,
}

impl Budget {
    /// Starts it.
    pub(super) fn start(timeouts: Timeouts) -> Self {
        Self { total: timeouts.total, over: Box::pin(clock::wait(timeouts.total)) }
    }

    /// Runs `work` within what is left; work that is not done by then is dropped, which cancels it.
    pub(super) async fn bound<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let work = std::pin::pin!(work);
        match select(work, self.over.as_mut()).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(late("total", self.total)),
        }
    }
}

/// A provider that did not answer in time.
pub(super) fn late(phase: &str, allowed: Duration) -> Error {
    Error::new(ErrorKind::UpstreamTimeout, "The provider did not answer in time.")
        .source(format_args!("{phase} timeout after {allowed:?}"))
}
