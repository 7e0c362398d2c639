//! The port suites over the embedded store, and what only it promises: groups, capacity, housekeeping, its lock.

use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::ErrorKind;
use edgeway_core::ports::memory::ManualClock;
use edgeway_core::ports::{BlobStore, CellStore, KvStore, Timestamp, VersionedStore, suite};
use futures_util::future::join_all;

use super::*;
use crate::store::scratch;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::skipping(Timestamp(1_000_000)))
}

fn open(scratch: &scratch::Folder, clock: &Arc<ManualClock>) -> Folder {
    Folder::open(scratch.path(), clock.clone()).expect("it opens")
}

/// Only values and cells, with room for so many bytes.
fn small(scratch: &scratch::Folder, clock: &Arc<ManualClock>, capacity: u64) -> FileStore {
    let writer = Writer::open(scratch.path().join("state.redb"), clock.clone(), capacity).expect("it opens");
    FileStore { writer, clock: clock.clone() }
}

#[tokio::test]
async fn passes_the_suites() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let folder = open(&scratch, &clock);
    let (state, blobs) = (&*folder.state, &*folder.blobs);
    suite::kv_round_trip(state).await.unwrap();
    suite::kv_ttl(state, &*clock).await.unwrap();
    suite::kv_list_pages(state).await.unwrap();
    suite::kv_limits(state).await.unwrap();
    suite::cell_serial_history(state).await.unwrap();
    suite::cell_expiry(state, &*clock).await.unwrap();
    suite::cell_failed_step_changes_nothing(state).await.unwrap();
    suite::compare_and_swap_one_winner(state).await.unwrap();
    suite::compare_and_swap_counts(state, &*clock).await.unwrap();
    suite::versioned_expiry(state, &*clock).await.unwrap();
    suite::blob_round_trip(blobs).await.unwrap();
    suite::blob_visible_when_whole(blobs).await.unwrap();
    suite::blob_ttl(blobs, &*clock).await.unwrap();
    suite::event_append(&*folder.events).await.unwrap();
}

#[tokio::test]
async fn everything_is_there_when_the_folder_is_opened_again() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let folder = open(&scratch, &clock);
    folder.state.put("key", Bytes::from_static(b"value"), None).await.unwrap();
    folder.state.command("cell", suite::COUNTER, Bytes::from_static(b"add")).await.unwrap();
    folder.blobs.put("object", Body::from("whole"), None).await.unwrap();
    suite::event_append(&*folder.events).await.unwrap();
    let (_, version) = folder.state.read("cell").await.unwrap();
    folder.close();
    assert!(folder.state.put("late", Bytes::new(), None).await.is_err());
    drop(folder);

    let folder = open(&scratch, &clock);
    assert_eq!(folder.state.fetch("key").await.unwrap().unwrap().value, "value");
    assert_eq!(folder.state.command("cell", suite::COUNTER, Bytes::from_static(b"add")).await.unwrap(), "2");
    assert_eq!(folder.blobs.fetch("object").await.unwrap().unwrap().collect(100).await.unwrap(), "whole");
    let events = std::fs::read_to_string(scratch.path().join("events/00000001.jsonl")).unwrap();
    assert_eq!(events.lines().filter(|line| line.contains("edgeway-suite")).count(), 3);
    // A version is not used again after a new start either.
    folder.state.command("cell", suite::COUNTER, Bytes::from_static(b"drop")).await.unwrap();
    folder.state.command("cell", suite::COUNTER, Bytes::from_static(b"add")).await.unwrap();
    assert!(folder.state.read("cell").await.unwrap().1 > version);
}

#[tokio::test]
async fn changes_that_wait_together_share_a_transaction() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let store = small(&scratch, &clock, 1 << 20);
    // The thread is held up by a first change until everything else is asked for.
    let (go, held) = std::sync::mpsc::channel::<()>();
    let first = store.writer.change(move |_| {
        let _ = held.recv();
        Ok(Ok(()))
    });
    let mut first = Box::pin(first);
    assert!(futures_util::poll!(&mut first).is_pending());
    while store.writer.waiting() > 0 {
        std::thread::yield_now();
    }
    let mut adds = Box::pin(join_all((0..100).map(|_| store.command("cell", suite::COUNTER, Bytes::from_static(b"add")))));
    assert!(futures_util::poll!(&mut adds).is_pending());
    assert_eq!(store.writer.waiting(), 100);
    go.send(()).unwrap();
    first.await.unwrap();
    let replies = adds.await;
    let mut counts: Vec<u32> =
        replies.into_iter().map(|reply| std::str::from_utf8(&reply.unwrap()).unwrap().parse().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=100).collect::<Vec<_>>());
    assert_eq!(store.writer.transactions(), 2, "one for the change that held the thread up, one for all the others");
}

