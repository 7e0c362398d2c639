//! Which records are asked for, page by page, with bounded work a page.
//!
//! A stretch of time is cut into whole days, hours and minutes, each of which is one prefix of keys (see [`super::log`]). A
//! page looks at no more rows than its limit and makes no more lists than [`LISTS`]; what it has not looked at, its `next` says.
//! A page may have fewer rows than its limit, or none, and a `next` nevertheless.
//!
//! Invariant: following `next` to its end looks at every record of the stretch once, in order of tenant and minute.

use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};

use super::log::{NOBODY, OF, ROWS, minute};
use super::{Dimension, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{KvStore, Timestamp};

/// Most rows that a page looks at. Each is a read of the store; edge platforms have a thousand of them a request.
pub const MOST_ROWS: usize = 500;

/// Most lists that a page makes.
const LISTS: usize = 200;

/// Reads under way at once.
const AT_ONCE: usize = 6;

/// The longest stretch of time, in days.
const LONGEST_DAYS: u64 = 400;

/// The end of the last year that has four digits.
const LATEST: Timestamp = Timestamp(253_402_300_800_000_000);

/// Most tenants that a question about all of them goes through.
const TENANTS: usize = 10_000;

const MINUTE: u64 = 60_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Whose records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Everybody's.
    All,
    /// One tenant's; those of no tenant for `None`.
    One(Option<String>),
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Whose records.
    pub tenants: Tenants,
    /// From when on.
    pub from: Timestamp,
    /// Until when; that moment is not in it.
    pub until: Timestamp,
    /// What they have in common.
    pub filters: Vec<(Dimension, String)>,
    /// How many rows to look at, at most [`MOST_ROWS`].
    pub limit: usize,
    /// The `next` of the page before. Its stretch of time takes the place of this one's.
    pub after: Option<String>,
}

/// A part of the answer.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records, as they are kept and read.
    pub rows: Vec<(Bytes, Row)>,
    /// How many were looked at.
    pub looked_at: usize,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
    /// The stretch of time, which a page after the first takes from the one before.
    pub stretch: (Timestamp, Timestamp),
}

/// Where a page ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    from: u64,
    until: u64,
    tenant: String,
    prefix: String,
    cursor: Option<String>,
}

impl Query {
    /// Answers, one page. Fails with `InvalidRequest` when the stretch or `after` is none, and as the store does.
    pub async fn page(&self, kv: &dyn KvStore) -> Result<Page> {
        let mut place = self.after.as_deref().map(Place::read).transpose()?;
        let (from, until) = match &place {
            Some(place) => (Timestamp(place.from), Timestamp(place.until)),
            None => (self.from, self.until),
        };
        if until <= from || until.0 - from.0 > LONGEST_DAYS * DAY || until > LATEST {
            let message = format!("The time from `from` to `until` must be more than nothing and at most {LONGEST_DAYS} days.");
            return Err(Error::invalid("until", message));
        }
        let prefixes = prefixes(from, until);
        let mut walk = Walk {
            query: self,
            kv,
            from,
            until,
            left: self.limit.clamp(1, MOST_ROWS),
            lists: LISTS,
            page: Page { stretch: (from, until), ..Page::default() },
        };
        for tenant in self.whose(kv).await? {
            if place.as_ref().is_some_and(|place| place.tenant > tenant) {
                continue;
            }
            let mut open = place.take().filter(|place| place.tenant == tenant);
            for prefix in &prefixes {
                let cursor = match open.take() {
                    Some(at) if at.prefix != *prefix => {
                        open = Some(at);
                        continue;
                    }
                    Some(at) => at.cursor,
                    None => None,
                };
                if walk.prefix(&tenant, prefix, cursor).await?.is_break() {
                    return Ok(walk.page);
                }
            }
        }
        Ok(walk.page)
    }

    /// The tenants whose records these are, as keys name them, ascending.
    async fn whose(&self, kv: &dyn KvStore) -> Result<Vec<String>> {
        match &self.tenants {
            Tenants::One(tenant) => Ok(vec![tenant.clone().unwrap_or_else(|| NOBODY.to_owned())]),
            Tenants::All => {
                let (mut all, mut cursor) = (Vec::new(), None);
                loop {
                    let page = kv.list(OF, cursor.as_deref(), 1000).await?;
                    all.extend(page.keys.iter().filter_map(|key| key.strip_prefix(OF)).map(str::to_owned));
                    cursor = page.cursor;
                    if cursor.is_none() || all.len() >= TENANTS {
                        return Ok(all);
                    }
                }
            }
        }
    }

    fn wants(&self, row: &Row) -> bool {
        self.filters.iter().all(|(dimension, value)| dimension.of(row) == value.as_str())
    }
}

