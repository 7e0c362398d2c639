//! What an allowance must do: its rules one by one, then random histories against a model and against the clock.

mod credits;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::*;
use crate::cell::pack::Pack;
use crate::cell::step;
use crate::ports::Entropy;
use crate::ports::memory::SeededEntropy;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Window = Window::Sliding(Duration::from_secs(60));

/// An allowance, its state as bytes between commands, and its time.
#[derive(Default)]
struct Cell {
    state: Option<Bytes>,
    expires: Option<Timestamp>,
    now: Timestamp,
}

impl Cell {
    fn at(seconds: u64) -> Self {
        Self { now: Timestamp(seconds * 1_000_000), ..Self::default() }
    }

    /// The answer, without what it says of the rest of the allowance.
    fn send(&mut self, command: &Command) -> Reply {
        plain(self.send_whole(command))
    }

    fn send_whole(&mut self, command: &Command) -> Reply {
        let bytes = command.to_bytes();
        assert_eq!(Command::from_bytes(&bytes).expect("its own bytes"), *command);
        if self.expires.is_some_and(|expires| expires <= self.now) {
            self.state = None;
        }
        let run = || step::<Allowance>().step(self.state.as_deref(), &bytes, self.now).expect("a good command");
        let next = run();
        assert_eq!(run(), next, "the same inputs, the same bytes");
        if let Some(state) = &next.state {
            let state_again = State::from_bytes(state).expect("its own bytes").to_bytes();
            assert_eq!(state_again, state, "one state, one encoding");
        }
        (self.state, self.expires) = (next.state, next.expires);
        Reply::from_bytes(&next.reply).expect("its own bytes")
    }

    fn later(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    fn charged(&mut self, terms: Terms) -> u64 {
        match self.send(&Command::Look(terms)) {
            Reply::Standing { charged, .. } => charged,
            other => panic!("{other:?}"),
        }
    }
}

fn terms(limit: u64, window: Window) -> Terms {
    Terms { limit, window }
}

fn reserve(terms: Terms, id: u64, amount: u64) -> Reserve {
    Reserve { terms, id, amount, least: amount, ttl: 10 * SECOND, hold: Hold::Now, after: None }
}

fn ask(terms: Terms, id: u64, amount: u64) -> Command {
    Command::Reserve(reserve(terms, id, amount))
}

fn settle(id: u64, actual: u64) -> Command {
    Command::Settle(Settle { id, actual })
}

fn granted(amount: u64, seconds: u32) -> Reply {
    Reply::Granted { amount, ttl: seconds * SECOND, remaining: 0, clear_after: None }
}

const SETTLED: Reply = Reply::Settled { charged: 0, reserved: 0, credit: 0 };

fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Granted { amount, ttl, .. } => Reply::Granted { amount, ttl, remaining: 0, clear_after: None },
        Reply::Settled { .. } => SETTLED,
        other => other,
    }
}

fn exhausted(remaining: u64, retry_after: Option<Duration>) -> Reply {
    Reply::Refused { remaining, retry_after, because: Refusal::Exhausted }
}

#[test]
fn concurrent_reservations_are_seen_and_the_limit_is_exact() {
    let (mut cell, budget) = (Cell::at(1000), terms(10, Window::Ever));
    assert_eq!(cell.send(&ask(budget, 1, 6)), granted(6, 10));
    assert_eq!(cell.send(&ask(budget, 2, 5)), exhausted(4, None));
    assert_eq!(cell.send(&ask(budget, 3, 4)), granted(4, 10));
    assert_eq!(cell.send(&ask(budget, 4, 1)), exhausted(0, None));
    assert_eq!(cell.send(&ask(budget, 5, 0)), granted(0, 10));
}

#[test]
fn a_settlement_gives_back_what_was_not_spent_and_counts_once() {
    let (mut cell, budget) = (Cell::at(1000), terms(10, Window::Ever));
    cell.send(&ask(budget, 1, 10));
    assert_eq!(cell.send(&settle(1, 3)), SETTLED);
    let before = cell.state.clone();
    for actual in [3, 0, 9] {
        assert_eq!(cell.send(&settle(1, actual)), Reply::Gone);
    }
    assert_eq!(cell.state, before);
    assert_eq!(cell.charged(budget), 3);
}

