//! What a function says when core has no part in an answer: it has no configuration, or an event was none.

use bytes::Bytes;
use edgeway_core::dialect::DialectId;
use edgeway_core::endpoint;
use edgeway_core::error::Error;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};

/// The protocol that a caller speaks.
#[derive(Clone, Copy)]
pub(crate) struct Protocol(DialectId);

impl Protocol {
    /// As far as the head of a request says.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self(endpoint::resolve(parts).map_or_else(|_| endpoint::guess_dialect(parts), |endpoint| endpoint.dialect))
    }

    /// For a caller of whom nothing can be said.
    pub(crate) fn unknown() -> Self {
        Self(DialectId::OpenAiChat)
    }
}

/// An error as the caller's protocol has it.
pub(crate) fn answer(protocol: Protocol, error: &Error) -> Response<Bytes> {
    json(error.status(), protocol.0.codec().encode_error(error, ""))
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
