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
        self.fetch(Shelf::of::<T>(), tenant, id).await?.map(|version| read(version, id)).transpose()
    }

    /// Stores a new object, unless there is one.
    pub async fn create<T>(&self, tenant: Option<&Name>, id: &str, value: &T) -> Result<Result<Stored<T>, Exists<T>>>
    where
        T: Object + Clone,
    {
        Ok(match self.add(Shelf::of::<T>(), tenant, id, json(value)).await? {
            Ok(version) => Ok(Stored { version, value: value.clone() }),
            Err(current) => Err(Exists(read(current, id)?)),
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
        match self.put(Shelf::of::<T>(), tenant, id, json(value), present(expected)).await? {
            Ok(version) => Ok(Ok(Stored { version, value: value.clone() })),
            Err(current) => conflict(current, id),
        }
    }

    /// Removes the object of version `expected` (`None`: whichever is there).
    pub async fn remove<T: Object>(
        &self,
        tenant: Option<&Name>,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Result<(), Conflict<T>>> {
        match self.clear(Shelf::of::<T>(), tenant, id, expected).await? {
            Ok(()) => Ok(Ok(())),
            Err(current) => conflict(current, id),
        }
    }

    // What follows knows no types, so that it is compiled once and not once a kind.

    async fn fetch(&self, shelf: Shelf, tenant: Option<&Name>, id: &str) -> Result<Option<Version>> {
        if !is_id(id) {
            return Ok(None);
        }
        match self.send(&shelf.cell(tenant, id), &Command::Get).await? {
            Reply::Value(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives the version, or what is there already.
    async fn add(&self, shelf: Shelf, tenant: Option<&Name>, id: &str, json: Json) -> Result<Result<u64, Version>> {
        if !is_id(id) {
            let message = format!("`{}` is no id: 1 to {ID} of A-Z, a-z, 0-9 and `-_.:@+~`.", id.escape_debug());
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        // Before its name is taken.
        let bytes = shelf.bytes(&json)?;
        if shelf.listed {
            self.enter(shelf, tenant, id).await?;
        }
        match self.send_put(shelf, tenant, id, bytes, Expected::Absent).await? {
            Ok(version) => Ok(Ok(version)),
            Err(Some(current)) => Ok(Err(current)),
            Err(None) => Err(unexpected(&Reply::Conflict(None))),
        }
    }

    /// Gives the version, or what is there instead of what was expected.
    async fn put(
        &self,
        shelf: Shelf,
        tenant: Option<&Name>,
        id: &str,
        json: Json,
        expected: Expected,
    ) -> Result<Result<u64, Option<Version>>> {
        let bytes = shelf.bytes(&json)?;
        self.send_put(shelf, tenant, id, bytes, expected).await
    }

    async fn send_put(
        &self,
        shelf: Shelf,
        tenant: Option<&Name>,
        id: &str,
        value: Bytes,
        expected: Expected,
    ) -> Result<Result<u64, Option<Version>>> {
        let put = Command::Put { id: self.entropy.u64(), expected, value, ttl: shelf.kept };
        match self.send(&shelf.cell(tenant, id), &put).await? {
            Reply::Changed(version) => Ok(Ok(version)),
            Reply::Conflict(current) => Ok(Err(current)),
            other @ Reply::Value(_) => Err(unexpected(&other)),
        }
    }

    async fn clear(
        &self,
        shelf: Shelf,
        tenant: Option<&Name>,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Result<(), Option<Version>>> {
        if !is_id(id) {
            return Ok(Err(None));
        }
        let remove = Command::Remove { id: self.entropy.u64(), expected: present(expected) };
        match self.send(&shelf.cell(tenant, id), &remove).await? {
            Reply::Changed(_) => {}
            Reply::Conflict(current) => return Ok(Err(current)),
            other @ Reply::Value(_) => return Err(unexpected(&other)),
        }
        if shelf.listed {
            // What fails or is too young is passed over in lists, and removed by a later one.
            let _ = self.leave(shelf, tenant, id).await;
        }
        Ok(Ok(()))
    }

    async fn send(&self, cell: &str, command: &Command) -> Result<Reply> {
        cell::insist::<object::Object>(&*self.cells, cell, command).await
    }
}

/// What a kind's cells need to know of it: everything but its type.
#[derive(Clone, Copy)]
struct Shelf {
    kind: &'static str,
    shards: u16,
    kept: Option<Duration>,
    listed: bool,
}

impl Shelf {
    fn of<T: Object>() -> Self {
        Self { kind: T::KIND, shards: T::SHARDS, kept: T::KEPT, listed: T::LISTED }
    }

    fn cell(self, tenant: Option<&Name>, id: &str) -> String {
        format!("object/{}/{}/{id}", self.kind, tenant.map_or("-", Name::as_str))
    }

    /// The text of an object that can be stored.
    fn bytes(self, json: &Json) -> Result<Bytes> {
        let text =
            json.as_ref().map_err(ToString::to_string).and_then(|json| serde_json::to_vec(json).map_err(|why| why.to_string()));
        let text = text.map_err(|why| {
            Error::new(ErrorKind::Internal, "The gateway cannot write this object.")
                .source(format_args!("an object of kind {}: {why}", self.kind))
        })?;
        if text.len() <= VALUE {
            return Ok(text.into());
        }
        let message = format!("The {} takes {} bytes; at most {VALUE} are stored. Send a smaller one.", self.kind, text.len());
        Err(Error::new(ErrorKind::PayloadTooLarge, message))
    }
}

/// An object that may not have become JSON.
type Json = Result<serde_json::Value, serde_json::Error>;

fn present(expected: Option<u64>) -> Expected {
    expected.map_or(Expected::Present, Expected::Version)
}

/// Whether something can be an id: short, and nothing that a cell's name or a path would read as more than one part.
fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@+~".contains(&byte);
    !id.is_empty() && id.len() <= ID && id.bytes().all(plain)
}

// By way of a value both ways, as the administration reads and writes objects: each type is read and written by one code.

fn json<T: Object>(value: &T) -> Json {
    serde_json::to_value(value)
}

fn read<T: Object>(version: Version, id: &str) -> Result<Stored<T>> {
    let Version { number, value } = version;
    let read = serde_json::from_slice::<serde_json::Value>(&value).ok().and_then(|value| serde_json::from_value(value).ok());
    match read {
        Some(value) => Ok(Stored { version: number, value }),
        // What is wrong with it is not said: that might quote a secret.
        None => Err(unreadable(T::KIND, number, id)),
    }
}

fn unreadable(kind: &str, version: u64, id: &str) -> Error {
    Error::new(ErrorKind::Internal, "The gateway cannot read a stored object. Ask the operator to look at its log.")
        .source(format_args!("{kind} {id}, version {version}, has a field that this version of the gateway cannot read"))
}

fn conflict<T: Object, R>(current: Option<Version>, id: &str) -> Result<Result<R, Conflict<T>>> {
    Ok(Err(Conflict { current: current.map(|version| read(version, id)).transpose()? }))
}

fn unexpected(reply: &dyn fmt::Debug) -> Error {
    Error::new(ErrorKind::Internal, "The gateway cannot read a stored object. Ask the operator to look at its log.")
        .source(format_args!("a cell answered with something else: {reply:?}"))
}
