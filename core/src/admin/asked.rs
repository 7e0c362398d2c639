//! What is asked: a request, and how its parts are read.

use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::endpoint::Named;
use crate::wire::{envelope, percent};

/// Most items of a page.
pub(super) const MOST_ITEMS: usize = 200;
/// Items of a page whose size nobody says.
const ITEMS: usize = 50;
/// Longest place in a list, in bytes.
const LONGEST_PLACE: usize = 1024;

/// A request to the administration.
pub(crate) struct Asked<'a> {
    /// Its head.
    pub(crate) parts: &'a Parts,
    /// What its path names.
    pub(crate) named: &'a Named,
    /// Its body.
    pub(crate) body: &'a [u8],
}

/// What `If-Match` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: there is no such header.
    Unsaid,
    /// `*`: whatever is there.
    Any,
    /// This version.
    Version(u64),
}

impl Expected {
    /// The version, if it is one.
    pub(crate) fn version(self) -> Option<u64> {
        if let Self::Version(version) = self { Some(version) } else { None }
    }
}

impl<'a> Asked<'a> {
    /// A parameter of the query, decoded; `None` when it is not there. Fails when it is there twice.
    pub(crate) fn query(&self, name: &str) -> Result<Option<String>, Problem> {
        let pairs = self.parts.uri.query().unwrap_or("").split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut found = pairs.filter(|(key, _)| percent::decoded(key) == name).map(|(_, value)| percent::decoded(value));
        let first = found.next().map(|value| value.into_owned());
        if found.next().is_some() {
            return Err(invalid(format!("`{name}` is there twice.")).at(name));
        }
        Ok(first)
    }

    /// A parameter that is `true` or `false`; false when it is not there.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.query(name)?.as_deref() {
            None | Some("" | "false") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(invalid(format!("`{name}` is `true` or `false`.")).at(name)),
        }
    }

    /// How many items a page has: `limit`, from 1 to [`MOST_ITEMS`].
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.query("limit")? else { return Ok(ITEMS) };
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = plain.then(|| text.parse().ok()).flatten().filter(|limit| (1..=MOST_ITEMS).contains(limit));
        limit.ok_or_else(|| invalid(format!("`limit` is a whole number from 1 to {MOST_ITEMS}.")).at("limit"))
    }

    /// Behind which item a page begins: `after`, the `next` of the page before.
    pub(crate) fn after(&self) -> Result<Option<String>, Problem> {
        let after = self.query("after")?;
        match &after {
            Some(place) if place.is_empty() || place.len() > LONGEST_PLACE || place.chars().any(char::is_control) => {
                Err(invalid("`after` is the `next` of the page before.").at("after"))
            }
            _ => Ok(after),
        }
    }

    /// Which version the author of a change has seen.
    pub(crate) fn expected(&self) -> Result<Expected, Problem> {
        let mut values = self.parts.headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else { return Ok(Expected::Unsaid) };
        let text = value.to_str().unwrap_or("").trim();
        if text == "*" && values.next().is_none() {
            return Ok(Expected::Any);
        }
        let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(digits);
        match number {
            Some(number) if values.next().is_none() => Ok(Expected::Version(number)),
            _ => Err(invalid("`If-Match` is one ETag as a `GET` gives it, `\"7\"` say, or `*`.").at("If-Match")),
        }
    }

    /// Whether the author has the version already that this tag stands for (`If-None-Match`, RFC 9110, 13.1.2).
    pub(crate) fn has(&self, tag: &str) -> bool {
        let values = self.parts.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
    }

    /// The body, which is JSON of this shape. Fails with 415 for another media type, 400 for what is no JSON, and 422 for
    /// JSON of another shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let essence = essence(&self.parts.headers);
        if essence != "application/json" && !essence.ends_with("+json") {
            let detail = "Send the body with `Content-Type: application/json`.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        self.shaped()
    }

    fn shaped<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // Refuses equal keys, and what is nested too deep; see `docs/decisions/0003-duplicate-keys.md`.
        envelope::check(self.body)?;
        serde_json::from_slice(self.body).map_err(|error| unprocessable(error.to_string()))
    }

    /// The body, which may as well be empty and need not say that it is JSON.
    pub(crate) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        match essence(&self.parts.headers).as_str() {
            _ if self.body.iter().all(u8::is_ascii_whitespace) => Ok(T::default()),
            "" => self.shaped(),
            _ => self.json(),
        }
    }
}

