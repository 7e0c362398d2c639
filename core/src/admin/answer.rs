//! What comes back.

use std::fmt::Write as _;

use http::{HeaderName, StatusCode, header};
use serde_json::Value;

use super::problem::Problem;

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// 200, 201, 204, 304, or that of the problem.
    pub status: StatusCode,
    /// The version that the answer is about: its `ETag`.
    pub version: Option<u64>,
    /// Further header fields.
    pub headers: Vec<(HeaderName, String)>,
    /// What was asked for, or a problem as RFC 9457 has it.
    pub content: Content,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// A JSON value.
    Json(Value),
    /// Text of another media type.
    Text {
        /// The media type.
        kind: &'static str,
        /// The text.
        text: String,
    },
}

impl Answer {
    /// A JSON value.
    pub(crate) fn json(body: Value) -> Self {
        Self { status: StatusCode::OK, version: None, headers: Vec::new(), content: Content::Json(body) }
    }

    /// A JSON value that is a version of something.
    pub(crate) fn about(version: u64, body: Value) -> Self {
        Self { version: Some(version), ..Self::json(body) }
    }

    /// A text of a media type.
    pub(crate) fn text(kind: &'static str, text: String) -> Self {
        Self { content: Content::Text { kind, text }, ..Self::json(Value::Null) }
    }

    /// Nothing, and that is right.
    pub(crate) fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, content: Content::Nothing, ..Self::json(Value::Null) }
    }

    /// The answer to a problem. `id` is the request in which it happened; empty when there is none.
    pub(crate) fn of(problem: &Problem, id: &str) -> Self {
        let answer = Self { status: problem.status, ..Self::json(problem.json(id)) };
        match problem.retry_after {
            Some(seconds) => answer.with(header::RETRY_AFTER, seconds.to_string()),
            None => answer,
        }
    }

    /// With one more header field.
    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to somebody who made something at `path`.
    pub(crate) fn created(self, path: &str) -> Self {
        Self { status: StatusCode::CREATED, ..self.with(header::LOCATION, path) }
    }

    /// The entity tag that its `ETag` shows.
    pub(crate) fn tag(&self) -> Option<String> {
        self.version.map(|version| format!("\"{version}\""))
    }

    /// The JSON value; null when there is none.
    pub fn body(&self) -> &Value {
        match &self.content {
            Content::Json(body) => body,
            _ => &Value::Null,
        }
    }

    /// The content's media type, and the content as it is sent; `None` for none.
    pub(crate) fn sent(self) -> Option<(&'static str, String)> {
        match self.content {
            Content::Nothing => None,
            Content::Json(body) => {
                let ok = self.status.is_success();
                let mut text = String::new();
                let _ = write!(text, "{body}");
                Some((if ok { "application/json" } else { "application/problem+json" }, text))
            }
            Content::Text { kind, text } => Some((kind, text)),
        }
    }
}
