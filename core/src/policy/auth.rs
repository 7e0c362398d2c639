//! Authentication: whose request is it?
//!
//! A key may come as `Authorization: Bearer`, `x-api-key`, `x-goog-api-key` or the query's `key`: each
//! official SDK's own way. Two different keys in one request are refused: what was checked must be
//! what was meant.
//!
//! Without configured keys everybody is [`Proof::Nobody`]; the configuration allows that on a
//! loopback address only, and only requests that name an address or `localhost` are served.
//!
//! Invariant: keys are compared by SHA-256 of the whole value, in constant time, all of them every time.

use std::borrow::Cow;

use http::{HeaderMap, request::Parts};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Caller, Permissions, Proof};
use crate::ports::SecretStore;
use crate::wire::percent;

/// Without keys only requests that name the gateway by an address or as `localhost` are served: a page in a
/// browser on the gateway's machine can make a name of its own lead there (DNS rebinding), but no address.
fn named_by_address(parts: &Parts) -> Result<()> {
    let header = || parts.headers.get(http::header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let Some(authority) = parts.uri.authority().map(|authority| authority.as_str()).or_else(header) else { return Ok(()) };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_matches(['[', ']']);
    let local = host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok();
    if local {
        return Ok(());
    }
    let message = "Without `auth.keys` this gateway serves only requests to an address or to localhost. \
                   Ask for it so, or configure keys.";
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

/// Identifies the caller by the keys whose secrets are called `names`. Unknown, missing and ambiguous
/// keys are `Unauthenticated`, with no hint which keys exist. Who is known may do what `permissions` say.
pub async fn identify(parts: &Parts, names: &[String], permissions: Permissions, secrets: &dyn SecretStore) -> Result<Caller> {
    if names.is_empty() {
        return named_by_address(parts).map(|()| Caller { permissions, ..Caller::default() });
    }
    let presented = presented(parts)?.map(|key| Sha256::digest(key.as_bytes()));
    let mut caller = None;
    for name in names {
        // No store gives an empty secret; one that did would let everybody in who sends an empty key.
        let Some(secret) = secrets.secret(name).await?.filter(|secret| !secret.expose().is_empty()) else { continue };
        let known = Sha256::digest(secret.expose().as_bytes());
        if presented.as_ref().is_some_and(|presented| same(presented, &known)) {
            let proof = Proof::Secret(name.clone());
            caller = Some(Caller { proof, permissions, informed: true, ..Caller::default() });
        }
    }
    caller.ok_or_else(|| {
        let message = match presented {
            Some(_) => "The API key is not valid for this gateway.",
            None => "No API key. Send it as `Authorization: Bearer KEY`, `x-api-key: KEY` or `x-goog-api-key: KEY`.",
        };
        Error::new(ErrorKind::Unauthenticated, message)
    })
}

/// The one key that a request presents, wherever it stands.
fn presented(parts: &Parts) -> Result<Option<Cow<'_, str>>> {
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

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::Secret;

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
    fn without_keys_the_gateway_has_no_name_but_localhost() {
        for host in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "[::1]", "10.0.0.7"] {
            assert!(named_by_address(&parts("/", &[("host", host)])).is_ok(), "{host}");
        }
        for host in ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            let refused = named_by_address(&parts("/", &[("host", host)])).expect_err(host);
            assert_eq!(refused.kind, ErrorKind::PermissionDenied);
        }
        assert!(named_by_address(&parts("http://evil.example/v1/models", &[("host", "localhost")])).is_err());
    }

    /// A store that breaks its contract.
    struct Careless;

    #[async_trait::async_trait]
    impl SecretStore for Careless {
        async fn secret(&self, _: &str) -> Result<Option<Secret>> {
            Ok(Some(Secret::new("")))
        }
    }

    #[test]
    fn an_empty_secret_lets_nobody_in() {
        for request in [parts("/", &[("x-api-key", "")]), parts("/?key=", &[]), parts("/", &[])] {
            let identified =
                identify(&request, &["KEY".to_owned()], Permissions::ALL, &Careless).now_or_never().expect("memory never waits");
            assert_eq!(identified.expect_err("nobody").kind, ErrorKind::Unauthenticated);
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
