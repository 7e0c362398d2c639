//! Concurrency: so many at once. Whoever holds a slot renews it; the slot of a holder that died expires.
//!
//! A refusal is fair to whoever is willing to come back: an [`Acquire`](Command::Acquire) with patience keeps its place in
//! a line, a free slot goes to the first in the line, and a newcomer does not overtake. Who does not come back within
//! its patience loses the place.
//!
//! Invariants: never more than the limit of the latest command are granted; a slot that was asked for again is the same
//! slot; at most [`HELD`] slots and [`LINE`] places are kept.

use std::time::Duration;

use super::pack::{Pack, Packer, Unpacker, refused};
use super::{Next, Program};
use crate::error::Result;
use crate::order;
use crate::ports::Timestamp;

/// The most slots, whatever the limit says.
pub const HELD: usize = 1024;
/// The most places in the line. Beyond them a refusal has no place.
pub const LINE: usize = 64;
/// The longest that a slot or a place is kept without being renewed.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The program.
pub struct Concurrency;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// How many hold a slot? Writes nothing. Answered by [`Reply::Standing`].
    Look,
    /// Answered by [`Reply::Held`] or [`Reply::Refused`].
    Acquire {
        /// Random, and the same when the same slot is asked for again, after a refusal too.
        id: u64,
        /// The most that may hold a slot at once.
        limit: u32,
        /// For how long the slot is held, at most [`LONGEST`].
        ttl: Duration,
        /// For how long a refusal keeps a place in the line; zero for none, and then it writes nothing.
        patience: Duration,
    },
    /// Holds a slot for `ttl` from now; never shortens. Answered by [`Reply::Held`] or [`Reply::Gone`].
    Renew {
        /// The slot.
        id: u64,
        /// For how long, at most [`LONGEST`].
        ttl: Duration,
    },
    /// Gives a slot, or a place in the line, back. Answered by [`Reply::Released`] or [`Reply::Gone`].
    Release {
        /// The slot.
        id: u64,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// How it stands.
    Standing {
        /// How many hold a slot.
        held: u32,
        /// How many stand in line.
        waiting: u32,
    },
    /// The slot is held.
    Held {
        /// For how long, from the moment of the answer.
        ttl: Duration,
    },
    /// There is no slot.
    Refused {
        /// How many stand in line before this one.
        ahead: u32,
        /// After how long enough of the slots held now have expired, if nobody gives one back or renews; `None` when the
        /// limit is zero.
        retry_after: Option<Duration>,
    },
    /// Given back.
    Released,
    /// There is no such slot (any more): given back before, or expired.
    Gone,
}

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The latest moment of any change.
    latest: Timestamp,
    /// Who holds a slot, by id, ascending.
    held: Vec<Until>,
    /// Who stands in line, the first first.
    line: Vec<Until>,
}

/// Somebody, until a moment after `latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Until {
    id: u64,
    at: Timestamp,
}

impl Program for Concurrency {
    const NAME: &'static str = "edgeway-concurrency";
    type State = State;
    type Command = Command;
    type Reply = Reply;

    fn run(state: Option<State>, command: Command, now: Timestamp) -> Result<(Next<State>, Reply)> {
        let mut next = state.unwrap_or(State { latest: now, held: Vec::new(), line: Vec::new() });
        next.proceed(now);
        let (changed, reply) = match command {
            Command::Look => (false, Reply::Standing { held: small(next.held.len()), waiting: small(next.line.len()) }),
            Command::Acquire { id, limit, ttl, patience } => next.acquire(id, limit, ttl, patience),
            Command::Renew { id, ttl } => match next.renew(id, ttl) {
                Some(reply) => (true, reply),
                None => (false, Reply::Gone),
            },
            Command::Release { id } => match next.release(id) {
                true => (true, Reply::Released),
                false => (false, Reply::Gone),
            },
        };
        let next = match changed {
            false => Next::Same,
            true if next.held.is_empty() && next.line.is_empty() => Next::Nothing,
            true => Next::State(next),
        };
        Ok((next, reply))
    }

    fn expires(state: &State) -> Option<Timestamp> {
        state.held.iter().chain(&state.line).map(|until| until.at).max()
    }
}

fn small(length: usize) -> u32 {
    u32::try_from(length).expect("HELD and LINE are less")
}

impl State {
    fn proceed(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
        let latest = self.latest;
        self.held.retain(|until| until.at > latest);
        self.line.retain(|until| until.at > latest);
    }

    fn find(&self, id: u64) -> Result<usize, usize> {
        self.held.binary_search_by_key(&id, |until| until.id)
    }

