//! Events on their way to a durable place, many in one write.
//!
//! Lines gather for a moment and are kept together. The append of a notice returns when its line is kept, since whoever made
//! a change waits for that; the append of a request returns at once, since nobody does. While the place is away, lines
//! wait here, up to a bound, and are tried again every second; appends of notices return the failure at once, so nothing that
//! waits for one is held up. What does not fit is dropped and counted, and the count is kept as a line of its own.
//!
//! Invariant: a line is given up only when the bound is reached or the process ends, and never unsaid.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use edgeway_core::Result;
use edgeway_core::ports::{Event, EventSink};
use tokio::sync::watch;

use super::away;
use crate::ports::events::Style;
use crate::ports::line;

/// Most bytes of lines that wait.
const CAPACITY: usize = 4 << 20;
/// How long lines gather: one fsync for many requests.
const GATHER: Duration = Duration::from_millis(20);
/// How long a place that failed is left alone.
const REST: Duration = Duration::from_secs(1);

/// Somewhere durable.
pub(super) trait Shelf: Send + 'static {
    /// Keeps whole lines; returns when they are as durable as the place makes them. The error is for the operator. Lines of a
    /// failed call come again.
    fn keep(&mut self, lines: &[u8]) -> std::result::Result<(), String>;
}

/// Events that wait to be kept, and the thread that keeps them.
pub struct Backlog {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Appends so far; the number of the last one whose line is in `lines`.
    appended: u64,
    dropped: u64,
    closed: bool,
}

/// Up to which append lines are kept, and up to which it failed once.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    kept: u64,
    failed: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    /// Starts the thread.
    pub(super) fn start(shelf: impl Shelf) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (report, progress) = watch::channel(Progress::default());
        let keeper = shared.clone();
        let thread = std::thread::Builder::new()
            .name("events".into())
            .stack_size(128 * 1024)
            .spawn(move || keep(&keeper, shelf, &report))?;
        Ok(Self { shared, progress, thread: Mutex::new(Some(thread)) })
    }

    /// Keeps what waits and ends the thread; lines that cannot be kept now are lost, and said to be.
    pub(super) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }

    /// Takes a line that is rendered already. Nobody waits for it.
    pub(crate) fn take_line(&self, line: &[u8]) -> Result<()> {
        self.take(|lines| lines.extend_from_slice(line)).map(drop)
    }

    fn take(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<u64> {
        self.add(write).ok_or_else(|| away("too many events wait to be kept"))
    }

    /// Adds a line; its number, or `None` if it does not fit.
    fn add(&self, write: impl FnOnce(&mut Vec<u8>)) -> Option<u64> {
        let mut state = self.shared.lock();
        let before = state.lines.len();
        write(&mut state.lines);
        if state.lines.len() > CAPACITY || state.closed {
            state.lines.truncate(before);
            state.dropped += 1;
            return None;
        }
        state.appended += 1;
        if before == 0 {
            self.shared.changed.notify_one();
        }
        Some(state.appended)
    }
}

#[async_trait]
impl EventSink for Backlog {
    async fn append(&self, event: Event) -> Result<()> {
        let number = self.take(|lines| line::write(lines, Style::Json, &event))?;
        if matches!(event, Event::Request(_)) {
            return Ok(());
        }
        let mut progress = self.progress.clone();
        let decided = progress.wait_for(|progress| progress.kept >= number || progress.failed >= number).await;
        match decided {
            Ok(progress) if progress.kept >= number => Ok(()),
            _ => Err(away("an event could not be kept yet")),
        }
    }
}

