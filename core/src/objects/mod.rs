//! Objects: tenants, keys and the like, each a cell, with directories to list them by.
//!
//! | cell | program | what it keeps |
//! |---|---|---|
//! | `object/KIND/TENANT/ID` | [`object`] | the object, as JSON |
//! | `directory/KIND/TENANT/SHARD` | [`directory`] | ids of the kind, each in the shard that its hash says |
//!
//! The tenant is `-` where an object has none. An id is in its directory before its object exists, and leaves it some time
//! after the object is gone, so what exists is always listed; an id without its object is passed over.
//!
//! Invariant: an object is looked up by its tenant and its id together, so nobody reaches another tenant's.

mod list;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cell::object::{Command, Expected, Reply, VALUE, Version};
use crate::cell::{self, directory, object};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Name;
use crate::ports::{CellStore, Entropy, Ports};

pub use list::{LIMIT, Page};

/// The longest id, in bytes.
pub const ID: usize = directory::NAME;

/// A kind of object.
pub trait Object: Serialize + DeserializeOwned + Send + Sync {
    /// Its name in the names of cells, `key` say. Never changes.
    const KIND: &'static str;
    /// Over how many directories the ids of a tenant are spread; each holds [`directory::NAMES`] or
    /// [`directory::BYTES`], whichever is less. Never changes, since an id is looked for in one of them only.
    const SHARDS: u16 = 4;
    /// How long an object is kept after it was last written; `None` until it is removed. Kinds that go by themselves
    /// are in no directory.
    const KEPT: Option<Duration> = None;
    /// Whether its ids can be listed. Never changes.
    const LISTED: bool = Self::KEPT.is_none();
}

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// Its version: grows with every change, and does not come back within a day of its removal.
    pub version: u64,
    /// The object.
    pub value: T,
}

/// It was not created: this is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exists<T>(pub Stored<T>);

/// It was not changed: this is there instead of what was expected, or nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict<T> {
    /// What is there.
    pub current: Option<Stored<T>>,
}

/// The objects of a gateway.
///
/// An error of any method says nothing about whether a change took effect, and is 503 or the like; what a caller can do
/// something about is in the value ([`Exists`], [`Conflict`]) or of kind [`ErrorKind::InvalidRequest`].
#[derive(Clone)]
pub struct Objects {
    cells: Arc<dyn CellStore>,
    entropy: Arc<dyn Entropy>,
}

impl Objects {
    /// Those of a platform; `None` when it has no cells.
    pub fn of(ports: &Ports) -> Option<Self> {
        Some(Self::new(ports.cells.clone()?, ports.entropy.clone()))
    }

    /// Those in `cells`.
    pub fn new(cells: Arc<dyn CellStore>, entropy: Arc<dyn Entropy>) -> Self {
        Self { cells, entropy }
    }

    /// The object of a tenant (`None`: of the gateway itself) with this id. An id that cannot be one has no object.
    pub async fn get<T: Object>(&self, tenant: Option<&Name>, id: &str) -> Result<Option<Stored<T>>> {
        if !is_id(id) {
            return Ok(None);
        }
        match self.send(&cell_of::<T>(tenant, id), &Command::Get).await? {
            Reply::Value(version) => version.map(|version| read(version, id)).transpose(),
            other => Err(unexpected(&other)),
        }
    }

