//! Edgeway on a plain server: a thread-per-core HTTP server around [`edgeway_core`], and its command line.
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | listeners, connections, limits, TLS, drain |
//! | [`ports`] | what core asks of a platform: HTTP client, clock, randomness, secrets, log |
//! | [`store`] | where state is kept: memory, a folder, Redis |
//! | [`cli`] | `edgeway serve`, `check`, `models`, `providers`, `init` |
//!
//! Invariant: nothing here knows of models, prices or policies. Whatever a request means is core's business.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter is where core meets sockets, clocks, files and threads"
)]

pub mod cli;
mod http1;
pub mod net;
pub mod ports;
pub mod server;
pub mod store;
#[cfg(feature = "suite")]
mod suite;
mod timer;
pub mod tls;
