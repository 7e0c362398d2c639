//! Errors, both ways.
//!
//! Sources: the vendor's errors page; the SDK maps the status to its exception class and reads
//! `error.type`, `error.message` and `request_id`.
//!
//! | kind | `error.type` written |
//! |---|---|
//! | invalid, unsupported, method, media type, conflict, context length, filtered content | `invalid_request_error` |
//! | unauthenticated, here or at the provider | `authentication_error` |
//! | budget | `billing_error` |
//! | permission | `permission_error` |
//! | no such path, object or model | `not_found_error` |
//! | too large | `request_too_large` |
//! | rate | `rate_limit_error` |
//! | overloaded, here or at the provider | `overloaded_error` |
//! | provider's timeout | `timeout_error` |
//! | the rest | `api_error` |
//!
//! Read, `authentication_error`, `permission_error` and `billing_error` are about the gateway's own
//! account at the provider, so another target may still answer.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;

use super::wire::{ErrorBody, ErrorObject};
use crate::error::{Error, ErrorKind, Upstream};

/// What Anthropic says of a prompt that does not fit; clients recognise the words and compact their history.
const TOO_LONG: &str = "prompt is too long";

/// Writes an error's body.
pub(super) fn encode(error: &Error, request_id: &str) -> Bytes {
    serde_json::to_vec(&body(error, request_id)).expect("strings serialise").into()
}

/// Appends an error as a stream's terminal event.
pub(super) fn encode_event(error: &Error, request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    serde_json::to_writer(&mut *out, &body(error, request_id)).expect("strings serialise into memory");
    out.extend_from_slice(b"\n\n");
}

fn body<'a>(error: &'a Error, request_id: &'a str) -> ErrorBody<'a> {
    ErrorBody { kind: "error", error: ErrorObject { kind: kind_name(error.kind), message: message(error) }, request_id }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    use ErrorKind::*;
    match kind {
        InvalidRequest
        | Unsupported
        | MethodNotAllowed
        | UnsupportedMediaType
        | Conflict
        | ContextLengthExceeded
        | ContentFiltered => "invalid_request_error",
        Unauthenticated | UpstreamUnauthenticated => "authentication_error",
        BudgetExceeded => "billing_error",
        PermissionDenied => "permission_error",
        NotFound | ModelNotFound => "not_found_error",
        PayloadTooLarge => "request_too_large",
        RateLimited => "rate_limit_error",
        Overloaded | UpstreamOverloaded => "overloaded_error",
        UpstreamTimeout => "timeout_error",
        UpstreamUnavailable | UpstreamInvalid | Misconfigured | Internal => "api_error",
    }
}

/// The caller's sentence, with the field's path in front where the sentence does not name it: the protocol has no field for it.
fn message(error: &Error) -> Cow<'_, str> {
    if error.kind == ErrorKind::ContextLengthExceeded && !error.message.contains(TOO_LONG) {
        return Cow::Owned(format!("{TOO_LONG}: {}", error.message));
    }
    match &error.param {
        Some(param) if !error.message.contains(param.as_str()) => Cow::Owned(format!("{param}: {}", error.message)),
        _ => Cow::Borrowed(&error.message),
    }
}

/// Understands a provider's error response.
pub(super) fn decode(mut upstream: Upstream, headers: &HeaderMap) -> Error {
    let body: Value = serde_json::from_slice(&upstream.body).unwrap_or(Value::Null);
    let said = Said::of(&body);
    upstream.raw_type = upstream.raw_type.or_else(|| said.kind.map(str::to_owned));
    upstream.request_id = upstream
        .request_id
        .or_else(|| headers.get("request-id").and_then(|id| id.to_str().ok()).map(str::to_owned))
        .or_else(|| body.get("request_id").and_then(Value::as_str).map(str::to_owned));
    let message = match said.message {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ if upstream.status == 0 => "The provider ended its answer in an error without a message.".to_owned(),
        _ => format!("The provider answered with status {} and no message.", upstream.status),
    };
    let kind = kind(upstream.status, said.kind, &message);
    let retry_after = retry_after(headers, upstream.status);
    Error::new(kind, message).retry_after(retry_after).upstream(upstream)
}

/// Understands the data of an `error` event.
pub(super) fn decode_event(data: &[u8]) -> Error {
    decode(Upstream { body: Bytes::copy_from_slice(data), ..Upstream::default() }, &HeaderMap::new())
}

