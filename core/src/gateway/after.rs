//! What follows a response: limits and budgets are settled, and the record is kept.
//!
//! Runs beside the request from its beginning, so that slots of a request that lasts are renewed. Invariant: what was
//! about to be reserved is known here before any cell is asked.

use std::sync::Arc;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::StreamExt;
use futures_util::future::{Either, join, select};

use crate::exchange::Record;
use crate::policy::limit::{Admission, Limiter, RENEW, Spent};
use crate::ports::{Clock, Event, EventSink};
use crate::usage::UsageLog;

use super::live::Live;

/// What a request tells those who settle it.
pub(super) enum Told {
    /// This is about to be reserved.
    Admitting(Arc<Limiter>, Arc<Admission>),
    /// It ended.
    Ended(Box<Record>),
}

/// Where settled requests are written down.
#[derive(Clone)]
pub(super) struct Books {
    pub(super) live: Arc<Live>,
    pub(super) events: Arc<dyn EventSink>,
    pub(super) usage: Arc<UsageLog>,
}

/// Waits for the end of a request, and settles it.
pub(super) async fn after(books: Books, clock: Arc<dyn Clock>, mut told: UnboundedReceiver<Told>) {
    let (record, held) = match told.next().await {
        Some(Told::Admitting(limiter, admission)) => {
            let record = end(&limiter, &admission, &*clock, &mut told).await;
            (record, Some((limiter, admission)))
        }
        Some(Told::Ended(record)) => (Some(record), None),
        None => (None, None),
    };
    let Some((limiter, admission)) = held else { return books.keep(record).await };
    let spent = record.as_deref().map(spent).unwrap_or_default();
    let request = record.as_ref().map(|record| record.id.clone()).unwrap_or_default();
    let settled = limiter.settle(&admission, spent).await;
    books.keep(record).await;
    if !settled.is_empty() {
        limiter.alert(&settled, books.live.config().webhook.as_ref(), &request).await;
    }
}

impl Books {
    async fn keep(&self, record: Option<Box<Record>>) {
        if let Some(record) = record {
            let kept = self.usage.keep(self.live.config().usage, &record);
            // The sink owns its retries; there is nobody left to tell.
            let (_, ()) = join(self.events.append(Event::Request(record)), kept).await;
        }
    }
}

/// The end of a request that holds something.
async fn end(
    limiter: &Limiter,
    admission: &Admission,
    clock: &dyn Clock,
    told: &mut UnboundedReceiver<Told>,
) -> Option<Box<Record>> {
    loop {
        let next = if admission.has_slots() {
            match select(told.next(), clock.sleep(RENEW)).await {
                Either::Left((next, _)) => next,
                Either::Right(_) => {
                    limiter.renew(admission).await;
                    continue;
                }
            }
        } else {
            told.next().await
        };
        match next {
            Some(Told::Ended(record)) => return Some(record),
            Some(Told::Admitting(..)) => {}
            None => return None,
        }
    }
}

fn spent(record: &Record) -> Spent {
    let usage = record.usage.unwrap_or_default();
    Spent { input: usage.input_total(), output: usage.output_total(), cost: record.cost }
}
