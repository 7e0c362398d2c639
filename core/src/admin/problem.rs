//! What went wrong, as a machine and a person read it: RFC 9457, `application/problem+json`.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::config::{Diagnostic, Entry};
use crate::error::Error;

/// A problem. `code` is stable, `detail` is for a person and says what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Status of the answer.
    pub status: StatusCode,
    /// Stable lower-snake-case name.
    pub code: &'static str,
    /// What happened, and what to do about it.
    pub detail: String,
    /// Further members of the object.
    pub members: Map<String, Value>,
    /// After how many seconds to ask again: `Retry-After`.
    pub retry_after: Option<u16>,
}

impl Problem {
    /// A problem without further members.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), members: Map::new(), retry_after: None }
    }

    /// A document that does not compile together with the layers below it.
    pub(super) fn refused(diagnostics: &[Diagnostic]) -> Self {
        let detail = "The configuration has errors, so nothing was changed. `diagnostics` lists all of them.";
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "config_refused", detail);
        problem.with("diagnostics", json!(diagnostics))
    }

    /// A change by somebody who has seen another version than the current one.
    pub(super) fn conflict(current: Option<&Entry>) -> Self {
        let detail = match current {
            Some(entry) => format!(
                "Version {} is current, set by {} at {}. Look at what it changed, then send your change with its ETag.",
                entry.version, entry.by, entry.at
            ),
            None => "Nothing is stored yet. Send the first version with `If-Match: \"0\"`.".to_owned(),
        };
        Self::new(StatusCode::PRECONDITION_FAILED, "version_conflict", detail).with("current", json!(current))
    }

    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Worth asking again after so many seconds.
    pub(super) fn after(self, seconds: u16) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// About this parameter or header field.
    pub(super) fn at(self, param: &str) -> Self {
        self.with("param", json!(param))
    }

    /// The object. `id` is the request in which it happened; empty when there is none.
    pub(crate) fn json(&self, id: &str) -> Value {
        let mut object = json!({
            "type": format!("urn:edgeway:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Value::Object(members) = &mut object {
            if !id.is_empty() {
                members.insert("instance".to_owned(), json!(format!("urn:edgeway:request:{id}")));
            }
            members.extend(self.members.clone());
        }
        object
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let problem = Self::new(error.status(), error.kind.name(), error.message.clone());
        match &error.param {
            Some(param) => problem.with("param", json!(param)),
            None => problem,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_problem_reads_as_rfc_9457_has_it_and_keeps_the_operators_side_to_itself() {
        let error = Error::new(ErrorKind::NotFound, "There is no version 3.").source("the vault's address");
        let object = Problem::from(&error).json("req_1");
        let expected = json!({
            "type": "urn:edgeway:problem:not_found", "title": "Not Found", "status": 404,
            "detail": "There is no version 3.", "code": "not_found", "instance": "urn:edgeway:request:req_1",
        });
        assert_eq!(object, expected);
    }
}