#[tokio::test]
async fn a_full_store_drops_what_has_expired_and_then_refuses() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let store = small(&scratch, &clock, 40); // two rows of 18 bytes
    let put = |key: &'static str, ttl| store.put(key, Bytes::from_static(b"123456789"), ttl);
    put("a", Some(Duration::from_secs(1))).await.unwrap();
    put("b", None).await.unwrap();
    assert_eq!(put("c", None).await.unwrap_err().kind, ErrorKind::Overloaded);
    put("b", None).await.expect("replacing takes no more room");
    clock.advance(Duration::from_secs(2));
    put("c", None).await.expect("the expired row made room");
    store.delete("b").await.unwrap();
    put("d", None).await.expect("so does a deleted one");
}

#[tokio::test]
async fn housekeeping_removes_what_has_expired_and_nothing_else() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let folder = open(&scratch, &clock);
    let puts = (0..1_500).map(|index| {
        let ttl = (index % 2 == 0).then_some(Duration::from_secs(1));
        folder.state.writer.change(move |tables| tables.put(&format!("k{index:04}"), b"v", ttl))
    });
    join_all(puts).await.into_iter().for_each(Result::unwrap);
    folder.state.command("brief", suite::COUNTER, Bytes::from_static(b"brief")).await.unwrap();
    folder.state.command("lasting", suite::COUNTER, Bytes::from_static(b"add")).await.unwrap();
    folder.blobs.put("brief", Body::from("b"), Some(Duration::from_secs(1))).await.unwrap();
    folder.blobs.put("lasting", Body::from("l"), None).await.unwrap();
    clock.advance(Duration::from_secs(2));

    let mut place = None;
    for slice in 0.. {
        assert!(slice < 10, "a sweep ends");
        place = folder.state.writer.change(move |tables| Ok(Ok(tables.sweep(place)?))).await.unwrap();
        if place.is_none() {
            break;
        }
    }
    folder.blobs.sweep();
    let rows = |table| folder.state.writer.read(|read| Ok(redb::ReadableTableMetadata::len(&read.open_table(table)?)?)).unwrap();
    assert_eq!((rows(tables::KV), rows(tables::CELLS)), (750, 1));
    assert!(folder.blobs.fetch("lasting").await.unwrap().is_some());
    let files = |path: &Path| std::fs::read_dir(path).unwrap().count();
    let objects: usize =
        std::fs::read_dir(scratch.path().join("blobs")).unwrap().map(|entry| files(&entry.unwrap().path())).sum();
    assert_eq!(objects, 1);
}

#[test]
fn a_folder_has_one_user_at_a_time() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let folder = open(&scratch, &clock);
    assert!(matches!(Folder::open(scratch.path(), clock.clone()), Err(Refusal::Taken)));
    drop(folder);
    open(&scratch, &clock);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    std::fs::write(scratch.path().join("state.redb"), "somebody's notes").unwrap();
    let Err(Refusal::Broken(why)) = Folder::open(scratch.path(), clock) else { panic!("it opened") };
    assert!(why.contains("state.redb"), "{why}");
    assert_eq!(std::fs::read_to_string(scratch.path().join("state.redb")).unwrap(), "somebody's notes");
}

#[tokio::test]
async fn a_step_that_panics_fails_alone() {
    struct Panics;
    impl edgeway_core::ports::CellStep for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }
        fn step(&self, _: Option<&[u8]>, _: &[u8], _: Timestamp) -> edgeway_core::Result<edgeway_core::ports::CellVersion> {
            panic!("this step is broken")
        }
    }
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let store = small(&scratch, &clock, 1 << 20);
    let (panicked, counted) = futures_util::future::join(
        store.command("cell", &Panics, Bytes::new()),
        store.command("cell", suite::COUNTER, Bytes::from_static(b"add")),
    )
    .await;
    assert_eq!(panicked.unwrap_err().kind, ErrorKind::Internal);
    assert_eq!(counted.unwrap(), "1");
}

#[tokio::test]
async fn an_object_replaces_another_whole_and_never_mixes_with_it() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let folder = open(&scratch, &clock);
    let (old, new) = (vec![b'o'; 300_000], vec![b'n'; 300_000]);
    folder.blobs.put("object", Body::from(old.clone()), None).await.unwrap();
    let reading = folder.blobs.fetch("object").await.unwrap().unwrap();
    folder.blobs.put("object", Body::from(new.clone()), None).await.unwrap();
    assert_eq!(reading.collect(1 << 20).await.unwrap(), old);
    assert_eq!(folder.blobs.fetch("object").await.unwrap().unwrap().collect(1 << 20).await.unwrap(), new);
}

#[tokio::test]
async fn a_disk_that_fails_once_fails_what_waits_and_nothing_after_it() {
    let (scratch, clock) = (scratch::Folder::new(), clock());
    let store = small(&scratch, &clock, 1 << 20);
    let add = || store.command("cell", suite::COUNTER, Bytes::from_static(b"add"));
    assert_eq!(add().await.unwrap(), "1");
    let failing = store.writer.change(|tables| {
        // Undone with the transaction that fails.
        let _ = tables.step("cell", suite::COUNTER, b"add")?;
        Err::<edgeway_core::Result<()>, _>(redb::Error::Io(io::Error::other("no space left")))
    });
    let failed = failing.await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Overloaded);
    assert!(failed.source.unwrap_or_default().contains("no space left"));
    assert_eq!(add().await.unwrap(), "2", "the database is open again, and the failed change is not in it");
}
