//! Errors, both ways: `google.rpc.Status` in JSON.
//!
//! | Google says | kind |
//! |---|---|
//! | "API key not valid", API_KEY_INVALID, UNAUTHENTICATED, PERMISSION_DENIED | `UpstreamUnauthenticated` |
//! | FAILED_PRECONDITION (no billing, region not served) | `Misconfigured` |
//! | INVALID_ARGUMENT, OUT_OF_RANGE | `InvalidRequest`, or `ContextLengthExceeded` when it speaks of the token limit |
//! | NOT_FOUND | `ModelNotFound` when it speaks of a model, else `NotFound` |
//! | RESOURCE_EXHAUSTED | `RateLimited`, with `RetryInfo.retryDelay` |
//! | UNAVAILABLE | `UpstreamOverloaded` |
//! | DEADLINE_EXCEEDED | `UpstreamTimeout` |
//! | UNIMPLEMENTED | `Unsupported` |
//! | INTERNAL, UNKNOWN, CANCELLED, ABORTED, DATA_LOSS | `UpstreamUnavailable` |
//!
//! A body that is not Google's (a proxy's page) is judged by its HTTP status alone.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use super::wire::{ErrorResponse, Int, Status};
use crate::error::{Error, ErrorKind, Upstream};

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const REQUEST_INFO: &str = "type.googleapis.com/google.rpc.RequestInfo";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

pub(super) fn decode(mut upstream: Upstream, headers: &HeaderMap) -> Error {
    let body = upstream.body.clone();
    let status = parse(&body);
    upstream.raw_type = status.as_ref().and_then(|status| status.status.as_deref().map(str::to_owned));
    let mut error = match &status {
        Some(status) => read(status, upstream.status),
        None => Error::new(kind_of_status(upstream.status), format!("The provider answered with status {}.", upstream.status)),
    };
    error.retry_after = error.retry_after.or_else(|| seconds(headers.get(header::RETRY_AFTER)?.to_str().ok()?));
    error.upstream(upstream)
}

/// The error of a body, in an array or not.
pub(super) fn parse(body: &[u8]) -> Option<Status<'_>> {
    let wire: Option<ErrorResponse<'_>> = match body.trim_ascii_start().first()? {
        b'[' => serde_json::from_slice::<Vec<ErrorResponse<'_>>>(body).ok()?.into_iter().next(),
        _ => serde_json::from_slice(body).ok(),
    };
    wire?.error
}

/// An error inside of a stream or a response with a success status.
pub(super) fn in_band(status: &Status<'_>) -> Error {
    let upstream = Upstream {
        raw_type: status.status.as_deref().map(str::to_owned),
        content_type: Some("application/json".into()),
        body: serde_json::to_vec(&json!({ "error": status })).expect("messages serialise").into(),
        ..Upstream::default()
    };
    read(status, 0).upstream(upstream)
}

fn read(status: &Status<'_>, http_status: u16) -> Error {
    let message = status.message.as_deref().unwrap_or_default().trim();
    let code = status.code.and_then(|code| u16::try_from(code.0).ok()).filter(|_| http_status == 0).unwrap_or(http_status);
    let detail = |kind: &str| status.details.iter().flatten().find(|detail| detail["@type"] == kind);
    let reason = detail(ERROR_INFO).and_then(|info| info["reason"].as_str()).unwrap_or_default();
    let says = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    };
    let kind = match status.status.as_deref().unwrap_or_default() {
        _ if reason.starts_with("API_KEY_") || says(&["api key not valid", "api key expired", "api key not found"]) => {
            ErrorKind::UpstreamUnauthenticated
        }
        "INVALID_ARGUMENT" | "OUT_OF_RANGE"
            if says(&["exceeds the maximum number of tokens", "input token count", "context length"]) =>
        {
            ErrorKind::ContextLengthExceeded
        }
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => ErrorKind::InvalidRequest,
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => ErrorKind::UpstreamUnauthenticated,
        "FAILED_PRECONDITION" => ErrorKind::Misconfigured,
        "NOT_FOUND" if says(&["model"]) => ErrorKind::ModelNotFound,
        "NOT_FOUND" => ErrorKind::NotFound,
        "RESOURCE_EXHAUSTED" => ErrorKind::RateLimited,
        "UNAVAILABLE" => ErrorKind::UpstreamOverloaded,
        "DEADLINE_EXCEEDED" => ErrorKind::UpstreamTimeout,
        "UNIMPLEMENTED" => ErrorKind::Unsupported,
        "INTERNAL" | "UNKNOWN" | "CANCELLED" | "ABORTED" | "DATA_LOSS" => ErrorKind::UpstreamUnavailable,
        _ => kind_of_status(code),
    };
    let message = match kind {
        _ if message.is_empty() => format!("The provider answered with status {code}."),
        ErrorKind::UpstreamUnauthenticated => format!("The provider refused the gateway's credential: {message}"),
        _ => message.to_owned(),
    };
    let mut error = Error::new(kind, message);
    error.retry_after = detail(RETRY_INFO).and_then(|info| seconds(info["retryDelay"].as_str()?.strip_suffix('s')?));
    error.param = detail(BAD_REQUEST).and_then(|info| info["fieldViolations"][0]["field"].as_str()).map(str::to_owned);
    error
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::UpstreamUnauthenticated,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::UpstreamTimeout,
        413 => ErrorKind::PayloadTooLarge,
        429 => ErrorKind::RateLimited,
        503 | 529 => ErrorKind::UpstreamOverloaded,
        400..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::UpstreamUnavailable,
    }
}

/// A duration in seconds, with or without fraction.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

pub(super) fn encode(error: &Error, request_id: &str) -> Bytes {
    serde_json::to_vec(&body(error, request_id)).expect("values serialise").into()
}

