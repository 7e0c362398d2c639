//! Response headers, and errors in the caller's dialect.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::body::Body;
use crate::chat::Warnings;
use crate::dialect::DialectId;
use crate::error::{Error, ErrorKind};
use crate::exchange::Outcome;
use crate::policy::limit::is_about_limits;

use super::settle::Settlement;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-edgeway-request-id");
const TARGET: HeaderName = HeaderName::from_static("x-edgeway-target");
const COST: HeaderName = HeaderName::from_static("x-edgeway-cost");
const WARNINGS: HeaderName = HeaderName::from_static("x-edgeway-warnings");
/// Most of a provider's header fields that pass back, and the longest value of one: what clients can bear.
const MOST_PASSING: usize = 64;
const LONGEST_PASSING: usize = 1024;
/// Longest request id of a provider's that is repeated.
const LONGEST_ID: usize = 256;
/// How to show a key.
pub(super) const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"edgeway\"");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is answered in place of what was asked for.
pub(super) struct Refusal<'a> {
    pub(super) error: &'a Error,
    /// The status, unless a provider's own answer passes.
    pub(super) status: StatusCode,
    /// The methods that the path takes.
    pub(super) allow: Option<String>,
}

/// An error response in the caller's dialect. A rejection by a provider of the same dialect keeps its
/// status and body; only one of the gateway's own credential does not (it may quote the key).
pub(super) fn refuse(dialect: DialectId, refusal: Refusal<'_>, mut settlement: Settlement) -> Response<Body> {
    let Refusal { error, status, allow } = refusal;
    let passed = error.upstream.as_ref().filter(|upstream| {
        upstream.dialect == Some(dialect)
            && upstream.status >= 400
            && !upstream.body.is_empty()
            && error.kind != ErrorKind::UpstreamUnauthenticated
    });
    let mut response = Response::new(Body::Empty);
    let body: Bytes = match passed {
        Some(upstream) => {
            *response.status_mut() = StatusCode::from_u16(upstream.status).unwrap_or(status);
            let kept = upstream.content_type.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
            response.headers_mut().insert(header::CONTENT_TYPE, kept.unwrap_or(JSON));
            response.headers_mut().extend(upstream.headers.clone());
            upstream.body.clone()
        }
        None => {
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
            dialect.codec().encode_error(error, settlement.id())
        }
    };
    if let Some(allow) = allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    if let Some(after) = error.retry_after
        && !response.headers().contains_key(header::RETRY_AFTER)
    {
        // Whole seconds, rounded up: RFC 9110 has no others.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.kind == ErrorKind::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, BEARER);
    }
    *response.body_mut() = body.into();
    settlement.failed(error);
    stamp(response.headers_mut(), dialect, &settlement);
    settlement.responded(response.status().as_u16());
    settlement.ended(Outcome::Refused);
    response
}

/// A whole JSON answer of the gateway's own.
pub(super) fn json(body: impl Into<Body>, settlement: &mut Settlement, dialect: DialectId) -> Response<Body> {
    own(body.into(), StatusCode::OK, Outcome::Complete, settlement, dialect)
}

/// A whole JSON answer that says: not here, not now.
pub(super) fn unready(body: impl Into<Body>, settlement: &mut Settlement, dialect: DialectId) -> Response<Body> {
    own(body.into(), StatusCode::SERVICE_UNAVAILABLE, Outcome::Refused, settlement, dialect)
}

fn own(body: Body, status: StatusCode, outcome: Outcome, settlement: &mut Settlement, dialect: DialectId) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    stamp(response.headers_mut(), dialect, settlement);
    settlement.responded(status.as_u16());
    settlement.ended(outcome);
    response
}

/// The headers that every response has: the gateway's request id, the target it went to, and the
/// request id in the protocol's own header where the provider gave none.
pub(super) fn stamp(headers: &mut HeaderMap, dialect: DialectId, settlement: &Settlement) {
    let id = HeaderValue::from_str(settlement.id()).expect("request ids are plain ASCII");
    let own = HeaderName::from_static(dialect.codec().request_id_header());
    if !headers.contains_key(&own) {
        headers.insert(own, id);
    }
    identify(headers, settlement);
    limit(headers, settlement);
    if let Some(target) = settlement.target().and_then(|target| HeaderValue::try_from(ascii(&target)).ok()) {
        headers.insert(TARGET, target);
    }
}

/// What the request cost, and how the caller's limits and budgets stand. A provider's word on its own would contradict it.
fn limit(headers: &mut HeaderMap, settlement: &Settlement) {
    if let Some(cost) = settlement.told_cost().and_then(|cost| HeaderValue::try_from(cost.to_string()).ok()) {
        headers.insert(COST, cost);
    }
    let standings = settlement.standings();
    if standings.is_empty() {
        return;
    }
    let theirs: Vec<HeaderName> = headers.keys().filter(|name| is_about_limits(name)).cloned().collect();
    theirs.iter().for_each(|name| drop(headers.remove(name)));
    for (name, value) in standings {
        headers.insert(name.clone(), value.clone());
    }
}

/// The gateway's request id.
pub(super) fn identify(headers: &mut HeaderMap, settlement: &Settlement) {
    headers.insert(REQUEST_ID, HeaderValue::from_str(settlement.id()).expect("request ids are plain ASCII"));
}

/// A name as header fields hold it: what is not visible ASCII is percent-encoded, byte by byte.
fn ascii(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'!'..=b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Whether a provider's request id can be repeated.
pub(super) fn is_id(value: &HeaderValue) -> bool {
    !value.is_empty() && value.len() <= LONGEST_ID && value.to_str().is_ok()
}

/// Says what the translation lost, in the response and in the record.
pub(super) fn warn(headers: &mut HeaderMap, warnings: &Warnings, settlement: &mut Settlement) {
    settlement.warned(warnings);
    if !warnings.is_empty()
        && let Ok(value) = HeaderValue::try_from(warnings.header())
    {
        headers.insert(WARNINGS, value);
    }
}

/// The provider's response headers that pass back to a caller of the same dialect.
pub(super) fn passing(upstream: &HeaderMap, dialect: DialectId) -> HeaderMap {
    let names = dialect.codec().response_headers();
    let passes = |name: &str| {
        names.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *allowed,
        })
    };
    let mut headers = HeaderMap::new();
    for (name, value) in upstream {
        if passes(name.as_str()) && value.len() <= LONGEST_PASSING && headers.len() < MOST_PASSING {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}
