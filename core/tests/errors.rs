//! Every kind of error in every dialect: the body is the dialect's own, and the official SDKs raise what their users expect.
//!
//! The SDKs' rules, as far as they decide on a class, are restated here:
//!
//! | SDK | class from | read of the body |
//! |---|---|---|
//! | openai (Python `_make_status_error`, Node `APIError.generate`) | status | `error.message`, `.type`, `.param`, `.code` |
//! | anthropic (Python `make_status_error`, Node `STATUS_ERROR_CLASSES`) | status | `error.type`, `error.message`, `request_id` |
//! | google-genai (Python and Node `APIError`) | status: 4xx `ClientError`, 5xx `ServerError` | `error.code`, `.status`, `.message`, `.details` |
//!
//! In a stream the first two raise on `error` in a data frame (OpenAI) or an `error` event (Anthropic), the third on a
//! chunk that begins with `{"error":`.

use std::time::Duration;

use bytes::Bytes;
use edgeway_core::dialect::{DialectId, Reply, StreamForm};
use edgeway_core::error::{Error, ErrorKind, Upstream};
use edgeway_core::wire::sse::{Block, Framer};
use http::HeaderMap;
use serde_json::{Value, json};

/// What a kind must be in each dialect.
struct Row {
    kind: ErrorKind,
    status: u16,
    /// Class of the openai SDKs (Node says `APIError` where Python says `APIStatusError`), `type` and `code`.
    openai: (&'static str, &'static str, Option<&'static str>),
    /// Class of the anthropic SDKs in Node, and `type`.
    anthropic: (&'static str, &'static str),
    /// Name in `google.rpc.Code`.
    google: &'static str,
}

#[rustfmt::skip]
const ROWS: [Row; ErrorKind::ALL.len()] = {
    use ErrorKind::*;
    const fn row(
        kind: ErrorKind,
        status: u16,
        openai: (&'static str, &'static str, Option<&'static str>),
        anthropic: (&'static str, &'static str),
        google: &'static str,
    ) -> Row {
        Row { kind, status, openai, anthropic, google }
    }
    const BAD: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    [
        row(InvalidRequest,          400, ("BadRequestError",       BAD, None),                                ("BadRequestError",       BAD),                       "INVALID_ARGUMENT"),
        row(Unsupported,             400, ("BadRequestError",       BAD, Some("unsupported_parameter")),       ("BadRequestError",       BAD),                       "INVALID_ARGUMENT"),
        row(Unauthenticated,         401, ("AuthenticationError",   BAD, Some("invalid_api_key")),             ("AuthenticationError",   "authentication_error"),    "UNAUTHENTICATED"),
        row(PermissionDenied,        403, ("PermissionDeniedError", BAD, Some("insufficient_permissions")),    ("PermissionDeniedError", "permission_error"),        "PERMISSION_DENIED"),
        row(BudgetExceeded,          402, ("APIError", "insufficient_quota", Some("insufficient_quota")),      ("PaymentRequiredError",  "billing_error"),           "RESOURCE_EXHAUSTED"),
        row(NotFound,                404, ("NotFoundError",         BAD, Some("not_found")),                   ("NotFoundError",         "not_found_error"),         "NOT_FOUND"),
        row(ModelNotFound,           404, ("NotFoundError",         BAD, Some("model_not_found")),             ("NotFoundError",         "not_found_error"),         "NOT_FOUND"),
        row(MethodNotAllowed,        405, ("APIError",              BAD, Some("method_not_supported")),        ("APIError",              BAD),                       "UNIMPLEMENTED"),
        row(Conflict,                409, ("ConflictError",         BAD, Some("conflict")),                    ("ConflictError",         BAD),                       "ABORTED"),
        row(PayloadTooLarge,         413, ("APIError",              BAD, Some("request_too_large")),           ("ContentTooLargeError",  "request_too_large"),       "INVALID_ARGUMENT"),
        row(UnsupportedMediaType,    415, ("APIError",              BAD, Some("unsupported_content_type")),    ("APIError",              BAD),                       "INVALID_ARGUMENT"),
        row(ContextLengthExceeded,   400, ("BadRequestError",       BAD, Some("context_length_exceeded")),     ("BadRequestError",       BAD),                       "INVALID_ARGUMENT"),
        row(ContentFiltered,         400, ("BadRequestError",       BAD, Some("content_filter")),              ("BadRequestError",       BAD),                       "INVALID_ARGUMENT"),
        row(RateLimited,             429, ("RateLimitError", "rate_limit_error", Some("rate_limit_exceeded")), ("RateLimitError",        "rate_limit_error"),        "RESOURCE_EXHAUSTED"),
        row(Overloaded,              503, ("InternalServerError",   SERVER, Some("overloaded")),               ("InternalServerError",   "overloaded_error"),        "UNAVAILABLE"),
        row(UpstreamUnauthenticated, 401, ("AuthenticationError", "authentication_error", Some("upstream_unauthenticated")), ("AuthenticationError", "authentication_error"), "UNAUTHENTICATED"),
        row(UpstreamOverloaded,      503, ("InternalServerError",   SERVER, Some("upstream_overloaded")),      ("InternalServerError",   "overloaded_error"),        "UNAVAILABLE"),
        row(UpstreamUnavailable,     502, ("InternalServerError",   SERVER, Some("upstream_unavailable")),     ("InternalServerError",   "api_error"),               "UNAVAILABLE"),
        row(UpstreamTimeout,         504, ("InternalServerError",   SERVER, Some("upstream_timeout")),         ("InternalServerError",   "timeout_error"),           "DEADLINE_EXCEEDED"),
        row(UpstreamInvalid,         502, ("InternalServerError",   SERVER, Some("upstream_invalid")),         ("InternalServerError",   "api_error"),               "INTERNAL"),
        row(Misconfigured,           500, ("InternalServerError",   SERVER, Some("misconfigured")),            ("InternalServerError",   "api_error"),               "INTERNAL"),
        row(Internal,                500, ("InternalServerError",   SERVER, Some("internal_error")),           ("InternalServerError",   "api_error"),               "INTERNAL"),
    ]
};

/// The class that the openai SDKs raise for a status.
fn openai_class(status: u16) -> &'static str {
    match status {
        400 => "BadRequestError",
        401 => "AuthenticationError",
        403 => "PermissionDeniedError",
        404 => "NotFoundError",
        409 => "ConflictError",
        422 => "UnprocessableEntityError",
        429 => "RateLimitError",
        500.. => "InternalServerError",
        _ => "APIError",
    }
}

/// The class that the anthropic SDK for Node raises for a status.
fn anthropic_class(status: u16) -> &'static str {
    match status {
        402 => "PaymentRequiredError",
        408 => "RequestTimeoutError",
        412 => "PreconditionFailedError",
        413 => "ContentTooLargeError",
        other => openai_class(other),
    }
}

