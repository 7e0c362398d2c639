use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;

use super::trail::{MARKS, PAGE, key};
use super::*;
use crate::cell::chain::{Command, KEPT, Link};
use crate::cell::pack::Pack;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::memory::{ManualClock, MemoryCells, MemoryKv, SeededEntropy};
use crate::ports::{CellStep, CellStore, Entropy, KvEntry, KvPage, KvStore, Timestamp};

/// Stores that fail so many times when they are written to.
struct Stores {
    kv: MemoryKv,
    cells: MemoryCells,
    /// How many writes of pages fail yet.
    kv_fails: AtomicUsize,
    /// How many answers of appends are lost yet, after they took effect.
    answers_lost: AtomicUsize,
}

fn once(times: &AtomicUsize) -> bool {
    times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1)).is_ok()
}

fn away() -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, "The store is away.").source("it was switched off")
}

#[async_trait]
impl KvStore for Stores {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        self.kv.fetch(key).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        if once(&self.kv_fails) { Err(away()) } else { self.kv.put(key, value, ttl).await }
    }
    async fn delete(&self, key: &str) -> Result<()> {
        self.kv.delete(key).await
    }
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        self.kv.list(prefix, cursor, limit).await
    }
}

#[async_trait]
impl CellStore for Stores {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        let appends = matches!(Command::from_bytes(&command), Ok(Command::Append { .. }));
        let reply = self.cells.command(name, step, command).await?;
        if appends && once(&self.answers_lost) { Err(away()) } else { Ok(reply) }
    }
}

struct World {
    clock: Arc<ManualClock>,
    stores: Arc<Stores>,
    entropy: Arc<SeededEntropy>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000_000)));
        let stores = Stores {
            kv: MemoryKv::new(clock.clone(), 32 << 20),
            cells: MemoryCells::new(clock.clone(), 8 << 20),
            kv_fails: AtomicUsize::new(0),
            answers_lost: AtomicUsize::new(0),
        };
        Self { clock, stores: Arc::new(stores), entropy: Arc::new(SeededEntropy::new(7)) }
    }

    /// An instance's trail. Another one is another instance, or the same after a crash.
    fn trail(&self) -> Trail {
        let entropy: Arc<dyn Entropy> = self.entropy.clone();
        Trail::over(self.stores.clone(), self.stores.clone(), entropy, self.clock.clone())
    }

    /// A trail of so many entries, its pages stored some time ago.
    fn of(entries: u64) -> Self {
        let world = Self::new();
        let trail = world.trail();
        for number in 1..=entries {
            now(trail.append(&deed(number)));
            world.clock.advance(Duration::from_secs(1));
        }
        world.clock.advance(Duration::from_secs(600));
        world
    }

    fn all(&self) -> Vec<Entry> {
        let mut all = Vec::new();
        let mut after = Some(0);
        while let Some(place) = after {
            let page = now(self.trail().list(place, 50, |_| true));
            assert_eq!(page.broken, None);
            all.extend(page.entries);
            after = page.next;
        }
        all
    }

    fn verdict(&self) -> Verdict {
        now(self.trail().verify(0))
    }

    fn broken(&self) -> Option<(u64, String)> {
        self.verdict().broken.map(|broken| (broken.seq, broken.why))
    }

    /// The chain that there is.
    fn chain(&self) -> u64 {
        now(self.trail().look()).chain
    }

    /// Changes a stored page, behind everybody's back.
    fn tamper(&self, page: u64, change: impl FnOnce(&mut Vec<Entry>)) {
        let key = key(self.chain(), page);
        let stored = now(self.stores.fetch(&key)).expect("the page is stored").value;
        let text = std::str::from_utf8(&stored).expect("it is text");
        let mut entries: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
        change(&mut entries);
        let text: String = entries.iter().map(|entry| entry.line() + "\n").collect();
        assert_ne!(stored, text, "something was changed");
        now(self.stores.put(&key, text.into(), None));
    }
}

fn now<T>(future: impl Future<Output = Result<T>>) -> T {
    future.now_or_never().expect("memory never waits").expect("memory does not fail")
}