#[test]
fn a_reservation_asked_for_again_is_the_same_one() {
    let (mut cell, budget) = (Cell::at(1000), terms(10, Window::Ever));
    cell.send(&ask(budget, 1, 6));
    cell.later(SECOND);
    assert_eq!(cell.send(&ask(budget, 1, 6)), granted(6, 9));
    assert_eq!(cell.charged(budget), 6);
    let swap = Command::Reserve(Reserve { after: Some(Settle { id: 1, actual: 2 }), ..reserve(budget, 1, 8) });
    assert_eq!(cell.send(&swap), granted(6, 9), "and does not settle itself");
}

#[test]
fn what_is_never_settled_expires_as_charged_and_a_late_settlement_changes_nothing() {
    let (mut cell, budget) = (Cell::at(1000), terms(10, Window::Ever));
    cell.send(&ask(budget, 1, 6));
    cell.later(10 * SECOND);
    assert_eq!(cell.send(&settle(1, 0)), Reply::Gone);
    assert_eq!(cell.send(&settle(1, 60)), Reply::Gone);
    assert_eq!(cell.send(&Command::Extend { id: 1, ttl: SECOND }), Reply::Gone);
    assert_eq!(cell.charged(budget), 6);
}

#[test]
fn an_extended_reservation_can_be_settled_later_and_is_never_shortened() {
    let (mut cell, budget) = (Cell::at(1000), terms(10, Window::Ever));
    cell.send(&ask(budget, 1, 6));
    cell.later(9 * SECOND);
    assert_eq!(cell.send(&Command::Extend { id: 1, ttl: 30 * SECOND }), granted(6, 30));
    assert_eq!(cell.send(&Command::Extend { id: 1, ttl: SECOND }), granted(6, 30));
    cell.later(29 * SECOND);
    assert_eq!(cell.send(&settle(1, 1)), SETTLED);
    assert_eq!(cell.charged(budget), 1);
}

#[test]
fn a_debt_is_kept_in_full() {
    let (mut cell, budget) = (Cell::at(1000), terms(10, Window::Ever));
    cell.send(&ask(budget, 1, 6));
    assert_eq!(cell.send(&settle(1, 16)), SETTLED);
    assert_eq!(cell.charged(budget), 16);
    assert_eq!(cell.send(&ask(budget, 2, 0)), exhausted(0, None));
    assert_eq!(cell.send(&ask(terms(20, Window::Ever), 2, 4)), granted(4, 10), "a raised limit holds at once");
    cell.send(&settle(2, u64::MAX));
    assert_eq!(cell.charged(budget), u64::MAX, "and nothing overflows");
}

#[test]
fn a_refusal_says_when_it_would_fit() {
    let (mut cell, rate) = (Cell::at(600), terms(10, MINUTE));
    cell.send(&ask(rate, 1, 6));
    cell.later(30 * SECOND);
    cell.send(&ask(rate, 2, 4));
    let Reply::Refused { remaining: 0, retry_after: Some(wait), .. } = cell.send(&ask(rate, 3, 6)) else { panic!() };
    assert_eq!(wait, 32 * SECOND, "a minute after the first, and a thirtieth");
    assert_eq!(cell.send(&ask(rate, 3, 11)), exhausted(0, None), "never: it is above the limit");
    cell.later(wait - Duration::from_micros(1));
    assert!(matches!(cell.send(&ask(rate, 3, 6)), Reply::Refused { .. }));
    cell.later(Duration::from_micros(1));
    assert_eq!(cell.send(&ask(rate, 3, 6)), granted(6, 10));
}

#[test]
fn a_fixed_window_begins_anew_and_a_settlement_of_the_last_one_changes_nothing() {
    let day = Window::Fixed(Duration::from_secs(86_400));
    let (mut cell, daily) = (Cell::at(86_400 * 20_000 - 5), terms(10, day));
    cell.send(&ask(daily, 1, 10));
    assert_eq!(cell.send(&ask(daily, 2, 1)), exhausted(0, Some(5 * SECOND)));
    cell.later(5 * SECOND);
    assert_eq!(cell.send(&ask(daily, 2, 10)), granted(10, 10));
    assert_eq!(cell.send(&settle(1, 0)), Reply::Gone);
    assert_eq!(cell.charged(daily), 10);
}

