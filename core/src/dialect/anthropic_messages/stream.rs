//! Stream events, both ways.
//!
//! | file | what it holds |
//! |---|---|
//! | `decode.rs` | a provider's events to [`ChatEvent`](crate::chat::ChatEvent)s |
//! | `encode.rs` | `ChatEvent`s to the events that an Anthropic client reads |
//! | `sniff.rs` | usage and state of a stream that passes untouched |

mod decode;
mod encode;
mod sniff;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use sniff::Sniffer;
