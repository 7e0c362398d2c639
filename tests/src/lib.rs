//! Edgeway's conformance suite: cases as data, one harness, a small driver per target.
//!
//! | module | what it is |
//! |---|---|
//! | [`case`] | cases, as files under `tests/cases` |
//! | [`protocol`] | the three protocols as their official clients know them |
//! | [`script`], [`upstream`] | what providers are asked and answer; a loopback provider that plays it |
//! | [`driver`] | how a target runs a case |
//! | [`fleet`] | several gateways with one state, and a crowd of clients |
//! | [`check`] | what came of it against what was expected |
//! | [`recorded`] | what real providers answered, if `cargo xtask record` kept something |
//! | [`skips`] | what a target does not run, and why |
//! | [`json`], [`sse`], [`http1`] | comparing JSON, reading events, HTTP on a socket |
//!
//! The suite shares no code with what it tests: its readers of streams and bodies are its own, and stricter.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the suite plays clients and providers: it needs sockets, files and processes"
)]

pub mod case;
pub mod check;
pub mod driver;
pub mod fleet;
pub mod http1;
pub mod json;
pub mod protocol;
pub mod recorded;
pub mod script;
pub mod skips;
pub mod sse;
pub mod upstream;
