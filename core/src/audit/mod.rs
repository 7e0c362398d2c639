//! The audit trail: who did what, in a chain in which nothing can be changed or dropped unseen. See `docs/audit.md`.
//!
//! | file | what it holds |
//! |---|---|
//! | `entry.rs` | what is written down, and as which bytes |
//! | `trail.rs` | where it is kept: the [chain](crate::cell::chain) cell, then pages in the key-value store |
//! | `list.rs` | reading it back |
//! | `verify.rs` | whether it is what was written |
//! | `denials.rs` | how often strangers are written down |
//!
//! Invariants: a deed is in the chain's cell, which is durable, before [`Trail::append`] returns; an entry leaves the cell
//! only after its page is stored; a page never changes, and no entry is ever removed.

mod denials;
mod entry;
mod list;
#[cfg(test)]
mod tests;
mod trail;
mod verify;

pub use denials::Denials;
pub use entry::{Deed, Entry, Outcome};
pub use list::{End, Page};
pub use trail::Trail;
pub use verify::{Broken, Verdict, Verifier};
