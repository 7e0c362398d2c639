//! Header fields, methods and bodies between the component model and core.
//!
//! Invariant: fields that belong to one connection never cross, in either direction: Spin refuses a response that has one.

use std::future::{Future, IntoFuture};

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, Result};
use http::{HeaderMap, HeaderName, HeaderValue};
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Trailers};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult};

use crate::local::Local;

/// How a message's body ends.
pub(crate) type End = Result<Option<Trailers>, ErrorCode>;

/// Most bytes of one read of a body.
const READ: usize = 16 * 1024;

/// Fields of one connection (RFC 9110, section 7.6.1), and those that Spin writes itself.
const OF_THE_CONNECTION: [&str; 10] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The fields of a message that came in. What is no field by HTTP's grammar is left out.
pub(crate) fn headers(fields: &Fields) -> HeaderMap {
    let fields = fields.copy_all();
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_maybe_shared(Bytes::from(value))) {
            headers.append(name, value);
        }
    }
    headers
}

/// The fields of a message that goes out, without those of the connection; `length` replaces any `content-length`.
pub(crate) fn fields(headers: &HeaderMap, length: Option<usize>) -> Result<Fields, String> {
    let mut entries = Vec::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        if !OF_THE_CONNECTION.contains(&name.as_str()) && (length.is_none() || name != http::header::CONTENT_LENGTH) {
            entries.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
        }
    }
    if let Some(length) = length {
        entries.push((http::header::CONTENT_LENGTH.as_str().to_owned(), length.to_string().into_bytes()));
    }
    Fields::from_list(&entries).map_err(|error| format!("{error:?}"))
}

/// A body as it arrives. `chunk` bounds the wait for each piece; `broken` says what an early end means.
pub(crate) fn body<W>(stream: StreamReader<u8>, end: FutureReader<End>, watch: W) -> Body
where
    W: Watch + 'static,
{
    let state = Some((stream, end, watch));
    Body::stream(Local::stream(futures_util::stream::unfold(state, |state| async move {
        let (mut stream, end, mut watch) = state?;
        loop {
            let read = watch.bound(stream.read(Vec::with_capacity(READ))).await;
            let (result, piece) = match read {
                Ok(read) => read,
                Err(error) => return Some((Err(error), None)),
            };
            if !piece.is_empty() {
                let piece = Bytes::from(piece);
                return match watch.pass(&piece) {
                    Ok(()) => Some((Ok(piece), Some((stream, end, watch)))),
                    Err(error) => Some((Err(error), None)),
                };
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        drop(stream);
        let ended = match watch.bound(end.into_future()).await {
            Ok(Ok(_trailers)) => watch.over(),
            Ok(Err(code)) => Err(watch.broken(&code)),
            Err(error) => Err(error),
        };
        ended.err().map(|error| (Err(error), None))
    })))
}

/// What is expected of a body that arrives.
pub(crate) trait Watch {
    /// Runs a wait for the body within its time budget.
    fn bound<F: Future>(&mut self, wait: F) -> impl Future<Output = Result<F::Output>>;
    /// Sees a piece.
    fn pass(&mut self, piece: &Bytes) -> Result<()>;
    /// Sees the proper end.
    fn over(&mut self) -> Result<()>;
    /// What it means that the body broke off.
    fn broken(&mut self, code: &ErrorCode) -> Error;
}