/// A page under way.
struct Walk<'a> {
    query: &'a Query,
    kv: &'a dyn KvStore,
    from: Timestamp,
    until: Timestamp,
    left: usize,
    lists: usize,
    page: Page,
}

impl Walk<'_> {
    /// Takes what is under one prefix; breaks when the page is full.
    async fn prefix(&mut self, tenant: &str, prefix: &str, mut cursor: Option<String>) -> Result<ControlFlow<()>> {
        loop {
            if self.left == 0 || self.lists == 0 {
                let place =
                    Place { from: self.from.0, until: self.until.0, tenant: tenant.into(), prefix: prefix.into(), cursor };
                self.page.next = Some(place.write());
                return Ok(ControlFlow::Break(()));
            }
            let listed = self.kv.list(&format!("{ROWS}{tenant}/{prefix}"), cursor.as_deref(), self.left).await?;
            self.lists -= 1;
            self.left = self.left.saturating_sub(listed.keys.len());
            self.page.looked_at += listed.keys.len();
            // None of them starts before it is polled.
            let reads: Vec<_> = listed.keys.iter().map(|key| self.kv.fetch(key)).collect();
            let mut values = stream::iter(reads).buffered(AT_ONCE);
            let mut rows = Vec::new();
            while let Some(value) = values.next().await {
                // A record may expire between the list and the read.
                let Some(entry) = value? else { continue };
                let Ok(row) = serde_json::from_slice::<Row>(&entry.value) else { continue };
                let time: Option<Timestamp> = row.time.parse().ok();
                if time.is_some_and(|time| self.from <= time && time < self.until) && self.query.wants(&row) {
                    rows.push((entry.value, row));
                }
            }
            drop(values);
            self.page.rows.append(&mut rows);
            match listed.cursor {
                None => return Ok(ControlFlow::Continue(())),
                further => cursor = further,
            }
        }
    }
}

impl Place {
    fn read(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidRequest, "`after` is not the `next` of a page. Leave it out to begin anew.")
                .param("after")
        })
    }

    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).expect("a place has string keys only"))
    }
}

/// The prefixes that cover a stretch of time, ascending: whole days, and hours and minutes at its ends.
fn prefixes(from: Timestamp, until: Timestamp) -> Vec<String> {
    let mut all = Vec::new();
    let end = until.0.div_ceil(MINUTE) * MINUTE;
    let mut at = from.0 / MINUTE * MINUTE;
    while at < end {
        let whole = |size: u64| at.is_multiple_of(size) && at + size <= end;
        let (size, length) = match () {
            () if whole(DAY) => (DAY, "2026-12-31/".len()),
            () if whole(HOUR) => (HOUR, "2026-12-31/23/".len()),
            () => (MINUTE, "2026-12-31/23/59/".len()),
        };
        let mut place = minute(Timestamp(at));
        place.truncate(length);
        all.push(place);
        at += size;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_stretch_is_cut_into_as_few_prefixes_as_it_can_be() {
        let cut = |from, until| prefixes(at(from), at(until));
        assert_eq!(cut("2026-12-30T00:00:00Z", "2027-01-01T00:00:00Z"), ["2026-12-30/", "2026-12-31/"]);
        assert_eq!(
            cut("2026-12-31T22:58:30Z", "2027-01-02T01:01:01Z"),
            [
                "2026-12-31/22/58/",
                "2026-12-31/22/59/",
                "2026-12-31/23/",
                "2027-01-01/",
                "2027-01-02/00/",
                "2027-01-02/01/00/",
                "2027-01-02/01/01/"
            ]
        );
        assert_eq!(cut("2026-12-31T23:59:59Z", "2026-12-31T23:59:59.000001Z"), ["2026-12-31/23/59/"]);
    }

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is_one() {
        let place = Place { from: 1, until: 2, tenant: "a".into(), prefix: "b/".into(), cursor: Some("c".into()) };
        assert_eq!(Place::read(&place.write()).expect("a place").write(), place.write());
        for text in ["", "x", "e30", "!!"] {
            assert!(Place::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_that_somebody_made_up_leads_nowhere() {
        use crate::ports::Clock;
        use crate::ports::memory::{ManualClock, MemoryKv};
        use futures_util::FutureExt;
        let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(ManualClock::skipping(Timestamp(0)));
        let kv = MemoryKv::new(clock, 1 << 20);
        for (from, until) in [(u64::MAX - 1, u64::MAX), (0, u64::MAX), (5, 4), (u64::MAX, 0)] {
            let place = Place { from, until, tenant: "-".into(), prefix: "x".into(), cursor: Some("y".into()) };
            let query = Query {
                tenants: Tenants::All,
                from: Timestamp(0),
                until: Timestamp(1),
                filters: Vec::new(),
                limit: 1,
                after: Some(place.write()),
            };
            query.page(&kv).now_or_never().expect("memory never waits").expect_err("no stretch");
        }
    }
}