/// What an error body says, in Anthropic's shape or one that compatible servers use.
struct Said<'a> {
    kind: Option<&'a str>,
    message: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(body: &'a Value) -> Self {
        let error = &body["error"];
        Self {
            kind: error["type"].as_str(),
            message: error["message"].as_str().or_else(|| error.as_str()).or_else(|| body["message"].as_str()),
        }
    }
}

fn kind(status: u16, said: Option<&str>, message: &str) -> ErrorKind {
    let by_type = match said {
        Some("invalid_request_error") => Some(invalid(message)),
        Some("authentication_error" | "permission_error" | "billing_error") => Some(ErrorKind::UpstreamUnauthenticated),
        Some("not_found_error") => Some(not_found(message)),
        Some("request_too_large") => Some(ErrorKind::PayloadTooLarge),
        Some("rate_limit_error") => Some(ErrorKind::RateLimited),
        Some("overloaded_error") => Some(ErrorKind::UpstreamOverloaded),
        Some("timeout_error") => Some(ErrorKind::UpstreamTimeout),
        Some("conflict_error") => Some(ErrorKind::Conflict),
        _ => None,
    };
    match (status, by_type) {
        // `invalid_request_error` also stands for other statuses that the API does not name.
        (0 | 400 | 422, Some(kind)) => kind,
        (_, Some(kind)) if kind != ErrorKind::InvalidRequest => kind,
        (400 | 422, None) => invalid(message),
        (401..=403, _) => ErrorKind::UpstreamUnauthenticated,
        (404, _) => not_found(message),
        (408 | 504, _) => ErrorKind::UpstreamTimeout,
        (409, _) => ErrorKind::Conflict,
        (413, _) => ErrorKind::PayloadTooLarge,
        (429, _) => ErrorKind::RateLimited,
        (503 | 529, _) => ErrorKind::UpstreamOverloaded,
        (405..=499, _) => ErrorKind::InvalidRequest,
        (0 | 500..=599, _) => ErrorKind::UpstreamUnavailable,
        _ => ErrorKind::UpstreamInvalid,
    }
}

fn invalid(message: &str) -> ErrorKind {
    let says = |words: &str| message.contains(words);
    if says(TOO_LONG) || says("exceed context limit") || says("context window") {
        ErrorKind::ContextLengthExceeded
    } else if says("content filtering policy") {
        ErrorKind::ContentFiltered
    } else if says("credit balance is too low") || says("specified API usage limits") {
        ErrorKind::UpstreamUnauthenticated
    } else {
        ErrorKind::InvalidRequest
    }
}

fn not_found(message: &str) -> ErrorKind {
    if message.contains("model") { ErrorKind::ModelNotFound } else { ErrorKind::NotFound }
}

/// When it is worth trying again: what the provider asks for, or the latest reset of an exhausted
/// limit, counted from the response's own `date`.
fn retry_after(headers: &HeaderMap, status: u16) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let millis = text("retry-after-ms").and_then(|value| value.trim().parse::<u64>().ok()).map(Duration::from_millis);
    let seconds = || text("retry-after").and_then(|value| value.trim().parse::<u64>().ok()).map(Duration::from_secs);
    millis.or_else(seconds).or_else(|| {
        if status != 429 {
            return None;
        }
        let now = http_date(text(header::DATE.as_str())?)?;
        let limits = ["requests", "tokens", "input-tokens", "output-tokens"];
        let resets = limits.iter().filter(|limit| text(&format!("anthropic-ratelimit-{limit}-remaining")) == Some("0"));
        let resets = resets.filter_map(|limit| rfc3339(text(&format!("anthropic-ratelimit-{limit}-reset"))?));
        resets.max().map(|reset| Duration::from_secs(u64::try_from(reset - now).unwrap_or(0)))
    })
}

/// Seconds since the epoch of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let year = words.next()?.parse().ok()?;
    seconds(year, month, day, words.next()?)
}

/// Seconds since the epoch of `2026-11-21T09:22:19Z` (RFC 3339, UTC).
fn rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    seconds(year, month, day, time.split('.').next()?)
}

