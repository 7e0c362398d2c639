//! A request on its way to a provider, as HTTP/1.1.

use std::io;
use std::task::{Context, Poll, ready};

use edgeway_core::Body;
use edgeway_core::body::BodyStream;
use edgeway_core::error::{Error, ErrorKind, Result};
use http::{HeaderMap, Method, header, request};

use super::origin::Origin;
use crate::http1::pieces::Pieces;
use crate::net::Stream;

/// What is still to be written of a request.
pub(super) struct Call {
    /// Whether the answer has no body, whatever its headers say.
    pub(super) is_head: bool,
    pieces: Pieces,
    more: Option<More>,
}

/// A body that is still arriving.
struct More {
    stream: BodyStream,
    /// Bytes that the head has promised; `None` for chunks.
    promised: Option<u64>,
}

impl Call {
    /// Encodes the head. Framing and `host` are the connection's own; every other header goes as given.
    pub(super) fn new(parts: &request::Parts, body: Body, origin: &Origin) -> Self {
        let mut pieces = Pieces::default();
        let head = &mut pieces.head;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        head.reserve(256 + path.len() + parts.headers.len() * 48);
        for piece in [parts.method.as_str(), " ", path, " HTTP/1.1\r\nhost: "] {
            head.extend_from_slice(piece.as_bytes());
        }
        let host = parts.headers.get(header::HOST).map_or(origin.authority().as_bytes(), |host| host.as_bytes());
        head.extend_from_slice(host);
        head.extend_from_slice(b"\r\n");
        for (name, value) in &parts.headers {
            if is_given(name) {
                head.extend_from_slice(name.as_str().as_bytes());
                head.extend_from_slice(b": ");
                head.extend_from_slice(value.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
        }
        let length =
            |head: &mut Vec<u8>, length: u64| head.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
        let mut more = None;
        match body {
            Body::Empty if matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS) => {
                head.extend_from_slice(b"\r\n");
            }
            Body::Empty => length(head, 0),
            Body::Full(bytes) => {
                length(head, bytes.len() as u64);
                pieces.body(bytes);
            }
            Body::Stream(stream) => {
                let promised = promised(&parts.headers);
                match promised {
                    Some(bytes) => length(head, bytes),
                    None => head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
                }
                more = Some(More { stream, promised });
            }
        }
        Self { is_head: parts.method == Method::HEAD, pieces, more }
    }

    /// Whether no byte has been written, so that the call can still go out on another connection.
    pub(super) fn is_untouched(&self) -> bool {
        self.pieces.is_untouched() && !self.pieces.is_empty()
    }

    /// Writes all of it. A failure of the body itself is in the inner result.
    pub(super) fn poll_send(&mut self, io: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<Result<()>>> {
        loop {
            ready!(self.pieces.poll_write(io, cx))?;
            let Some(more) = &mut self.more else { return io.poll_sent(cx).map_ok(Ok) };
            let next = match more.stream.as_mut().poll_next(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => {
                    // What is written so far should not wait for what is not there yet.
                    ready!(io.poll_sent(cx))?;
                    return Poll::Pending;
                }
            };
            match (next, &mut more.promised) {
                (Some(Ok(piece)), _) if piece.is_empty() => {}
                (Some(Err(error)), _) => return Poll::Ready(Ok(Err(error))),
                (Some(Ok(piece)), None) => self.pieces.chunk(piece),
                (Some(Ok(piece)), Some(left)) => match left.checked_sub(piece.len() as u64) {
                    Some(rest) => {
                        *left = rest;
                        self.pieces.body(piece);
                    }
                    None => return Poll::Ready(Ok(Err(mismatch()))),
                },
                (None, Some(0)) => self.more = None,
                (None, Some(_)) => return Poll::Ready(Ok(Err(mismatch()))),
                (None, None) => {
                    self.pieces.last_chunk();
                    self.more = None;
                }
            }
        }
    }
}

/// Whether a header of the request is sent as it was given.
fn is_given(name: &header::HeaderName) -> bool {
    !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION)
}

fn promised(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn mismatch() -> Error {
    Error::new(ErrorKind::InvalidRequest, "The request's body is not as long as its content-length says.")
}
