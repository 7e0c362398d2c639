//! A caller's request, as core takes it.

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::Inbound;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use worker::js_sys::Uint8Array;
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::prelude::*;
use worker::worker_sys::web_sys;

use crate::ports::words;

/// A body that says to be at most this long is read in one piece, which costs one turn of the event loop instead of many.
const ONE_PIECE: usize = 1 << 20;

#[wasm_bindgen(module = "/src/js/message.js")]
extern "C" {
    fn head(request: &web_sys::Request) -> String;
    #[wasm_bindgen(catch)]
    async fn whole(request: &web_sys::Request) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    fn reader(request: &web_sys::Request) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn next(reader: &JsValue) -> std::result::Result<JsValue, JsValue>;
    async fn gone(request: &web_sys::Request) -> JsValue;
}

/// The request, its body still to be read.
pub(crate) fn read(raw: &web_sys::Request) -> Result<Inbound> {
    let head = head(raw);
    let mut lines = head.split('\n');
    let (method, url) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut request = Request::new(Body::Empty);
    let malformed = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::InvalidRequest, "The request's address or method is malformed.").source(error)
    };
    *request.method_mut() = method.parse().map_err(|error| malformed(&error))?;
    *request.uri_mut() = url.parse().map_err(|error| malformed(&error))?;
    fields(lines, request.headers_mut());
    *request.body_mut() = body(raw, request.headers());
    // Set by the platform on every request; what a caller writes there is replaced.
    let peer = request.headers().get("cf-connecting-ip").and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(Inbound { request, peer })
}

/// Lines of names and values as header fields. What is none is left out.
pub(crate) fn fields<'a>(mut lines: impl Iterator<Item = &'a str>, headers: &mut HeaderMap) {
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
}

fn body(raw: &web_sys::Request, headers: &HeaderMap) -> Body {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match declared {
        Some(0) => Body::Empty,
        Some(length) if length <= ONE_PIECE => {
            let raw = SendWrapper(Clone::clone(raw));
            Body::stream(stream::once(SendFuture::new(async move { whole(&raw.0).await.map(bytes).map_err(broken_off) })))
        }
        _ => match reader(raw) {
            Ok(reader) if reader.is_undefined() => Body::Empty,
            Ok(reader) => Body::stream(pieces(reader).map(|piece| piece.map_err(broken_off))),
            Err(error) => Body::stream(stream::once(std::future::ready(Err(broken_off(error))))),
        },
    }
}

/// What a reader of a stream gives, piece by piece.
pub(crate) fn pieces(reader: JsValue) -> impl Stream<Item = std::result::Result<Bytes, JsValue>> + Send {
    stream::try_unfold(SendWrapper(reader), |reader| {
        SendFuture::new(async move {
            let piece = next(&reader.0).await?;
            Ok((!piece.is_undefined()).then(|| (bytes(piece), reader)))
        })
    })
}

/// The bytes of an array in JavaScript's memory.
pub(crate) fn bytes(array: JsValue) -> Bytes {
    Uint8Array::from(array).to_vec().into()
}

fn broken_off(error: JsValue) -> Error {
    Error::new(ErrorKind::InvalidRequest, "The request's body broke off.").source(words(&error))
}

/// Resolves when the caller goes away. Needs the compatibility flag `enable_request_signal`.
pub(crate) async fn caller_gone(raw: &web_sys::Request) {
    gone(raw).await;
}
