//! Events: a capped stream, one entry a line, under the field `line`.

use std::sync::Arc;

use super::RedisStore;
use super::link::{Again, Lane};
use crate::store::backlog::Shelf;

/// About how many entries the stream keeps.
const ENTRIES: usize = 100_000;

/// The stream, written from a thread of its own.
pub(in crate::store) struct Stream(pub(in crate::store) Arc<RedisStore>);

impl Shelf for Stream {
    fn keep(&mut self, lines: &[u8]) -> Result<(), String> {
        let mut request = redis::pipe();
        let stream = self.0.key("events", "");
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            request.cmd("XADD").arg(&stream).arg("MAXLEN").arg("~").arg(ENTRIES).arg("*").arg("line").arg(line).ignore();
        }
        // Entries that were written twice are what at least once means.
        let asked = self.0.link.ask::<()>(Lane::Large, Again::Never, request);
        self.0
            .link
            .runtime()
            .block_on(asked)
            .map_err(|error| format!("events cannot be written to Redis: {}", error.source.unwrap_or(error.message)))
    }
}