#[test]
fn a_state_that_counts_for_nothing_stops_existing() {
    let (mut cell, rate) = (Cell::at(600), terms(10, MINUTE));
    cell.send(&ask(rate, 1, 6));
    assert_eq!(cell.expires, Some(Timestamp(662_000_000)));
    cell.send(&settle(1, 0));
    assert_eq!((cell.state.clone(), cell.expires), (None, None));
    cell.send(&Command::Look(rate));
    cell.send(&ask(rate, 2, 11));
    cell.send(&settle(2, 1));
    assert_eq!(cell.state, None, "questions and refusals leave nothing behind");
}

#[test]
fn a_slice_takes_what_is_left_and_counts_until_a_window_after_its_expiry() {
    let (mut cell, rate) = (Cell::at(600), terms(10, MINUTE));
    let slice = |id, amount| Command::Reserve(Reserve { least: 1, hold: Hold::Slice, ..reserve(rate, id, amount) });
    assert_eq!(cell.send(&slice(1, 6)), granted(6, 10));
    assert_eq!(cell.send(&slice(2, 6)), granted(4, 10));
    assert_eq!(cell.send(&slice(3, 6)), exhausted(0, Some(70 * SECOND)), "ten seconds, a minute, and a bucket's rest");
    cell.later(65 * SECOND);
    assert_eq!(cell.charged(rate), 10, "it may have been spent up to ten seconds later");
    cell.later(5 * SECOND);
    assert_eq!(cell.charged(rate), 0);
}

#[test]
fn a_slice_that_is_returned_counts_from_its_return() {
    let (mut cell, rate) = (Cell::at(600), terms(10, MINUTE));
    let slice = Reserve { hold: Hold::Slice, ttl: 40 * SECOND, ..reserve(rate, 1, 10) };
    cell.send(&Command::Reserve(slice.clone()));
    cell.later(6 * SECOND);
    let swap = Reserve { id: 2, amount: 8, least: 8, after: Some(Settle { id: 1, actual: 2 }), ..slice };
    assert_eq!(cell.send(&Command::Reserve(swap.clone())), granted(8, 40));
    assert_eq!(cell.send(&Command::Reserve(swap)), granted(8, 40));
    cell.send(&settle(2, 0));
    assert_eq!(cell.charged(rate), 2);
    cell.later(62 * SECOND);
    assert_eq!(cell.charged(rate), 0);
}

#[test]
fn a_slice_ends_with_its_fixed_window() {
    let hour = Window::Fixed(Duration::from_secs(3600));
    let (mut cell, hourly) = (Cell::at(3600 * 500_000 - 4), terms(10, hour));
    assert_eq!(cell.send(&Command::Reserve(Reserve { hold: Hold::Slice, ..reserve(hourly, 1, 10) })), granted(10, 4));
    assert_eq!(cell.send(&Command::Extend { id: 1, ttl: 100 * SECOND }), granted(10, 4));
}

#[test]
fn time_that_goes_back_stands_still() {
    let (mut cell, rate) = (Cell::at(600), terms(10, MINUTE));
    cell.send(&ask(rate, 1, 10));
    cell.now = Timestamp(0);
    assert!(matches!(cell.send(&ask(rate, 2, 1)), Reply::Refused { .. }));
    assert_eq!(cell.send(&settle(1, 4)), SETTLED);
    assert_eq!(cell.charged(rate), 4);
}

#[test]
fn a_charge_without_a_time_to_live_is_never_open() {
    let (mut cell, rate) = (Cell::at(600), terms(10, MINUTE));
    let take = |id, amount| Command::Reserve(Reserve { ttl: Duration::ZERO, ..reserve(rate, id, amount) });
    assert_eq!(cell.send(&take(1, 6)), granted(6, 0));
    assert_eq!(cell.send(&settle(1, 0)), Reply::Gone);
    assert_eq!(cell.send(&take(1, 4)), granted(4, 0));
    assert!(matches!(cell.send(&take(1, 1)), Reply::Refused { .. }));
}