fn deed(number: u64) -> Deed {
    Deed {
        by: if number.is_multiple_of(2) { "ada" } else { "eve" }.into(),
        action: "key_create".into(),
        object: format!("tenants/acme/keys/{number}"),
        request: format!("req_{number}"),
        outcome: Outcome::Done,
        detail: [("title".to_owned(), "the \"new\" one, é".to_owned())].into(),
        ..Deed::default()
    }
}

/// Makes an entry's hash what its content says, as somebody would who knows how.
fn reseal(entry: &mut Entry) {
    entry.hash = entry.expected();
}

#[test]
fn entries_come_back_as_they_were_appended_whole_pages_from_the_store_and_the_rest_from_the_cell() {
    let world = World::of(40);
    let pages = now(world.stores.list("audit/", None, 100)).keys;
    let (chain, expected) = (world.chain(), 40 / PAGE);
    let mut keys: Vec<_> = (0..expected).map(|page| key(chain, page)).collect();
    keys.push(format!("{MARKS}{chain:016x}"));
    keys.sort();
    assert_eq!(pages, keys);
    assert_eq!(now(world.trail().look()).waiting.len() as u64, 40 - expected * PAGE);
    let all = world.all();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    for entry in &all {
        assert_eq!((&entry.deed, entry.hash), (&deed(entry.seq), entry.expected()));
        assert_eq!(serde_json::from_str::<Entry>(&entry.line()).expect("its own line"), *entry);
    }
    let verdict = world.verdict();
    assert_eq!((verdict.intact, verdict.checked, verdict.next, verdict.end.seq), (true, 40, None, 40));
}

#[test]
fn a_list_has_pages_and_shows_what_is_wanted() {
    let world = World::of(700);
    let trail = world.trail();
    let page = now(trail.list(10, 3, |_| true));
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [11, 12, 13]);
    assert_eq!((page.next, page.end.seq), (Some(13), 700));
    let page = now(trail.list(10, 3, |entry| entry.deed.by == "ada"));
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [12, 14, 16]);
    let page = now(trail.list(0, 100, |entry| entry.seq == 690));
    assert!(page.entries.is_empty() && page.next.is_some_and(|next| (512..700).contains(&next)), "{:?}", page.next);
    let rest = now(trail.list(page.next.expect("there is more"), 100, |entry| entry.seq == 690));
    assert_eq!((rest.entries.len(), rest.next), (1, None));
    assert_eq!(now(trail.list(700, 5, |_| true)).entries, []);
    assert_eq!(now(trail.list(u64::MAX, 5, |_| true)).entries, []);
    let last = now(trail.list(698, 2, |_| true));
    assert_eq!((last.entries.len(), last.next), (2, None));
}

#[test]
fn a_crash_between_the_chain_and_the_store_loses_nothing() {
    let world = World::new();
    world.stores.kv_fails.store(usize::MAX, Ordering::SeqCst);
    let before = world.trail();
    for number in 1..=30 {
        assert_eq!(now(before.append(&deed(number))).seq, number, "the store's absence is nobody's business yet");
    }
    assert_eq!(now(world.stores.list("audit/", None, 10)).keys, [""; 0]);
    drop(before);
    assert_eq!(world.all().len(), 30, "all of it is in the cell");
    world.stores.kv_fails.store(0, Ordering::SeqCst);
    now(world.trail().append(&deed(31)));
    assert_eq!(now(world.trail().look()).stored, PAGE);
    // A crash between a page and the cell's being told: the page is written again, the same.
    world.stores.kv_fails.store(1, Ordering::SeqCst);
    now(world.trail().append(&deed(32)));
    now(world.trail().append(&deed(33)));
    let all = world.all();
    assert_eq!(all.iter().map(|entry| entry.deed.clone()).collect::<Vec<_>>(), (1..=33).map(deed).collect::<Vec<_>>());
    assert!(world.verdict().intact);
}

