//! Edgeway on Cloudflare Workers: the same core behind a fetch handler.
//!
//! | module | what it is |
//! |---|---|
//! | `entry` | the handlers that the runtime calls: fetch, scheduled |
//! | `deployment` | from the bindings of a deployment to a gateway, once an isolate |
//! | [`bindings`] | which bindings there are, and what to do about those that are missing or wrong |
//! | `inbound`, `outbound`, `live` | a request on its way in, a response on its way out, and what becomes of both when the caller goes away |
//! | `cell_object` | the Durable Object in which cells live |
//! | `ports` | what core asks of a platform: fetch, Workers KV, Durable Objects, R2, Queues |
//! | `js/` | what is faster, or only possible, in JavaScript |
//!
//! Only what needs no runtime is compiled on other machines, with its tests.
//!
//! Invariant: nothing here knows of models, prices or policies. Whatever a request means is core's business.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an adapter is where core meets a platform"
)]

pub mod bindings;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod cell_object;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod deployment;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod entry;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod inbound;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod live;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod outbound;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod ports;
#[cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "suite"))]
mod suite;
