//! Records as lines on standard output, which Spin keeps as the component's log.

use std::io::Write as _;

use async_trait::async_trait;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Event, EventSink};
use edgeway_core::usage::line;

/// One line of JSON an event.
pub(crate) struct StdoutEvents;

#[async_trait]
impl EventSink for StdoutEvents {
    async fn append(&self, event: Event) -> Result<()> {
        let mut text = Vec::with_capacity(512);
        line::event(&mut text, &event);
        text.push(b'\n');
        // One write a line: lines of concurrent requests never mix.
        std::io::stdout().lock().write_all(&text).map_err(|error| {
            Error::new(ErrorKind::Internal, "The request could not be recorded.").source(format_args!("standard output: {error}"))
        })
    }
}
