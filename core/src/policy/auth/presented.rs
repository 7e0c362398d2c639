//! The one key or token that a request shows, wherever it stands.
//!
//! `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, the query's `key`: each official SDK has its own way. Two different
//! ones in one request are refused: what was checked must be what was meant.

use std::borrow::Cow;

use http::{HeaderMap, request::Parts};

use crate::error::{Error, ErrorKind, Result};
use crate::wire::percent;

/// The one key that a request presents, wherever it stands.
pub(super) fn presented(parts: &Parts) -> Result<Option<Cow<'_, str>>> {
    let mut key: Option<Cow<'_, str>> = None;
    for found in candidates(&parts.headers).map(|found| found.map(Cow::Borrowed)).chain(query_keys(parts.uri.query())) {
        let found = found?;
        if key.is_some_and(|key| key != found) {
            return Err(Error::new(ErrorKind::Unauthenticated, "The request presents two different API keys. Send one."));
        }
        key = Some(found);
    }
    Ok(key)
}

fn candidates(headers: &HeaderMap) -> impl Iterator<Item = Result<&str>> {
    let bearer = headers.get_all(http::header::AUTHORIZATION).into_iter().map(|value| {
        let value = value.to_str().ok();
        value
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim())
            .ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "The Authorization header is not `Bearer KEY`."))
    });
    let plain = ["x-api-key", "x-goog-api-key"].into_iter().flat_map(|name| headers.get_all(name)).map(|value| {
        value.to_str().map(str::trim).map_err(|_| Error::new(ErrorKind::Unauthenticated, "The API key is not plain ASCII."))
    });
    bearer.chain(plain)
}

/// Keys in the query, percent-decoded as clients encode them. A broken escape stays as it is, and fits no key.
fn query_keys(query: Option<&str>) -> impl Iterator<Item = Result<Cow<'_, str>>> {
    let keys = query.unwrap_or("").split('&').filter_map(|pair| pair.strip_prefix("key="));
    keys.map(|key| Ok(percent::decoded(key)))
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

    #[test]
    fn every_sdk_sends_its_key_in_its_own_way() {
        for request in [
            parts("/", &[("authorization", "Bearer k1")]),
            parts("/", &[("x-api-key", "k1")]),
            parts("/", &[("x-goog-api-key", "k1")]),
            parts("/?alt=sse&key=k1", &[]),
            parts("/?key=k1", &[("authorization", "bearer k1")]),
            parts("/?key=%6b1", &[("authorization", "bearer k1")]),
        ] {
            assert_eq!(presented(&request).unwrap().as_deref(), Some("k1"));
        }
    }

    #[test]
    fn two_different_keys_are_refused() {
        assert!(presented(&parts("/", &[("authorization", "Bearer a"), ("x-api-key", "b")])).is_err());
        assert!(presented(&parts("/?key=a&key=b", &[])).is_err());
    }

    #[test]
    fn a_key_in_the_query_is_percent_decoded_once() {
        for (query, key) in [("a%2Bb%2f", "a+b/"), ("a%252B", "a%2B"), ("%zz%4", "%zz%4"), ("%ff", "%ff"), ("a+b", "a+b")] {
            assert_eq!(presented(&parts(&format!("/?key={query}"), &[])).unwrap().as_deref(), Some(key));
        }
    }
}
