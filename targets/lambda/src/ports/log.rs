//! One JSON line an event, on standard output, which is the function's log in CloudWatch; and a message, where there is a queue.
//!
//! Written at once and whole: what is still in a buffer when the sandbox is frozen comes too late or never. A queue that does
//! not take an event costs the event its copy there, not the request its answer; standard error says so.

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use edgeway_core::Result;
use edgeway_core::ports::{Event, EventSink};
use edgeway_core::usage::line;

use super::queue::Queue;

/// Where records go.
#[derive(Default)]
pub struct Log {
    queue: Option<Arc<Queue>>,
}

impl Log {
    /// The log, and a queue.
    pub fn new(queue: Option<Arc<Queue>>) -> Self {
        Self { queue }
    }
}

#[async_trait]
impl EventSink for Log {
    async fn append(&self, event: Event) -> Result<()> {
        let mut out = Vec::with_capacity(512);
        line::event(&mut out, &event);
        out.push(b'\n');
        {
            let mut stdout = std::io::stdout().lock();
            // A log that cannot be written is no reason to fail a request that was answered.
            let _ = stdout.write_all(&out).and_then(|()| stdout.flush());
        }
        let Some(queue) = &self.queue else { return Ok(()) };
        out.pop();
        let sent = queue.send(&String::from_utf8_lossy(&out)).await;
        sent.inspect_err(|error| eprintln!("edgeway: the event above is in the log only: {error}"))
    }
}
