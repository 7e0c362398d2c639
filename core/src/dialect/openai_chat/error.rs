//! Errors, both ways.
//!
//! Decoding reads OpenAI's `{"error": {"message", "type", "param", "code"}}` and what compatible
//! providers send instead: `{"error": "text"}`, `{"message", "type"}`, `{"detail": ...}` (Mistral,
//! FastAPI), `{"errors": [...]}` (Workers AI), any of them in an array (Google), or plain text.
//! The status decides the kind first; the code and the provider's sentence refine it.
//!
//! Encoding gives OpenAI's object. The official SDKs choose their exception by status, so `type` and
//! `code` only have to be those that programs compare with.
//!
//! Invariant: what a caller reads holds no credential: the provider's sentence is capped, words that
//! look like keys or organisations are blotted out, and that of a refused credential is not shown.
//!
//! Source: openai-python `_client.py` (`_make_status_error`), `_base_client.py` (retry headers);
//! OpenAI, error codes and rate limits; OpenRouter, errors.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Upstream};
use crate::wire::json_writer::Object;
use crate::wire::sse;

/// Understands an error response.
pub(super) fn decode(mut upstream: Upstream, headers: &HeaderMap) -> Error {
    let body = serde_json::from_slice::<Value>(&upstream.body).unwrap_or_else(|_| plain(&upstream.body));
    let said = Said::read(&body);
    let kind = said.kind(upstream.status);
    let retry_after = retry_after(headers, kind).or(said.retry_after).or_else(|| wait_in(&said.message));
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    upstream.raw_type = upstream.raw_type.or(said.code.clone()).or(said.class.clone());
    upstream.request_id = upstream.request_id.or_else(|| text("x-request-id"));
    said.error(kind, &upstream.provider).retry_after(retry_after).upstream(upstream)
}

/// Understands an `error` inside a stream or under a success status: there is no status to go by.
pub(super) fn decode_in_band(error: &Value) -> Error {
    let said = Said::read(error);
    let kind = said.kind(said.code.as_deref().and_then(|code| code.parse().ok()).unwrap_or(0));
    let wait = said.retry_after.or_else(|| wait_in(&said.message));
    let upstream = Upstream { raw_type: said.code.clone().or(said.class.clone()), ..Upstream::default() };
    said.error(kind, "").retry_after(wait).upstream(upstream)
}

/// A body that is no JSON: its text, unless it is a page.
fn plain(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let text = text.trim();
    if text.starts_with('<') { Value::Null } else { Value::String(text.to_owned()) }
}

/// What an error body says, wherever it says it.
#[derive(Debug, Default)]
struct Said {
    message: String,
    class: Option<String>,
    code: Option<String>,
    param: Option<String>,
    /// Azure's and OpenRouter's reasons for a content filter.
    filtered: bool,
    retry_after: Option<Duration>,
}

