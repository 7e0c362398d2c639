//! Where the trail is kept.
//!
//! An entry begins in the chain's cell. Every [`PAGE`] entries whoever appends puts them as a page into the key-value
//! store, then tells the cell, which lets go of them. So a crash at any point loses nothing: what is not in a page is in the
//! cell, and the next append makes the page. While the key-value store is away the cell fills; a full one refuses, and so
//! refuses whatever was to be written down.
//!
//! | key | value |
//! |---|---|
//! | `audit/CHAIN/PAGE` | [`PAGE`] entries, a line of JSON each; the same whoever writes it |
//! | `audit/chains/CHAIN` | nothing: that there is such a chain |
//!
//! A chain that was lost with its cell begins anew under another name and overwrites nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::entry::{Deed, Entry};
use crate::cell;
use crate::cell::chain::{self, Chain, Command, KEPT, Link, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{CellStore, Clock, Entropy, KvStore, Ports};

/// How many entries a page has. Cells hold several, so that one can be late.
pub(super) const PAGE: u64 = 16;
const _: () = assert!(PAGE * 2 <= KEPT as u64);

/// The chain's cell.
const CELL: &str = "audit";
/// What the keys of marks begin with: see the module.
pub(super) const MARKS: &str = "audit/chains/";

/// The audit trail of a gateway.
#[derive(Clone)]
pub struct Trail {
    pub(super) kv: Arc<dyn KvStore>,
    cells: Arc<dyn CellStore>,
    entropy: Arc<dyn Entropy>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Trail {
    /// That of a platform; `None` when it lacks one of the two stores.
    pub fn of(ports: &Ports) -> Option<Self> {
        Some(Self::over(ports.kv.clone()?, ports.cells.clone()?, ports.entropy.clone(), ports.clock.clone()))
    }

    /// That in these stores.
    pub fn over(kv: Arc<dyn KvStore>, cells: Arc<dyn CellStore>, entropy: Arc<dyn Entropy>, clock: Arc<dyn Clock>) -> Self {
        Self { kv, cells, entropy, clock }
    }

    /// Writes a deed down. When this returns an entry it is durable; an error says nothing about whether it is.
    pub async fn append(&self, deed: &Deed) -> Result<Entry> {
        let append = Command::Append { id: self.entropy.u64(), entry: deed.bytes() };
        let mut reply = self.send(&append).await?;
        if reply == Reply::Full {
            self.store().await.map_err(|error| full(&error.source.unwrap_or(error.message)))?;
            reply = self.send(&append).await?;
        }
        match (reply, append) {
            (Reply::Appended { link, waiting, .. }, Command::Append { entry, .. }) => {
                if u64::from(waiting) >= PAGE {
                    // What fails is tried again by the next append; until the cell is full nothing depends on it.
                    let _ = self.store().await;
                }
                Entry::read(&Link { entry, ..link }).map_err(unreadable)
            }
            (Reply::Full, _) => Err(full("others append faster than pages are stored")),
            (other, _) => Err(unreadable(format!("the chain answered {other:?}"))),
        }
    }

    /// Puts what waits in the cell into pages, as far as it fills them.
    async fn store(&self) -> Result<()> {
        let end = self.look().await?;
        let (first, last) = (end.stored / PAGE, end.number / PAGE);
        if first == last {
            return Ok(());
        }
        for page in first..last {
            let mine = |link: &&Link| (link.number - 1) / PAGE == page;
            let entries = end.waiting.iter().filter(mine).map(Entry::read).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
            if entries.len() as u64 != PAGE {
                return Err(unreadable(format!("page {page} has {} entries", entries.len())));
            }
            let text: String = entries.iter().flat_map(|entry| [entry.line(), "\n".to_owned()]).collect();
            if page == 0 {
                self.kv.put(&format!("{MARKS}{:016x}", end.chain), Bytes::from_static(b"begun"), None).await?;
            }
            self.kv.put(&key(end.chain, page), text.into(), None).await?;
        }
        self.send(&Command::Stored { up_to: last * PAGE }).await.map(drop)
    }

    /// The chain's end.
    pub(super) async fn look(&self) -> Result<chain::End> {
        match self.send(&Command::Look).await? {
            Reply::End(end) => Ok(end),
            other => Err(unreadable(format!("the chain answered {other:?}"))),
        }
    }

    async fn send(&self, command: &Command) -> Result<Reply> {
        cell::insist::<Chain>(&*self.cells, CELL, command).await
    }
}

/// The key of a page; pages count from 0.
pub(super) fn key(chain: u64, page: u64) -> String {
    format!("audit/{chain:016x}/{page:012}")
}

fn full(why: &str) -> Error {
    Error::new(ErrorKind::Overloaded, "The audit trail takes no more entries until its store is back. Try again in a moment.")
        .source(format_args!("{KEPT} entries wait to be stored: {why}"))
}

fn unreadable(why: String) -> Error {
    Error::new(ErrorKind::Internal, "The gateway cannot read its audit trail. Ask the operator to look at its log.").source(why)
}
