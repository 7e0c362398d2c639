//! What a platform provides. One trait a file, its contract in the doc comment.
//!
//! [`Ports`] is a struct of trait objects, so that core is compiled once and a platform is a value.
//! Futures and bodies are always `Send`; single-threaded runtimes wrap at their own boundary.
//! A capability that a platform lacks is `None`, and a diagnostic when a configuration needs it.

mod blob;
mod cell;
mod clock;
mod entropy;
mod event;
pub mod guard;
mod http;
mod kv;
pub mod memory;
mod secret;
pub mod suite;
mod swap;
mod tokens;
mod vector;

use std::sync::Arc;

pub use blob::BlobStore;
pub use cell::{CellStep, CellStore, CellVersion, VersionedStore, compare_and_swap};
pub use clock::{Clock, Timestamp};
pub use entropy::Entropy;
pub use event::{Event, EventSink};
pub use http::{HttpClient, Network, Outbound, Timeouts};
pub use kv::{KvEntry, KvPage, KvStore, admissible};
pub use secret::{Secret, SecretStore};
pub use swap::SwapCells;
pub use tokens::TokenCounter;
pub use vector::{VectorIndex, VectorMatch};

pub use crate::cell::find_step;

/// Everything core may ask of a platform.
#[derive(Clone)]
pub struct Ports {
    /// Outbound HTTP.
    pub http: Arc<dyn HttpClient>,
    /// Eventual key-value store.
    pub kv: Option<Arc<dyn KvStore>>,
    /// Strong cells.
    pub cells: Option<Arc<dyn CellStore>>,
    /// Large immutable objects.
    pub blobs: Option<Arc<dyn BlobStore>>,
    /// Where records go.
    pub events: Arc<dyn EventSink>,
    /// Nearest neighbours.
    pub vectors: Option<Arc<dyn VectorIndex>>,
    /// Secrets by name.
    pub secrets: Arc<dyn SecretStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}
