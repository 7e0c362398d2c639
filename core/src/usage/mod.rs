//! What requests took, and what that cost.

pub mod line;
mod money;

pub use money::NanoUsd;
