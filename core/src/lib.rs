//! Edgeway's core: everything the gateway knows, nothing it runs on.
//!
//! The map, in the order a request meets it:
//!
//! | module | what it is |
//! |---|---|
//! | [`gateway`] | the whole request walk, top to bottom |
//! | [`endpoint`] | (method, path) to operation, dialect, permission and body limit |
//! | [`exchange`] | the values that travel the pipeline |
//! | [`ports`] | what a platform must provide: HTTP, stores, secrets, clock, entropy |
//! | [`cell`] | the programs of cells: state machines for whatever must be exact |
//! | [`objects`] | tenants, keys and the like: looked up, replaced, listed |
//! | [`wire`] | bytes only: server-sent events, the JSON envelope |
//! | [`chat`] | the canonical model in which two dialects meet |
//! | [`dialect`] | one folder a message protocol; driver and meter for bodies |
//! | [`provider`] | one row a provider: where to send and how to sign |
//! | [`model`] | what is known of models: limits and owners |
//! | [`identity`] | who there is, and what they may do |
//! | [`policy`] | what may happen before and after a call |
//! | [`route`] | from a requested model to the targets that may serve it |
//! | [`unserved`] | what an adapter answers when there is no gateway to ask |
//! | [`usage`] | what requests took, as every platform logs it |
//! | [`admin`] | what an operator can ask of a running gateway, and change |
//! | [`audit`] | who did what, in a trail that shows tampering |
//! | [`config`] | the document, its layers, its diagnostics, the compiled snapshot |
//! | [`error`] | kinds, and the one table from kind to status, blame and retry |
//!
//! Invariant: this crate never opens a socket, reads a clock or the environment, spawns a task or
//! prints. Whatever it needs of the outside world it takes through [`ports::Ports`].
#![forbid(unsafe_code)]

pub mod admin;
pub mod audit;
pub mod body;
pub mod cell;
pub mod chat;
pub mod config;
pub mod dialect;
pub mod endpoint;
pub mod error;
pub mod exchange;
pub mod gateway;
pub mod identity;
pub mod model;
pub mod objects;
mod order;
pub mod policy;
pub mod ports;
pub mod provider;
pub mod route;
pub mod unserved;
pub mod usage;
pub mod wire;

pub use body::Body;
pub use config::Config;
pub use error::{Error, ErrorKind, Result};
pub use gateway::{Gateway, Handled};
pub use ports::Ports;
