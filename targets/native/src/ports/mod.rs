//! What core asks of a platform, on a plain server: sockets, the system's clock, environment, and standard output.

pub mod clock;
pub mod entropy;
pub mod events;
pub mod http;
pub(crate) mod line;
pub mod secrets;
