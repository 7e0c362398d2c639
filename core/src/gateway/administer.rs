//! What an operator asks, at the administration's endpoints: requests in, [`crate::admin`]'s answers out.

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};

use super::live::Live;
use super::reply::{self, Refusal};
use super::settle::Settlement;
use crate::admin::{Action, Answer, Ask, Desk, Problem};
use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::exchange::Outcome;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Answers a request whose author may administer.
pub(super) async fn answer(
    live: &Live,
    by: &str,
    action: Action,
    number: Option<u64>,
    parts: &Parts,
    body: &[u8],
    settlement: &mut Settlement,
) -> Response<Body> {
    let answered = match Ask::read(action, number, parts, body) {
        Ok(ask) => Desk::new(live, by, settlement.id()).answer(ask).await,
        Err(problem) => Err(problem),
    };
    let answer = answered.unwrap_or_else(|problem| {
        settlement.refused(problem.code, &problem.detail);
        Answer::of(&problem, settlement.id())
    });
    respond(&answer, settlement)
}

/// The answer to a request that does not get so far.
pub(super) fn refuse(refusal: Refusal<'_>, mut settlement: Settlement) -> Response<Body> {
    let Refusal { error, status, allow } = refusal;
    settlement.failed(error);
    let problem = Problem { status, ..Problem::from(error) };
    let mut response = respond(&Answer::of(&problem, settlement.id()), &mut settlement);
    if let Some(allow) = allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    if error.kind == ErrorKind::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, reply::BEARER);
    }
    response
}

/// The refusal where nobody may administer.
pub(super) fn switched_off() -> Error {
    let message = "The administration is off, for no key is configured. Name a secret in the gateway's file or variables \
                   (`[admin]`, `keys = [\"EDGEWAY_ADMIN_KEY\"]`), set it to a long random text, and start the gateway again.";
    Error::new(ErrorKind::PermissionDenied, message)
}

fn respond(answer: &Answer, settlement: &mut Settlement) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body.to_string()));
    *response.status_mut() = answer.status;
    let ok = answer.status == StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, if ok { JSON } else { PROBLEM });
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(etag) = answer.version.and_then(|version| HeaderValue::try_from(format!("\"{version}\"")).ok()) {
        headers.insert(header::ETAG, etag);
    }
    reply::identify(headers, settlement);
    settlement.responded(answer.status.as_u16());
    settlement.ended(if ok { Outcome::Complete } else { Outcome::Refused });
    response
}