    fn until(&self, duration: Duration) -> Timestamp {
        self.latest.plus(duration.min(LONGEST))
    }

    fn acquire(&mut self, id: u64, limit: u32, ttl: Duration, patience: Duration) -> (bool, Reply) {
        let place = match self.find(id) {
            Ok(at) => return (false, self.ttl(at)),
            Err(place) => place,
        };
        let limit = usize::try_from(limit).unwrap_or(HELD).min(HELD);
        let ahead = self.line.iter().position(|until| until.id == id).unwrap_or(self.line.len());
        if limit.saturating_sub(self.held.len()) > ahead {
            let at = self.until(ttl);
            if at <= self.latest {
                return (false, Reply::Held { ttl: Duration::ZERO });
            }
            self.held.insert(place, Until { id, at });
            self.line.retain(|until| until.id != id);
            return (true, self.ttl(place));
        }
        let refusal = Reply::Refused { ahead: small(ahead), retry_after: self.free_after(limit, ahead) };
        let at = self.until(patience);
        if patience.is_zero() || limit == 0 {
            return (false, refusal);
        }
        if ahead == LINE {
            return (false, refusal);
        }
        match self.line.get_mut(ahead) {
            Some(until) => until.at = until.at.max(at),
            None => self.line.push(Until { id, at }),
        }
        (true, refusal)
    }

    /// When as many slots have expired as those `ahead` and one more need.
    fn free_after(&self, limit: usize, ahead: usize) -> Option<Duration> {
        let mut ends: Vec<_> = self.held.iter().map(|until| until.at).collect();
        order::sort(&mut ends);
        let last = ends.len().checked_sub(1)?;
        let nth = (ends.len() + ahead).saturating_sub(limit).min(last);
        (limit > 0).then(|| ends[nth].since(self.latest))
    }

    fn ttl(&self, at: usize) -> Reply {
        Reply::Held { ttl: self.held[at].at.since(self.latest) }
    }

    fn renew(&mut self, id: u64, ttl: Duration) -> Option<Reply> {
        let at = self.find(id).ok()?;
        self.held[at].at = self.held[at].at.max(self.until(ttl));
        Some(self.ttl(at))
    }

    fn release(&mut self, id: u64) -> bool {
        let before = self.held.len() + self.line.len();
        self.held.retain(|until| until.id != id);
        self.line.retain(|until| until.id != id);
        self.held.len() + self.line.len() < before
    }
}

impl Pack for State {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        to.moment(self.latest);
        for all in [&self.held, &self.line] {
            to.length(all.len());
            for until in all {
                to.number(until.id);
                to.number(until.at.0 - self.latest.0);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        let latest = from.moment()?;
        let mut all = || {
            (0..from.count(2)?)
                .map(|_| {
                    let (id, after) = (from.number()?, from.number()?);
                    let at = latest.0.checked_add(after).filter(|_| after > 0).ok_or_else(disorder)?;
                    Ok(Until { id, at: Timestamp(at) })
                })
                .collect::<Result<Vec<_>>>()
        };
        let state = Self { latest, held: all()?, line: all()? };
        let ascending = state.held.is_sorted_by(|a, b| a.id < b.id);
        let once = |until: &Until| state.line.iter().filter(|other| other.id == until.id).count() == 1;
        let fits = state.held.len() <= HELD && state.line.len() <= LINE;
        if ascending && fits && state.line.iter().all(|until| once(until) && state.find(until.id).is_err()) {
            Ok(state)
        } else {
            Err(disorder())
        }
    }
}

fn disorder() -> crate::error::Error {
    refused(format_args!("its slots are out of order"))
}

impl Pack for Command {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Look => to.byte(0),
            Self::Acquire { id, limit, ttl, patience } => {
                to.byte(1);
                to.number(*id);
                to.number(u64::from(*limit));
                to.duration(*ttl);
                to.duration(*patience);
            }
            Self::Renew { id, ttl } => {
                to.byte(2);
                to.number(*id);
                to.duration(*ttl);
            }
            Self::Release { id } => {
                to.byte(3);
                to.number(*id);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Look,
            1 => Self::Acquire { id: from.number()?, limit: from.number32()?, ttl: from.duration()?, patience: from.duration()? },
            2 => Self::Renew { id: from.number()?, ttl: from.duration()? },
            3 => Self::Release { id: from.number()? },
            other => return Err(refused(format_args!("there is no command {other}"))),
        })
    }
}

impl Pack for Reply {
    const VERSION: u8 = 1;

