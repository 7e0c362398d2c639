//! What a provider says when it does not answer, made fit for a caller and a log.
//!
//! | what a provider may do | what becomes of it |
//! |---|---|
//! | an error in JSON | understood by its dialect; passes unchanged to a caller of that dialect |
//! | a page, plain text, a compressed body | judged by its status; the gateway's own sentence takes its place |
//! | a body without end, or above [`MAX_BODY`] | left out; the status still speaks |
//! | a redirect | never followed |
//! | the gateway's own key, quoted | taken out, or the whole body with it |
//! | a wait of years | a day |
//! | an error under a success status | an error all the same |

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::reply;
use crate::body::Body;
use crate::dialect::DialectId;
use crate::error::{Error, ErrorKind, Upstream};

/// Most bytes of an error's body that are kept.
const MAX_BODY: usize = 64 << 10;

/// Longest wait that a provider can ask of a caller.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a rejection and lets its dialect understand it.
pub(super) async fn read(provider: &str, dialect: DialectId, response: Response<Body>) -> Error {
    let (parts, body) = response.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if parts.status.is_redirection() {
        let location = header("location").unwrap_or_default();
        let place = location.split(['?', '#']).next().unwrap_or_default();
        let message = format!("Provider `{provider}` answered with a redirect, which is never followed.");
        return Error::new(ErrorKind::UpstreamInvalid, message).source(format_args!("{} to {place}", parts.status));
    }
    let body = match coding(&parts.headers) {
        None => body.collect(MAX_BODY).await.unwrap_or_default(),
        Some(_) => Bytes::new(),
    };
    let upstream = upstream(provider, dialect, parts.status.as_u16(), &parts.headers, body);
    understood(dialect, upstream, &parts.headers)
}

/// The error that a JSON text states under a success status, as some providers and proxies do: an
/// `error` and nothing of an answer. `None` when it states none; `Err` when it is no JSON.
pub(super) fn stated(
    provider: &str,
    dialect: DialectId,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Option<Error>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Code {
        code: Option<u16>,
    }
    #[derive(Deserialize)]
    struct Outside {
        error: Option<IgnoredAny>,
        choices: Option<IgnoredAny>,
        content: Option<IgnoredAny>,
        candidates: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Coded {
        error: Code,
    }
    if body.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice::<IgnoredAny>(body).map(|_| None);
    }
    let Outside { error, choices, content, candidates } = serde_json::from_slice(body)?;
    if error.is_none() || choices.is_some() || content.is_some() || candidates.is_some() {
        return Ok(None);
    }
    let code = serde_json::from_slice::<Coded>(body).ok().and_then(|coded| coded.error.code);
    let status = code.filter(|code| (400..600).contains(code)).unwrap_or(0);
    let kept = if body.len() <= MAX_BODY { body.clone() } else { Bytes::new() };
    Ok(Some(understood(dialect, upstream(provider, dialect, status, headers, kept), headers)))
}

/// The content coding of a body, if it has one: none was asked for, so nothing here could undo it.
pub(super) fn coding(headers: &HeaderMap) -> Option<String> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = codings.map(|coding| String::from_utf8_lossy(coding.as_bytes()).trim().to_ascii_lowercase());
    codings.find(|coding| !coding.is_empty() && coding != "identity").map(|coding| coding.chars().take(40).collect())
}

fn upstream(provider: &str, dialect: DialectId, status: u16, headers: &HeaderMap, body: Bytes) -> Upstream {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Upstream {
        provider: provider.to_owned(),
        status,
        raw_type: None,
        request_id: header(dialect.codec().request_id_header()).or_else(|| header("x-request-id")),
        dialect: Some(dialect),
        headers: reply::passing(headers, dialect),
        content_type: header("content-type"),
        body,
    }
}

fn understood(dialect: DialectId, upstream: Upstream, headers: &HeaderMap) -> Error {
    let json = serde_json::from_slice::<IgnoredAny>(&upstream.body).is_ok();
    let mut error = dialect.codec().decode_error(upstream, headers);
    error.retry_after = error.retry_after.map(|wait| wait.min(LONGEST_WAIT));
    if let Some(upstream) = error.upstream.as_mut().filter(|_| !json) {
        upstream.body = Bytes::new();
    }
    error
}

/// Takes the gateway's own key out of what a provider said: some quote it when they refuse it. A body
/// that holds it is not passed on; the gateway's own sentence takes its place.
pub(super) fn without_key(mut error: Error, key: &str) -> Error {
    if key.is_empty() {
        return error;
    }
    let hide = |text: &mut String| {
        if text.contains(key) {
            *text = text.replace(key, "[key]");
        }
    };
    hide(&mut error.message);
    [&mut error.source, &mut error.param].into_iter().flatten().for_each(hide);
    if let Some(upstream) = &mut error.upstream {
        let holds = |bytes: &[u8]| memchr::memmem::find(bytes, key.as_bytes()).is_some();
        if holds(&upstream.body) {
            upstream.body = Bytes::new();
        }
        if upstream.headers.values().any(|value| holds(value.as_bytes())) {
            upstream.headers.clear();
        }
        [&mut upstream.raw_type, &mut upstream.request_id].into_iter().flatten().for_each(hide);
    }
    error
}

/// Names the provider in a failure of the transport.
pub(super) fn unreachable(provider: &str, mut error: Error) -> Error {
    if error.upstream.is_none() {
        error.message = match error.kind {
            ErrorKind::UpstreamTimeout => {
                format!("Provider `{provider}` did not answer in time. Try again, or raise its timeouts.")
            }
            ErrorKind::UpstreamUnavailable => format!("Provider `{provider}` cannot be reached. Try again in a moment."),
            _ => error.message,
        };
        error.upstream = Some(Box::new(Upstream { provider: provider.to_owned(), ..Upstream::default() }));
    }
    error
}