/// The error as JSON. `error` is its first and only key: SDKs look for it at the front.
pub(super) fn body(error: &Error, request_id: &str) -> Value {
    let mut details = vec![json!({"@type": ERROR_INFO, "reason": error.kind.name().to_ascii_uppercase(), "domain": "edgeway"})];
    if !request_id.is_empty() {
        details.push(json!({"@type": REQUEST_INFO, "requestId": request_id}));
    }
    if let Some(after) = error.retry_after {
        details.push(json!({"@type": RETRY_INFO, "retryDelay": format!("{}s", after.as_secs_f64())}));
    }
    if let Some(param) = &error.param {
        details.push(json!({"@type": BAD_REQUEST, "fieldViolations": [{"field": param, "description": error.message}]}));
    }
    let status = Status {
        code: Some(Int(error.status().as_u16().into())),
        message: Some((&error.message).into()),
        status: Some(name(error.kind).into()),
        details: Some(details),
        ..Status::default()
    };
    Value::Object(Map::from_iter([("error".to_owned(), serde_json::to_value(status).expect("messages serialise"))]))
}

/// The name of a kind among `google.rpc.Code`.
fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Unsupported
        | ErrorKind::ContextLengthExceeded
        | ErrorKind::ContentFiltered
        | ErrorKind::PayloadTooLarge
        | ErrorKind::UnsupportedMediaType => "INVALID_ARGUMENT",
        ErrorKind::MethodNotAllowed => "UNIMPLEMENTED",
        ErrorKind::Unauthenticated | ErrorKind::UpstreamUnauthenticated => "UNAUTHENTICATED",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::NotFound | ErrorKind::ModelNotFound => "NOT_FOUND",
        ErrorKind::Conflict => "ABORTED",
        ErrorKind::BudgetExceeded | ErrorKind::RateLimited => "RESOURCE_EXHAUSTED",
        ErrorKind::Overloaded | ErrorKind::UpstreamOverloaded | ErrorKind::UpstreamUnavailable => "UNAVAILABLE",
        ErrorKind::UpstreamTimeout => "DEADLINE_EXCEEDED",
        ErrorKind::UpstreamInvalid | ErrorKind::Misconfigured | ErrorKind::Internal => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(status: u16, body: Value) -> Error {
        let upstream = Upstream { status, body: body.to_string().into(), ..Upstream::default() };
        decode(upstream, &HeaderMap::new())
    }

    fn google(code: u16, status: &str, message: &str, details: Value) -> Error {
        decoded(code, json!({"error": {"code": code, "message": message, "status": status, "details": details}}))
    }

    #[test]
    fn googles_statuses_become_kinds() {
        use ErrorKind::*;
        for (code, status, message, kind) in [
            (400, "INVALID_ARGUMENT", "Invalid value at 'contents'", InvalidRequest),
            (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", UpstreamUnauthenticated),
            (
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                ContextLengthExceeded,
            ),
            (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Misconfigured),
            (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", UpstreamUnauthenticated),
            (403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers", UpstreamUnauthenticated),
            (404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta", ModelNotFound),
            (404, "NOT_FOUND", "File abc not found", NotFound),
            (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", RateLimited),
            (499, "CANCELLED", "The operation was cancelled.", UpstreamUnavailable),
            (500, "INTERNAL", "An internal error has occurred.", UpstreamUnavailable),
            (501, "UNIMPLEMENTED", "Not here", Unsupported),
            (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", UpstreamOverloaded),
            (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", UpstreamTimeout),
            (418, "TEAPOT", "new", InvalidRequest),
        ] {
            let error = google(code, status, message, json!([]));
            assert_eq!(error.kind, kind, "{status}: {message}");
            assert!(error.message.ends_with(message));
            assert_eq!(error.upstream.expect("kept").raw_type.as_deref(), Some(status));
        }
    }

    #[test]
    fn retry_delay_and_field_are_read_from_the_details() {
        let details = json!([
            {"@type": BAD_REQUEST, "fieldViolations": [{"field": "contents[0].parts", "description": "x"}]},
            {"@type": RETRY_INFO, "retryDelay": "34.074824224s"},
        ]);
        let error = google(429, "RESOURCE_EXHAUSTED", "quota", details);
        assert_eq!(error.retry_after, Some(Duration::from_nanos(34_074_824_224)));
        assert_eq!(error.param.as_deref(), Some("contents[0].parts"));
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, "7".parse().expect("a header"));
        let error = decode(Upstream { status: 503, body: Bytes::from_static(b"<html>"), ..Upstream::default() }, &headers);
        assert_eq!((error.kind, error.retry_after), (ErrorKind::UpstreamOverloaded, Some(Duration::from_secs(7))));
    }

    #[test]
    fn an_array_around_the_error_is_opened() {
        let error = decoded(429, json!([{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}]));
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::RateLimited, "slow down"));
    }

    #[test]
    fn every_kind_has_a_body_that_google_sdks_read() {
        for kind in ErrorKind::ALL {
            let error = Error::new(kind, "why").param("model").retry_after(Some(Duration::from_millis(1500)));
            let text = encode(&error, "req_1");
            assert!(text.starts_with(b"{\"error\":"), "the Python SDK looks for it at the front");
            let body: Value = serde_json::from_slice(&text).expect("JSON");
            assert_eq!(body["error"]["code"], error.status().as_u16());
            assert_eq!(body["error"]["message"], "why");
            assert!(body["error"]["status"].is_string());
            assert_eq!(body["error"]["details"][1]["requestId"], "req_1");
            assert_eq!(body["error"]["details"][2]["retryDelay"], "1.5s");
        }
    }
}
