//! Asking an issuer for its keys: OpenID Connect Discovery 1.0, then its JWK set.
//!
//! Where the gateway goes is the configuration's word alone: to the issuer's own origin, or to the address in `jwks`. A
//! discovery document that points to another origin, or that speaks in another's name, is not followed. Redirects are not
//! either, and nothing of a token or a request is sent along.

use std::time::Duration;

use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use serde::Deserialize;

use super::jwk::KeySet;
use crate::body::Body;
use crate::config::{Issuer, KeySource};
use crate::ports::{Outbound, Ports, Timeouts};
use crate::wire::strict;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 256 << 10;
/// How long one answer may take. A request waits for it.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    first_byte: Duration::from_secs(4),
    idle: Duration::from_secs(4),
    total: Duration::from_secs(5),
};

/// Fetches an issuer's keys. Fails with why, for the operator.
pub(super) async fn fetch(issuer: &Issuer, ports: &Ports) -> Result<KeySet, String> {
    let address = match &issuer.keys {
        KeySource::At(address) => address.clone(),
        KeySource::Discovered => discover(issuer, ports).await?,
        KeySource::Secret(_) => return Err("its tokens are signed with a secret".to_owned()),
    };
    let text = get(&address, issuer, ports).await?;
    KeySet::read(&text).map_err(|why| format!("{address}: {why}"))
}

/// Where the issuer says that its keys are.
async fn discover(issuer: &Issuer, ports: &Ports) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Discovered {
        issuer: String,
        jwks_uri: String,
    }
    let address = format!("{}/.well-known/openid-configuration", issuer.url.trim_end_matches('/'));
    let text = get(&address, issuer, ports).await?;
    let found = strict::object(&text).ok().and_then(|_| serde_json::from_slice::<Discovered>(&text).ok());
    let found = found.ok_or_else(|| format!("{address} is no discovery document with `issuer` and `jwks_uri`"))?;
    if found.issuer != issuer.url {
        return Err(format!("{address} speaks for `{}`, not for `{}`", shown(&found.issuer), issuer.url));
    }
    if origin(&found.jwks_uri).is_none() || origin(&found.jwks_uri) != origin(&issuer.url) {
        return Err(format!(
            "its keys are at another origin, `{}`: write that as `jwks` in [auth.issuers.{}] if it is right",
            shown(&found.jwks_uri),
            issuer.name
        ));
    }
    Ok(found.jwks_uri)
}

async fn get(address: &str, issuer: &Issuer, ports: &Ports) -> Result<Vec<u8>, String> {
    let uri: Uri = address.parse().map_err(|_| format!("`{}` is no address", shown(address)))?;
    let mut request = Request::new(Body::Empty);
    (*request.method_mut(), *request.uri_mut()) = (Method::GET, uri);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(concat!("edgeway/", env!("CARGO_PKG_VERSION"))));
    let failed = |error: crate::error::Error| format!("{address}: {}", error.source.unwrap_or(error.message));
    let response = ports.http.send(Outbound { request, timeouts: TIMEOUTS, network: issuer.network }).await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(format!("{address} answered {}", response.status().as_u16()));
    }
    response.into_body().collect(LONGEST).await.map(|bytes| bytes.to_vec()).map_err(failed)
}

/// Scheme, host and port of an address, each as it is meant.
fn origin(address: &str) -> Option<(String, String, u16)> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().or(match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    })?;
    // `https://good.example@evil.example` is at evil.example; no issuer writes that, and nobody has to read it.
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    plain.then(|| uri.host().map(|host| (scheme, host.to_ascii_lowercase(), port))).flatten()
}

/// Something that an issuer wrote, fit for a log.
fn shown(text: &str) -> String {
    text.chars().take(200).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for same in ["https://a.example", "https://A.example:443/x", "HTTPS://a.example/y?z"] {
            assert_eq!(origin(same), origin("https://a.example/"), "{same}");
        }
        for other in [
            "http://a.example",
            "https://a.example:444",
            "https://b.example",
            "https://a.example.b",
            "https://a.example@b.example",
        ] {
            assert_ne!(origin(other), origin("https://a.example/"), "{other}");
        }
        for none in ["", "/keys", "a.example", "ftp://a.example", "https://x@a.example/", "file:///etc/passwd"] {
            assert_eq!(origin(none), None, "{none}");
        }
    }
}
