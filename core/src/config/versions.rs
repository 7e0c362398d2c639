//! Documents in the gateway's stores, by version.
//!
//! Two stores, each for what it can do: the key-value store holds the texts, each under the hash of its content; a
//! [pointer](crate::cell::pointer) cell holds which of them is current, and who set it when. A text never changes under
//! its key, so an eventual store can only be late with it, never wrong; and a version exists from the moment in which the
//! pointer names it, which one writer does at a time.
//!
//! Invariant: a text that comes back is the text whose hash the pointer holds.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::cell::{self, pointer};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{CellStore, KvStore, Ports, Timestamp};

/// The layer of a stored document.
pub const STORED: &str = "stored";
/// The largest document that is stored, in bytes: what every store takes as one value.
pub const DOCUMENT_BYTES: usize = 256 << 10;
/// The pointer's cell.
const CELL: &str = "config";

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub version: u64,
    /// SHA-256 of the document, in hexadecimal.
    pub digest: String,
    /// Who set it: the name of a key, or of a person at the store itself.
    pub by: String,
    /// Why.
    pub note: String,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
}

// serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

impl From<pointer::Version> for Entry {
    fn from(version: pointer::Version) -> Self {
        let pointer::Version { number, value, by, note, at, .. } = version;
        Self { version: number, digest: String::from_utf8_lossy(&value).into_owned(), by, note, at }
    }
}

/// What came of setting a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// It is current, as this version.
    Done(Entry),
    /// Somebody else was faster; this is current.
    Conflict(Option<Entry>),
    /// The version to go back to is not kept (any more).
    Unknown,
}

/// The stored documents of a gateway.
#[derive(Clone)]
pub struct Versions {
    kv: Arc<dyn KvStore>,
    cells: Arc<dyn CellStore>,
}

impl Versions {
    /// Those of a platform; `None` when it lacks one of the two stores.
    pub fn of(ports: &Ports) -> Option<Self> {
        Some(Self { kv: ports.kv.clone()?, cells: ports.cells.clone()? })
    }

    /// The current version; `None` when nothing was ever stored.
    pub async fn current(&self) -> Result<Option<Entry>> {
        match self.ask(pointer::Command::Current).await? {
            pointer::Reply::Current(version) => Ok(version.map(Entry::from)),
            other => Err(unexpected(&other)),
        }
    }

