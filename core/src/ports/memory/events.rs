//! Events that stay here.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;

use super::lock;
use crate::error::Result;
use crate::exchange::{Notice, Record};
use crate::ports::{Event, EventSink};

/// Keeps the newest events, for tests to look at.
pub struct MemoryEvents {
    kept: Mutex<Kept>,
    capacity: usize,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Event>,
    dropped: u64,
}

impl MemoryEvents {
    /// Keeps at most `capacity` events; the oldest make room.
    pub fn new(capacity: usize) -> Self {
        Self { kept: Mutex::default(), capacity }
    }

    /// What was appended, oldest first.
    pub fn all(&self) -> Vec<Event> {
        lock(&self.kept).events.iter().cloned().collect()
    }

    /// The records of requests, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.all()
            .into_iter()
            .filter_map(|event| match event {
                Event::Request(record) => Some(*record),
                Event::Notice(_) => None,
            })
            .collect()
    }

    /// What happened to the gateway itself, oldest first.
    pub fn notices(&self) -> Vec<Notice> {
        self.all()
            .into_iter()
            .filter_map(|event| match event {
                Event::Notice(notice) => Some(*notice),
                Event::Request(_) => None,
            })
            .collect()
    }

    /// How many made room for newer ones.
    pub fn dropped(&self) -> u64 {
        lock(&self.kept).dropped
    }
}

#[async_trait]
impl EventSink for MemoryEvents {
    async fn append(&self, event: Event) -> Result<()> {
        let mut kept = lock(&self.kept);
        kept.events.push_back(event);
        while kept.events.len() > self.capacity {
            kept.events.pop_front();
            kept.dropped += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::suite;

    #[test]
    fn passes_the_suite() {
        assert_eq!(suite::event_append(&MemoryEvents::new(8)).now_or_never(), Some(Ok(())));
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let events = MemoryEvents::new(2);
        for id in ["a", "b", "c"] {
            let record = Record { id: id.into(), ..Record::default() };
            events.append(Event::Request(Box::new(record))).now_or_never().expect("never waits").unwrap();
        }
        let ids: Vec<_> = events.records().into_iter().map(|record| record.id).collect();
        assert_eq!((ids.join(""), events.dropped()), ("bc".into(), 1));
    }
}
