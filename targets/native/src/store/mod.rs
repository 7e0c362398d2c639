//! Where a native gateway keeps its state, chosen by `server.store`.
//!
//! | choice | instances | survives the process |
//! |---|---|---|
//! | `memory` | one | no |
//! | `file:PATH` | one | yes: see [`file`] |
//! | `redis://HOST:PORT/DB` | any number | as long as Redis does |
//!
//! Invariant: which of them it is makes no difference to core; what a store that is away means is in `docs/stores.md`.

mod backlog;
mod file;
mod redis;
#[cfg(test)]
mod scratch;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use edgeway_core::config::StoreChoice;
use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::memory::{MemoryBlobs, MemoryCells, MemoryKv};
use edgeway_core::ports::{BlobStore, CellStore, Clock, KvStore, Secret, VersionedStore};

pub use backlog::Backlog;
use file::{Folder, Refusal};
use redis::{Found, Server, Shared};

/// The folder that is used when nobody chose.
const DEFAULT_FOLDER: &str = ".edgeway";
/// Most bytes of each kind in memory.
const MEMORY: usize = 64 << 20;

/// The stores of a gateway.
pub struct Stores {
    /// Values.
    pub kv: Arc<dyn KvStore>,
    /// Cells.
    pub cells: Arc<dyn CellStore>,
    /// The same cells, for a loop of your own.
    pub versioned: Arc<dyn VersionedStore>,
    /// Objects.
    pub blobs: Arc<dyn BlobStore>,
    /// Where events are kept, if anywhere.
    pub events: Option<Arc<Backlog>>,
    /// Which store it is, as in the configuration.
    pub name: String,
    /// What the operator should know.
    pub warning: Option<String>,
    keeper: Keeper,
}

/// What has to be closed.
enum Keeper {
    Memory,
    File(Folder),
    Redis(Server),
}

impl Stores {
    /// Opens the store of that choice, which may ask for a password. The error says what to do.
    pub fn open(choice: Option<&StoreChoice>, password: Option<Secret>, clock: Arc<dyn Clock>) -> Result<Self, String> {
        match choice {
            Some(StoreChoice::Memory) => Ok(Self::memory(clock)),
            Some(StoreChoice::File(path)) => Self::file(path, clock).map_err(|refusal| match refusal {
                Refusal::Taken => format!(
                    "the store file:{path} is in use by another process; give each process its own folder, or let them share \
                     Redis (server.store)"
                ),
                Refusal::Broken(why) => format!("the store file:{path} cannot be used: {why}"),
            }),
            Some(StoreChoice::Redis(address)) => {
                let (server, found) = Server::open(address, password).map_err(|why| {
                    format!(
                        "the store refuses the gateway ({why}); look at its password (server.store_password), user and database"
                    )
                })?;
                let warning = match found {
                    Found::Ready => None,
                    Found::Away(why) => Some(format!("the store is away ({why}); requests that need it fail until it comes")),
                };
                Ok(Self { warning, ..Self::redis(server, address.to_string()) })
            }
            None => Ok(Self::file(DEFAULT_FOLDER, clock.clone()).unwrap_or_else(|refusal| {
                let why = match refusal {
                    Refusal::Taken => format!("{DEFAULT_FOLDER} is in use by another process"),
                    Refusal::Broken(why) => why,
                };
                let warning =
                    format!("state is kept in memory and lost at the end, because {why}; choose a place in server.store");
                Self { warning: Some(warning), ..Self::memory(clock) }
            })),
        }
    }

    fn memory(clock: Arc<dyn Clock>) -> Self {
        let cells = Arc::new(MemoryCells::new(clock.clone(), MEMORY));
        Self {
            kv: Arc::new(MemoryKv::new(clock.clone(), MEMORY)),
            cells: cells.clone(),
            versioned: cells,
            blobs: Arc::new(MemoryBlobs::new(clock, MEMORY)),
            events: None,
            name: StoreChoice::Memory.to_string(),
            warning: None,
            keeper: Keeper::Memory,
        }
    }

    fn file(path: &str, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let folder = Folder::open(Path::new(path), clock)?;
        Ok(Self {
            kv: folder.state.clone(),
            cells: folder.state.clone(),
            versioned: folder.state.clone(),
            blobs: folder.blobs.clone(),
            events: Some(folder.events.clone()),
            name: StoreChoice::File(path.to_owned()).to_string(),
            warning: None,
            keeper: Keeper::File(folder),
        })
    }

    fn redis(server: Server, name: String) -> Self {
        let cells = Arc::new(Shared(server.store.clone()));
        Self {
            kv: server.store.clone(),
            cells: cells.clone(),
            versioned: cells,
            blobs: server.store.clone(),
            events: Some(server.events.clone()),
            name,
            warning: None,
            keeper: Keeper::Redis(server),
        }
    }

    /// Writes what waits. What comes later is refused.
    pub fn close(&self) {
        match &self.keeper {
            Keeper::Memory => {}
            Keeper::File(folder) => folder.close(),
            Keeper::Redis(server) => server.close(),
        }
    }
}

/// The error of a store that does not answer. `why` is for the operator.
fn away(why: impl Display) -> Error {
    Error::new(ErrorKind::Overloaded, "The gateway's store does not answer. Try again in a moment.")
        .source(format_args!("store: {why}"))
}
