//! Outbound HTTP.

use std::time::Duration;

use async_trait::async_trait;

use crate::body::Body;
use crate::error::Result;

/// How long each phase of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To a connection, TLS included.
    pub connect: Duration,
    /// From the request's last byte to the response's headers.
    pub first_byte: Duration,
    /// Between two chunks of the response body.
    pub idle: Duration,
    /// The whole exchange, to the last byte of the body.
    pub total: Duration,
}

/// Which addresses an exchange may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Public ones only: a name that resolves to a loopback, private, link-local or metadata address is refused.
    Public,
    /// Any: the operator said so (a local provider, or a literal address in the configuration).
    Any,
}

/// One outgoing request.
#[derive(Debug)]
pub struct Outbound {
    /// Absolute URI, final headers, body.
    pub request: http::Request<Body>,
    /// Its time budget.
    pub timeouts: Timeouts,
    /// Which addresses it may reach.
    pub network: Network,
}

/// Sends requests.
///
/// Contract:
/// - resolves at the response's headers, whatever the status; the body streams;
/// - never retries after a byte of the request may have been seen, never follows redirects, never
///   decompresses, and sends the headers as given (plus `host` and framing);
/// - failures are `UpstreamUnavailable` (no connection, reset) or `UpstreamTimeout`, with the phase
///   in `source`; the body yields the same as its last item, and one that ends before its
///   `content-length` or without its last chunk yields `UpstreamUnavailable`;
/// - dropping the future or the body closes the exchange at once;
/// - the body is pulled: what the caller does not read is not buffered without bound.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one request.
    async fn send(&self, outbound: Outbound) -> Result<http::Response<Body>>;
}
