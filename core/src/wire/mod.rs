//! Bytes only: framing and envelopes. Nothing here knows of models or providers.

pub mod envelope;
pub mod json;
pub mod json_array;
pub mod json_string;
pub mod json_writer;
pub(crate) mod percent;
pub mod sigv4;
pub mod sse;
pub mod strict;
