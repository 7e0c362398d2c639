//! A kept line, read again, and what it can be told apart by.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NanoUsd;

/// A request as it was kept. What a later version adds is not read by an earlier one, and what an earlier one left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Row {
    /// When it came, RFC 3339.
    pub time: String,
    /// The gateway's request id.
    pub id: String,
    /// The operation.
    pub operation: String,
    /// The caller's protocol.
    pub dialect: String,
    /// The caller: a key's id, a secret's name, `issuer:subject`.
    pub caller: String,
    /// Its tenant.
    pub tenant: String,
    /// Its team.
    pub team: String,
    /// Its application.
    pub application: String,
    /// Its user.
    pub user: String,
    /// The labels of its key.
    pub labels: BTreeMap<String, String>,
    /// The model as it was asked for.
    pub model: String,
    /// The route.
    pub route: String,
    /// The provider.
    pub provider: String,
    /// The model's name there.
    pub upstream_model: String,
    /// Why it was that one.
    pub because: String,
    /// How it ended.
    pub outcome: String,
    /// The error's kind.
    pub error: String,
    /// The status that was sent.
    pub status: u16,
    /// Attempts.
    pub attempts: u32,
    /// Whether it was streamed.
    pub stream: bool,
    /// What it took.
    pub usage: Option<Buckets>,
    /// Whether that is the gateway's estimate.
    pub estimated: bool,
    /// What it cost; `None` when nobody knows the price, or nothing was used.
    pub cost: Option<NanoUsd>,
    /// To the response's headers, in milliseconds.
    pub first_byte_ms: Option<f64>,
    /// To the end, in milliseconds.
    pub elapsed_ms: f64,
    /// What the translation lost.
    pub warnings: String,
}

/// Tokens, as [`chat::Usage`](crate::chat::Usage) has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the same fields, the same meanings")]
pub struct Buckets {
    pub input: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub audio_input: u64,
    pub output: u64,
    pub reasoning: u64,
    pub audio_output: u64,
}

/// What rows can be told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A field of the row, by its name.
    Field(&'static str),
    /// A label of the caller's key.
    Label(String),
}

const FIELDS: &[&str] = &[
    "tenant",
    "team",
    "application",
    "key",
    "user",
    "operation",
    "dialect",
    "model",
    "route",
    "provider",
    "upstream_model",
    "outcome",
    "error",
    "status",
    "day",
    "hour",
    "minute",
];

impl Dimension {
    /// The dimension of that name: a field's, or `label:NAME`.
    pub fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("label:") {
            Some(label) => (!label.is_empty()).then(|| Self::Label(label.to_owned())),
            None => FIELDS.iter().find(|field| **field == name).map(|field| Self::Field(field)),
        }
    }

    /// Every field that is one.
    pub fn fields() -> &'static [&'static str] {
        FIELDS
    }

    /// Its name.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Field(name) => Cow::Borrowed(name),
            Self::Label(name) => Cow::Owned(format!("label:{name}")),
        }
    }

    /// What a row has there; empty when it has nothing.
    pub fn of<'a>(&self, row: &'a Row) -> Cow<'a, str> {
        let until = |end: usize| row.time.get(..end).unwrap_or(&row.time);
        Cow::Borrowed(match self {
            Self::Label(name) => row.labels.get(name).map_or("", String::as_str),
            Self::Field("tenant") => &row.tenant,
            Self::Field("team") => &row.team,
            Self::Field("application") => &row.application,
            Self::Field("key") => &row.caller,
            Self::Field("user") => &row.user,
            Self::Field("operation") => &row.operation,
            Self::Field("dialect") => &row.dialect,
            Self::Field("model") => &row.model,
            Self::Field("route") => &row.route,
            Self::Field("provider") => &row.provider,
            Self::Field("upstream_model") => &row.upstream_model,
            Self::Field("outcome") => &row.outcome,
            Self::Field("error") => &row.error,
            Self::Field("status") => return Cow::Owned(row.status.to_string()),
            Self::Field("day") => until(10),
            Self::Field("hour") => until(13),
            Self::Field("minute") => until(16),
            Self::Field(_) => "",
        })
    }
}
