//! One JSON line an event, on standard output, which is the function's log in CloudWatch.
//!
//! Written at once and whole: what is still in a buffer when the sandbox is frozen comes too late or never.

use std::io::Write;

use async_trait::async_trait;
use edgeway_core::Result;
use edgeway_core::ports::{Event, EventSink};
use edgeway_core::usage::line;

/// The log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

#[async_trait]
impl EventSink for Log {
    async fn append(&self, event: Event) -> Result<()> {
        let mut out = Vec::with_capacity(512);
        line::event(&mut out, &event);
        out.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        // A log that cannot be written is no reason to fail a request that was answered.
        let _ = stdout.write_all(&out).and_then(|()| stdout.flush());
        Ok(())
    }
}
