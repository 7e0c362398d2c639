use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::FutureExt;
use serde::Deserialize;

use super::*;
use crate::ports::memory::{ManualClock, MemoryCells, SeededEntropy};
use crate::ports::{CellStep, Clock, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pen {
    colour: String,
}

impl Object for Pen {
    const KIND: &'static str = "pen";
}

/// One that goes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chalk(u8);

impl Object for Chalk {
    const KIND: &'static str = "chalk";
    const KEPT: Option<Duration> = Some(Duration::from_secs(60));
}

/// One with few names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp;

impl Object for Stamp {
    const KIND: &'static str = "stamp";
    const SHARDS: u16 = 1;
}

/// Cells that fail when told to, before or after a command takes effect.
struct Faulty {
    cells: MemoryCells,
    /// Names that begin with this fail ...
    prefix: Mutex<&'static str>,
    /// ... so many times yet ...
    times: Mutex<usize>,
    /// ... before the command takes effect, or after.
    before: bool,
}

#[async_trait]
impl CellStore for Faulty {
    async fn command(&self, name: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        let fails = name.starts_with(*self.prefix.lock().expect("no panics")) && {
            let mut times = self.times.lock().expect("no panics");
            let fails = *times > 0;
            *times = times.saturating_sub(1);
            fails
        };
        let away = || Error::new(ErrorKind::Overloaded, "The store is away.");
        if fails && self.before {
            return Err(away());
        }
        let reply = self.cells.command(name, step, command).await?;
        if fails { Err(away()) } else { Ok(reply) }
    }
}

struct Fixture {
    clock: Arc<ManualClock>,
    cells: Arc<Faulty>,
    objects: Objects,
}

impl Fixture {
    fn new(prefix: &'static str, times: usize, before: bool) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000_000)));
        let cells = MemoryCells::new(clock.clone(), 8 << 20);
        let cells = Arc::new(Faulty { cells, prefix: Mutex::new(prefix), times: Mutex::new(times), before });
        let objects = Objects::new(cells.clone(), Arc::new(SeededEntropy::new(1)));
        Self { clock, cells, objects }
    }

    fn names<T: Object>(&self, tenant: Option<&Name>) -> Vec<String> {
        now(self.objects.list::<T>(tenant, None, LIMIT)).items.into_iter().map(|(id, _)| id).collect()
    }

    /// The ids in the directories, whether there is an object or not.
    fn entered<T: Object>(&self) -> usize {
        let list = directory::Command::List { after: None, limit: u32::MAX };
        let shards = (0..T::SHARDS).map(|shard| {
            let name = format!("directory/{}/-/{shard}", T::KIND);
            match now(cell::command::<directory::Directory>(&self.cells.cells, &name, &list)) {
                directory::Reply::Names(names) => names.len(),
                other => panic!("{other:?}"),
            }
        });
        shards.sum()
    }
}

fn healthy() -> Fixture {
    Fixture::new("", 0, true)
}

fn now<T>(future: impl Future<Output = Result<T>>) -> T {
    future.now_or_never().expect("memory never waits").expect("memory does not fail")
}

fn fails<T>(future: impl Future<Output = Result<T>>) -> Error {
    future.now_or_never().expect("memory never waits").err().expect("a failure")
}

fn pen(colour: &str) -> Pen {
    Pen { colour: colour.into() }
}

fn tenant(name: &str) -> Name {
    name.parse().expect("a name")
}

#[test]
fn an_object_is_created_replaced_and_removed_by_who_has_seen_it() {
    let Fixture { objects, .. } = healthy();
    let red = Stored { version: 1, value: pen("red") };
    assert_eq!(now(objects.get::<Pen>(None, "a")), None);
    assert_eq!(now(objects.replace(None, "a", &pen("red"), None)), Err(Conflict { current: None }));
    assert_eq!(now(objects.remove::<Pen>(None, "a", None)), Err(Conflict { current: None }));
    assert_eq!(now(objects.create(None, "a", &pen("red"))), Ok(red.clone()));
    assert_eq!(now(objects.create(None, "a", &pen("blue"))), Err(Exists(red.clone())));
    assert_eq!(now(objects.replace(None, "a", &pen("blue"), Some(2))), Err(Conflict { current: Some(red) }));
    let blue = Stored { version: 2, value: pen("blue") };
    assert_eq!(now(objects.replace(None, "a", &pen("blue"), Some(1))), Ok(blue.clone()));
    assert_eq!(now(objects.get(None, "a")), Some(blue.clone()));
    assert_eq!(now(objects.remove::<Pen>(None, "a", Some(1))), Err(Conflict { current: Some(blue) }));
    assert_eq!(now(objects.remove::<Pen>(None, "a", Some(2))), Ok(()));
    assert_eq!(now(objects.get::<Pen>(None, "a")), None);
    assert_eq!(now(objects.create(None, "a", &pen("green"))).map(|stored| stored.version), Ok(4), "no version comes back");
}

#[test]
fn nobody_reaches_another_tenants_object() {
    let fixture = healthy();
    let (ours, theirs) = (tenant("ours"), tenant("theirs"));
    assert!(now(fixture.objects.create(Some(&ours), "a", &pen("red"))).is_ok());
    for other in [Some(&theirs), None] {
        assert_eq!(now(fixture.objects.get::<Pen>(other, "a")), None);
        assert_eq!(now(fixture.objects.replace(other, "a", &pen("blue"), None)), Err(Conflict { current: None }));
        assert_eq!(now(fixture.objects.remove::<Pen>(other, "a", None)), Err(Conflict { current: None }));
        assert_eq!(fixture.names::<Pen>(other), [""; 0]);
    }
    assert_eq!(fixture.names::<Pen>(Some(&ours)), ["a"]);
    for foreign in ["../ours/a", "ours/a", "a/", "", " a", "é", "a\n", &"x".repeat(ID + 1)] {
        assert_eq!(now(fixture.objects.get::<Pen>(Some(&theirs), foreign)), None, "{foreign:?}");
        assert_eq!(now(fixture.objects.remove::<Pen>(Some(&theirs), foreign, None)), Err(Conflict { current: None }));
        assert_eq!(fails(fixture.objects.create(Some(&theirs), foreign, &pen("x"))).kind, ErrorKind::InvalidRequest);
    }
}

#[test]
fn all_objects_are_listed_in_the_order_of_their_ids_whatever_the_pages() {
    let Fixture { objects, .. } = healthy();
    let all: Vec<String> = (0..50).map(|number| format!("k{number:02}")).collect();
    for id in all.iter().rev() {
        assert!(now(objects.create(None, id, &pen(id))).is_ok());
    }
    for limit in [1, 7, 50, 51, 1000] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = now(objects.list::<Pen>(None, after.as_deref(), limit));
            assert!(page.items.len() <= limit);
            seen.extend(page.items.into_iter().map(|(id, stored)| {
                assert_eq!(stored, Stored { version: 1, value: pen(&id) });
                id
            }));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all, "in pages of {limit}");
    }
}

