//! The contract of [`KvStore`].

use bytes::Bytes;

use super::{AFTER, BRIEF, Check, same, works};
use crate::ports::{Clock, KvStore};

async fn value(kv: &dyn KvStore, key: &str) -> Result<Option<Bytes>, String> {
    Ok(works("fetching a value", kv.fetch(key).await)?.map(|entry| entry.value))
}

/// What is put is fetched, replaced and deleted; deleting what is not there succeeds.
pub async fn kv_round_trip(kv: &dyn KvStore) -> Check {
    let key = "edgeway-suite/round trip/\u{fc}";
    works("deleting", kv.delete(key).await)?;
    works("deleting what is not there", kv.delete(key).await)?;
    same("a key that is not there", value(kv, key).await?, None)?;
    for bytes in [&b"one"[..], b"", b"\x00\xff"] {
        works("putting", kv.put(key, Bytes::from_static(bytes), None).await)?;
        same("a value that was put", value(kv, key).await?, Some(Bytes::from_static(bytes)))?;
    }
    works("deleting", kv.delete(key).await)?;
    same("a deleted value", value(kv, key).await?, None)
}

/// A value is there during its time to live and never after it; putting it again begins anew.
pub async fn kv_ttl(kv: &dyn KvStore, clock: &dyn Clock) -> Check {
    let (brief, lasting) = ("edgeway-suite/ttl/brief", "edgeway-suite/ttl/lasting");
    for key in [brief, lasting] {
        works("putting with a time to live", kv.put(key, Bytes::from_static(b"v"), Some(BRIEF)).await)?;
    }
    works("putting again without one", kv.put(lasting, Bytes::from_static(b"w"), None).await)?;
    same("a value within its time to live", value(kv, brief).await?, Some(Bytes::from_static(b"v")))?;
    clock.sleep(AFTER).await;
    same("a value after its time to live", value(kv, brief).await?, None)?;
    let listed = works("listing", kv.list("edgeway-suite/ttl/", None, 10).await)?.keys;
    same("the keys listed after a time to live", listed, vec![lasting.to_owned()])?;
    same("a value put again without a time to live", value(kv, lasting).await?, Some(Bytes::from_static(b"w")))?;
    works("deleting", kv.delete(lasting).await)
}

/// Pages hold the keys of the prefix and no others, in byte order, each once, however small the pages.
pub async fn kv_list_pages(kv: &dyn KvStore) -> Check {
    let prefix = "edgeway-suite/list/";
    let mut keys: Vec<_> = ["b", "a/2", "a", "a/10", "\u{e9}", "Z"].iter().map(|name| format!("{prefix}{name}")).collect();
    let outside = "edgeway-suite/list0";
    for key in keys.iter().map(String::as_str).chain([outside]) {
        works("putting", kv.put(key, Bytes::from_static(b"v"), None).await)?;
    }
    keys.sort_unstable();
    for limit in [1, 2, 5, 6, 100] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        for _ in 0..=keys.len() {
            let page = works("listing", kv.list(prefix, cursor.as_deref(), limit).await)?;
            if page.keys.len() > limit {
                return Err(format!("a page of at most {limit} keys holds {}", page.keys.len()));
            }
            seen.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        same(&format!("all pages of {limit}"), (&seen, cursor), (&keys, None))?;
    }
    for key in keys.iter().map(String::as_str).chain([outside]) {
        works("deleting", kv.delete(key).await)?;
    }
    same("a page of nothing", works("listing", kv.list(prefix, None, 10).await)?, Default::default())
}

/// The largest key and value are kept; larger ones, and an empty key, are refused.
pub async fn kv_limits(kv: &dyn KvStore) -> Check {
    let key = format!("edgeway-suite/{}", "k".repeat(498));
    let large = Bytes::from(vec![b'v'; 1 << 20]);
    works("putting the longest key with the largest value", kv.put(&key, large.clone(), None).await)?;
    same("the largest value", value(kv, &key).await?.map(|value| value.len()), Some(large.len()))?;
    works("deleting", kv.delete(&key).await)?;
    let larger = Bytes::from(vec![b'v'; (1 << 20) + 1]);
    for (what, key, value) in [
        ("a key of 513 bytes", format!("{key}k"), Bytes::new()),
        ("an empty key", String::new(), Bytes::new()),
        ("a value over 1 MiB", "edgeway-suite/large".into(), larger),
    ] {
        same(&format!("whether {what} is stored"), kv.put(&key, value, None).await.is_ok(), false)?;
    }
    Ok(())
}
