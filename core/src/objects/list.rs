//! Lists of objects: ids out of their directories, then each object.
//!
//! | ids | what happens |
//! |---|---|
//! | of an object | it is listed |
//! | of no object, older than [`AGE`] | the id is removed: its object is gone, or was never made |
//! | of no object, younger | it is passed over: its object may just be made |

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use sha2::{Digest, Sha256};

use super::{Object, Objects, Shelf, Stored, read, unexpected};
use crate::cell;
use crate::cell::directory::{Command, Directory, Reply};
use crate::cell::object::Version;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Name;
use crate::order;

/// The most objects of a page.
pub const LIMIT: usize = 256;
/// How many objects are asked for at once.
const AT_ONCE: usize = 16;
/// How old an id is whose object is certainly not just being made. Every request ends sooner.
const AGE: Duration = Duration::from_secs(300);

/// Some objects of a kind and tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Ids and objects, in the order of the bytes of the ids. May be fewer than asked for, even none, before the last page.
    pub items: Vec<(String, Stored<T>)>,
    /// Where the next page goes on, as its `after`; `None` on the last one.
    pub next: Option<String>,
}

impl Objects {
    /// The objects of a tenant behind the id `after`, from at most `limit` ids (1 to [`LIMIT`]; more counts as that).
    pub async fn list<T: Object>(&self, tenant: Option<&Name>, after: Option<&str>, limit: usize) -> Result<Page<T>> {
        let (found, next) = self.page(Shelf::of::<T>(), tenant, after, limit).await?;
        let mut items = Vec::with_capacity(found.len());
        for (id, version) in found {
            let stored = read(version, &id)?;
            items.push((id, stored));
        }
        Ok(Page { items, next })
    }

    /// A page of objects as they are stored, and its `next`.
    async fn page(
        &self,
        shelf: Shelf,
        tenant: Option<&Name>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<(String, Version)>, Option<String>)> {
        let limit = limit.clamp(1, LIMIT);
        let shards = (0..shelf.shards).map(|shard| self.ids(shelf, tenant, shard, after, limit + 1));
        let mut ids: Vec<String> = try_join_all(shards).await?.into_iter().flatten().collect();
        order::sort(&mut ids);
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = if more { ids.last().cloned() } else { None };
        let mut items = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            let found = try_join_all(some.iter().map(|id| self.fetch(shelf, tenant, id))).await?;
            let mut absent = Vec::new();
            for (id, stored) in some.iter().zip(found) {
                match stored {
                    Some(stored) => items.push((id.clone(), stored)),
                    None => absent.push(id),
                }
            }
            // What fails is tried again by the next list.
            join_all(absent.into_iter().map(|id| self.leave(shelf, tenant, id))).await;
        }
        Ok((items, next))
    }

    /// Lists an id.
    pub(super) async fn enter(&self, shelf: Shelf, tenant: Option<&Name>, id: &str) -> Result<()> {
        match self.tell(&directory(shelf, tenant, shard(shelf, id)), &Command::Add { name: id.to_owned() }).await? {
            Reply::Kept => Ok(()),
            Reply::Full => {
                let message = format!(
                    "There are as many of this kind ({}) as can be kept. Remove some, list them (which clears away what was \
                     removed in the last minutes), then try again.",
                    shelf.kind
                );
                Err(Error::new(ErrorKind::Conflict, message))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Stops listing an id, unless it is young.
    pub(super) async fn leave(&self, shelf: Shelf, tenant: Option<&Name>, id: &str) -> Result<Reply> {
        let remove = Command::Remove { name: id.to_owned(), age: AGE };
        self.tell(&directory(shelf, tenant, shard(shelf, id)), &remove).await
    }

    async fn ids(
        &self,
        shelf: Shelf,
        tenant: Option<&Name>,
        shard: u16,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let list = Command::List { after: after.map(str::to_owned), limit };
        match self.tell(&directory(shelf, tenant, shard), &list).await? {
            Reply::Names(names) => Ok(names),
            other => Err(unexpected(&other)),
        }
    }

    async fn tell(&self, cell: &str, command: &Command) -> Result<Reply> {
        cell::insist::<Directory>(&*self.cells, cell, command).await
    }
}

fn directory(shelf: Shelf, tenant: Option<&Name>, shard: u16) -> String {
    format!("directory/{}/{}/{shard}", shelf.kind, tenant.map_or("-", Name::as_str))
}

/// The shard of an id: its SHA-256's first eight bytes, modulo. The same for ever, or ids would be lost.
fn shard(shelf: Shelf, id: &str) -> u16 {
    let digest = Sha256::digest(id.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u16::try_from(number % u64::from(shelf.shards.max(1))).expect("it is smaller than a number of 16 bits")
}
