//! What core asks of a platform, out of what Workers offer.

mod blobs;
mod cells;
mod clock;
mod entropy;
mod events;
mod http;
mod kv;
mod secrets;

use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::Timestamp;
use worker::wasm_bindgen::{JsCast, JsValue};

pub(crate) use blobs::Blobs;
pub(crate) use cells::{Cells, fail};
pub(crate) use clock::RuntimeClock;
pub(crate) use entropy::RuntimeEntropy;
pub(crate) use events::Records;
pub(crate) use http::Fetch;
pub(crate) use kv::Kv;
pub(crate) use secrets::Secrets;

/// A store that did not do what it was asked.
fn away(what: &str, error: &JsValue) -> Error {
    Error::new(ErrorKind::Overloaded, "A store of the gateway is not available. Try again in a moment.")
        .source(format_args!("{what}: {}", words(error)))
}

/// What was thrown, in its own words, without the stack.
pub(crate) fn words(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<worker::js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => thrown.as_string().unwrap_or_else(|| format!("{thrown:?}")),
    }
}

/// A moment as JavaScript's numbers hold it exactly until the year 2255; undefined for none.
fn micros(moment: Option<Timestamp>) -> JsValue {
    moment.map_or(JsValue::UNDEFINED, |moment| (moment.0 as f64).into())
}

/// Whether a stored expiry has passed.
fn passed(expires: &JsValue, now: Timestamp) -> bool {
    expires.as_f64().is_some_and(|expires| expires <= now.0 as f64)
}