#[test]
fn the_open_reservations_have_a_cap_and_the_largest_state_is_known() {
    let (mut cell, budget) = (Cell::at(1_790_000_000), terms(u64::MAX, MINUTE));
    for id in 0..OPEN as u64 {
        let ttl = SECOND * (10 + id as u32);
        let hold = if id % 2 == 0 { Hold::Now } else { Hold::Slice };
        let reserve = Reserve { ttl, hold, ..reserve(budget, u64::MAX - id, 1 << 40) };
        let command = Command::Reserve(reserve).to_bytes();
        let next = step::<Allowance>().step(cell.state.as_deref(), &command, cell.now).expect("a good command");
        assert!(matches!(Reply::from_bytes(&next.reply), Ok(Reply::Granted { .. })));
        (cell.state, cell.expires) = (next.state, next.expires);
    }
    assert!(cell.state.as_ref().expect("a state").len() < 30_000, "{}", cell.state.as_ref().expect("a state").len());
    let crowded =
        Reply::Refused { remaining: u64::MAX - ((OPEN as u64) << 40), retry_after: Some(10 * SECOND), because: Refusal::Crowded };
    assert_eq!(cell.send(&ask(budget, 1, 1)), crowded);
    cell.later(10 * SECOND);
    assert!(matches!(cell.send(&ask(budget, 1, 1)), Reply::Granted { .. }));
}

#[test]
fn another_window_moves_what_is_charged_to_the_present() {
    let mut cell = Cell::at(86_400 * 20_000);
    cell.send(&ask(terms(10, MINUTE), 1, 6));
    cell.later(9 * SECOND);
    cell.send(&Command::Reserve(Reserve { hold: Hold::Slice, ..reserve(terms(10, MINUTE), 2, 3) }));
    let day = terms(10, Window::Fixed(Duration::from_secs(86_400)));
    assert_eq!(cell.charged(day), 9);
    assert_eq!(cell.send(&ask(day, 3, 1)), granted(1, 10));
    cell.send(&settle(2, 1));
    assert_eq!(cell.charged(day), 8);
    cell.later(61 * SECOND);
    assert_eq!(cell.charged(day), 8);
}

/// What an allowance means, without buckets that are summed, without forgetting: every reservation that ever was.
struct Model {
    window: Window,
    latest: Timestamp,
    all: BTreeMap<u64, Held>,
}

struct Held {
    amount: u64,
    bucket: u64,
    expires: Timestamp,
    hold: Hold,
    settled: bool,
}

impl Model {
    fn counts(&self, bucket: u64, at: Timestamp) -> bool {
        self.window.end(bucket).is_none_or(|end| end > at)
    }

    fn open(&self, id: u64) -> Option<&Held> {
        self.open_at(id, self.latest)
    }

    fn open_at(&self, id: u64, at: Timestamp) -> Option<&Held> {
        self.all.get(&id).filter(|held| !held.settled && held.expires > at && self.counts(held.bucket, at))
    }

    fn charged(&self) -> u64 {
        self.all.values().filter(|held| self.counts(held.bucket, self.latest)).map(|held| held.amount).sum()
    }

    fn place(&self, hold: Hold, expires: Timestamp) -> u64 {
        match hold {
            Hold::Now => self.window.bucket(self.latest),
            Hold::Slice => self.window.bucket(Timestamp(expires.0 - 1)),
        }
    }

    fn until(&self, ttl: Duration, hold: Hold) -> Timestamp {
        let end = self.window.spend_by(self.latest).filter(|_| hold == Hold::Slice);
        end.map_or(self.latest.plus(ttl), |end| end.min(self.latest.plus(ttl)))
    }

    /// Only a change moves the time behind which there is no way back.
    fn send(&mut self, command: &Command, now: Timestamp) -> Reply {
        let before = self.latest;
        self.latest = self.latest.max(now);
        let (changed, reply) = self.run(command);
        if !changed {
            self.latest = before;
        }
        reply
    }

