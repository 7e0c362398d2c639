//! Cells under every interleaving that a scheduler can think of: callers that race, answers that are lost, callers that die.
//!
//! The scheduler is shuttle's, so a failure names a schedule that repeats it. Both forms of a cell run: compare and swap
//! (whose reads and writes are apart, with a pause at each) and an actor (whose queue is one).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use edgeway_core::audit::{Deed, Trail, Verifier};
use edgeway_core::cell::allowance::{self, Allowance, Hold, Reserve, Settle, Terms};
use edgeway_core::cell::pointer::{self, Change, Pointer};
use edgeway_core::cell::window::Window;
use edgeway_core::cell::{Program, command};
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::memory::{MemoryCells, MemoryKv};
use edgeway_core::ports::{CellStep, CellStore, Clock, Entropy, KvEntry, KvPage, KvStore, SwapCells, Timestamp, VersionedStore};
use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::rand::Rng;

/// One chance in so many that a store's answer is lost, before or after it took effect.
const LOST: u32 = 6;

fn once_in(times: u32) -> bool {
    shuttle::rand::thread_rng().gen_range(0..times) == 0
}

fn lost() -> Error {
    Error::new(ErrorKind::UpstreamUnavailable, "The store's answer was lost.")
}

/// Time that only sleeping moves; a sleep lets others go first.
#[derive(Default)]
struct Ticks(AtomicU64);

#[async_trait]
impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {
        yield_now().await;
    }
}

struct Dice;

impl Entropy for Dice {
    fn fill(&self, buffer: &mut [u8]) {
        shuttle::rand::thread_rng().fill(buffer);
    }
}

/// A store whose every call can be overtaken, and whose answers are lost now and then.
struct Apart(MemoryCells);

#[async_trait]
impl VersionedStore for Apart {
    async fn read(&self, name: &str) -> Result<(Option<Bytes>, u64)> {
        yield_now().await;
        let read = self.0.read(name).await;
        yield_now().await;
        if once_in(LOST) { Err(lost()) } else { read }
    }

    async fn replace(&self, name: &str, version: u64, state: Option<Bytes>, expires: Option<Timestamp>) -> Result<bool> {
        yield_now().await;
        if once_in(LOST) {
            return Err(lost());
        }
        let replaced = self.0.replace(name, version, state, expires).await;
        yield_now().await;
        if once_in(LOST) { Err(lost()) } else { replaced }
    }
}

type Errand = (&'static dyn CellStep, Bytes, oneshot::Sender<Result<Bytes>>);

/// An actor: one task that owns the state and takes commands from a queue.
struct Actor(Mutex<mpsc::UnboundedSender<Errand>>);

impl Actor {
    fn start(clock: Arc<dyn Clock>) -> Self {
        let (sender, mut queue) = mpsc::unbounded::<Errand>();
        drop(spawn(async move {
            let mut state: Option<Bytes> = None;
            while let Some((step, command, answer)) = queue.next().await {
                yield_now().await;
                let reply = step.step(state.as_deref(), &command, clock.now()).map(|next| {
                    state = next.state;
                    next.reply
                });
                yield_now().await;
                // Whoever asked may be gone.
                let _ = answer.send(if once_in(LOST) { Err(lost()) } else { reply });
            }
        }));
        Self(Mutex::new(sender))
    }
}

#[async_trait]
impl CellStore for Actor {
    async fn command(&self, _: &str, step: &'static dyn CellStep, command: Bytes) -> Result<Bytes> {
        yield_now().await;
        if once_in(LOST) {
            return Err(lost());
        }
        let (answer, answered) = oneshot::channel();
        self.0.lock().expect("nobody panics with it").unbounded_send((step, command, answer)).expect("the actor lives");
        answered.await.expect("the actor answers")
    }
}

#[derive(Clone, Copy)]
enum Form {
    Swap,
    Actor,
}

impl Form {
    fn cells(self) -> Arc<dyn CellStore> {
        let clock = Arc::new(Ticks::default());
        match self {
            Self::Actor => Arc::new(Actor::start(clock)),
            Self::Swap => {
                let store = Arc::new(Apart(MemoryCells::new(clock.clone(), 1 << 20)));
                Arc::new(SwapCells::new(store, clock, Arc::new(Dice)))
            }
        }
    }
}

/// Sends a command until it is answered, as callers must.
async fn insist<P: Program>(cells: &dyn CellStore, what: &P::Command) -> P::Reply {
    loop {
        match command::<P>(cells, "cell", what).await {
            Ok(reply) => return reply,
            Err(error) => assert_eq!(error.kind, ErrorKind::UpstreamUnavailable, "{error:?}"),
        }
    }
}

const TERMS: Terms = Terms { limit: 5, window: Window::Ever };

async fn charged(cells: &dyn CellStore) -> (u64, u32) {
    match insist::<Allowance>(cells, &allowance::Command::Look(TERMS)).await {
        allowance::Reply::Standing { charged, open, .. } => (charged, open),
        other => panic!("{other:?}"),
    }
}

/// Reserves two of five; then settles one of them, or dies. What this caller must have cost: nothing, one or two.
fn caller(cells: Arc<dyn CellStore>, id: u64) -> JoinHandle<(u64, bool)> {
    spawn(async move {
        let ttl = Duration::from_secs(60);
        let reserve = Reserve { terms: TERMS, id, amount: 2, least: 2, ttl, hold: Hold::Now, after: None };
        match insist::<Allowance>(&*cells, &allowance::Command::Reserve(reserve)).await {
            allowance::Reply::Granted { amount, .. } => assert_eq!(amount, 2),
            allowance::Reply::Refused { .. } => return (0, false),
            other => panic!("{other:?}"),
        }
        assert!(charged(&*cells).await.0 <= TERMS.limit);
        if once_in(4) {
            return (2, true);
        }
        let settle = allowance::Command::Settle(Settle { id, actual: 1 });
        match insist::<Allowance>(&*cells, &settle).await {
            allowance::Reply::Settled { .. } | allowance::Reply::Gone => (1, false),
            other => panic!("{other:?}"),
        }
    })
}

fn allowances_lose_and_double_nothing(form: Form, callers: u64) {
    block_on(async move {
        let cells = form.cells();
        let racing: Vec<_> = (1..=callers).map(|id| caller(cells.clone(), id)).collect();
        let (mut cost, mut left_open) = (0, 0);
        for caller in racing {
            let (amount, died) = caller.await.expect("no caller panics");
            cost += amount;
            left_open += u32::from(died);
        }
        assert_eq!(charged(&*cells).await, (cost, left_open));
        assert!(cost > 0, "somebody was first");
    });
}

fn pointers_have_one_winner(form: Form, writers: u64) {
    block_on(async move {
        let cells = form.cells();
        let write = |id: u64| {
            let cells = cells.clone();
            spawn(async move {
                let mut expected = 0;
                // Everybody tries until it has written once.
                loop {
                    let change = Change { id, expected, by: String::new(), note: String::new() };
                    let set = pointer::Command::Set { change, value: Bytes::from(id.to_string()) };
                    match insist::<Pointer>(&*cells, &set).await {
                        pointer::Reply::Changed(made) => return made.number,
                        pointer::Reply::Conflict(Some(current)) => expected = current.number,
                        other => panic!("{other:?}"),
                    }
                }
            })
        };
        let racing: Vec<_> = (1..=writers).map(write).collect();
        let mut numbers = Vec::new();
        for writer in racing {
            numbers.push(writer.await.expect("no writer panics"));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=writers).collect::<Vec<_>>(), "each wrote once, and nobody over another");
    });
}