    /// Stores a new object, unless there is one.
    pub async fn create<T>(&self, tenant: Option<&Name>, id: &str, value: &T) -> Result<Result<Stored<T>, Exists<T>>>
    where
        T: Object + Clone,
    {
        if !is_id(id) {
            let message = format!("`{}` is no id: 1 to {ID} of A-Z, a-z, 0-9 and `-_.:@+~`.", id.escape_debug());
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        // Before its name is taken.
        let json = json(value)?;
        if T::LISTED {
            self.enter::<T>(tenant, id).await?;
        }
        Ok(match self.put(tenant, id, value, json, Expected::Absent).await? {
            Ok(stored) => Ok(stored),
            Err(Conflict { current: Some(current) }) => Err(Exists(current)),
            Err(Conflict { current: None }) => return Err(unexpected(&Reply::Conflict(None))),
        })
    }

    /// Replaces the object of version `expected` (`None`: whichever is there). Never creates one.
    pub async fn replace<T>(
        &self,
        tenant: Option<&Name>,
        id: &str,
        value: &T,
        expected: Option<u64>,
    ) -> Result<Result<Stored<T>, Conflict<T>>>
    where
        T: Object + Clone,
    {
        if !is_id(id) {
            return Ok(Err(Conflict { current: None }));
        }
        self.put(tenant, id, value, json(value)?, present(expected)).await
    }

    /// Removes the object of version `expected` (`None`: whichever is there).
    pub async fn remove<T: Object>(
        &self,
        tenant: Option<&Name>,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Result<(), Conflict<T>>> {
        if !is_id(id) {
            return Ok(Err(Conflict { current: None }));
        }
        let remove = Command::Remove { id: self.entropy.u64(), expected: present(expected) };
        match self.send(&cell_of::<T>(tenant, id), &remove).await? {
            Reply::Changed(_) => {}
            Reply::Conflict(version) => {
                return Ok(Err(Conflict { current: version.map(|version| read(version, id)).transpose()? }));
            }
            other @ Reply::Value(_) => return Err(unexpected(&other)),
        }
        if T::LISTED {
            // What fails or is too young is passed over in lists, and removed by a later one.
            let _ = self.leave::<T>(tenant, id).await;
        }
        Ok(Ok(()))
    }

    async fn put<T>(
        &self,
        tenant: Option<&Name>,
        id: &str,
        value: &T,
        json: Bytes,
        expected: Expected,
    ) -> Result<Result<Stored<T>, Conflict<T>>>
    where
        T: Object + Clone,
    {
        let put = Command::Put { id: self.entropy.u64(), expected, value: json, ttl: T::KEPT };
        match self.send(&cell_of::<T>(tenant, id), &put).await? {
            Reply::Changed(version) => Ok(Ok(Stored { version, value: value.clone() })),
            Reply::Conflict(version) => Ok(Err(Conflict { current: version.map(|version| read(version, id)).transpose()? })),
            other @ Reply::Value(_) => Err(unexpected(&other)),
        }
    }

    async fn send(&self, cell: &str, command: &Command) -> Result<Reply> {
        cell::insist::<object::Object>(&*self.cells, cell, command).await
    }
}

fn present(expected: Option<u64>) -> Expected {
    expected.map_or(Expected::Present, Expected::Version)
}

/// Whether something can be an id: short, and nothing that a cell's name or a path would read as more than one part.
fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@+~".contains(&byte);
    !id.is_empty() && id.len() <= ID && id.bytes().all(plain)
}

fn cell_of<T: Object>(tenant: Option<&Name>, id: &str) -> String {
    format!("object/{}/{}/{id}", T::KIND, tenant.map_or("-", Name::as_str))
}

fn json<T: Object>(value: &T) -> Result<Bytes> {
    let json = serde_json::to_vec(value).map_err(|error| {
        Error::new(ErrorKind::Internal, "The gateway cannot write this object.")
            .source(format_args!("an object of kind {}: {error}", T::KIND))
    })?;
    if json.len() <= VALUE {
        return Ok(json.into());
    }
    let message = format!("The {} takes {} bytes; at most {VALUE} are stored. Send a smaller one.", T::KIND, json.len());
    Err(Error::new(ErrorKind::PayloadTooLarge, message))
}

fn read<T: Object>(version: Version, id: &str) -> Result<Stored<T>> {
    let value = serde_json::from_slice(&version.value).map_err(|error| {
        // The error names fields and places, never values of strings that it could read.
        Error::new(ErrorKind::Internal, "The gateway cannot read a stored object. Ask the operator to look at its log.")
            .source(format_args!("{} {id}, version {}: line {} column {}", T::KIND, version.number, error.line(), error.column()))
    })?;
    Ok(Stored { version: version.number, value })
}

fn unexpected(reply: &dyn fmt::Debug) -> Error {
    Error::new(ErrorKind::Internal, "The gateway cannot read a stored object. Ask the operator to look at its log.")
        .source(format_args!("a cell answered with something else: {reply:?}"))
}
