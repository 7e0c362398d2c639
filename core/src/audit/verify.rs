//! Whether the trail is what was written.
//!
//! | tampering | what tells |
//! |---|---|
//! | an entry is changed | its hash is another one |
//! | an entry is changed, and its hash with it | the next entry names another hash |
//! | all entries from there on are written anew | the chain's end, in its cell, is another one |
//! | an entry is dropped, moved or slipped in | the numbers have a gap, the hashes do not meet |
//! | a page is gone | it is missing |
//! | the cell is written anew as well | only an end that was written down elsewhere: [`Verifier::expect`] |

use serde::Serialize;

use super::entry::{Entry, hex, unhex};
use super::list::{End, Read};
use super::trail::{MARKS, Trail};
use crate::cell::chain::Hash;
use crate::error::Result;
use crate::ports::Timestamp;

/// How many entries are checked in one go.
const MOST: u64 = 2048;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether all that was checked is what was written.
    pub intact: bool,
    /// How many entries were checked, the first one behind where it was asked to begin.
    pub checked: u64,
    /// The first that is not what was written.
    pub broken: Option<Broken>,
    /// Where to go on; `None` when the end was reached, or something is broken.
    pub next: Option<u64>,
    /// The trail's end.
    pub end: End,
}

/// An entry that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Its number.
    pub seq: u64,
    /// What is wrong with it, as a sentence.
    pub why: String,
}

/// Checks entries one after the other, wherever they come from.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    seq: u64,
    hash: Hash,
    at: Timestamp,
    expected: Option<(u64, Hash)>,
}

impl Verifier {
    /// From the first entry on.
    pub fn new() -> Self {
        Self::default()
    }

    /// From behind an entry that was checked before.
    fn behind(entry: &Entry) -> Self {
        Self { seq: entry.seq, hash: entry.hash, at: entry.at, expected: None }
    }

    /// The trail has to lead through this end, which was written down earlier. `None` when the hash cannot be one.
    #[must_use]
    pub fn expect(self, seq: u64, hash: &str) -> Option<Self> {
        Some(Self { expected: Some((seq, unhex(hash)?)), ..self })
    }

    /// How far it is: the number of the last entry that was good.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Checks the next entry.
    pub fn check(&mut self, entry: &Entry) -> Result<(), Broken> {
        let seq = self.seq + 1;
        let broken = |why: String| Err(Broken { seq, why });
        if entry.seq != seq {
            return broken(format!("entry {} stands in its place", entry.seq));
        }
        if entry.previous != self.hash {
            return broken("it does not name the hash of the entry before".to_owned());
        }
        if entry.expected() != entry.hash {
            return broken("its content is not what its hash says".to_owned());
        }
        if entry.at < self.at {
            return broken("it is earlier than the entry before".to_owned());
        }
        if self.expected.is_some_and(|(number, hash)| number == seq && hash != entry.hash) {
            return broken("its hash is not the one that is expected".to_owned());
        }
        (self.seq, self.hash, self.at) = (entry.seq, entry.hash, entry.at);
        Ok(())
    }

    /// Checks that the entries end where the trail ends.
    pub fn finish(&self, end: &End) -> Result<(), Broken> {
        let wrong = |why: &str| Err(Broken { seq: self.seq, why: why.to_owned() });
        if end.seq != self.seq || end.hash != hex(&self.hash) {
            return wrong("the trail's end is not its last entry");
        }
        match self.expected {
            Some((seq, _)) if seq > self.seq => wrong("the trail ends before the entry that is expected"),
            _ => Ok(()),
        }
    }
}

impl Trail {
    /// Checks the entries behind `after`, at most [`MOST`] of them. Those up to `after` were checked before.
    pub async fn verify(&self, after: u64) -> Result<Verdict> {
        let end = self.look().await?;
        let told = End::of(&end);
        let mut verifier = Verifier::new();
        if after > end.number {
            let why = "the trail ends before it".to_owned();
            return Ok(Verdict::of(told, 0, Some(Broken { seq: after, why })));
        }
        if after > 0 {
            let Read { entries, broken } = self.read(&end, after - 1, 1).await?;
            match entries.first() {
                Some(entry) => verifier = Verifier::behind(entry),
                None => return Ok(Verdict::of(told, 0, broken)),
            }
        }
        let from = verifier.seq();
        while verifier.seq() < end.number {
            if verifier.seq() - from >= MOST {
                let next = Some(verifier.seq());
                return Ok(Verdict { next, ..Verdict::of(told, verifier.seq() - from, None) });
            }
            let Read { entries, broken } = self.read(&end, verifier.seq(), usize::MAX).await?;
            let wrong = entries.iter().find_map(|entry| verifier.check(entry).err()).or(broken);
            if wrong.is_some() {
                return Ok(Verdict::of(told, verifier.seq() - from, wrong));
            }
        }
        let broken = match verifier.finish(&told) {
            Ok(()) => self.another(end.chain).await?,
            Err(broken) => Some(broken),
        };
        Ok(Verdict::of(told, verifier.seq() - from, broken))
    }

    /// Whether the store has pages of another chain: the trail was begun anew, and what was before is not in it.
    async fn another(&self, chain: u64) -> Result<Option<Broken>> {
        let own = format!("{MARKS}{chain:016x}");
        let marks = self.kv.list(MARKS, None, 2).await?.keys;
        Ok(marks.into_iter().find(|mark| *mark != own).map(|mark| {
            let other = mark.trim_start_matches(MARKS);
            Broken { seq: 1, why: format!("the trail was begun anew: the store has pages of another one, `audit/{other}/`") }
        }))
    }
}

impl Verdict {
    fn of(end: End, checked: u64, broken: Option<Broken>) -> Self {
        Self { intact: broken.is_none(), checked, broken, next: None, end }
    }
}
