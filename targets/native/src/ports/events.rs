//! One line a request, on standard output: JSON when a machine reads, coloured when a person does.
//!
//! A request never waits for the reader. Lines gather in one bounded buffer that a thread of its own
//! writes out every few milliseconds; when the reader is stuck and the buffer is full, lines are dropped
//! and counted, and the count is written as soon as there is room. The record that a line is made from
//! holds no body, secret or query string, so neither does the line.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use edgeway_core::Result;
use edgeway_core::ports::{Event, EventSink};

use super::line;
use crate::store::Backlog;

/// Most bytes of lines that wait for the reader.
const CAPACITY: usize = 1 << 20;
/// How long lines gather before they are written: one write for many requests.
const GATHER: Duration = Duration::from_millis(10);
/// The length of most lines.
const USUAL: usize = 640;
/// How long [`RequestLog::close`] waits for a stuck reader.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One JSON object a line.
    Json,
    /// For people, with colours or without.
    Pretty {
        /// Whether to colour.
        colour: bool,
    },
}

/// The request log.
pub struct RequestLog {
    style: Style,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    writer_waits: bool,
    closed: bool,
    written_out: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestLog {
    /// A log that writes to `output` from its own thread.
    pub fn start(style: Style, output: impl Write + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let writer = shared.clone();
        std::thread::Builder::new().name("log".into()).stack_size(64 * 1024).spawn(move || write_out(&writer, style, output))?;
        Ok(Self { style, shared })
    }

    /// Writes what is left. Gives up on a stuck reader after a second.
    pub fn close(&self) {
        let until = Instant::now() + LAST_WORDS;
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.changed.notify_all();
        while !state.written_out {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn line(&self, event: &Event) {
        self.push(|lines| line::write(lines, self.style, event));
    }

    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.shared.lock();
        let before = state.lines.len();
        write(&mut state.lines);
        if state.lines.len() > CAPACITY {
            state.lines.truncate(before);
            state.dropped += 1;
        }
        if state.writer_waits {
            state.writer_waits = false;
            self.shared.changed.notify_one();
        }
    }
}

#[async_trait]
impl EventSink for RequestLog {
    async fn append(&self, event: Event) -> Result<()> {
        self.line(&event);
        Ok(())
    }
}

/// The log first, which never waits, then where events are kept. A request's line is rendered once for both.
pub struct Both(pub Arc<RequestLog>, pub Arc<Backlog>);

#[async_trait]
impl EventSink for Both {
    async fn append(&self, event: Event) -> Result<()> {
        if self.0.style == Style::Json && matches!(event, Event::Request(_)) {
            let mut text = Vec::with_capacity(USUAL);
            line::write(&mut text, Style::Json, &event);
            self.0.push(|lines| lines.extend_from_slice(&text));
            return self.1.take_line(&text);
        }
        self.0.line(&event);
        self.1.append(event).await
    }
}

fn write_out(shared: &Shared, style: Style, mut output: impl Write) {
    let mut batch = Vec::new();
    let mut state = shared.lock();
    loop {
        while state.lines.is_empty() && state.dropped == 0 && !state.closed {
            state.writer_waits = true;
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer_waits = false;
        if !state.closed {
            drop(state);
            std::thread::sleep(GATHER);
            state = shared.lock();
        }
        std::mem::swap(&mut batch, &mut state.lines);
        let dropped = std::mem::take(&mut state.dropped);
        let closed = state.closed;
        drop(state);
        if dropped > 0 {
            line::write_dropped(&mut batch, style, dropped);
        }
        // A reader that went away is no reason to stop serving.
        let _ = output.write_all(&batch).and_then(|()| output.flush());
        batch.clear();
        if batch.capacity() > CAPACITY / 4 {
            batch = Vec::new();
        }
        state = shared.lock();
        if closed && state.lines.is_empty() {
            state.written_out = true;
            shared.changed.notify_all();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeway_core::exchange::Record;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A reader that takes a write only when it is told to.
    struct Gate {
        open: Receiver<()>,
        wrote: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.open.recv();
            let _ = self.wrote.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn record(log: &RequestLog, id: &str) {
        let record =
            Record { id: id.into(), method: "POST".into(), path: "/v1/messages".into(), status: 200, ..Record::default() };
        log.line(&Event::Request(Box::new(record)));
    }

    #[test]
    fn a_stuck_reader_never_blocks_and_what_was_dropped_is_counted() {
        let (open, gate) = channel();
        let (wrote, written) = channel();
        let log = RequestLog::start(Style::Json, Gate { open: gate, wrote }).expect("a thread");
        let long = "x".repeat(64 * 1024);
        for _ in 0..64 {
            record(&log, &long); // 4 MiB: the buffer and one batch hold less
        }
        assert!(log.shared.lock().lines.len() <= CAPACITY);
        drop(open); // the reader takes everything from here on
        log.close();
        let text: Vec<u8> = written.try_iter().flatten().collect();
        let text = String::from_utf8(text).expect("UTF-8");
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let dropped: u64 = lines.iter().filter_map(|line| line["dropped"].as_u64()).sum();
        let kept = lines.iter().filter(|line| line["id"].is_string()).count() as u64;
        assert!(dropped > 0 && kept > 0);
        assert_eq!(dropped + kept, 64);
    }

    #[test]
    fn closing_writes_what_was_gathered() {
        let (open, gate) = channel();
        let (wrote, written) = channel();
        drop(open);
        let log = RequestLog::start(Style::Json, Gate { open: gate, wrote }).expect("a thread");
        record(&log, "last");
        log.close();
        let text: Vec<u8> = written.try_iter().flatten().collect();
        assert!(String::from_utf8_lossy(&text).contains("\"last\""));
    }
}
