//! A message body: nothing, all of it, or a stream of chunks.
//!
//! Core never assumes how a stream is cut: no runtime preserves chunk boundaries.

use std::fmt;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use crate::error::{Error, ErrorKind, Result};

/// A stream of chunks. An `Err` is its last item.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A request or response body.
#[derive(Default)]
pub enum Body {
    /// No body.
    #[default]
    Empty,
    /// The whole body.
    Full(Bytes),
    /// A body that is still arriving.
    Stream(BodyStream),
}

impl Body {
    /// A body from any stream of chunks.
    pub fn stream(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self::Stream(Box::pin(stream))
    }

    /// Reads the whole body. Refuses more than `limit` bytes with [`ErrorKind::PayloadTooLarge`].
    pub async fn collect(self, limit: usize) -> Result<Bytes> {
        let too_large = || {
            Error::new(
                ErrorKind::PayloadTooLarge,
                format!(
                    "The body is larger than the {limit} bytes allowed here. Send a smaller one, or ask the operator to raise the limit."
                ),
            )
        };
        match self {
            Self::Empty => Ok(Bytes::new()),
            Self::Full(bytes) if bytes.len() > limit => Err(too_large()),
            Self::Full(bytes) => Ok(bytes),
            Self::Stream(mut stream) => {
                let Some(first) = stream.next().await.transpose()? else { return Ok(Bytes::new()) };
                if first.len() > limit {
                    return Err(too_large());
                }
                let Some(second) = stream.next().await.transpose()? else { return Ok(first) };
                let mut whole = BytesMut::with_capacity(first.len() + second.len());
                whole.extend_from_slice(&first);
                let mut next = Some(second);
                while let Some(chunk) = next {
                    if whole.len() + chunk.len() > limit {
                        return Err(too_large());
                    }
                    whole.extend_from_slice(&chunk);
                    next = stream.next().await.transpose()?;
                }
                Ok(whole.freeze())
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
