//! What is stored with a gateway, from the administration to the request: memory ports, a clock that is moved by hand, stores that can be away.
#![allow(clippy::disallowed_methods, reason = "documents are files")]

mod audit;
mod document;
mod faults;
mod life;
mod objects;
mod once;
mod standings;
mod tenancy;
mod world;
