//! Core's answer, as the runtime takes it.
//!
//! A whole body goes out in one piece with its length; a stream is pulled by whoever reads it, so nothing gathers here.

use std::fmt::Write as _;

use edgeway_core::Body;
use http::{HeaderMap, Response};
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::prelude::*;
use worker::worker_sys::web_sys;

use crate::live::Live;

#[wasm_bindgen(module = "/src/js/message.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn respond(status: u16, fields: &str, body: &JsValue) -> Result<web_sys::Response, JsValue>;
    fn streamed(source: Pieces) -> JsValue;
}

/// A streamed body, as the runtime pulls it.
#[wasm_bindgen]
pub struct Pieces(Live);

#[wasm_bindgen]
impl Pieces {
    /// The next piece; undefined at the end.
    pub async fn next(&self) -> Result<JsValue, JsValue> {
        match self.0.next().await {
            Some(Ok(piece)) => Ok(Uint8Array::from(&piece[..]).into()),
            Some(Err(error)) => Err(JsError::new(&error.message).into()),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// Nobody reads on.
    pub fn cancel(&self) {
        self.0.end();
    }
}

/// Turns an answer into the runtime's own.
pub(crate) fn write(response: Response<Body>, live: &Live) -> Result<web_sys::Response, JsValue> {
    let (parts, body) = response.into_parts();
    let body = match body {
        Body::Empty => JsValue::NULL,
        Body::Full(bytes) => Uint8Array::from(&bytes[..]).into(),
        Body::Stream(stream) => {
            live.send(stream);
            pulled(live)
        }
    };
    respond(parts.status.as_u16(), &fields(&parts.headers), &body)
}

/// The stream that `live` sends, as the runtime pulls it.
pub(crate) fn pulled(live: &Live) -> JsValue {
    streamed(Pieces(live.clone()))
}

/// Header fields as lines of names and values.
pub(crate) fn fields(headers: &HeaderMap) -> String {
    let mut lines = String::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        let _ = writeln!(lines, "{name}\n{}", String::from_utf8_lossy(value.as_bytes()));
    }
    lines
}