impl Said {
    fn read(body: &Value) -> Self {
        let body = body.as_array().and_then(|errors| errors.first()).unwrap_or(body);
        let inner = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
        let inner = inner.get("errors").or(body.get("errors")).and_then(|errors| errors.get(0)).unwrap_or(inner);
        let word = |value: &Value| match value {
            Value::String(word) if !word.is_empty() => Some(word.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let either = |name: &str| inner.get(name).or_else(|| body.get(name)).and_then(word);
        let message = inner
            .as_str()
            .map(str::to_owned)
            .or_else(|| either("message"))
            .or_else(|| details(inner.get("detail").or(body.get("detail"))?))
            .or_else(|| either("error_description").or_else(|| either("msg")));
        let delay = inner.get("details").and_then(Value::as_array).into_iter().flatten();
        let delay = delay.filter_map(|detail| detail.get("retryDelay")?.as_str()).find_map(duration);
        Self {
            message: message.unwrap_or_default(),
            class: either("type").or_else(|| either("status")),
            code: either("code"),
            param: either("param"),
            filtered: inner.pointer("/innererror/content_filter_result").is_some()
                || inner.pointer("/metadata/flagged_input").is_some(),
            retry_after: delay,
        }
    }

    fn kind(&self, status: u16) -> ErrorKind {
        use ErrorKind::*;
        let named = self.named();
        match status {
            401 => UpstreamUnauthenticated,
            403 => match named {
                Some(kind @ (ContentFiltered | ModelNotFound | RateLimited)) => kind,
                _ => UpstreamUnauthenticated,
            },
            404 => match named {
                Some(kind) => kind,
                None if self.mentions(&["model", "deployment", "no endpoints found"]) => ModelNotFound,
                None => UpstreamInvalid,
            },
            // A depleted account answers as an exhausted quota does: another provider may still serve.
            402 | 429 => RateLimited,
            408 => UpstreamTimeout,
            409 => Conflict,
            413 => match named {
                Some(kind @ (RateLimited | ContextLengthExceeded)) => kind,
                _ => PayloadTooLarge,
            },
            498 | 503 | 529 => UpstreamOverloaded,
            504 | 522 | 524 => UpstreamTimeout,
            500.. => match named {
                Some(kind @ (UpstreamOverloaded | RateLimited | ContextLengthExceeded)) => kind,
                _ => UpstreamUnavailable,
            },
            400..500 => named.unwrap_or(InvalidRequest),
            _ => named.unwrap_or(UpstreamUnavailable),
        }
    }

    /// The kind that code, type or sentence name.
    #[rustfmt::skip]
    fn named(&self) -> Option<ErrorKind> {
        use ErrorKind::*;
        for word in [&self.code, &self.class].into_iter().flatten() {
            let kind = match word.as_str() {
                "context_length_exceeded" | "string_above_max_length" | "exceed_context_size_error" => ContextLengthExceeded,
                "content_filter" | "content_policy_violation" | "invalid_prompt" | "moderation_blocked"
                | "ResponsibleAIPolicyViolation" | "data_inspection_failed" | "1301" => ContentFiltered,
                "model_not_found" | "model_not_available" | "DeploymentNotFound" | "unknown_model" | "5007" => ModelNotFound,
                "invalid_api_key" | "invalid_authentication_error" | "authentication_error" | "UNAUTHENTICATED" => UpstreamUnauthenticated,
                "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" | "RESOURCE_EXHAUSTED"
                | "exceeded_current_quota_error" | "rate_limit_reached_error" | "3036" => RateLimited,
                "overloaded_error" | "engine_overloaded_error" | "server_overloaded" | "UNAVAILABLE" | "3040" => UpstreamOverloaded,
                "timeout" | "request_timeout" => UpstreamTimeout,
                _ => continue,
            };
            return Some(kind);
        }
        if self.filtered || self.mentions(&["content management policy", "content_filter", "flagged as potentially violating"]) {
            return Some(ContentFiltered);
        }
        if self.mentions(&[
            "maximum context length", "context length exceeded", "context window", "context size", "prompt is too long",
            "input is too long", "reduce the length of the", "exceeds the maximum number of tokens", "too many input tokens",
        ]) {
            return Some(ContextLengthExceeded);
        }
        if self.mentions(&["incorrect api key", "invalid api key", "api key not valid", "invalid token"]) {
            return Some(UpstreamUnauthenticated);
        }
        if self.mentions(&["model"]) && self.mentions(&["does not exist", "not found", "not a valid model", "invalid model"]) {
            return Some(ModelNotFound);
        }
        if self.mentions(&["overloaded", "currently at capacity"]) {
            return Some(UpstreamOverloaded);
        }
        match self.class.as_deref() {
            Some("invalid_request_error" | "BadRequestError" | "INVALID_ARGUMENT") => Some(InvalidRequest),
            _ => None,
        }
    }

    fn mentions(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_ascii_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    fn error(self, kind: ErrorKind, provider: &str) -> Error {
        let provider = if provider.is_empty() { "The provider" } else { provider };
        let said = shown(&self.message);
        let message = match kind {
            ErrorKind::UpstreamUnauthenticated => {
                format!("{provider} refused the gateway's credential. Ask the operator to check the key.")
            }
            _ if said.is_empty() => format!("{provider} failed without saying why."),
            _ => said.clone(),
        };
        let error = Error::new(kind, message).source(said);
        match self.param {
            Some(param) => error.param(param),
            None => error,
        }
    }
}

/// FastAPI's `detail`: text, or a list of `{"loc", "msg"}`.
fn details(detail: &Value) -> Option<String> {
    let one = |problem: &Value| {
        let message = problem.get("msg").or_else(|| problem.get("message"))?.as_str()?;
        let place = problem.get("loc").and_then(Value::as_array).into_iter().flatten();
        let place: Vec<_> = place.map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
        Some(if place.is_empty() { message.to_owned() } else { format!("{}: {message}", place.join(".")) })
    };
    match detail {
        Value::String(text) => Some(text.clone()),
        Value::Array(problems) => Some(problems.iter().take(8).filter_map(one).collect::<Vec<_>>().join("; ")),
        problem => one(problem),
    }
}

/// The provider's sentence as callers may see it: at most 1,000 characters, no credentials.
fn shown(message: &str) -> String {
    const MARKS: [&str; 12] = ["sk-", "sk_", "gsk_", "xai-", "AIza", "org-", "proj_", "pplx-", "nvapi-", "hf_", "r8_", "eyJ"];
    let secret = |word: &str| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        MARKS.iter().any(|mark| word.starts_with(mark) && word.len() > mark.len() + 4) || word.contains("***")
    };
    let end = message.char_indices().nth(1000).map_or(message.len(), |(end, _)| end);
    let mut bearer = false;
    let words = message[..end].split(' ').map(|word| {
        let hidden = std::mem::replace(&mut bearer, word.eq_ignore_ascii_case("bearer")) || secret(word);
        if hidden { "[hidden]" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// When to try again, from the headers.
fn retry_after(headers: &HeaderMap, kind: ErrorKind) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|value| value.parse::<f64>().ok());
    let after = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"));
    if let Some(after) = after.and_then(seconds) {
        return Some(after);
    }
    if kind != ErrorKind::RateLimited {
        return None;
    }
    // Wait for the limit that is used up; when none says so, for the nearest.
    let limits = ["requests", "tokens"].map(|limit| {
        let spent = number(&format!("x-ratelimit-remaining-{limit}")).is_some_and(|left| left <= 0.0);
        (spent, text(&format!("x-ratelimit-reset-{limit}")).and_then(duration))
    });
    let spent = limits.iter().filter(|(spent, _)| *spent).filter_map(|(_, reset)| *reset).max();
    spent.or_else(|| limits.iter().filter_map(|(_, reset)| *reset).min())
}

/// Seconds within a day; what is longer is a date or a mistake.
fn seconds(seconds: f64) -> Option<Duration> {
    (0.0..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// `1s`, `6m0s`, `1h2m3.5s`, `120ms`, or bare seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(bare) = text.parse() {
        return seconds(bare);
    }
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let value: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c == '.' || c.is_ascii_digit()).map_or(rest.len(), |length| digits + length);
        total += value
            * match &rest[digits..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    seconds(total)
}

/// The wait that OpenAI's sentence names: `Please try again in 1.2s.`
fn wait_in(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("try again in ")?;
    duration(rest.split_whitespace().next()?.trim_end_matches(['.', ',']))
}

/// The body of an error response.
pub(super) fn encode(error: &Error) -> Bytes {
    let mut body = Vec::with_capacity(256);
    write(error, &mut body);
    body.into()
}

/// The terminal frame of a stream. Nothing may follow it: SDKs raise on it.
pub(super) fn encode_frame(error: &Error) -> Vec<u8> {
    let mut frame = Vec::with_capacity(256);
    sse::open(&mut frame, "");
    write(error, &mut frame);
    sse::close(&mut frame);
    frame
}

fn write(error: &Error, out: &mut Vec<u8>) {
    let (class, code) = names(error);
    let mut body = Object::begin(out);
    let mut object = body.object("error");
    object.field("message", &error.message);
    object.field("type", class);
    object.field("param", &error.param);
    object.field("code", &code);
}

/// OpenAI's `type` and `code` of a kind.
#[rustfmt::skip]
fn names(error: &Error) -> (&'static str, Option<&'static str>) {
    use ErrorKind::*;
    let quota = error.upstream.as_ref().and_then(|upstream| upstream.raw_type.as_deref()) == Some("insufficient_quota");
    match error.kind {
        InvalidRequest          => ("invalid_request_error", None),
        Unsupported             => ("invalid_request_error", Some("unsupported_parameter")),
        Unauthenticated         => ("invalid_request_error", Some("invalid_api_key")),
        PermissionDenied        => ("invalid_request_error", Some("insufficient_permissions")),
        BudgetExceeded          => ("insufficient_quota",    Some("insufficient_quota")),
        NotFound                => ("invalid_request_error", Some("not_found")),
        ModelNotFound           => ("invalid_request_error", Some("model_not_found")),
        MethodNotAllowed        => ("invalid_request_error", Some("method_not_supported")),
        Conflict                => ("invalid_request_error", Some("conflict")),
        PayloadTooLarge         => ("invalid_request_error", Some("request_too_large")),
        UnsupportedMediaType    => ("invalid_request_error", Some("unsupported_content_type")),
        ContextLengthExceeded   => ("invalid_request_error", Some("context_length_exceeded")),
        ContentFiltered         => ("invalid_request_error", Some("content_filter")),
        RateLimited if quota    => ("insufficient_quota",    Some("insufficient_quota")),
        RateLimited             => ("rate_limit_error",      Some("rate_limit_exceeded")),
        Overloaded              => ("server_error",          Some("overloaded")),
        UpstreamUnauthenticated => ("authentication_error",  Some("upstream_unauthenticated")),
        UpstreamOverloaded      => ("server_error",          Some("upstream_overloaded")),
        UpstreamUnavailable     => ("server_error",          Some("upstream_unavailable")),
        UpstreamTimeout         => ("server_error",          Some("upstream_timeout")),
        UpstreamInvalid         => ("server_error",          Some("upstream_invalid")),
        Misconfigured           => ("server_error",          Some("misconfigured")),
        Internal                => ("server_error",          Some("internal_error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Error {
        let upstream = Upstream { provider: "openai".into(), status, body: Bytes::from(body.to_owned()), ..Upstream::default() };
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        decode(upstream, &headers)
    }

    #[test]
    fn openais_codes_name_the_kind() {
        let body = |code: &str| {
            format!(r#"{{"error":{{"message":"m","type":"invalid_request_error","param":"messages","code":"{code}"}}}}"#)
        };
        for (status, code, kind) in [
            (400, "context_length_exceeded", ErrorKind::ContextLengthExceeded),
            (400, "content_filter", ErrorKind::ContentFiltered),
            (400, "unsupported_value", ErrorKind::InvalidRequest),
            (401, "invalid_api_key", ErrorKind::UpstreamUnauthenticated),
            (403, "unsupported_country_region_territory", ErrorKind::UpstreamUnauthenticated),
            (404, "model_not_found", ErrorKind::ModelNotFound),
            (422, "anything", ErrorKind::InvalidRequest),
            (429, "rate_limit_exceeded", ErrorKind::RateLimited),
            (429, "insufficient_quota", ErrorKind::RateLimited),
            (500, "server_error", ErrorKind::UpstreamUnavailable),
            (503, "anything", ErrorKind::UpstreamOverloaded),
            (529, "anything", ErrorKind::UpstreamOverloaded),
            (504, "anything", ErrorKind::UpstreamTimeout),
        ] {
            let error = decoded(status, &body(code), &[]);
            assert_eq!(error.kind, kind, "{status} {code}");
            assert_eq!(error.upstream.as_ref().unwrap().raw_type.as_deref(), Some(code));
            assert_eq!(error.param.as_deref(), Some("messages"));
        }
    }

    #[test]
    fn compatible_providers_say_it_in_other_shapes() {
        for (status, body, kind, message) in [
            (400, r#"{"error":"model 'x' not found"}"#, ErrorKind::ModelNotFound, "model 'x' not found"),
            (400, r#"{"message":"bad","type":"invalid_request_error"}"#, ErrorKind::InvalidRequest, "bad"),
            (
                404,
                r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#,
                ErrorKind::ModelNotFound,
                "The model `x` does not exist.",
            ),
            (
                422,
                r#"{"detail":[{"loc":["body","messages",0],"msg":"field required"}]}"#,
                ErrorKind::InvalidRequest,
                "body.messages.0: field required",
            ),
            (
                401,
                r#"{"detail":"Unauthorized"}"#,
                ErrorKind::UpstreamUnauthenticated,
                "openai refused the gateway's credential. Ask the operator to check the key.",
            ),
            (429, r#"[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]"#, ErrorKind::RateLimited, "Quota"),
            (429, r#"{"success":false,"errors":[{"code":3040,"message":"Capacity"}]}"#, ErrorKind::RateLimited, "Capacity"),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens."}}"#,
                ErrorKind::ContextLengthExceeded,
                "This model's maximum context length is 8192 tokens.",
            ),
            (
                400,
                r#"{"error":{"code":"400","message":"API key not valid."}}"#,
                ErrorKind::UpstreamUnauthenticated,
                "openai refused the gateway's credential. Ask the operator to check the key.",
            ),
            (402, r#"{"error":{"message":"Insufficient Balance"}}"#, ErrorKind::RateLimited, "Insufficient Balance"),
            (
                400,
                r#"{"error":{"message":"The response was filtered","code":"x","innererror":{"content_filter_result":{}}}}"#,
                ErrorKind::ContentFiltered,
                "The response was filtered",
            ),
            (502, "<html>Bad gateway</html>", ErrorKind::UpstreamUnavailable, "openai failed without saying why."),
            (500, "upstream connect error", ErrorKind::UpstreamUnavailable, "upstream connect error"),
            (404, "", ErrorKind::UpstreamInvalid, "openai failed without saying why."),
            (
                413,
                r#"{"error":{"message":"Request too large on tokens per minute","type":"tokens","code":"rate_limit_exceeded"}}"#,
                ErrorKind::RateLimited,
                "Request too large on tokens per minute",
            ),
            (500, "\u{0}\u{1}[[[", ErrorKind::UpstreamUnavailable, "\u{0}\u{1}[[["),
        ] {
            let error = decoded(status, body, &[]);
            assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
        }
    }

    #[test]
    fn an_error_inside_a_stream_is_named_by_its_code() {
        for (error, kind) in [
            (r#"{"code":502,"message":"Provider disconnected"}"#, ErrorKind::UpstreamUnavailable),
            (r#"{"code":429,"message":"slow"}"#, ErrorKind::RateLimited),
            (r#"{"message":"The server had an error","type":"server_error"}"#, ErrorKind::UpstreamUnavailable),
            (r#"{"message":"Rate limit","type":"tokens","code":"rate_limit_exceeded"}"#, ErrorKind::RateLimited),
            (r#""text""#, ErrorKind::UpstreamUnavailable),
        ] {
            assert_eq!(decode_in_band(&serde_json::from_str(error).unwrap()).kind, kind, "{error}");
        }
    }

    #[test]
    fn the_wait_comes_from_headers_or_from_the_sentence() {
        let wait = |headers: &[(&'static str, &str)], message: &str| {
            decoded(429, &format!(r#"{{"error":{{"message":"{message}"}}}}"#), headers).retry_after
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(wait(&[("retry-after-ms", "1500"), ("retry-after", "2")], ""), ms(1500));
        assert_eq!(wait(&[("retry-after", "20")], ""), ms(20_000));
        let tokens = [("x-ratelimit-reset-tokens", "6m0s"), ("x-ratelimit-reset-requests", "120ms")];
        assert_eq!(wait(&tokens, ""), ms(120));
        let spent = [tokens[0], tokens[1], ("x-ratelimit-remaining-tokens", "0")];
        assert_eq!(wait(&spent, ""), ms(360_000));
        assert_eq!(wait(&[], "Please try again in 1.5s. Visit"), ms(1500));
        assert_eq!(wait(&[("retry-after", "1789000000"), ("x-ratelimit-reset-requests", "x")], ""), None);
        assert_eq!(duration("1h2m3.5s"), ms(3_723_500));
        assert_eq!(duration("9999999999999s"), None);
    }

    #[test]
    fn a_caller_never_reads_a_credential() {
        let error = decoded(401, r#"{"error":{"message":"Incorrect API key provided: sk-proj-abcdefgh123."}}"#, &[]);
        assert!(!error.message.contains("sk-"), "{}", error.message);
        assert!(!error.source.unwrap().contains("abcdefgh"));
        let error = decoded(
            429,
            r#"{"error":{"message":"Rate limit reached in organization org-abcdefgh1 on tokens. Bearer xyz"}}"#,
            &[],
        );
        assert_eq!(error.message, "Rate limit reached in organization [hidden] on tokens. Bearer [hidden]");
        assert!(decoded(400, &format!(r#"{{"error":"{}"}}"#, "ä".repeat(5000)), &[]).message.chars().count() <= 1000);
    }

    #[test]
    fn an_exhausted_quota_keeps_its_code() {
        let error = decoded(
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            &[],
        );
        assert_eq!(
            encode(&error),
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#
        );
    }
}