/// The media type of a body, without its parameters.
pub(super) fn essence(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    kind.as_deref().unwrap_or("").split(';').next().unwrap_or("").trim().to_owned()
}

/// A whole number as an ETag has it.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A request that cannot be read.
pub(crate) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
}

/// A body that can be read, and does not say what it should. `why` is serde's.
pub(crate) fn unprocessable(why: impl Into<String>) -> Problem {
    let mut why: String = why.into();
    // The body may be rebuilt before it is read, so the place says nothing.
    if let Some(at) = why.find(" at line ") {
        why.truncate(at);
    }
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_object", format!("The body is not what is needed here: {why}."))
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

    fn read<T>(uri: &str, headers: &[(&str, &str)], body: &[u8], read: impl FnOnce(&Asked<'_>) -> T) -> T {
        read(&Asked { parts: &parts(uri, headers), named: &Named::default(), body })
    }

    #[test]
    fn a_page_has_a_size_within_bounds_and_begins_where_the_last_ended() {
        let limit =
            |query: &str| read(&format!("/?{query}"), &[], b"", |asked| asked.limit()).map_err(|problem| problem.status.as_u16());
        assert_eq!((limit(""), limit("limit=1"), limit("limit=200")), (Ok(ITEMS), Ok(1), Ok(200)));
        for wrong in ["limit=0", "limit=201", "limit=-1", "limit=", "limit", "limit=+5", "limit=1&limit=1", "limit=1e2"] {
            assert_eq!(limit(wrong), Err(400), "{wrong}");
        }
        let after = |query: &str| read(&format!("/?{query}"), &[], b"", |asked| asked.after());
        assert_eq!(after("after=a%2Fb"), Ok(Some("a/b".to_owned())));
        assert!(after("after=").is_err() && after("after=%00").is_err() && after("after=a&after=b").is_err());
    }

    #[test]
    fn a_change_says_which_version_its_author_has_seen() {
        let expected = |headers: &[(&str, &str)]| {
            read("/", headers, b"", |asked| asked.expected()).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(expected(&[]), Ok(Expected::Unsaid));
        assert_eq!(expected(&[("if-match", "*")]), Ok(Expected::Any));
        assert_eq!(expected(&[("if-match", "\"7\"")]), Ok(Expected::Version(7)));
        for wrong in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\"", "\"-1\"", "\"+1\"", "\"\"", ""] {
            assert_eq!(expected(&[("if-match", wrong)]), Err(400), "{wrong}");
        }
        assert_eq!(expected(&[("if-match", "\"7\""), ("if-match", "\"8\"")]), Err(400));
        assert_eq!(expected(&[("if-match", "*"), ("if-match", "*")]), Err(400));
    }

    #[test]
    fn a_reader_says_what_it_has() {
        let has = |value: &str| read("/", &[("if-none-match", value)], b"", |asked| asked.has("\"7\""));
        assert!(has("\"7\"") && has("W/\"7\"") && has("\"1\", \"7\"") && has("*"));
        assert!(!has("7") && !has("\"8\"") && !has(""));
    }

    #[test]
    fn a_body_is_json_without_equal_keys() {
        let json = |kind: &str, body: &[u8]| {
            let value =
                read("/", &[("content-type", kind)], body, |asked| asked.json::<serde_json::Map<String, serde_json::Value>>());
            value.map(|map| map.len()).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(json("application/json; charset=utf-8", b"{\"a\": 1}"), Ok(1));
        assert_eq!(json("application/merge-patch+json", b"{}"), Ok(0));
        assert_eq!(json("text/plain", b"{}"), Err(415));
        assert_eq!(json("application/json", b"{\"a\": 1, \"a\": 2}"), Err(400));
        assert_eq!(json("application/json", b""), Err(400));
        assert_eq!(json("application/json", b"[]"), Err(400));
    }
}
