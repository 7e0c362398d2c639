//! Bytes only: framing and envelopes. Nothing here knows of models or providers.

pub mod envelope;
pub mod json_array;
pub mod sse;