#[test]
fn a_full_trail_takes_nothing_more_until_its_store_is_back() {
    let world = World::new();
    world.stores.kv_fails.store(usize::MAX, Ordering::SeqCst);
    let trail = world.trail();
    for number in 1..=KEPT as u64 {
        now(trail.append(&deed(number)));
    }
    let refused = trail.append(&deed(0)).now_or_never().expect("memory never waits").expect_err("it is full");
    assert_eq!(refused.kind, ErrorKind::Overloaded);
    assert_eq!(world.all().len(), KEPT);
    world.stores.kv_fails.store(0, Ordering::SeqCst);
    assert_eq!(now(trail.append(&deed(65))).seq, 65);
    assert_eq!((world.all().len(), now(trail.look()).stored), (65, 64));
    assert!(world.verdict().intact);
}

#[test]
fn an_entry_whose_answer_is_lost_is_there_once() {
    let world = World::new();
    for number in 1..=20 {
        world.stores.answers_lost.store(2, Ordering::SeqCst);
        assert_eq!(now(world.trail().append(&deed(number))).seq, number);
    }
    assert_eq!(world.all().len(), 20);
}

#[test]
fn whatever_is_changed_in_a_stored_page_is_found() {
    type Change = fn(&mut Vec<Entry>);
    let changes: [(&str, Change, u64, &str); 8] = [
        ("a word", |page| page[4].deed.by = "nobody".into(), 21, "its content is not what its hash says"),
        ("a detail", |page| page[4].deed.detail.clear(), 21, "its content"),
        ("an outcome", |page| page[15].deed.outcome = Outcome::Failed, 32, "its content"),
        ("the time", |page| page[0].at = Timestamp(1), 17, "its content"),
        (
            "a word and its hash",
            |page| {
                page[4].deed.by = "nobody".into();
                reseal(&mut page[4]);
            },
            22,
            "it does not name the hash of the entry before",
        ),
        (
            "a word and all hashes of the page",
            |page| {
                page[4].deed.by = "nobody".into();
                reseal(&mut page[4]);
                for index in 5..page.len() {
                    page[index].previous = page[index - 1].hash;
                    reseal(&mut page[index]);
                }
            },
            33,
            "it does not name the hash of the entry before",
        ),
        ("an entry less", |page| drop(page.remove(4)), 17, "its page does not have the entries that belong on it"),
        ("two entries' places", |page| page.swap(3, 4), 17, "its page does not have the entries"),
    ];
    for (what, change, seq, why) in changes {
        let world = World::of(40);
        world.tamper(1, change);
        let (found, said) = world.broken().unwrap_or_else(|| panic!("{what}: nothing was found"));
        assert!(found == seq && said.contains(why), "{what}: {found}: {said}");
        let verdict = world.verdict();
        assert_eq!((verdict.intact, verdict.checked, verdict.next), (false, seq - 1, None), "{what}");
    }
}

#[test]
fn what_is_written_anew_to_the_last_page_does_not_meet_the_end_in_the_cell() {
    let world = World::of(2 * PAGE);
    world.tamper(1, |page| {
        page[0].deed.by = "nobody".into();
        reseal(&mut page[0]);
        for index in 1..page.len() {
            page[index].previous = page[index - 1].hash;
            reseal(&mut page[index]);
        }
    });
    let (seq, why) = world.broken().expect("it is found");
    assert!(seq == 2 * PAGE && why == "the trail's end is not its last entry", "{seq}: {why}");
}

#[test]
fn a_page_that_is_gone_or_is_no_page_is_found_and_the_list_ends_there() {
    let world = World::of(40);
    let page = key(world.chain(), 1);
    for (value, why) in [
        (None, "its page is not in the store any more"),
        (Some(&b"\xff"[..]), "its page is not text"),
        (Some(b"{}"), "its page cannot be read"),
        (Some(b""), "its page does not have the entries"),
    ] {
        now(world.stores.delete(&page));
        if let Some(value) = value {
            now(world.stores.put(&page, Bytes::from_static(value), None));
        }
        let (seq, said) = world.broken().expect("it is found");
        assert!(seq == PAGE + 1 && said.contains(why), "{seq}: {said}");
        let listed = now(world.trail().list(0, 100, |_| true));
        assert_eq!((listed.entries.len() as u64, listed.broken.map(|broken| broken.seq)), (PAGE, Some(PAGE + 1)));
        assert_eq!(now(world.trail().list(2 * PAGE, 100, |_| true)).entries.len() as u64, 40 - 2 * PAGE, "it goes on behind");
    }
}