    fn run(&mut self, command: &Command) -> (bool, Reply) {
        match command {
            Command::Credit { .. } | Command::Reset { .. } => unreachable!("these have tests of their own"),
            Command::Look(terms) => {
                let reply = Reply::Standing {
                    charged: self.charged(),
                    credit: 0,
                    remaining: terms.limit.saturating_sub(self.charged()),
                    open: self.all.keys().filter(|id| self.open(**id).is_some()).count() as u32,
                    clear_after: None,
                };
                (false, reply)
            }
            Command::Reserve(reserve) => {
                if let Some(held) = self.open(reserve.id) {
                    let (amount, expires) = (held.amount, held.expires);
                    return (false, self.granted(amount, expires, reserve.terms.limit));
                }
                let settled = reserve.after.is_some_and(|settle| self.settle(settle));
                let remaining = reserve.terms.limit.saturating_sub(self.charged());
                if remaining < reserve.least.max(1) || self.charged() > reserve.terms.limit {
                    return (settled, exhausted(remaining, None));
                }
                let amount = reserve.amount.min(remaining);
                let expires = self.until(reserve.ttl, reserve.hold);
                let bucket = self.place(reserve.hold, expires);
                let held = Held { amount, bucket, expires, hold: reserve.hold, settled: false };
                assert!(self.all.insert(reserve.id, held).is_none(), "an id is used once");
                (true, self.granted(amount, expires, reserve.terms.limit))
            }
            Command::Settle(settle) => match self.settle(*settle) {
                true => (true, self.settled()),
                false => (false, Reply::Gone),
            },
            Command::Extend { id, ttl } => {
                let Some(held) = self.open(*id) else { return (false, Reply::Gone) };
                let (hold, expires) = (held.hold, self.until(*ttl, held.hold).max(held.expires));
                let bucket = if hold == Hold::Slice { self.place(hold, expires) } else { held.bucket };
                let held = self.all.get_mut(id).expect("it is open");
                (held.expires, held.bucket) = (expires, bucket);
                let amount = held.amount;
                (true, self.granted(amount, expires, 0))
            }
        }
    }

    fn granted(&self, amount: u64, expires: Timestamp, limit: u64) -> Reply {
        let remaining = limit.saturating_sub(self.charged());
        Reply::Granted { amount, ttl: expires.since(self.latest), remaining, clear_after: None }
    }

    fn settled(&self) -> Reply {
        let reserved = self.all.keys().filter_map(|id| self.open(*id)).map(|held| held.amount).sum();
        Reply::Settled { charged: self.charged(), reserved, credit: 0 }
    }

    fn settle(&mut self, settle: Settle) -> bool {
        let Some(hold) = self.open(settle.id).map(|held| held.hold) else { return false };
        let present = self.window.bucket(self.latest);
        let held = self.all.get_mut(&settle.id).expect("it is open");
        (held.amount, held.settled) = (settle.actual, true);
        if hold == Hold::Slice {
            held.bucket = present;
        }
        true
    }
}

/// A random command on a few reservations, the newest of which is `ids`.
fn random(dice: &SeededEntropy, terms: Terms, ids: &mut u64) -> Command {
    let below = |bound: u64| dice.u64() % bound;
    let mut some = |new: bool| {
        *ids += u64::from(new);
        if new { *ids } else { ids.saturating_sub(below(4)) }
    };
    match below(10) {
        0 => Command::Look(terms),
        1..5 => {
            let most = if below(4) == 0 { terms.limit } else { terms.limit / 8 + 1 };
            let (amount, new) = (1 + below(most), below(5) > 0);
            let least = if below(2) == 0 { amount } else { 1 + below(amount) };
            let hold = if below(2) == 0 { Hold::Now } else { Hold::Slice };
            let after = (below(3) == 0).then(|| Settle { id: some(false), actual: 0 });
            Command::Reserve(Reserve { terms, id: some(new), amount, least, ttl: (1 + below(9) as u32) * SECOND, hold, after })
        }
        5..8 => Command::Settle(Settle { id: some(false), actual: below(terms.limit / 8 + 1) }),
        _ => Command::Extend { id: some(false), ttl: (below(9) as u32) * SECOND },
    }
}

fn without_times(reply: Reply) -> Reply {
    match reply {
        Reply::Standing { charged, credit, remaining, open, .. } => {
            Reply::Standing { charged, credit, remaining, open, clear_after: None }
        }
        Reply::Granted { amount, ttl, remaining, .. } => Reply::Granted { amount, ttl, remaining, clear_after: None },
        Reply::Refused { remaining, because, .. } => Reply::Refused { remaining, retry_after: None, because },
        other => other,
    }
}

