//! What may happen before and after a call. A policy is a file.

pub mod auth;