    /// The versions that are kept, newest first; at most [`pointer::HISTORY`].
    pub async fn history(&self) -> Result<Vec<Entry>> {
        match self.ask(pointer::Command::History { limit: u32::MAX }).await? {
            pointer::Reply::History(versions) => Ok(versions.into_iter().map(Entry::from).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// The document of a version. Fails when the store does not have it (yet), or has something else.
    pub async fn text(&self, entry: &Entry) -> Result<String> {
        let missing = |why: &str| {
            Error::new(ErrorKind::Internal, "The gateway cannot read its stored configuration.")
                .source(format_args!("version {} ({}): {why}", entry.version, entry.digest))
        };
        let found = self.kv.fetch(&key(&entry.digest)).await?;
        let found = found.ok_or_else(|| missing("the key-value store does not have it, or not yet"))?;
        let text = std::str::from_utf8(&found.value).map_err(|_| missing("it is not UTF-8"))?;
        if digest(text) == entry.digest { Ok(text.to_owned()) } else { Err(missing("its content is not what was stored")) }
    }

    /// Stores a document, and makes it current if `expected` still is.
    pub async fn push(&self, text: &str, change: pointer::Change) -> Result<Set> {
        let digest = digest(text);
        let before = self.history().await?;
        self.kv.put(&key(&digest), Bytes::copy_from_slice(text.as_bytes()), None).await?;
        let set = self.set(pointer::Command::Set { change, value: Bytes::from(digest) }).await?;
        if matches!(set, Set::Done(_)) {
            self.forget(before).await;
        }
        Ok(set)
    }

    /// Makes the document of an earlier version current again, if `expected` still is.
    pub async fn rollback(&self, to: u64, change: pointer::Change) -> Result<Set> {
        self.set(pointer::Command::Rollback { change, to }).await
    }

    /// Removes the text of the version that the newest one has pushed out of the history. What fails is left lying.
    async fn forget(&self, before: Vec<Entry>) {
        let Some(oldest) = before.last().filter(|_| before.len() >= pointer::HISTORY) else { return };
        let Ok(after) = self.history().await else { return };
        if after.iter().all(|entry| entry.digest != oldest.digest) {
            let _ = self.kv.delete(&key(&oldest.digest)).await;
        }
    }

    async fn set(&self, command: pointer::Command) -> Result<Set> {
        match self.ask(command).await? {
            pointer::Reply::Changed(version) => Ok(Set::Done(version.into())),
            pointer::Reply::Conflict(version) => Ok(Set::Conflict(version.map(Entry::from))),
            pointer::Reply::Unknown => Ok(Set::Unknown),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&self, command: pointer::Command) -> Result<pointer::Reply> {
        cell::insist::<pointer::Pointer>(&*self.cells, CELL, &command).await
    }
}

/// What a document's text is stored under.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn key(digest: &str) -> String {
    format!("config/{digest}")
}

fn unexpected(reply: &pointer::Reply) -> Error {
    Error::new(ErrorKind::Internal, "The gateway cannot read its stored configuration.")
        .source(format_args!("the pointer answered with something else: {reply:?}"))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::memory::{ManualClock, MemoryCells, MemoryKv};

    fn stores() -> (Arc<MemoryKv>, Versions) {
        let clock = Arc::new(ManualClock::at(Timestamp(1)));
        let kv = Arc::new(MemoryKv::new(clock.clone(), 8 << 20));
        (kv.clone(), Versions { kv, cells: Arc::new(MemoryCells::new(clock, 8 << 20)) })
    }

    fn change(id: u64, expected: u64) -> pointer::Change {
        pointer::Change { id, expected, by: "ada".into(), note: String::new() }
    }

    fn now<T>(future: impl Future<Output = Result<T>>) -> T {
        future.now_or_never().expect("memory never waits").expect("memory does not fail")
    }

    #[test]
    fn a_version_comes_back_as_it_was_stored() {
        let (_, versions) = stores();
        assert_eq!(now(versions.current()), None);
        let Set::Done(first) = now(versions.push("a = 1 # é", change(1, 0))) else { panic!("nobody else is here") };
        assert_eq!(now(versions.current()), Some(first.clone()));
        assert_eq!(now(versions.text(&first)), "a = 1 # é");
        let Set::Conflict(Some(current)) = now(versions.push("b", change(2, 0))) else { panic!("there is a first") };
        assert_eq!(current, first);
        let Set::Done(second) = now(versions.push("b", change(3, 1))) else { panic!("it is the second") };
        let Set::Done(third) = now(versions.rollback(1, change(4, 2))) else { panic!("the first is kept") };
        assert_eq!((third.version, &third.digest), (3, &first.digest));
        assert_eq!(now(versions.history()), [third, second, first]);
        assert_eq!(now(versions.rollback(9, change(5, 3))), Set::Unknown);
    }

    #[test]
    fn a_text_that_is_missing_or_another_is_an_error_and_never_the_document() {
        let (kv, versions) = stores();
        let Set::Done(entry) = now(versions.push("a = 1", change(1, 0))) else { panic!("nobody else is here") };
        for (value, why) in [(Some(&b"a = 2"[..]), "not what was stored"), (Some(b"\xff"), "UTF-8"), (None, "not yet")] {
            now(kv.delete(&key(&entry.digest)));
            if let Some(value) = value {
                now(kv.put(&key(&entry.digest), Bytes::from_static(value), None));
            }
            let error = versions.text(&entry).now_or_never().expect("memory never waits").expect_err("no document");
            assert!(error.source.as_deref().unwrap_or("").contains(why), "{error:?}");
        }
    }

    #[test]
    fn texts_that_no_version_names_any_more_are_removed() {
        let (kv, versions) = stores();
        let most = u64::try_from(pointer::HISTORY).expect("small");
        for number in 0..most + 5 {
            let text = if number == 2 { "twice".to_owned() } else { format!("n = {number}") };
            let text = if number == most { "twice".to_owned() } else { text };
            assert!(matches!(now(versions.push(&text, change(number + 1, number))), Set::Done(_)));
        }
        let kept = now(kv.list("config/", None, 1000)).keys;
        let mut named: Vec<_> = now(versions.history()).into_iter().map(|entry| key(&entry.digest)).collect();
        named.sort();
        assert_eq!(kept, named);
        assert!(kept.contains(&key(&digest("twice"))), "a text with a later version of its own stays");
    }
}