/// A key-value store whose every call can be overtaken, and whose answers are lost now and then.
struct Late(MemoryKv);

impl Late {
    async fn then<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
        yield_now().await;
        if once_in(LOST) {
            return Err(lost());
        }
        let answered = answer.await;
        yield_now().await;
        if once_in(LOST) { Err(lost()) } else { answered }
    }
}

#[async_trait]
impl KvStore for Late {
    async fn fetch(&self, key: &str) -> Result<Option<KvEntry>> {
        Self::then(self.0.fetch(key)).await
    }
    async fn put(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        Self::then(self.0.put(key, value, ttl)).await
    }
    async fn delete(&self, key: &str) -> Result<()> {
        Self::then(self.0.delete(key)).await
    }
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> Result<KvPage> {
        Self::then(self.0.list(prefix, cursor, limit)).await
    }
}

/// Instances append to one trail, and each stores pages as it can, while both stores lose answers.
fn trails_keep_what_they_acknowledge(form: Form, instances: u64) {
    block_on(async move {
        let clock = Arc::new(Ticks::default());
        let (cells, kv) = (form.cells(), Arc::new(Late(MemoryKv::new(clock.clone(), 1 << 20))));
        let trail = Trail::over(kv, cells, Arc::new(Dice), clock);
        let append = |instance: u64| {
            let trail = trail.clone();
            spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0..12 {
                    let deed = Deed { object: format!("{instance}/{number}"), ..Deed::default() };
                    match trail.append(&deed).await {
                        Ok(entry) => acknowledged.push((entry.seq, deed.object)),
                        Err(error) => assert_eq!(error.kind, ErrorKind::UpstreamUnavailable, "{error:?}"),
                    }
                }
                acknowledged
            })
        };
        let racing: Vec<_> = (1..=instances).map(append).collect();
        let mut acknowledged = Vec::new();
        for instance in racing {
            acknowledged.extend(instance.await.expect("no instance panics"));
        }
        let page = loop {
            if let Ok(page) = trail.list(0, 1000, |_| true).await {
                break page;
            }
        };
        assert_eq!(page.broken, None);
        let mut objects: Vec<_> = page.entries.iter().map(|entry| entry.deed.object.clone()).collect();
        for (seq, object) in acknowledged {
            assert_eq!(objects[usize::try_from(seq).expect("small") - 1], object, "it is where its author was told");
        }
        objects.sort_unstable();
        objects.dedup();
        assert_eq!(objects.len(), page.entries.len(), "nothing is there twice");
        let mut verifier = Verifier::new();
        page.entries.iter().for_each(|entry| verifier.check(entry).expect("it is what was written"));
        verifier.finish(&page.end).expect("it ends where the trail ends");
    });
}

#[test]
fn racing_appenders_of_an_audit_trail() {
    for form in [Form::Swap, Form::Actor] {
        shuttle::check_random(move || trails_keep_what_they_acknowledge(form, 3), 100);
    }
}

#[test]
fn racing_callers_of_a_compare_and_swap_cell() {
    shuttle::check_random(|| allowances_lose_and_double_nothing(Form::Swap, 4), 1500);
    shuttle::check_pct(|| allowances_lose_and_double_nothing(Form::Swap, 3), 500, 3);
}

#[test]
fn racing_callers_of_an_actor() {
    shuttle::check_random(|| allowances_lose_and_double_nothing(Form::Actor, 4), 1500);
    shuttle::check_pct(|| allowances_lose_and_double_nothing(Form::Actor, 3), 500, 3);
}

#[test]
fn racing_writers_of_a_pointer() {
    for form in [Form::Swap, Form::Actor] {
        shuttle::check_random(move || pointers_have_one_winner(form, 3), 700);
    }
}
