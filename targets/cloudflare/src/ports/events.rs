//! Records: one JSON line each in the log, and whatever sinks the deployment is bound to besides.
//!
//! The log line is written whatever becomes of the others. A queue takes the same line; the Analytics Engine takes
//! what can be asked of it: who, what, how it ended, how long it took and how many tokens.

use async_trait::async_trait;
use edgeway_core::error::{Error, Result};
use edgeway_core::exchange::Record;
use edgeway_core::ports::{Event, EventSink};
use edgeway_core::usage::line;
use worker::js_sys::Array;
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::prelude::*;

use super::away;

#[wasm_bindgen(module = "/src/js/stores.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = queueSend)]
    async fn queue_send(queue: &JsValue, line: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = datasetWrite)]
    fn dataset_write(dataset: &JsValue, index: &str, blobs: Array, doubles: Array) -> std::result::Result<(), JsValue>;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn log(line: &str);
}

/// Where records go.
pub(crate) struct Records {
    queue: Option<SendWrapper<JsValue>>,
    dataset: Option<SendWrapper<JsValue>>,
}

impl Records {
    /// The log, and those of these that there are.
    pub(crate) fn new(queue: Option<JsValue>, dataset: Option<JsValue>) -> Self {
        Self { queue: queue.map(SendWrapper), dataset: dataset.map(SendWrapper) }
    }
}

#[async_trait]
impl EventSink for Records {
    async fn append(&self, event: Event) -> Result<()> {
        let mut line = Vec::with_capacity(512);
        line::event(&mut line, &event);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        log(line);
        SendFuture::new(async {
            if let (Some(dataset), Event::Request(record)) = (&self.dataset, &event) {
                write(dataset, record).map_err(|error| away("the Analytics Engine", &error))?;
            }
            match &self.queue {
                Some(queue) => queue_send(queue, line).await.map(drop).map_err(|error| away("the queue of events", &error)),
                None => Ok::<_, Error>(()),
            }
        })
        .await
    }
}

/// One data point: `index1` is the caller, `blob1`.. and `double1`.. are as `docs/deploy-cloudflare.md` lists them.
fn write(dataset: &JsValue, record: &Record) -> std::result::Result<(), JsValue> {
    let caller = record.caller.as_deref().unwrap_or("");
    let outcome = record.outcome.map_or("", |outcome| outcome.name());
    let texts = [
        record.id.as_str(),
        record.operation,
        record.dialect,
        record.route.as_deref().unwrap_or(""),
        record.provider.as_deref().unwrap_or(""),
        record.upstream_model.as_deref().unwrap_or(""),
        outcome,
        record.error.unwrap_or(""),
    ];
    let usage = record.usage.unwrap_or_default();
    let numbers = [
        f64::from(record.status),
        record.elapsed.as_secs_f64() * 1e3,
        record.first_byte.map_or(0.0, |time| time.as_secs_f64() * 1e3),
        usage.input as f64,
        usage.cache_read as f64,
        usage.output_total() as f64,
        f64::from(record.attempts),
    ];
    let blobs = texts.into_iter().map(JsValue::from).collect();
    // An index is at most 96 bytes.
    let index: String = caller.chars().take(24).collect();
    dataset_write(dataset, &index, blobs, numbers.into_iter().map(JsValue::from).collect())
}
