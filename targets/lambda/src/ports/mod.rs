//! What core asks of a platform, on Lambda.

pub mod http;
pub mod log;