fn seconds(year: i64, month: i64, day: i64, time: &str) -> Option<i64> {
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut time = time.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    // Days from the civil date, years beginning in March so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn upstream(status: u16, kind: &str, message: &str) -> Upstream {
        let body = serde_json::json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
        Upstream { provider: "anthropic".into(), status, body: body.to_string().into(), ..Upstream::default() }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn dates_are_seconds_since_the_epoch() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(rfc3339("2024-02-29T12:00:00Z"), Some(1_709_208_000));
        assert_eq!(rfc3339("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339("yesterday"), None);
        assert_eq!(http_date("Sun, 06 Foo 1994 08:49:37 GMT"), None);
    }

    #[test]
    fn every_kind_writes_a_body_that_the_sdk_reads() {
        for kind in ErrorKind::ALL {
            let error = Error::new(kind, "Something.").param("messages[0]");
            let body: Value = serde_json::from_slice(&encode(&error, "req_9")).unwrap();
            assert_eq!(body["type"], "error");
            assert_eq!(body["request_id"], "req_9");
            assert!(body["error"]["message"].as_str().unwrap().contains("Something."), "{kind:?}");
            let by_status = match kind.status().as_u16() {
                401 => "authentication_error",
                402 => "billing_error",
                403 => "permission_error",
                404 => "not_found_error",
                413 => "request_too_large",
                429 => "rate_limit_error",
                503 => "overloaded_error",
                504 => "timeout_error",
                500 | 502 => "api_error",
                _ => "invalid_request_error",
            };
            assert_eq!(body["error"]["type"], by_status, "{kind:?}");
        }
    }

    #[test]
    fn providers_errors_get_their_kind() {
        let kind = |status, kind, message| decode(upstream(status, kind, message), &HeaderMap::new()).kind;
        assert_eq!(kind(400, "invalid_request_error", "max_tokens: Field required"), ErrorKind::InvalidRequest);
        assert_eq!(
            kind(400, "invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum"),
            ErrorKind::ContextLengthExceeded
        );
        assert_eq!(
            kind(400, "invalid_request_error", "You have reached your specified API usage limits."),
            ErrorKind::UpstreamUnauthenticated
        );
        assert_eq!(kind(401, "authentication_error", "invalid x-api-key"), ErrorKind::UpstreamUnauthenticated);
        assert_eq!(kind(402, "billing_error", "no"), ErrorKind::UpstreamUnauthenticated);
        assert_eq!(kind(403, "permission_error", "no"), ErrorKind::UpstreamUnauthenticated);
        assert_eq!(kind(404, "not_found_error", "model: claude-9"), ErrorKind::ModelNotFound);
        assert_eq!(kind(413, "request_too_large", "too large"), ErrorKind::PayloadTooLarge);
        assert_eq!(kind(429, "rate_limit_error", "slow down"), ErrorKind::RateLimited);
        assert_eq!(kind(500, "api_error", "Internal server error"), ErrorKind::UpstreamUnavailable);
        assert_eq!(kind(504, "timeout_error", "slow"), ErrorKind::UpstreamTimeout);
        assert_eq!(kind(529, "overloaded_error", "Overloaded"), ErrorKind::UpstreamOverloaded);
        assert_eq!(kind(200, "", ""), ErrorKind::UpstreamInvalid);
        let html = Upstream { status: 502, body: Bytes::from_static(b"<html>Bad gateway"), ..Upstream::default() };
        assert_eq!(decode(html, &HeaderMap::new()).kind, ErrorKind::UpstreamUnavailable);
    }

    #[test]
    fn an_exhausted_limit_says_when_to_come_back() {
        let asked = headers(&[("retry-after", "12")]);
        assert_eq!(decode(upstream(429, "rate_limit_error", "x"), &asked).retry_after, Some(Duration::from_secs(12)));
        let reset = headers(&[
            ("date", "Sat, 21 Nov 2026 09:22:00 GMT"),
            ("anthropic-ratelimit-requests-remaining", "4"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T10:00:00Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-21T09:22:19Z"),
        ]);
        assert_eq!(decode(upstream(429, "rate_limit_error", "x"), &reset).retry_after, Some(Duration::from_secs(19)));
    }

    #[test]
    fn a_prompt_that_does_not_fit_elsewhere_is_told_in_words_that_clients_know() {
        let error = Error::new(ErrorKind::ContextLengthExceeded, "This model's maximum context length is 128000 tokens.");
        let body = String::from_utf8(encode(&error, "r").to_vec()).unwrap();
        assert!(body.contains("prompt is too long: This model's maximum"), "{body}");
    }
}