#[test]
fn an_id_without_an_object_is_passed_over_and_removed_when_it_is_old() {
    let fixture = healthy();
    for id in ["a", "b", "c"] {
        assert!(now(fixture.objects.create(None, id, &pen("red"))).is_ok());
    }
    assert_eq!(now(fixture.objects.remove::<Pen>(None, "b", None)), Ok(()));
    assert_eq!((fixture.names::<Pen>(None), fixture.entered::<Pen>()), (vec!["a".into(), "c".into()], 3));
    fixture.clock.advance(Duration::from_secs(600));
    assert_eq!((fixture.names::<Pen>(None), fixture.entered::<Pen>()), (vec!["a".into(), "c".into()], 2));
    assert_eq!(now(fixture.objects.remove::<Pen>(None, "c", None)), Ok(()));
    assert_eq!(fixture.entered::<Pen>(), 1, "an old one's id goes with it");
    assert!(now(fixture.objects.create(None, "b", &pen("blue"))).is_ok());
    assert_eq!(fixture.names::<Pen>(None), ["a", "b"]);
}

#[test]
fn what_exists_is_listed_wherever_a_creation_breaks_off() {
    // The name is written and the object is not: nothing exists, nothing is listed, and it can be made later.
    let fixture = Fixture::new("object/", usize::MAX, true);
    fails(fixture.objects.create(None, "a", &pen("red")));
    assert_eq!(fixture.entered::<Pen>(), 1);
    *fixture.cells.times.lock().expect("no panics") = 0;
    assert_eq!(fixture.names::<Pen>(None), [""; 0]);
    assert!(now(fixture.objects.create(None, "a", &pen("red"))).is_ok());
    assert_eq!(fixture.names::<Pen>(None), ["a"]);
    // The name cannot be written: there is no object either.
    let fixture = Fixture::new("directory/", usize::MAX, true);
    fails(fixture.objects.create(None, "a", &pen("red")));
    assert_eq!(now(fixture.objects.get::<Pen>(None, "a")), None);
    // The object is written and the answer is lost: it is there, and listed.
    let fixture = Fixture::new("object/", usize::MAX, false);
    fails(fixture.objects.create(None, "a", &pen("red")));
    *fixture.cells.times.lock().expect("no panics") = 0;
    assert_eq!(fixture.names::<Pen>(None), ["a"]);
}

