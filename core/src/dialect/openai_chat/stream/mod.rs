//! Streams, both ways, and the look at a stream that passes untouched.
//!
//! A stream is `data:` frames that each hold a `chat.completion.chunk`, then `data: [DONE]`. Content
//! comes as deltas of a choice; tool calls are told apart by `index`; usage comes in a last chunk
//! without choices, and an `error` object may come instead of anything.

mod decoder;
mod encoder;
mod sniffer;

pub(super) use decoder::Decoder;
pub(super) use encoder::Encoder;
pub(super) use sniffer::Sniffer;