    fn pack(&self, to: &mut Packer) {
        match self {
            Self::Standing { held, waiting } => {
                to.byte(0);
                to.number(u64::from(*held));
                to.number(u64::from(*waiting));
            }
            Self::Held { ttl } => {
                to.byte(1);
                to.duration(*ttl);
            }
            Self::Refused { ahead, retry_after } => {
                to.byte(2);
                to.number(u64::from(*ahead));
                to.option(*retry_after, Packer::duration);
            }
            Self::Released => to.byte(3),
            Self::Gone => to.byte(4),
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Standing { held: from.number32()?, waiting: from.number32()? },
            1 => Self::Held { ttl: from.duration()? },
            2 => Self::Refused { ahead: from.number32()?, retry_after: from.option(Unpacker::duration)? },
            3 => Self::Released,
            4 => Self::Gone,
            other => return Err(refused(format_args!("there is no reply {other}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::*;
    use crate::cell::step;
    use crate::ports::Entropy;
    use crate::ports::memory::SeededEntropy;

    const SECOND: Duration = Duration::from_secs(1);

    #[derive(Default)]
    struct Cell(Option<Bytes>);

    impl Cell {
        fn send(&mut self, command: &Command, seconds: u64) -> Reply {
            let now = Timestamp(seconds * 1_000_000);
            assert_eq!(Command::from_bytes(&command.to_bytes()).expect("its own bytes"), *command);
            let next = step::<Concurrency>().step(self.0.as_deref(), &command.to_bytes(), now).expect("a good command");
            self.0 = next.state.filter(|_| next.expires.is_none_or(|expires| expires > now));
            Reply::from_bytes(&next.reply).expect("its own bytes")
        }

        /// One of two slots, for ten seconds.
        fn acquire(&mut self, id: u64, patience: u32, seconds: u64) -> Reply {
            self.send(&Command::Acquire { id, limit: 2, ttl: 10 * SECOND, patience: patience * SECOND }, seconds)
        }
    }

    fn held(seconds: u32) -> Reply {
        Reply::Held { ttl: seconds * SECOND }
    }

    fn refused_after(ahead: u32, seconds: u32) -> Reply {
        Reply::Refused { ahead, retry_after: Some(seconds * SECOND) }
    }

    #[test]
    fn a_third_is_refused_until_one_of_two_gives_its_slot_back_or_dies() {
        let mut cell = Cell::default();
        assert_eq!(cell.acquire(1, 0, 100), held(10));
        assert_eq!(cell.acquire(2, 0, 104), held(10));
        assert_eq!(cell.acquire(2, 0, 105), held(9), "asked for again, it is the same slot");
        assert_eq!(cell.acquire(3, 0, 105), refused_after(0, 5));
        assert_eq!(cell.acquire(3, 0, 110), held(10), "the first has died");
        assert_eq!(cell.send(&Command::Release { id: 2 }, 110), Reply::Released);
        assert_eq!(cell.send(&Command::Release { id: 2 }, 110), Reply::Gone);
        assert_eq!(cell.acquire(4, 0, 110), held(10));
        assert_eq!(cell.send(&Command::Look, 111), Reply::Standing { held: 2, waiting: 0 });
        assert_eq!(cell.send(&Command::Look, 120), Reply::Standing { held: 0, waiting: 0 });
    }

    #[test]
    fn a_renewed_slot_lives_and_an_expired_one_cannot_be_renewed() {
        let mut cell = Cell::default();
        cell.acquire(1, 0, 100);
        assert_eq!(cell.send(&Command::Renew { id: 1, ttl: SECOND }, 105), held(5), "never shortened");
        assert_eq!(cell.send(&Command::Renew { id: 1, ttl: 30 * SECOND }, 105), held(30));
        assert_eq!(cell.send(&Command::Renew { id: 1, ttl: SECOND }, 135), Reply::Gone);
    }

    #[test]
    fn a_newcomer_does_not_overtake_the_line() {
        let mut cell = Cell::default();
        cell.acquire(1, 0, 100);
        cell.acquire(2, 0, 101);
        assert_eq!(cell.acquire(3, 20, 102), refused_after(0, 8));
        assert_eq!(cell.acquire(4, 5, 102), refused_after(1, 9));
        assert_eq!(cell.acquire(5, 0, 102), refused_after(2, 9));
        cell.send(&Command::Release { id: 1 }, 103);
        assert_eq!(cell.acquire(5, 0, 103), refused_after(2, 8), "though a slot is free");
        assert_eq!(cell.acquire(4, 5, 103), refused_after(1, 8));
        assert_eq!(cell.acquire(3, 20, 103), held(10));
        assert_eq!(cell.send(&Command::Look, 103), Reply::Standing { held: 2, waiting: 1 });
        cell.send(&Command::Release { id: 2 }, 104);
        assert_eq!(cell.acquire(5, 0, 107), refused_after(1, 6));
        assert_eq!(cell.acquire(5, 0, 108), held(10), "who does not come back loses the place");
    }

    #[test]
    fn whoever_leaves_the_line_makes_room() {
        let mut cell = Cell::default();
        cell.acquire(1, 0, 100);
        cell.acquire(2, 0, 100);
        cell.acquire(3, 20, 100);
        assert_eq!(cell.send(&Command::Release { id: 3 }, 101), Reply::Released);
        cell.send(&Command::Release { id: 1 }, 101);
        assert_eq!(cell.acquire(4, 0, 101), held(10));
    }

    #[test]
    fn a_lowered_limit_holds_at_once_and_takes_nobodys_slot() {
        let mut cell = Cell::default();
        cell.acquire(1, 0, 100);
        cell.acquire(2, 0, 103);
        let one = Command::Acquire { id: 3, limit: 1, ttl: SECOND, patience: Duration::ZERO };
        assert_eq!(cell.send(&one, 104), refused_after(0, 9));
        let none = Command::Acquire { id: 3, limit: 0, ttl: SECOND, patience: 9 * SECOND };
        assert_eq!(cell.send(&none, 104), Reply::Refused { ahead: 0, retry_after: None });
        assert_eq!(cell.send(&Command::Look, 104), Reply::Standing { held: 2, waiting: 0 });
    }

    #[test]
    fn slots_and_places_have_a_cap_and_the_largest_state_is_known() {
        let mut cell = Cell::default();
        let acquire = |id: u64| Command::Acquire { id: u64::MAX - id, limit: u32::MAX, ttl: LONGEST * 2, patience: LONGEST * 2 };
        for id in 0..(HELD + LINE) as u64 {
            let reply = cell.send(&acquire(id), 1_790_000_000);
            assert_eq!(matches!(reply, Reply::Held { .. }), id < HELD as u64);
        }
        assert!(matches!(cell.send(&acquire(5000), 1_790_000_000), Reply::Refused { ahead: 64, .. }));
        let waiting = Reply::Standing { held: small(HELD), waiting: small(LINE) };
        assert_eq!(cell.send(&Command::Look, 1_790_000_000), waiting);
        assert!(cell.0.expect("a state").len() < 20_000);
    }

    #[test]
    fn random_histories_never_exceed_the_limit_and_lose_nobody() {
        let dice = SeededEntropy::new(21);
        let below = |bound: u64| dice.u64() % bound;
        let (mut granted, mut refused) = (0, 0);
        for _ in 0..200 {
            let (mut cell, mut model, mut now) = (Cell::default(), BTreeMap::<u64, u64>::new(), 1_790_000_000);
            let limit = 1 + below(4) as u32;
            for _ in 0..80 {
                now += below(3);
                model.retain(|_, until| *until > now);
                let (id, ttl) = (below(8), 1 + below(9));
                let patience = below(2) as u32 * 3 * SECOND;
                let command = match below(4) {
                    0 => Command::Release { id },
                    1 => Command::Renew { id, ttl: Duration::from_secs(ttl) },
                    _ => Command::Acquire { id, limit, ttl: Duration::from_secs(ttl), patience },
                };
                let until = model.get(&id).copied();
                match (&command, cell.send(&command, now)) {
                    (Command::Acquire { .. }, Reply::Held { ttl: left }) => {
                        granted += usize::from(until.is_none());
                        assert_eq!(left, Duration::from_secs(until.map_or(ttl, |until| until - now)));
                        model.entry(id).or_insert(now + ttl);
                    }
                    (Command::Acquire { .. }, Reply::Refused { ahead, .. }) => {
                        refused += 1;
                        assert!(until.is_none() && model.len() + ahead as usize >= limit as usize);
                    }
                    (Command::Renew { .. }, Reply::Held { .. }) => {
                        let until = until.expect("only a held slot is renewed").max(now + ttl);
                        model.insert(id, until);
                    }
                    (Command::Renew { .. }, Reply::Gone) => assert_eq!(until, None),
                    (Command::Release { .. }, Reply::Released) => drop(model.remove(&id)),
                    (Command::Release { .. }, Reply::Gone) => assert_eq!(until, None),
                    (command, reply) => panic!("{command:?} was answered {reply:?}"),
                }
                assert!(model.len() <= limit as usize);
                let Reply::Standing { held, .. } = cell.send(&Command::Look, now) else { panic!("no standing") };
                assert_eq!(held as usize, model.len());
            }
        }
        assert!(granted > 1000 && refused > 1000, "{granted} {refused}");
    }
}
