//! The contract of [`BlobStore`].

use bytes::Bytes;
use futures_util::stream;

use super::{AFTER, BRIEF, Check, same, works};
use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::ports::{BlobStore, Clock};

const LIMIT: usize = 1 << 20;

async fn object(blobs: &dyn BlobStore, key: &str) -> Result<Option<Bytes>, String> {
    match works("fetching an object", blobs.fetch(key).await)? {
        Some(body) => Ok(Some(works("reading an object", body.collect(LIMIT).await)?)),
        None => Ok(None),
    }
}

/// A streamed object comes back whole; deleting what is not there succeeds.
pub async fn blob_round_trip(blobs: &dyn BlobStore) -> Check {
    let key = "edgeway-suite/round-trip";
    works("deleting", blobs.delete(key).await)?;
    works("deleting what is not there", blobs.delete(key).await)?;
    same("an object that is not there", object(blobs, key).await?, None)?;
    let chunks: Vec<Bytes> = (0..64_u8).map(|n| Bytes::from(vec![n; 1000])).collect();
    let whole = Bytes::from(chunks.concat());
    works("putting a stream", blobs.put(key, Body::stream(stream::iter(chunks.into_iter().map(Ok))), None).await)?;
    same("a streamed object", object(blobs, key).await? == Some(whole), true)?;
    works("deleting", blobs.delete(key).await)?;
    same("a deleted object", object(blobs, key).await?, None)
}

/// An object whose body breaks off is refused and never seen.
pub async fn blob_visible_when_whole(blobs: &dyn BlobStore) -> Check {
    let key = "edgeway-suite/broken";
    works("deleting", blobs.delete(key).await)?;
    let body = stream::iter([
        Ok(Bytes::from_static(b"half")),
        Err(Error::new(ErrorKind::UpstreamUnavailable, "The suite breaks this body off.")),
    ]);
    same("whether a broken body is stored", blobs.put(key, Body::stream(body), None).await.is_ok(), false)?;
    same("an object whose body broke off", object(blobs, key).await?, None)
}

/// An object past its time to live is never returned.
pub async fn blob_ttl(blobs: &dyn BlobStore, clock: &dyn Clock) -> Check {
    let key = "edgeway-suite/ttl";
    works("deleting", blobs.delete(key).await)?;
    works("putting with a time to live", blobs.put(key, Body::from("v"), Some(BRIEF)).await)?;
    same("an object within its time to live", object(blobs, key).await?, Some(Bytes::from_static(b"v")))?;
    clock.sleep(AFTER).await;
    same("an object after its time to live", object(blobs, key).await?, None)?;
    works("deleting", blobs.delete(key).await)
}