fn keep(shared: &Shared, mut shelf: impl Shelf, report: &watch::Sender<Progress>) {
    let mut said = false;
    loop {
        let mut state = shared.lock();
        while state.lines.is_empty() && state.dropped == 0 && !state.closed {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            drop(state);
            std::thread::sleep(GATHER);
            state = shared.lock();
        }
        let closed = state.closed;
        let mut batch = std::mem::take(&mut state.lines);
        let (last, dropped) = (state.appended, std::mem::take(&mut state.dropped));
        drop(state);
        if dropped > 0 {
            line::write_dropped(&mut batch, Style::Json, dropped);
        }
        if batch.is_empty() {
            return; // closed, and nothing waits
        }
        match shelf.keep(&batch) {
            Ok(()) => {
                said = false;
                report.send_modify(|progress| progress.kept = last);
            }
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    eprintln!("edgeway: {error}; they wait here, up to {CAPACITY} bytes");
                }
                report.send_modify(|progress| progress.failed = last);
                if closed {
                    eprintln!("edgeway: {} bytes of events are lost", batch.len());
                    return;
                }
                let mut state = shared.lock();
                batch.append(&mut state.lines);
                state.lines = batch;
                if !state.closed {
                    drop(shared.changed.wait_timeout_while(state, REST, |state| !state.closed));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    use edgeway_core::exchange::{Notice, Record};
    use futures_util::FutureExt;

    /// A place that is away for as long as it is told so, and shows what it kept.
    #[derive(Clone, Default)]
    struct Scripted {
        away: Arc<AtomicBool>,
        kept: Arc<Mutex<String>>,
    }

    impl Scripted {
        fn away(&self, away: bool) {
            self.away.store(away, Ordering::Release);
        }

        fn kept(&self) -> String {
            self.kept.lock().expect("no test panics with it").clone()
        }
    }

    impl Shelf for Scripted {
        fn keep(&mut self, lines: &[u8]) -> std::result::Result<(), String> {
            if self.away.load(Ordering::Acquire) {
                return Err("away".into());
            }
            self.kept.lock().expect("no test panics with it").push_str(std::str::from_utf8(lines).expect("UTF-8"));
            Ok(())
        }
    }

    fn scripted() -> (Backlog, Scripted) {
        let shelf = Scripted::default();
        (Backlog::start(shelf.clone()).expect("a thread"), shelf)
    }

    fn event(id: &str) -> Event {
        Event::Notice(Box::new(Notice { request: id.into(), ..Notice::default() }))
    }

    #[tokio::test]
    async fn nobody_waits_for_a_requests_line_and_it_is_kept() {
        let (backlog, shelf) = scripted();
        shelf.away(true);
        let request = Event::Request(Box::new(Record { id: "req_1".into(), ..Record::default() }));
        assert!(backlog.append(request).now_or_never().expect("at once").is_ok());
        shelf.away(false);
        backlog.append(event("req_2")).await.expect("kept");
        assert!(shelf.kept().contains("req_1"));
    }

    #[tokio::test]
    async fn an_append_returns_when_its_line_is_kept() {
        let (backlog, shelf) = scripted();
        backlog.append(event("req_1")).await.expect("kept");
        assert!(shelf.kept().contains("req_1"));
    }

    #[tokio::test]
    async fn what_could_not_be_kept_is_said_and_kept_later() {
        let (backlog, shelf) = scripted();
        shelf.away(true);
        assert!(backlog.append(event("req_1")).await.is_err());
        shelf.away(false);
        backlog.append(event("req_2")).await.expect("kept");
        let text = shelf.kept();
        assert!(text.find("req_1").expect("kept") < text.find("req_2").expect("kept"), "{text}");
    }

    #[tokio::test]
    async fn a_full_backlog_drops_and_counts() {
        let (backlog, shelf) = scripted();
        shelf.away(true);
        let long = "x".repeat(1 << 20);
        for _ in 0..5 {
            assert!(backlog.append(event(&long)).await.is_err());
        }
        shelf.away(false);
        backlog.close();
        let text = shelf.kept();
        let kept = text.lines().filter(|line| line.len() > 1 << 20).count();
        assert_eq!(kept, 3, "the bound holds three lines of a megabyte");
        let dropped: u64 =
            text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["dropped"].as_u64()).sum();
        assert_eq!(dropped, 2);
    }

    #[tokio::test]
    async fn closing_keeps_what_waits_and_refuses_the_rest() {
        let (backlog, shelf) = scripted();
        assert_eq!(backlog.add(|lines| lines.extend_from_slice(b"last\n")), Some(1));
        backlog.close();
        assert_eq!(shelf.kept(), "last\n");
        assert!(backlog.append(event("late")).await.is_err());
    }
}
