//! Reading the trail back: pages out of the key-value store, what is younger out of the chain's cell.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;

use super::entry::{Entry, hex};
use super::trail::{PAGE, Trail, key};
use super::verify::Broken;
use crate::cell::chain;
use crate::error::Result;

/// How many entries are looked at for one list, wanted or not.
const SCAN: usize = 512;
/// How many pages are asked for at once.
const AT_ONCE: usize = 8;
/// How long an eventual store may be late with a page that another instance has stored.
const LATE: Duration = Duration::from_secs(180);

/// Some entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those that were wanted, oldest first.
    pub entries: Vec<Entry>,
    /// Where the next page goes on, as its `after`; `None` on the last one. There may be none wanted on a page, and more.
    pub next: Option<u64>,
    /// The trail's end at that moment.
    pub end: End,
    /// What of it cannot be read; the entries before are there, those behind are not.
    pub broken: Option<Broken>,
}

/// The end of the trail: who wrote it down elsewhere can tell later that the trail still leads through it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// The number of the last entry; 0 for none.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

/// What of the trail could be read.
pub(super) struct Read {
    /// In order, from behind where it was asked for.
    pub(super) entries: Vec<Entry>,
    /// Why it ends earlier than it should.
    pub(super) broken: Option<Broken>,
}

impl Trail {
    /// Entries behind `after` (0: from the first) that are `wanted`, at most `limit`.
    pub async fn list(&self, after: u64, limit: usize, wanted: impl Fn(&Entry) -> bool) -> Result<Page> {
        let end = self.look().await?;
        let limit = limit.max(1);
        let mut page = Page { entries: Vec::new(), next: None, end: End::of(&end), broken: None };
        let (mut place, mut scanned) = (after, 0);
        while place < end.number {
            if page.entries.len() >= limit || scanned >= SCAN {
                page.next = Some(place);
                break;
            }
            let Read { entries, broken } = self.read(&end, place, limit - page.entries.len()).await?;
            scanned += entries.len();
            for entry in entries {
                if page.entries.len() >= limit {
                    break;
                }
                place = entry.seq;
                if wanted(&entry) {
                    page.entries.push(entry);
                }
            }
            if broken.is_some() && page.entries.len() < limit {
                page.broken = broken;
                break;
            }
        }
        Ok(page)
    }

    /// The entries behind `after`, about `about` of them: whole pages, at least one, at most [`AT_ONCE`]; or what waits in
    /// the cell. There is one if the end is behind `after`.
    pub(super) async fn read(&self, end: &chain::End, after: u64, about: usize) -> Result<Read> {
        let mut read = Read { entries: Vec::new(), broken: None };
        if after < end.stored {
            let (first, last) = (after / PAGE, end.stored / PAGE);
            let most = (about as u64).div_ceil(PAGE).clamp(1, AT_ONCE as u64) + 1;
            let pages = (first..last.min(first + most)).map(|page| async move { Ok((page, self.page(end, page).await?)) });
            for (page, found) in try_join_all(pages).await? {
                match found {
                    Ok(entries) => read.entries.extend(entries.into_iter().filter(|entry| entry.seq > after)),
                    Err(why) => {
                        read.broken = Some(Broken { seq: (page * PAGE + 1).max(after + 1), why });
                        return Ok(read);
                    }
                }
            }
            return Ok(read);
        }
        for link in end.waiting.iter().filter(|link| link.number > after) {
            match Entry::read(link) {
                Ok(entry) => read.entries.push(entry),
                Err(why) => {
                    read.broken = Some(Broken { seq: link.number, why });
                    return Ok(read);
                }
            }
        }
        Ok(read)
    }

    /// A page's entries; or what is wrong with it, as a sentence.
    async fn page(&self, end: &chain::End, page: u64) -> Result<Result<Vec<Entry>, String>> {
        let Some(found) = self.kv.fetch(&key(end.chain, page)).await? else {
            let late = page + AT_ONCE as u64 >= end.stored / PAGE && self.clock.now().since(end.stored_at) < LATE;
            return Ok(Err(match late {
                true => "its page is not in the store, perhaps not yet; look again in some minutes".to_owned(),
                false => "its page is not in the store any more".to_owned(),
            }));
        };
        let Ok(text) = std::str::from_utf8(&found.value) else { return Ok(Err("its page is not text".to_owned())) };
        let entries: Result<Vec<Entry>, _> = text.lines().map(serde_json::from_str).collect();
        let numbers = page * PAGE + 1..=(page + 1) * PAGE;
        Ok(match entries {
            Err(error) => Err(format!("its page cannot be read: {error}")),
            Ok(entries) if !entries.iter().map(|entry| entry.seq).eq(numbers) => {
                Err("its page does not have the entries that belong on it".to_owned())
            }
            Ok(entries) => Ok(entries),
        })
    }
}

impl End {
    pub(super) fn of(end: &chain::End) -> Self {
        Self { seq: end.number, hash: hex(&end.hash) }
    }
}