const SECRET: &str = "internal detail sk-live-0123456789";

/// An error with everything that one can hold.
fn full(kind: ErrorKind) -> Error {
    let upstream = Upstream {
        provider: "acme".into(),
        status: 418,
        raw_type: Some("acme_error".into()),
        body: Bytes::from_static(SECRET.as_bytes()),
        ..Upstream::default()
    };
    Error::new(kind, "`n` is \"many\";\nsend an integer – ok.")
        .param("n")
        .retry_after(Some(Duration::from_millis(1500)))
        .source(SECRET)
        .upstream(upstream)
}

fn body(dialect: DialectId, error: &Error) -> Value {
    serde_json::from_slice(&dialect.codec().encode_error(error, "req_7")).expect("JSON")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn every_kind_has_its_row_and_its_status() {
    for (row, kind) in ROWS.iter().zip(ErrorKind::ALL) {
        assert_eq!((row.kind, row.status), (kind, kind.status().as_u16()));
    }
}

#[test]
fn openai_callers_get_openais_object() {
    for row in &ROWS {
        let error = full(row.kind);
        let body = body(DialectId::OpenAiChat, &error);
        assert_eq!(keys(&body), ["error"], "{:?}", row.kind);
        let (class, kind, code) = row.openai;
        let expected = json!({"message": error.message, "type": kind, "param": "n", "code": code});
        assert_eq!((openai_class(row.status), &body["error"]), (class, &expected), "{:?}", row.kind);
        let bare = self::body(DialectId::OpenAiChat, &Error::new(row.kind, "m"));
        assert_eq!(bare["error"]["param"], Value::Null, "{:?}", row.kind);
    }
}

#[test]
fn anthropic_callers_get_anthropics_object() {
    for row in &ROWS {
        let error = full(row.kind);
        let body = body(DialectId::AnthropicMessages, &error);
        assert_eq!(keys(&body), ["type", "error", "request_id"], "{:?}", row.kind);
        assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!("req_7")));
        assert_eq!(keys(&body["error"]), ["type", "message"], "{:?}", row.kind);
        let (class, kind) = row.anthropic;
        assert_eq!((anthropic_class(row.status), &body["error"]["type"]), (class, &json!(kind)), "{:?}", row.kind);
        assert!(body["error"]["message"].as_str().expect("text").ends_with(&error.message), "{:?}", row.kind);
    }
}

