//! What the pipeline knows of a streamed body on its way: bytes in, bytes out, and how far it is.

use bytes::Bytes;

use crate::chat::{FinishReason, Usage};
use crate::error::Error;

/// How the transport of an upstream body ended.
#[derive(Debug)]
pub enum TransportEnd {
    /// Its last byte arrived.
    Clean,
    /// It broke, or a timeout ended it.
    Broken(Error),
}

/// How far a streamed body is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Content that a caller can see has been decoded: from here on no fallback.
    pub content: bool,
    /// The provider said that it is done.
    pub ended: bool,
    /// The provider's error, or the transport's, once it came.
    pub error: Option<Error>,
    /// Usage as the provider reported it. Complete at the end; before that ask [`Relay::usage`].
    pub usage: Option<Usage>,
    /// Bytes of generated text so far, for an estimate when `usage` never comes.
    pub content_bytes: usize,
    /// Why the first choice stopped.
    pub finish: Option<FinishReason>,
    /// Frames that could not be decoded.
    pub skipped: u32,
    /// The provider's id of the response.
    pub response_id: Option<String>,
}

/// A streamed body on its way from provider to caller.
///
/// Implemented by [`super::meter::Meter`] (same dialect: bytes untouched) and
/// [`super::driver::Driver`] (decoder, then encoder).
pub trait Relay: Send {
    /// Takes a chunk, gives the bytes that can be delivered now; may be empty.
    fn feed(&mut self, chunk: Bytes) -> Bytes;

    /// The transport ended: gives the last bytes. If the stream was not complete, they end in the
    /// caller's terminal error event and [`Progress::error`] is set. Called once.
    fn finish(&mut self, end: TransportEnd) -> Bytes;

    /// How far it is.
    fn progress(&self) -> &Progress;

    /// Usage so far. Not for every chunk: finding out may cost a parse.
    fn usage(&self) -> Option<Usage> {
        self.progress().usage
    }
}
