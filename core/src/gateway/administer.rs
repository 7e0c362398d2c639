//! What an operator asks, at the administration's endpoints: requests in, [`crate::admin`]'s answers out.

use http::{HeaderValue, Response, header};

use super::live::Live;
use super::reply::{self, Refusal};
use super::settle::Settlement;
use crate::admin::{Answer, Asked, Desk, Problem, Route};
use crate::body::Body;
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::exchange::Outcome;
use crate::identity::Caller;

/// Answers a request whose author is known.
pub(super) async fn answer(
    live: &Live,
    caller: &Caller,
    route: &Route,
    asked: &Asked<'_>,
    settlement: &mut Settlement,
) -> Response<Body> {
    let by = caller.name().unwrap_or_default();
    let answered = Desk::new(live, caller, &by, settlement.id()).answer(route, asked).await;
    let answer = answered.unwrap_or_else(|problem| {
        settlement.refused(problem.code, &problem.detail);
        Answer::of(&problem, settlement.id())
    });
    respond(answer, settlement)
}

/// The answer to a request that does not get so far.
pub(super) fn refuse(refusal: Refusal<'_>, mut settlement: Settlement) -> Response<Body> {
    let Refusal { error, status, allow } = refusal;
    settlement.failed(error);
    let problem = Problem { status, ..Problem::from(error) };
    let mut response = respond(Answer::of(&problem, settlement.id()), &mut settlement);
    if let Some(allow) = allow.and_then(|allow| HeaderValue::try_from(allow).ok()) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    if error.kind == ErrorKind::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, reply::BEARER);
    }
    response
}

/// Whether the configuration names nobody who may administer. Holders of virtual keys still may.
pub(super) fn is_off(config: &Config) -> bool {
    config.admin_keys.is_empty() && config.bootstrap.is_none() && !config.issuers.iter().any(|issuer| issuer.admin)
}

/// The refusal where nobody may administer.
pub(super) fn switched_off() -> Error {
    let message = "The administration is off, for no key is configured. Name a secret in the gateway's file or variables \
                   (`[admin]`, `keys = [\"EDGEWAY_ADMIN_KEY\"]`), set it to a long random text, and start the gateway again.";
    Error::new(ErrorKind::PermissionDenied, message)
}

fn respond(answer: Answer, settlement: &mut Settlement) -> Response<Body> {
    let status = answer.status;
    let ok = !status.is_client_error() && !status.is_server_error();
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let tag = answer.tag().map(|tag| (header::ETAG, tag));
    for (name, value) in tag.into_iter().chain(answer.headers.iter().cloned()) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(name, value);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply::identify(headers, settlement);
    if let Some((kind, text)) = answer.sent() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        *response.body_mut() = Body::from(text);
    }
    settlement.responded(status.as_u16());
    settlement.ended(if ok { Outcome::Complete } else { Outcome::Refused });
    response
}
