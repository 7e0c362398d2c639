//! The values that travel the pipeline, each made by one step and taken by the next.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::body::Body;
use crate::chat::Usage;
use crate::error::Error;
use crate::ports::Timestamp;
use crate::usage::NanoUsd;

/// A request as an adapter hands it over.
#[derive(Debug)]
pub struct Inbound {
    /// The request: origin-form or absolute URI, headers, body.
    pub request: http::Request<Body>,
    /// The peer's address, if the platform knows it.
    pub peer: Option<IpAddr>,
}

/// A request that a platform's own reading of HTTP refuses: it never becomes an [`Inbound`].
#[derive(Debug)]
pub struct Refused {
    /// What could be read of it. [`UNREAD`] stands for a method that could not, and as authority alone for a target.
    pub request: http::Request<()>,
    /// Status of the answer; HTTP has more of them than there are kinds of errors.
    pub status: http::StatusCode,
    /// What the caller is told.
    pub error: Error,
}

/// The method or target of a request that is refused before they could be read, as access logs write it.
pub const UNREAD: &str = "-";

/// How a request ended, for its one settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was delivered.
    Complete,
    /// An error response was delivered.
    Refused,
    /// The provider broke off after content had been delivered; the caller got a terminal error.
    Truncated,
    /// The caller went away.
    Abandoned,
}

impl Outcome {
    /// Its name in logs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Truncated => "truncated",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What is kept of a request: no bodies, no secrets.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The gateway's request id.
    pub id: String,
    /// When it came.
    pub received: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The operation's name, `chat`, `models`, ...
    pub operation: &'static str,
    /// The caller's dialect.
    pub dialect: &'static str,
    /// The caller's name, when it was identified.
    pub caller: Option<String>,
    /// The caller's tenant; none for the operator's own callers.
    pub tenant: Option<String>,
    /// The caller's team.
    pub team: Option<String>,
    /// The caller's application.
    pub application: Option<String>,
    /// The user in whose name the caller acts.
    pub user: Option<String>,
    /// The labels of the caller's key.
    pub labels: Arc<BTreeMap<String, String>>,
    /// The model as the caller wrote it.
    pub model: String,
    /// The route taken.
    pub route: Option<String>,
    /// The provider that answered, or was tried last.
    pub provider: Option<String>,
    /// The model's name there.
    pub upstream_model: Option<String>,
    /// The provider's request id.
    pub upstream_id: Option<String>,
    /// Why it was that one.
    pub because: &'static str,
    /// `passthrough`, `translate` or `local`.
    pub path_taken: &'static str,
    /// Attempts made.
    pub attempts: u32,
    /// Status sent to the caller.
    pub status: u16,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The error's kind, if it failed.
    pub error: Option<&'static str>,
    /// The operator's side of the error.
    pub cause: Option<String>,
    /// What it took.
    pub usage: Option<Usage>,
    /// Whether `usage` is the gateway's estimate.
    pub estimated: bool,
    /// What that costs; `None` when nobody knows the price, or nothing was used.
    pub cost: Option<NanoUsd>,
    /// Whether it was streamed.
    pub stream: bool,
    /// Stream frames that could not be decoded.
    pub skipped: u32,
    /// What the translation lost, as in the response header.
    pub warnings: String,
    /// From receipt to the response's headers.
    pub first_byte: Option<Duration>,
    /// From receipt to the end.
    pub elapsed: Duration,
}

/// Something that happened to the gateway itself: who changed its configuration, which version it serves, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// What happened: `config_pushed`, `config_rolled_back`, `config_served`, `config_refused`, `config_unreadable`,
    /// `budget_alert`, `alert_undelivered`.
    pub event: &'static str,
    /// When.
    pub at: Timestamp,
    /// Who did it, where somebody did: the name of a key.
    pub by: String,
    /// The request in which it was done.
    pub request: String,
    /// The version that it is about.
    pub version: Option<u64>,
    /// The version before it, or the one that is served instead.
    pub previous: Option<u64>,
    /// SHA-256 of the document, in hexadecimal.
    pub digest: String,
    /// Why: the author's note, or what is wrong.
    pub message: String,
}
