//! Workers KV.
//!
//! Its own times to live are a minute or more, so the exact expiry stands beside the value, and a value past it is
//! never returned. Reads elsewhere may be up to a minute behind writes; nothing is counted here.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{Clock, KvEntry, KvPage, KvStore};
use worker::js_sys::{Array, Uint8Array};
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::prelude::*;

use super::{RuntimeClock, away, micros, passed};
use crate::inbound::bytes;

const LONGEST_KEY: usize = 512;
const LARGEST_VALUE: usize = 1 << 20;
/// Seconds: the shortest time to live that Workers KV takes.
const SHORTEST_TTL: u64 = 60;
/// Most keys that Workers KV lists at once.
const LONGEST_PAGE: usize = 1000;

#[wasm_bindgen(module = "/src/js/stores.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = kvFetch)]
    async fn kv_fetch(kv: &JsValue, key: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = kvPut)]
    async fn kv_put(
        kv: &JsValue,
        key: &str,
        value: Uint8Array,
        expires: JsValue,
        ttl: f64,
    ) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = kvDelete)]
    async fn kv_delete(kv: &JsValue, key: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = kvList)]
    async fn kv_list(kv: &JsValue, prefix: &str, cursor: Option<&str>, limit: u32) -> std::result::Result<JsValue, JsValue>;
}

/// A namespace of Workers KV.
pub(crate) struct Kv(SendWrapper<JsValue>);

impl Kv {
    /// Over a namespace's binding.
    pub(crate) fn new(binding: JsValue) -> Self {
        Self(SendWrapper(binding))
    }
}

fn failed(error: JsValue) -> Error {
    away("Workers KV", &error)
}

fn check(key: &str) -> Result<()> {
    // Workers KV keeps these two for itself.
    if key.is_empty() || key.len() > LONGEST_KEY || key == "." || key == ".." {
        return Err(Error::new(
            ErrorKind::InvalidRequest,
            format!("A key is 1 to {LONGEST_KEY} bytes, and neither `.` nor `..`."),
        ));
    }
    Ok(())
}

#[async_trait]
impl KvStore for Kv {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        check(key)?;
        SendFuture::new(async {
            let found = kv_fetch(&self.0, key).await.map_err(failed)?;
            if found.is_null() {
                return Ok(None);
            }
            let found = Array::from(&found);
            let gone = passed(&found.get(1), RuntimeClock.now());
            Ok((!gone).then(|| KvEntry { value: bytes(found.get(0)) }))
        })
        .await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        check(key)?;
        if value.len() > LARGEST_VALUE {
            return Err(Error::new(ErrorKind::PayloadTooLarge, format!("A value is at most {LARGEST_VALUE} bytes.")));
        }
        let expires = micros(ttl.map(|ttl| RuntimeClock.now().plus(ttl)));
        let kept = ttl.map_or(0, |ttl| ttl.as_secs().saturating_add(1).max(SHORTEST_TTL));
        SendFuture::new(async {
            kv_put(&self.0, key, Uint8Array::from(&value[..]), expires, kept as f64).await.map(drop).map_err(failed)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check(key)?;
        SendFuture::new(async { kv_delete(&self.0, key).await.map(drop).map_err(failed) }).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        let limit = limit.clamp(1, LONGEST_PAGE) as u32;
        SendFuture::new(async {
            let found = Array::from(&kv_list(&self.0, prefix, cursor, limit).await.map_err(failed)?);
            let now = RuntimeClock.now();
            let pairs = (1..found.length()).step_by(2).filter(|at| !passed(&found.get(at + 1), now));
            Ok(KvPage { keys: pairs.filter_map(|at| found.get(at).as_string()).collect(), cursor: found.get(0).as_string() })
        })
        .await
    }
}