#[test]
fn gemini_callers_get_googles_status() {
    for row in &ROWS {
        let error = full(row.kind);
        let bytes = DialectId::Gemini.codec().encode_error(&error, "req_7");
        assert!(bytes.starts_with(b"{\"error\":"), "the SDK looks for it at the front");
        let body = body(DialectId::Gemini, &error);
        assert_eq!(keys(&body), ["error"], "{:?}", row.kind);
        let status = &body["error"];
        assert_eq!(status["code"], row.status, "{:?}", row.kind);
        assert_eq!((&status["status"], &status["message"]), (&json!(row.google), &json!(error.message)), "{:?}", row.kind);
        let details = status["details"].as_array().expect("a list");
        assert!(
            details.iter().all(|detail| detail["@type"].as_str().is_some_and(|kind| kind.starts_with("type.googleapis.com/")))
        );
        assert!(details.iter().any(|detail| detail["retryDelay"] == "1.5s"), "{details:?}");
    }
}

#[test]
fn no_dialect_shows_what_is_the_operators() {
    for dialect in DialectId::ALL {
        for kind in ErrorKind::ALL {
            let error = full(kind);
            let reply = Reply { id: "req_7".into(), ..Reply::default() };
            for bytes in [
                dialect.codec().encode_error(&error, "req_7").to_vec(),
                dialect.codec().encode_stream_error(&error, &reply, true),
            ] {
                let text = String::from_utf8(bytes).expect("UTF-8");
                assert!(!text.contains("sk-live") && !text.contains("internal detail"), "{dialect:?} {kind:?}: {text}");
            }
        }
    }
}

/// The one event of a terminal frame.
fn event(frame: &[u8]) -> (String, Value) {
    let mut events = Vec::new();
    Framer::new().feed(frame, |block, _| {
        if let Block::Event(event) = block {
            events.push((event.name.to_owned(), serde_json::from_slice(event.data).expect("JSON")));
        }
    });
    assert_eq!(events.len(), 1, "{}", String::from_utf8_lossy(frame));
    events.remove(0)
}

#[test]
fn a_stream_that_began_ends_in_the_dialects_own_error_event() {
    let reply = Reply { id: "req_7".into(), ..Reply::default() };
    for dialect in DialectId::ALL {
        for kind in ErrorKind::ALL {
            let error = full(kind);
            let (name, data) = event(&dialect.codec().encode_stream_error(&error, &reply, true));
            let expected = if dialect == DialectId::AnthropicMessages { "error" } else { "" };
            assert_eq!((name.as_str(), &data), (expected, &body(dialect, &error)), "{dialect:?} {kind:?}");
        }
    }
}

#[test]
fn an_error_closes_a_json_array_stream_that_stays_json() {
    let reply = Reply { id: "req_7".into(), form: StreamForm::JsonArray, ..Reply::default() };
    let error = full(ErrorKind::UpstreamTimeout);
    let gemini = DialectId::Gemini.codec();
    let alone: Value = serde_json::from_slice(&gemini.encode_stream_error(&error, &reply, false)).expect("a whole array");
    assert_eq!(alone, json!([body(DialectId::Gemini, &error)]));
    let mut array = b"[{\"candidates\":[]}".to_vec();
    array.extend(gemini.encode_stream_error(&error, &reply, true));
    let array: Value = serde_json::from_slice(&array).expect("a whole array");
    assert_eq!(array[1], alone[0]);
}

/// One gateway behind another: the second understands what the first said.
#[test]
fn what_a_dialect_writes_it_also_understands() {
    use ErrorKind::*;
    let understood = |dialect: DialectId, kind: ErrorKind| {
        let error = Error::new(kind, "No.");
        let status = error.status().as_u16();
        let upstream = Upstream { status, body: dialect.codec().encode_error(&error, "req_7"), ..Upstream::default() };
        dialect.codec().decode_error(upstream, &HeaderMap::new())
    };
    for dialect in DialectId::ALL {
        for (kind, again) in [
            (InvalidRequest, InvalidRequest),
            (Unsupported, InvalidRequest),
            (ContextLengthExceeded, ContextLengthExceeded),
            (RateLimited, RateLimited),
            (Unauthenticated, UpstreamUnauthenticated),
            (PermissionDenied, UpstreamUnauthenticated),
            (UpstreamUnauthenticated, UpstreamUnauthenticated),
            (PayloadTooLarge, PayloadTooLarge),
            (Overloaded, UpstreamOverloaded),
            (UpstreamOverloaded, UpstreamOverloaded),
            (UpstreamTimeout, UpstreamTimeout),
            (Internal, UpstreamUnavailable),
        ] {
            // Google has one name for a bad argument, a full window and a large body; its words tell them apart.
            if dialect == DialectId::Gemini && matches!(kind, ContextLengthExceeded | PayloadTooLarge) {
                continue;
            }
            let error = understood(dialect, kind);
            assert_eq!(error.kind, again, "{dialect:?} {kind:?}: {error:?}");
            assert!(error.upstream.is_some_and(|upstream| !upstream.body.is_empty()), "{dialect:?} {kind:?}");
        }
    }
    for kind in [ModelNotFound, ContentFiltered] {
        assert_eq!(understood(DialectId::OpenAiChat, kind).kind, kind);
    }
}
