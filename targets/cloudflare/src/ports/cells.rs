//! Cells in Durable Objects: one object a cell, which runs the step itself (`cell_object`).
//!
//! A step's own failure travels as its kind and words, so a caller of `command` cannot tell where the step ran.

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{CellStep, CellStore};
use worker::js_sys::{Array, Uint8Array};
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::prelude::*;

use super::away;
use crate::inbound::bytes;

#[wasm_bindgen(module = "/src/js/stores.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = cellCommand)]
    async fn cell_command(
        objects: &JsValue,
        name: &str,
        step: &str,
        command: Uint8Array,
    ) -> std::result::Result<JsValue, JsValue>;
}

/// A namespace of Durable Objects.
pub(crate) struct Cells(SendWrapper<JsValue>);

impl Cells {
    /// Over a namespace's binding.
    pub(crate) fn new(binding: JsValue) -> Self {
        Self(SendWrapper(binding))
    }
}

#[async_trait]
impl CellStore for Cells {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        SendFuture::new(async {
            let answer = cell_command(&self.0, name, step.name(), Uint8Array::from(&command[..])).await;
            let answer = Array::from(&answer.map_err(|error| away("a cell's Durable Object", &error))?);
            let reply = bytes(answer.get(1));
            if answer.get(0) == 200 { Ok(reply) } else { Err(failure(&reply)) }
        })
        .await
    }
}

/// A step's failure on its way out of the object.
pub(crate) fn fail(error: &Error) -> String {
    serde_json::json!({"kind": error.kind.name(), "message": error.message, "param": error.param, "source": error.source})
        .to_string()
}

/// The same, where it arrives.
fn failure(reply: &[u8]) -> Error {
    let said: serde_json::Value = serde_json::from_slice(reply).unwrap_or_default();
    let text = |name: &str| said[name].as_str().map(str::to_owned);
    let kind = ErrorKind::ALL.into_iter().find(|kind| Some(kind.name()) == said["kind"].as_str());
    let message = text("message").unwrap_or_else(|| "A store of the gateway has failed.".to_owned());
    let mut error = Error::new(kind.unwrap_or(ErrorKind::Internal), message);
    error.param = text("param");
    error.source = text("source").or_else(|| kind.is_none().then(|| String::from_utf8_lossy(reply).into_owned()));
    error
}
