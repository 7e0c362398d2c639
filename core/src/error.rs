//! What can go wrong with a request, and the one table that says what each kind means.
//!
//! An [`Error`] is written for two readers: `message` tells the caller what was wrong and what to
//! do about it; `source` and `upstream` tell the operator where it came from. Constructing an
//! error never logs. Dialects turn kinds into their own bodies (`Dialect::encode_error`), so that
//! every official SDK raises the exception class its user expects.
//!
//! Invariant: [`ErrorKind::facts`] is the only place that maps a kind to status, blame or retry.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::dialect::DialectId;

/// A result whose error is Edgeway's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed: bad JSON, wrong type, missing field, value out of range.
    InvalidRequest,
    /// The request is well formed, but the chosen provider cannot do what it asks without changing its meaning.
    Unsupported,
    /// No key, or one that is not known.
    Unauthenticated,
    /// A known caller without the permission.
    PermissionDenied,
    /// A budget is exhausted.
    BudgetExceeded,
    /// No such path or object.
    NotFound,
    /// No such model, alias or provider.
    ModelNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request conflicts with the state of its object.
    Conflict,
    /// The body is larger than its route allows.
    PayloadTooLarge,
    /// The body is not of a media type the route reads.
    UnsupportedMediaType,
    /// The prompt does not fit the model's context window.
    ContextLengthExceeded,
    /// A provider's safety system, or a guardrail, refused the content.
    ContentFiltered,
    /// Too many requests, by the gateway's own limits or the provider's.
    RateLimited,
    /// The gateway sheds load.
    Overloaded,
    /// The provider refused the gateway's own credential.
    UpstreamUnauthenticated,
    /// The provider says that it is overloaded (503, 529).
    UpstreamOverloaded,
    /// The provider could not be reached, reset the connection, or answered 5xx.
    UpstreamUnavailable,
    /// The provider did not answer within its time budget.
    UpstreamTimeout,
    /// The provider's answer could not be understood, or ended before its end.
    UpstreamInvalid,
    /// The gateway is misconfigured for this request (a missing secret, say).
    Misconfigured,
    /// A defect in the gateway.
    Internal,
}

/// Whose fault an error is. Only [`Blame::Upstream`] counts against a provider's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's request.
    Caller,
    /// The provider.
    Upstream,
    /// The gateway or its configuration.
    Gateway,
}

/// Whether another attempt can help, while nothing has been delivered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Every target would say the same.
    Never,
    /// The same target may answer a moment later; so may another.
    SameTarget,
    /// This target will not answer, another may.
    OtherTarget,
}

/// What a kind means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Status of a response that carries this error.
    pub status: StatusCode,
    /// Whose fault.
    pub blame: Blame,
    /// Whether to try again.
    pub retry: Retry,
    /// Stable lower-snake-case name, used in logs, records and `code` fields.
    pub name: &'static str,
}

impl ErrorKind {
    /// Every kind, for tests that walk kinds x dialects.
    pub const ALL: [ErrorKind; 22] = {
        use ErrorKind::*;
        [
            InvalidRequest,
            Unsupported,
            Unauthenticated,
            PermissionDenied,
            BudgetExceeded,
            NotFound,
            ModelNotFound,
            MethodNotAllowed,
            Conflict,
            PayloadTooLarge,
            UnsupportedMediaType,
            ContextLengthExceeded,
            ContentFiltered,
            RateLimited,
            Overloaded,
            UpstreamUnauthenticated,
            UpstreamOverloaded,
            UpstreamUnavailable,
            UpstreamTimeout,
            UpstreamInvalid,
            Misconfigured,
            Internal,
        ]
    };

