//! Objects in R2. What is larger than a part goes up in parts and appears when the last one is there.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{BlobStore, Clock};
use futures_util::{StreamExt, stream};
use worker::js_sys::{Array, Uint8Array};
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::prelude::*;

use super::{RuntimeClock, away, micros, passed};
use crate::inbound;

/// Bytes of a part. All but the last are of this size, as R2 wants them; it takes none below 5 MiB.
const PART: usize = 5 << 20;
/// Most parts of an object.
const MOST_PARTS: u32 = 10_000;
/// Most pages of objects that one round of housekeeping looks through.
const PAGES_A_ROUND: usize = 20;

#[wasm_bindgen(module = "/src/js/stores.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = blobFetch)]
    async fn blob_fetch(bucket: &JsValue, key: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobPut)]
    async fn blob_put(bucket: &JsValue, key: &str, bytes: Uint8Array, expires: JsValue) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobBegin)]
    async fn blob_begin(bucket: &JsValue, key: &str, expires: JsValue) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobPart)]
    async fn blob_part(upload: &JsValue, number: u32, bytes: Uint8Array) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobComplete)]
    async fn blob_complete(upload: &JsValue, parts: Array) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobAbort)]
    async fn blob_abort(upload: &JsValue) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobDelete)]
    async fn blob_delete(bucket: &JsValue, key: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = blobPurge)]
    async fn blob_purge(bucket: &JsValue, cursor: JsValue, now: JsValue) -> std::result::Result<JsValue, JsValue>;
}

/// A bucket of R2.
#[derive(Clone)]
pub(crate) struct Blobs(SendWrapper<JsValue>);

impl Blobs {
    /// Over a bucket's binding.
    pub(crate) fn new(binding: JsValue) -> Self {
        Self(SendWrapper(binding))
    }

    /// Removes what has expired, a bounded number of objects a round.
    pub(crate) async fn purge(&self) -> Result<()> {
        let mut cursor = JsValue::UNDEFINED;
        for _ in 0..PAGES_A_ROUND {
            cursor = blob_purge(&self.0, cursor, micros(Some(RuntimeClock.now()))).await.map_err(failed)?;
            if cursor.is_undefined() {
                break;
            }
        }
        Ok(())
    }

    async fn store(&self, key: &str, body: Body, expires: JsValue) -> Result<()> {
        let mut pieces = match body {
            Body::Empty => stream::empty().boxed(),
            Body::Full(bytes) => stream::once(std::future::ready(Ok(bytes))).boxed(),
            Body::Stream(stream) => stream,
        };
        let mut held = BytesMut::new();
        let first = part(&mut pieces, &mut held).await?;
        if first.len() < PART {
            return blob_put(&self.0, key, array(&first), expires).await.map(drop).map_err(failed);
        }
        let upload = blob_begin(&self.0, key, expires).await.map_err(failed)?;
        let stored = async {
            let parts = Array::new();
            let mut next = first;
            for number in 1.. {
                if number > MOST_PARTS {
                    return Err(Error::new(ErrorKind::PayloadTooLarge, "The object is too large to be stored."));
                }
                let last = next.len() < PART;
                if !next.is_empty() {
                    parts.push(&blob_part(&upload, number, array(&next)).await.map_err(failed)?);
                }
                if last {
                    break;
                }
                next = part(&mut pieces, &mut held).await?;
            }
            blob_complete(&upload, parts).await.map(drop).map_err(failed)
        };
        let stored = stored.await;
        if stored.is_err() {
            // What was begun is never seen; R2 drops it within a week if this fails too.
            let _ = blob_abort(&upload).await;
        }
        stored
    }
}

/// The next [`PART`] bytes, fewer at the end.
async fn part(pieces: &mut edgeway_core::body::BodyStream, held: &mut BytesMut) -> Result<Bytes> {
    while held.len() < PART {
        let Some(piece) = pieces.next().await.transpose()? else { break };
        held.extend_from_slice(&piece);
    }
    Ok(held.split_to(held.len().min(PART)).freeze())
}

fn array(bytes: &Bytes) -> Uint8Array {
    Uint8Array::from(&bytes[..])
}

fn failed(error: JsValue) -> Error {
    away("R2", &error)
}

#[async_trait]
impl BlobStore for Blobs {
    async fn fetch(&self, key: &str) -> Result<Option<Body>> {
        SendFuture::new(async {
            let found = blob_fetch(&self.0, key).await.map_err(failed)?;
            if found.is_null() {
                return Ok(None);
            }
            let found = Array::from(&found);
            let gone = passed(&found.get(1), RuntimeClock.now());
            Ok((!gone).then(|| Body::stream(inbound::pieces(found.get(0)).map(|piece| piece.map_err(failed)))))
        })
        .await
    }

    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()> {
        let expires = micros(ttl.map(|ttl| RuntimeClock.now().plus(ttl)));
        SendFuture::new(self.store(key, body, expires)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        SendFuture::new(async { blob_delete(&self.0, key).await.map(drop).map_err(failed) }).await
    }
}
