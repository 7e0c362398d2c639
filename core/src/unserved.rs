//! What an adapter answers when there is no gateway to hand a request to: nothing is configured, or the request is none.
//!
//! | request | answer |
//! |---|---|
//! | `/health`, without a configuration | 200: the platform runs the program |
//! | any other, without a configuration | 503 with what to put right |
//! | one that cannot be read, or that the platform ends | the error |
//!
//! Invariant: every error is in the caller's protocol, as far as the request's head tells it.

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};

use crate::body::Body;
use crate::dialect::DialectId;
use crate::endpoint;
use crate::error::{Error, ErrorKind};

/// The protocol that a caller speaks, as far as the head of its request says.
pub fn dialect(parts: &Parts) -> DialectId {
    endpoint::resolve(parts).map_or_else(|_| endpoint::guess_dialect(parts), |endpoint| endpoint.dialect)
}

/// The answer to any request while nothing can be served. `why` says what an operator has to put right.
pub fn misconfigured(parts: &Parts, why: &str) -> Response<Body> {
    if parts.uri.path() == "/health" {
        return json(StatusCode::OK, Body::from("{\"status\":\"misconfigured\"}"));
    }
    // Not `Misconfigured`, which is about one request: nothing is served here until somebody puts it right.
    error(dialect(parts), &Error::new(ErrorKind::Overloaded, format!("The gateway is misconfigured: {why}")))
}

/// An error that core had no part in, as a caller's protocol has it.
pub fn error(dialect: DialectId, error: &Error) -> Response<Body> {
    json(error.status(), dialect.codec().encode_error(error, "").into())
}

fn json(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ask(path: &str) -> (u16, serde_json::Value) {
        let parts = http::Request::post(path).body(()).expect("a request").into_parts().0;
        let response = misconfigured(&parts, "`KEY` is not set");
        let status = response.status().as_u16();
        let body = response.into_body().collect(1 << 16).now_or_never().expect("never waits").expect("small");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[test]
    fn everybody_learns_in_their_protocol_what_to_put_right() {
        for path in ["/v1/chat/completions", "/v1/messages", "/v1beta/models/m:generateContent", "/ready", "/nowhere"] {
            let (status, body) = ask(path);
            let message = body["error"]["message"].as_str().unwrap_or_default();
            assert!(status == 503 && message.contains("`KEY` is not set"), "{path}: {status} {body}");
        }
        assert_eq!(ask("/v1/messages").1["type"], "error");
        assert_eq!(ask("/v1beta/models/m:generateContent").1["error"]["code"], 503);
    }

    #[test]
    fn a_program_that_runs_is_healthy() {
        assert_eq!(ask("/health"), (200, serde_json::json!({"status": "misconfigured"})));
    }
}
