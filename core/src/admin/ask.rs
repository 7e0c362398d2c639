//! What can be asked, and how it is read from a request.

use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::Deserialize;

use super::problem::Problem;

/// What an administration endpoint does; a row of [`crate::endpoint`] names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// What is stored, what is served, and where each value comes from.
    Show,
    /// The versions that are kept.
    History,
    /// One of them.
    Version,
    /// What would be wrong with a document, and what it would change.
    Check,
    /// Make a document current.
    Push,
    /// Make an earlier version current again.
    Rollback,
}

impl Action {
    /// Its name in logs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Show => "config_show",
            Self::History => "config_history",
            Self::Version => "config_version",
            Self::Check => "config_check",
            Self::Push => "config_push",
            Self::Rollback => "config_rollback",
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// See [`Action::Show`].
    Show,
    /// See [`Action::History`].
    History,
    /// See [`Action::Version`].
    Version(u64),
    /// See [`Action::Check`]: a document in TOML or JSON.
    Check(String),
    /// See [`Action::Push`].
    Push {
        /// The document, in TOML or JSON.
        text: String,
        /// The version that its author has seen; 0 for none. `None`: whatever is current.
        expected: Option<u64>,
        /// Why, for the history.
        note: String,
        /// Do everything but the change.
        dry_run: bool,
    },
    /// See [`Action::Rollback`].
    Rollback {
        /// Which version; `None` for the one before the current.
        to: Option<u64>,
        /// The version that its author has seen. `None`: whatever is current.
        expected: Option<u64>,
        /// Why, for the history.
        note: String,
        /// Do everything but the change.
        dry_run: bool,
    },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackBody {
    to: Option<u64>,
}

impl Ask {
    /// Reads a request. `number` is the version that its path names.
    pub(crate) fn read(action: Action, number: Option<u64>, parts: &Parts, body: &[u8]) -> Result<Self, Problem> {
        Ok(match action {
            Action::Show => Self::Show,
            Action::History => Self::History,
            Action::Version => Self::Version(number.unwrap_or(0)),
            Action::Check => Self::Check(document(&parts.headers, body)?),
            Action::Push => Self::Push {
                text: document(&parts.headers, body)?,
                expected: match if_match(&parts.headers)? {
                    Some(expected) => expected,
                    None => return Err(unconditional()),
                },
                note: query(parts, "note"),
                dry_run: flag(parts, "dry_run")?,
            },
            Action::Rollback => Self::Rollback {
                to: rollback(body)?.to,
                expected: if_match(&parts.headers)?.flatten(),
                note: query(parts, "note"),
                dry_run: flag(parts, "dry_run")?,
            },
        })
    }
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

fn unconditional() -> Problem {
    let detail = "A push says which version it replaces, so that nobody overwrites what they have not seen: send the ETag of \
                  `GET /admin/v1/config` as `If-Match`, or `If-Match: *` to replace whatever is there.";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail)
}

/// A document is TOML or JSON; which, its first character says. A browser's form can be neither.
fn document(headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let essence = kind.as_deref().unwrap_or("").split(';').next().unwrap_or("").trim();
    if !matches!(essence, "application/toml" | "text/toml" | "application/json") && !essence.ends_with("+json") {
        let detail = "Send the document with `Content-Type: application/toml` or `application/json`.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    String::from_utf8(body.to_vec()).map_err(|_| invalid("The document is not UTF-8."))
}

fn rollback(body: &[u8]) -> Result<RollbackBody, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(RollbackBody::default());
    }
    serde_json::from_slice(body).map_err(|error| invalid(format!("The body is not `{{\"to\": VERSION}}`, or empty: {error}.")))
}

/// `None` without the header; `Some(None)` for `*`.
fn if_match(headers: &HeaderMap) -> Result<Option<Option<u64>>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" && values.next().is_none() {
        return Ok(Some(None));
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    match number {
        Some(number) if values.next().is_none() => Ok(Some(Some(number))),
        _ => Err(invalid("`If-Match` is one ETag as `GET /admin/v1/config` gives it, `\"7\"` say, or `*`.")),
    }
}

fn query(parts: &Parts, name: &str) -> String {
    let mut pairs = parts.uri.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| crate::wire::percent::decoded(value).into_owned()).unwrap_or_default()
}

fn flag(parts: &Parts, name: &str) -> Result<bool, Problem> {
    match query(parts, name).as_str() {
        "" | "false" => Ok(false),
        "true" | "1" => Ok(true),
        _ => Err(invalid(format!("`{name}` is `true` or `false`."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("test requests are well formed").into_parts().0
    }

    const TOML: (&str, &str) = ("content-type", "application/toml; charset=utf-8");

    #[test]
    fn a_push_says_what_it_replaces() {
        let read = |headers: &[(&str, &str)]| {
            let parts = parts("/admin/v1/config?dry_run=true&note=more%20time", headers);
            Ask::read(Action::Push, None, &parts, b"a = 1")
        };
        let push = |expected| Ask::Push { text: "a = 1".into(), expected, note: "more time".into(), dry_run: true };
        assert_eq!(read(&[TOML, ("if-match", "\"7\"")]), Ok(push(Some(7))));
        assert_eq!(read(&[TOML, ("if-match", "*")]), Ok(push(None)));
        let status = |headers: &[(&str, &str)]| read(headers).expect_err("no good request").status.as_u16();
        assert_eq!(status(&[TOML]), 428);
        assert_eq!(status(&[("if-match", "*")]), 415);
        assert_eq!(status(&[("content-type", "text/plain"), ("if-match", "*")]), 415);
        for wrong in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\"", "\"-1\"", ""] {
            assert_eq!(status(&[TOML, ("if-match", wrong)]), 400, "{wrong}");
        }
        assert_eq!(status(&[TOML, ("if-match", "\"7\""), ("if-match", "\"8\"")]), 400);
    }

    #[test]
    fn a_rollback_goes_to_the_version_before_unless_it_says_which() {
        let read = |body: &[u8]| Ask::read(Action::Rollback, None, &parts("/admin/v1/config/rollback", &[]), body);
        let back = |to| Ask::Rollback { to, expected: None, note: String::new(), dry_run: false };
        assert_eq!(read(b""), Ok(back(None)));
        assert_eq!(read(b"{\"to\": 5}"), Ok(back(Some(5))));
        for wrong in [&b"{\"to\": \"5\"}"[..], b"{\"version\": 5}", b"5", b"{\"to\": -1}"] {
            assert_eq!(read(wrong).expect_err("no good body").status, StatusCode::BAD_REQUEST);
        }
    }
}