#[test]
fn a_page_that_an_eventual_store_may_not_have_yet_is_said_to_be_late() {
    let world = World::new();
    for number in 1..=PAGE {
        now(world.trail().append(&deed(number)));
    }
    now(world.stores.delete(&key(world.chain(), 0)));
    assert!(world.broken().is_some_and(|(_, why)| why.contains("perhaps not yet")));
    world.clock.advance(Duration::from_secs(200));
    assert!(world.broken().is_some_and(|(_, why)| why.contains("not in the store any more")));
}

#[test]
fn a_trail_that_was_begun_anew_overwrites_nothing_and_tells() {
    let world = World::of(20);
    let old = world.chain();
    let drop_cell = &Dropping;
    now(world.stores.cells.command("audit", drop_cell, Bytes::new()));
    for number in 1..=20 {
        now(world.trail().append(&deed(number)));
    }
    assert_ne!(world.chain(), old);
    assert!(now(world.stores.fetch(&key(old, 0))).is_some());
    let (_, why) = world.broken().expect("it is found");
    assert!(why.contains(&format!("{old:016x}")), "{why}");
}

/// Empties a cell.
struct Dropping;

impl CellStep for Dropping {
    fn name(&self) -> &'static str {
        "dropping"
    }
    fn step(&self, _: Option<&[u8]>, _: &[u8], _: Timestamp) -> Result<crate::ports::CellVersion> {
        Ok(crate::ports::CellVersion::default())
    }
}

#[test]
fn an_end_that_was_written_down_elsewhere_tells_of_a_trail_that_was_made_again() {
    let world = World::of(20);
    let all = world.all();
    let end = now(world.trail().list(0, 1, |_| true)).end;
    let check = |verifier: Option<Verifier>| {
        let mut verifier = verifier.expect("a hash");
        all.iter().try_for_each(|entry| verifier.check(entry))?;
        verifier.finish(&end)
    };
    assert_eq!(check(Verifier::new().expect(20, &end.hash)), Ok(()));
    assert_eq!(check(Verifier::new().expect(5, &"0".repeat(64))).expect_err("another").seq, 5);
    assert_eq!(check(Verifier::new().expect(21, &end.hash)).expect_err("shorter").seq, 20);
    assert!(Verifier::new().expect(1, "abc").is_none());
}

#[test]
fn a_long_trail_is_verified_piece_by_piece() {
    let world = World::of(2300);
    let first = world.verdict();
    assert!(first.intact && first.checked >= 2048, "{first:?}");
    let next = first.next.expect("there is more");
    let rest = now(world.trail().verify(next));
    assert_eq!((rest.intact, rest.checked, rest.next), (true, 2300 - next, None));
    world.tamper(2250 / PAGE, |page| page[0].deed.object = "nothing".into());
    assert!(!now(world.trail().verify(next)).intact);
    assert!(!now(world.trail().verify(2301)).intact, "what was checked before is not there any more");
}

#[test]
fn what_is_too_long_for_an_entry_is_cut_and_always_fits() {
    let world = World::new();
    let long = "\u{10ffff}\"\\\u{1}\u{202e}é".repeat(200);
    let mut detail: std::collections::BTreeMap<_, _> = (0..20).map(|number| (format!("{number}{long}"), long.clone())).collect();
    detail.insert("note".to_owned(), "short".to_owned());
    let deed = Deed {
        by: long.clone(),
        tenant: Some(long.clone()),
        action: long.clone(),
        object: long.clone(),
        request: long.clone(),
        address: Some(long.clone()),
        outcome: Outcome::Begun,
        detail,
    };
    let entry = now(world.trail().append(&deed));
    assert!(entry.deed.detail["note"] == "short" && entry.deed.by.chars().count() > 60, "{entry:?}");
    assert!(!entry.line().contains(['\u{1}', '\u{202e}']));
    assert_eq!(world.all(), [entry]);
    let link = |entry: &'static [u8]| Link {
        number: 1,
        at: Timestamp(1),
        previous: Default::default(),
        hash: Default::default(),
        entry: Bytes::from_static(entry),
    };
    assert!(Entry::read(&link(b"{}")).is_err(), "what is no deed is no entry");
}
