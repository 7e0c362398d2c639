//! Outbound HTTP: the runtime's fetch, held to the port's contract.
//!
//! | contract | how |
//! |---|---|
//! | resolves at the head, body pulled | a reader of the response's stream; a short body of known length in one piece |
//! | no redirects, no cache | `redirect: manual`; answers to GET are not cached, others never are |
//! | four time limits | one timer an exchange (`js/exchange.js`); fetch shows no connection, so connecting and the first byte share their limits' sum |
//! | dropped means closed | an `AbortController`, and the reader is cancelled |
//! | addresses | by their text (`guard::host`): a Worker resolves no names |
//!
//! The platform adds headers of its own (`cf-*`, `x-forwarded-*` of the Worker, not the caller's) and undoes a content
//! coding that a provider chose unasked.

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{HttpClient, Network, Outbound, guard};
use futures_util::stream;
use http::{HeaderMap, Method, Response, header};
use worker::js_sys::Uint8Array;
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::prelude::*;

use super::words;
use crate::inbound::{self, bytes};
use crate::live::Live;
use crate::outbound;

/// A body that says to be at most this long counts as one chunk: it is read in one piece, within the idle time.
const ONE_PIECE: usize = 64 << 10;

#[wasm_bindgen(module = "/src/js/exchange.js")]
extern "C" {
    type Exchange;
    #[wasm_bindgen(constructor)]
    fn new(head: f64, idle: f64, total: f64) -> Exchange;
    #[wasm_bindgen(method, catch)]
    async fn send(
        this: &Exchange,
        url: &str,
        method: &str,
        fields: &str,
        body: JsValue,
        uncached: bool,
    ) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn whole(this: &Exchange) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn read(this: &Exchange) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn cancel(this: &Exchange);
}

/// The runtime's fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetch;

#[async_trait]
impl HttpClient for Fetch {
    async fn send(&self, outbound: Outbound) -> Result<Response<Body>> {
        if outbound.network == Network::Public {
            check(outbound.request.uri().host().unwrap_or(""))?;
        }
        SendFuture::new(exchange(outbound)).await
    }
}

fn check(host: &str) -> Result<()> {
    match guard::host::refusal(host) {
        None => Ok(()),
        Some(why) => Err(Error::new(ErrorKind::UpstreamUnavailable, "The provider cannot be reached.")
            .source(format_args!("connect: {host} is refused: {why}"))),
    }
}

/// Closes its exchange when dropped before the end.
struct Open(Option<SendWrapper<Exchange>>);

impl Open {
    fn exchange(&self) -> &Exchange {
        &self.0.as_ref().expect("it is taken at the end").0
    }

    fn over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(exchange) = self.0.take() {
            exchange.cancel();
        }
    }
}

async fn exchange(outbound: Outbound) -> Result<Response<Body>> {
    let Outbound { request, timeouts, .. } = outbound;
    let (parts, body) = request.into_parts();
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let head = milliseconds(timeouts.connect.saturating_add(timeouts.first_byte));
    let open = Open(Some(SendWrapper(Exchange::new(head, milliseconds(timeouts.idle), milliseconds(timeouts.total)))));
    let body = match body {
        Body::Empty => JsValue::NULL,
        Body::Full(bytes) => Uint8Array::from(&bytes[..]).into(),
        Body::Stream(stream) => outbound::pulled(&Live::sending(stream)),
    };
    let url = parts.uri.to_string();
    let uncached = parts.method == Method::GET;
    let answer = open.exchange().send(&url, parts.method.as_str(), &outbound::fields(&parts.headers), body, uncached).await;
    let answer = answer.map_err(failed)?.as_string().unwrap_or_default();
    let mut lines = answer.split('\n');
    let status = lines.next().and_then(|status| status.parse::<http::StatusCode>().ok());
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status.ok_or_else(|| failed("lost no status".into()))?;
    inbound::fields(lines, response.headers_mut());
    *response.body_mut() = read(open, declared(response.headers()));
    Ok(response)
}

/// The length that the body says to have, as it arrives here. A body in a content coding arrives longer.
fn declared(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH).filter(|_| !headers.contains_key(header::CONTENT_ENCODING))?;
    length.to_str().ok()?.parse().ok()
}

fn read(open: Open, declared: Option<usize>) -> Body {
    if declared.is_some_and(|length| length <= ONE_PIECE) {
        return Body::stream(stream::once(SendFuture::new(whole(open))));
    }
    Body::stream(stream::unfold(Some(open), |open| SendFuture::new(next(open))))
}

async fn whole(mut open: Open) -> Result<Bytes> {
    let read = open.exchange().whole().await;
    open.over();
    read.map(bytes).map_err(failed)
}

async fn next(open: Option<Open>) -> Option<(Result<Bytes>, Option<Open>)> {
    let mut open = open?;
    match open.exchange().read().await {
        Ok(piece) if piece.is_undefined() => {
            open.over();
            None
        }
        Ok(piece) => Some((Ok(bytes(piece)), Some(open))),
        Err(error) => {
            open.over();
            Some((Err(failed(error)), None))
        }
    }
}

/// What `js/exchange.js` throws.
fn failed(error: JsValue) -> Error {
    let said = words(&error);
    match said.split_once(' ') {
        Some(("late", phase)) => Error::new(ErrorKind::UpstreamTimeout, "The provider did not answer in time.")
            .source(format_args!("the limit `{phase}` has passed")),
        _ => Error::new(ErrorKind::UpstreamUnavailable, "The connection to the provider was lost.")
            .source(said.strip_prefix("lost ").unwrap_or(&said)),
    }
}
