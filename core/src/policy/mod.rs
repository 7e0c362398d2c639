//! What may happen before and after a call. A policy is a file or a folder.

pub mod auth;
pub mod estimate;
pub mod limit;