#[test]
fn random_histories_are_those_of_the_model_and_repeat_byte_for_byte() {
    let ten = Duration::from_secs(10);
    for (seed, window) in
        [Window::Ever, Window::Sliding(ten), Window::Fixed(ten), Window::Month, Window::Week].into_iter().enumerate()
    {
        let dice = SeededEntropy::new(seed as u64);
        let (mut grants, mut refusals, mut settled, mut gone) = (0, 0, 0, 0);
        for _ in 0..200 {
            let start = Timestamp(1_790_000_000_000_000 + dice.u64() % 86_400_000_000);
            let mut cell = Cell { now: start, ..Cell::default() };
            let new = || Model { window, latest: Timestamp(0), all: BTreeMap::new() };
            let (mut model, mut used) = (new(), BTreeSet::new());
            let (terms, mut id) = (terms(1 + dice.u64() % 100, window), 6);
            for _ in 0..60 {
                let command = random(&dice, terms, &mut id);
                cell.now =
                    Timestamp(cell.now.0 + dice.u64() % 2_000_000 - if dice.u64().is_multiple_of(8) { 1_000_000 } else { 0 });
                let open = |id| model.open_at(id, model.latest.max(cell.now)).is_some();
                // An id that comes again when its reservation is gone would be another reservation: not what callers do.
                if matches!(&command, Command::Reserve(reserve) if !open(reserve.id) && !used.insert(reserve.id)) {
                    continue;
                }
                let reply = cell.send_whole(&command);
                assert_eq!(without_times(reply.clone()), without_times(model.send(&command, cell.now)), "{command:?}");
                if cell.state.is_none() {
                    model = new();
                }
                match reply {
                    Reply::Granted { .. } => grants += 1,
                    Reply::Refused { .. } => refusals += 1,
                    Reply::Settled { .. } => settled += 1,
                    Reply::Gone => gone += 1,
                    Reply::Standing { .. } => {}
                }
            }
        }
        assert!(grants.min(refusals).min(settled).min(gone) > 300, "{window:?}: {grants} {refusals} {settled} {gone}");
    }
}

/// When something may have been spent, and how much of it at most.
struct Spent {
    from: u64,
    to: u64,
    amount: u64,
}

#[test]
fn no_interval_as_long_as_a_sliding_window_ever_holds_more_than_the_limit() {
    let dice = SeededEntropy::new(11);
    let below = |bound: u64| dice.u64() % bound;
    let (mut fullest, mut waited) = (0, 0);
    for _ in 0..120 {
        let length = 1 + below(20_000_000);
        let rate = terms(1 + below(1000), Window::Sliding(Duration::from_micros(length)));
        let mut cell = Cell { now: Timestamp(1_790_000_000_000_000 + below(1 << 40)), ..Cell::default() };
        let mut spent: BTreeMap<u64, Spent> = BTreeMap::new();
        for id in 0..120 {
            cell.later(Duration::from_micros(below(1 + length / 10)));
            let at = cell.now.0;
            let hold = if below(2) == 0 { Hold::Now } else { Hold::Slice };
            let ttl = Duration::from_micros(1 + below(length));
            let amount = 1 + below(rate.limit);
            let command = Command::Reserve(Reserve { least: 1 + below(amount), ttl, hold, ..reserve(rate, id, amount) });
            let reply = cell.send(&command);
            if let Reply::Refused { retry_after: Some(wait), because: Refusal::Exhausted, .. } = reply {
                for (early, granted) in [(1, false), (0, true)] {
                    let mut later = Cell { state: cell.state.clone(), expires: cell.expires, now: cell.now };
                    later.later(wait.saturating_sub(Duration::from_micros(early)));
                    assert_eq!(matches!(later.send(&command), Reply::Granted { .. }), granted, "{wait:?} - {early} us");
                }
                waited += 1;
            }
            if let Reply::Granted { amount, ttl, .. } = reply {
                let to = if hold == Hold::Slice { at + ttl.as_micros() as u64 - 1 } else { at };
                spent.insert(id, Spent { from: at, to, amount });
            }
            let (other, kind) = (below(id + 1), below(3));
            let Some(held) = spent.get_mut(&other) else { continue };
            if kind == 0 {
                let actual = below(held.amount + 1);
                if cell.send(&settle(other, actual)) == SETTLED {
                    (held.amount, held.to) = (actual, held.to.min(at));
                }
            } else if let Reply::Granted { ttl, .. } = cell.send(&Command::Extend { id: other, ttl }) {
                held.to = if held.from == held.to { held.to } else { at + ttl.as_micros() as u64 - 1 };
            }
        }
        for end in spent.values().flat_map(|held| [held.from, held.to]) {
            let within = |held: &&Spent| held.from <= end && held.to + length > end;
            let sum: u64 = spent.values().filter(within).map(|held| held.amount).sum();
            assert!(sum <= rate.limit, "{sum} of {} in {length} us", rate.limit);
            fullest = fullest.max(sum * 100 / rate.limit);
        }
    }
    assert_eq!(fullest, 100, "and all of it can be had");
    assert!(waited > 300, "{waited}");
}