#[test]
fn a_change_whose_answer_is_lost_is_sent_again_and_happens_once() {
    let fixture = Fixture::new("object/", 2, false);
    assert_eq!(now(fixture.objects.create(None, "a", &pen("red"))).map(|stored| stored.version), Ok(1));
    *fixture.cells.times.lock().expect("no panics") = 2;
    assert_eq!(now(fixture.objects.replace(None, "a", &pen("blue"), Some(1))).map(|stored| stored.version), Ok(2));
    *fixture.cells.times.lock().expect("no panics") = 2;
    assert_eq!(now(fixture.objects.remove::<Pen>(None, "a", Some(2))), Ok(()));
}

#[test]
fn a_kind_that_goes_by_itself_is_in_no_directory() {
    let fixture = healthy();
    assert!(now(fixture.objects.create(None, "a", &Chalk(1))).is_ok());
    assert_eq!(now(fixture.objects.get(None, "a")), Some(Stored { version: 1, value: Chalk(1) }));
    assert_eq!(fixture.entered::<Chalk>(), 0);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(now(fixture.objects.get::<Chalk>(None, "a")), None);
    assert!(fixture.clock.now().0 > 0);
}

#[test]
fn more_objects_than_their_directories_hold_are_refused() {
    let fixture = healthy();
    for number in 0..directory::BYTES / directory::NAME {
        let add = directory::Command::Add { name: format!("{number:0width$}", width = directory::NAME) };
        now(cell::command::<directory::Directory>(&fixture.cells.cells, "directory/stamp/-/0", &add));
    }
    let more = "x".repeat(ID);
    assert_eq!(fails(fixture.objects.create(None, &more, &Stamp)).kind, ErrorKind::Conflict);
    assert_eq!(now(fixture.objects.get::<Stamp>(None, &more)), None);
    let large = fails(fixture.objects.create(None, "large", &pen(&"x".repeat(VALUE))));
    assert_eq!(large.kind, ErrorKind::PayloadTooLarge);
}

#[test]
fn a_stored_object_that_cannot_be_read_is_an_error_that_shows_nothing_of_it() {
    let fixture = healthy();
    let value = Bytes::from_static(b"{\"color\":\"s3cret\"}");
    let put = Command::Put { id: 1, expected: Expected::Any, value, ttl: None };
    now(cell::command::<object::Object>(&fixture.cells.cells, "object/pen/-/a", &put));
    let error = fails(fixture.objects.get::<Pen>(None, "a"));
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}
