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
        self.collect_declared(limit, None).await
    }

    /// Reads the whole body, whose length was `declared`; that only saves memory from being moved.
    pub async fn collect_declared(self, limit: usize, declared: Option<usize>) -> Result<Bytes> {
        let mut stream = match self {
            Self::Empty => return Ok(Bytes::new()),
            Self::Full(bytes) if bytes.len() > limit => return Err(too_large(limit)),
            Self::Full(bytes) => return Ok(bytes),
            Self::Stream(stream) => stream,
        };
        let Some(first) = stream.next().await.transpose()? else { return Ok(Bytes::new()) };
        if first.len() > limit {
            return Err(too_large(limit));
        }
        let Some(second) = stream.next().await.transpose()? else { return Ok(first) };
        let declared = declared.unwrap_or(0).min(limit);
        let mut whole = BytesMut::with_capacity(declared.min(BELIEVED).max(first.len() + second.len()));
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            if whole.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            if whole.len() + chunk.len() > whole.capacity() && declared > whole.capacity() {
                whole.reserve(declared - whole.len());
            }
            whole.extend_from_slice(&chunk);
            next = stream.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }
}

/// How much of a declared length is believed before that much has arrived.
const BELIEVED: usize = 1 << 20;

/// The refusal of a body beyond `limit` bytes.
pub(crate) fn too_large(limit: usize) -> Error {
    Error::new(
        ErrorKind::PayloadTooLarge,
        format!(
            "The body is larger than the {limit} bytes allowed here. Send a smaller one, or ask the operator to raise `max_body`."
        ),
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn body(chunks: &[&'static str]) -> Body {
        Body::stream(futures_util::stream::iter(
            chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect::<Vec<_>>(),
        ))
    }

    #[test]
    fn a_body_is_read_whole_whatever_length_was_declared() {
        for declared in [None, Some(0), Some(6), Some(usize::MAX)] {
            let read = body(&["ab", "cd", "ef"]).collect_declared(100, declared).now_or_never();
            assert_eq!(read.expect("never waits").expect("within the limit"), "abcdef");
        }
    }

    #[test]
    fn the_limit_is_exact() {
        for chunks in [&["abcd"][..], &["ab", "cd"], &["a", "b", "c", "d"]] {
            assert!(body(chunks).collect(4).now_or_never().expect("never waits").is_ok());
            let refused = body(chunks).collect(3).now_or_never().expect("never waits").expect_err("over the limit");
            assert_eq!(refused.kind, ErrorKind::PayloadTooLarge);
        }
    }
}