    /// The one table: kind to status, blame, retry and name.
    #[rustfmt::skip]
    pub fn facts(self) -> Facts {
        use Blame::*;
        use Retry::*;
        let (status, blame, retry, name) = match self {
            Self::InvalidRequest          => (400, Caller,   Never,       "invalid_request"),
            Self::Unsupported             => (400, Caller,   OtherTarget, "unsupported"),
            Self::Unauthenticated         => (401, Caller,   Never,       "unauthenticated"),
            Self::PermissionDenied        => (403, Caller,   Never,       "permission_denied"),
            Self::BudgetExceeded          => (402, Caller,   Never,       "budget_exceeded"),
            Self::NotFound                => (404, Caller,   Never,       "not_found"),
            Self::ModelNotFound           => (404, Caller,   OtherTarget, "model_not_found"),
            Self::MethodNotAllowed        => (405, Caller,   Never,       "method_not_allowed"),
            Self::Conflict                => (409, Caller,   Never,       "conflict"),
            Self::PayloadTooLarge         => (413, Caller,   Never,       "payload_too_large"),
            Self::UnsupportedMediaType    => (415, Caller,   Never,       "unsupported_media_type"),
            Self::ContextLengthExceeded   => (400, Caller,   OtherTarget, "context_length_exceeded"),
            Self::ContentFiltered         => (400, Caller,   Never,       "content_filtered"),
            Self::RateLimited             => (429, Caller,   OtherTarget, "rate_limited"),
            Self::Overloaded              => (503, Gateway,  Never,       "overloaded"),
            Self::UpstreamUnauthenticated => (401, Gateway,  OtherTarget, "upstream_unauthenticated"),
            Self::UpstreamOverloaded      => (503, Upstream, SameTarget,  "upstream_overloaded"),
            Self::UpstreamUnavailable     => (502, Upstream, SameTarget,  "upstream_unavailable"),
            Self::UpstreamTimeout         => (504, Upstream, OtherTarget, "upstream_timeout"),
            Self::UpstreamInvalid         => (502, Upstream, OtherTarget, "upstream_invalid"),
            Self::Misconfigured           => (500, Gateway,  OtherTarget, "misconfigured"),
            Self::Internal                => (500, Gateway,  Never,       "internal"),
        };
        let status = StatusCode::from_u16(status).expect("the table holds valid statuses");
        Facts { status, blame, retry, name }
    }

    /// The status of a response that carries this kind.
    pub fn status(self) -> StatusCode {
        self.facts().status
    }

    /// The stable name, `invalid_request` for [`ErrorKind::InvalidRequest`].
    pub fn name(self) -> &'static str {
        self.facts().name
    }
}

/// A provider's own error, kept whole so that a same-dialect rejection can pass through unchanged.
#[derive(Clone, Debug, Default)]
pub struct Upstream {
    /// The provider's name, `anthropic` say.
    pub provider: String,
    /// Its HTTP status; 0 when the error arrived inside a stream or no response came.
    pub status: u16,
    /// Its own name for the error (`type`, `code` or `status` of its body).
    pub raw_type: Option<String>,
    /// Its request id.
    pub request_id: Option<String>,
    /// The dialect that it speaks, once the pipeline knows.
    pub dialect: Option<DialectId>,
    /// Its response headers that may pass to a caller of the same dialect.
    pub headers: HeaderMap,
    /// `content-type` of `body`.
    pub content_type: Option<String>,
    /// The body, capped at 64 KiB.
    pub body: Bytes,
}

/// A failed request: kind, the caller's sentence, and what the operator needs.
#[derive(Clone)]
pub struct Error {
    /// Why.
    pub kind: ErrorKind,
    /// The caller's sentence: what was wrong and what to do. Never holds a secret.
    pub message: String,
    /// The field at fault, as a path in the caller's protocol (`messages[0].content`).
    pub param: Option<String>,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
    /// The provider's side of it.
    pub upstream: Option<Box<Upstream>>,
    /// The operator's side of it; never shown to the caller.
    pub source: Option<String>,
}

impl Error {
    /// An error with the caller's sentence.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), param: None, retry_after: None, upstream: None, source: None }
    }

    /// A malformed request; `param` is the field's path in the caller's protocol.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message).param(param)
    }

    /// A request that the chosen provider cannot serve without changing its meaning.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message).param(param)
    }

    /// Names the field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// Attaches what only the operator should read.
    #[must_use]
    pub fn source(mut self, source: impl fmt::Display) -> Self {
        self.source = Some(source.to_string());
        self
    }

    /// Attaches the provider's own error.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(Box::new(upstream));
        self
    }

    /// The status of a response that carries this error.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.message)?;
        if let Some(param) = &self.param {
            write!(f, " (at {param})")?;
        }
        if let Some(source) = &self.source {
            write!(f, " [{source}]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_name_and_an_error_status() {
        let mut names: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorKind::ALL.len());
        assert!(ErrorKind::ALL.iter().all(|kind| kind.status().as_u16() >= 400));
    }

    #[test]
    fn a_callers_mistake_is_never_a_server_error() {
        for kind in ErrorKind::ALL {
            let facts = kind.facts();
            assert!(facts.blame != Blame::Caller || facts.status.is_client_error(), "{kind:?}");
        }
    }
}
