//! An allowance: so much in a window, or for good. Requests, tokens, nano-dollars: whatever is counted in integers.
//!
//! | command | what it does |
//! |---|---|
//! | [`Command::Look`] | tells what is left |
//! | [`Command::Reserve`] | charges an amount at once and keeps it open, to be settled; or refuses |
//! | [`Command::Settle`] | replaces the amount by what it really was, and closes it |
//! | [`Command::Extend`] | keeps it open for longer |
//!
//! The rules, from which everything else follows:
//!
//! 1. *Charged first.* An amount is charged when it is reserved, so concurrent callers see it, and a reservation that nobody
//!    settles needs nobody to expire it: it is charged already.
//! 2. *Closed once.* Only an open reservation can be settled, and settling closes it. A second settlement, and one after
//!    the expiry, finds nothing and changes nothing: what expired stays charged as reserved.
//! 3. *An amount belongs to the moment of its reservation*, whenever it is settled. A slice that may be spent until it
//!    expires ([`Hold::Slice`]) counts from now until a window after its expiry.
//! 4. *The truth is kept.* A settlement above its reservation is charged in full, even past the limit: it has been spent.
//!
//! Invariants: what is charged in a window never exceeds the limit, except by rule 4; at most [`OPEN`] reservations are
//! open. The limit comes with each command, so a new configuration holds at once; a new window moves what is
//! charged to the present, never to the past.

mod encoding;

use std::time::Duration;

use super::window::Window;
use super::{Next, Program};
use crate::error::Result;
use crate::ports::Timestamp;

/// How many reservations may be open at once. One takes about 20 bytes of the state.
pub const OPEN: usize = 1024;
/// The longest that a reservation stays open without being extended.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The program.
pub struct Allowance;

/// How much, for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The most that may be charged at any time.
    pub limit: u64,
    /// For how long a charge counts.
    pub window: Window,
}

/// When a reserved amount is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Now: a request's own amount.
    Now,
    /// At any time until it is settled or expires: a slice for a lease. Ends with a fixed window.
    Slice,
}

/// Asks for an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Of what.
    pub terms: Terms,
    /// Random, and the same when the same reservation is asked for again.
    pub id: u64,
    /// How much.
    pub amount: u64,
    /// With how little the caller would be content; equal to `amount` for all or nothing.
    pub least: u64,
    /// For how long it stays open, at most [`LONGEST`]. Zero: charged at once and never open, so asking again charges again.
    pub ttl: Duration,
    /// When it is spent.
    pub hold: Hold,
    /// A reservation that is settled first, in the same step.
    pub after: Option<Settle>,
}

/// Says what a reservation really was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The reservation.
    pub id: u64,
    /// What was spent; zero gives all of it back.
    pub actual: u64,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What is left? Writes nothing. Answered by [`Reply::Standing`].
    Look(Terms),
    /// Answered by [`Reply::Granted`] or [`Reply::Refused`]; a refusal writes nothing.
    Reserve(Reserve),
    /// Answered by [`Reply::Settled`] or [`Reply::Gone`], which writes nothing.
    Settle(Settle),
    /// Answered by [`Reply::Granted`] or [`Reply::Gone`].
    Extend {
        /// The reservation.
        id: u64,
        /// For how long from now, at most [`LONGEST`]. Never shortens.
        ttl: Duration,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// How it stands.
    Standing {
        /// What is charged.
        charged: u64,
        /// What is left.
        remaining: u64,
        /// How many reservations are open.
        open: u32,
        /// After how long nothing is charged any more, if nothing is added; `None` for never.
        clear_after: Option<Duration>,
    },
    /// Charged and open.
    Granted {
        /// How much: all that was asked for, or what was left.
        amount: u64,
        /// For how long it stays open, from the moment of the answer.
        ttl: Duration,
    },
    /// Not charged.
    Refused {
        /// What is left.
        remaining: u64,
        /// After how long it would fit, if nothing else happens; `None` for never.
        retry_after: Option<Duration>,
        /// Why.
        because: Refusal,
    },
    /// Closed.
    Settled,
    /// There is no such reservation (any more): settled before, or expired as charged, or out of its window.
    Gone,
}

/// Why an amount was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is more than what is left.
    Exhausted,
    /// Too many reservations are open.
    Crowded,
}

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    window: Window,
    /// The latest moment of any change; time does not go back behind it.
    latest: Timestamp,
    /// What is charged, by bucket, ascending. Only buckets that count at `latest`.
    charges: Vec<(u64, u64)>,
    /// By id, ascending. Only what expires after `latest` and lies in a bucket that counts.
    open: Vec<Open>,
}

/// A reservation. Its amount is part of the charge of its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    id: u64,
    amount: u64,
    bucket: u64,
    expires: Timestamp,
    hold: Hold,
}

impl Program for Allowance {
    const NAME: &'static str = "edgeway-allowance";
    type State = State;
    type Command = Command;
    type Reply = Reply;

    fn run(state: Option<State>, command: Command, now: Timestamp) -> Result<(Next<State>, Reply)> {
        let mut next = match (state, &command) {
            (Some(state), _) => state,
            (None, Command::Look(terms) | Command::Reserve(Reserve { terms, .. })) => State::new(terms.window, now),
            (None, Command::Settle(_) | Command::Extend { .. }) => return Ok((Next::Same, Reply::Gone)),
        };
        next.proceed(now);
        let (changed, reply) = match command {
            Command::Look(terms) => {
                next.measure_by(terms.window);
                (false, next.standing(terms.limit))
            }
            Command::Reserve(reserve) => {
                // Asked for again, it must not settle what came after.
                let known = next.find(reserve.id).is_ok();
                let settled = !known && reserve.after.is_some_and(|settle| next.settle(settle));
                let (reserved, reply) = next.reserve(&reserve);
                (settled || reserved, reply)
            }
            Command::Settle(settle) => match next.settle(settle) {
                true => (true, Reply::Settled),
                false => (false, Reply::Gone),
            },
            Command::Extend { id, ttl } => match next.extend(id, ttl) {
                Some(reply) => (true, reply),
                None => (false, Reply::Gone),
            },
        };
        let next = match changed {
            false => Next::Same,
            true if next.charges.is_empty() && next.open.is_empty() => Next::Nothing,
            true => Next::State(next),
        };
        Ok((next, reply))
    }

    fn expires(state: &State) -> Option<Timestamp> {
        state.clear_at()
    }
}

impl State {
    fn new(window: Window, now: Timestamp) -> Self {
        Self { window, latest: now, charges: Vec::new(), open: Vec::new() }
    }

    /// Lets time pass: what does not count any more is forgotten, what has expired stays charged and is open no more.
    fn proceed(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
        let (latest, oldest) = (self.latest, self.window.oldest(self.latest));
        self.charges.retain(|(bucket, _)| *bucket >= oldest);
        self.open.retain(|open| open.expires > latest && open.bucket >= oldest);
    }

    /// Measures by another window from now on. Everything that is charged counts as charged now, or at its expiry.
    fn measure_by(&mut self, window: Window) {
        if self.window == window {
            return;
        }
        let mut elsewhere = self.charged();
        self.window = window;
        self.charges.clear();
        let present = window.bucket(self.latest);
        for at in 0..self.open.len() {
            let open = &self.open[at];
            let (amount, bucket) = (open.amount, open.hold.bucket(window, self.latest, open.expires));
            self.open[at].bucket = bucket;
            elsewhere = elsewhere.saturating_sub(amount);
            self.charge(bucket, amount);
        }
        self.charge(present, elsewhere);
    }

    fn charged(&self) -> u64 {
        self.charges.iter().fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    fn charge(&mut self, bucket: u64, amount: u64) {
        match self.charges.binary_search_by_key(&bucket, |charge| charge.0) {
            Ok(at) => self.charges[at].1 = self.charges[at].1.saturating_add(amount),
            Err(at) if amount > 0 => self.charges.insert(at, (bucket, amount)),
            Err(_) => {}
        }
    }

    fn discharge(&mut self, bucket: u64, amount: u64) {
        if let Ok(at) = self.charges.binary_search_by_key(&bucket, |charge| charge.0) {
            self.charges[at].1 = self.charges[at].1.saturating_sub(amount);
            if self.charges[at].1 == 0 {
                self.charges.remove(at);
            }
        }
    }

    fn find(&self, id: u64) -> Result<usize, usize> {
        self.open.binary_search_by_key(&id, |open| open.id)
    }

    fn reserve(&mut self, reserve: &Reserve) -> (bool, Reply) {
        if let Ok(at) = self.find(reserve.id) {
            return (false, self.granted(at));
        }
        self.measure_by(reserve.terms.window);
        let limit = reserve.terms.limit;
        let charged = self.charged();
        let remaining = limit.saturating_sub(charged);
        let least = reserve.least.max(1).min(reserve.amount);
        if charged > limit || remaining < least {
            let retry_after = self.fits_at(limit, least).map(|at| at.since(self.latest));
            return (false, Reply::Refused { remaining, retry_after, because: Refusal::Exhausted });
        }
        let amount = reserve.amount.min(remaining);
        let expires = self.until(reserve.ttl, reserve.hold);
        let bucket = reserve.hold.bucket(self.window, self.latest, expires);
        if expires <= self.latest {
            self.charge(bucket, amount);
            return (true, Reply::Granted { amount, ttl: Duration::ZERO });
        }
        if self.open.len() >= OPEN {
            let first = self.open.iter().map(|open| open.expires).min();
            let retry_after = first.map(|first| first.since(self.latest));
            return (false, Reply::Refused { remaining, retry_after, because: Refusal::Crowded });
        }
        self.charge(bucket, amount);
        let at = self.find(reserve.id).unwrap_or_else(|at| at);
        self.open.insert(at, Open { id: reserve.id, amount, bucket, expires, hold: reserve.hold });
        (true, self.granted(at))
    }

    fn granted(&self, at: usize) -> Reply {
        let open = &self.open[at];
        Reply::Granted { amount: open.amount, ttl: open.expires.since(self.latest) }
    }

    fn settle(&mut self, settle: Settle) -> bool {
        let Ok(at) = self.find(settle.id) else { return false };
        let open = self.open.remove(at);
        let spent = open.hold.bucket(self.window, self.latest, self.latest);
        let bucket = if open.hold == Hold::Slice { spent } else { open.bucket };
        self.discharge(open.bucket, open.amount);
        self.charge(bucket, settle.actual);
        true
    }

    fn extend(&mut self, id: u64, ttl: Duration) -> Option<Reply> {
        let at = self.find(id).ok()?;
        let expires = self.until(ttl, self.open[at].hold).max(self.open[at].expires);
        let Open { amount, bucket, hold, .. } = self.open[at];
        self.open[at].expires = expires;
        if hold == Hold::Slice {
            let later = hold.bucket(self.window, self.latest, expires);
            self.open[at].bucket = later;
            self.discharge(bucket, amount);
            self.charge(later, amount);
        }
        Some(self.granted(at))
    }

    fn until(&self, ttl: Duration, hold: Hold) -> Timestamp {
        let until = self.latest.plus(ttl.min(LONGEST));
        match self.window.spend_by(self.latest) {
            Some(end) if hold == Hold::Slice => until.min(end),
            _ => until,
        }
    }

    /// When `least` would fit, if nothing else happened.
    fn fits_at(&self, limit: u64, least: u64) -> Option<Timestamp> {
        let most = limit.checked_sub(least)?;
        let mut left = self.charged();
        for (bucket, amount) in &self.charges {
            left = left.saturating_sub(*amount);
            if left <= most {
                return self.window.end(*bucket);
            }
        }
        None
    }

    fn standing(&self, limit: u64) -> Reply {
        let charged = self.charged();
        let clear_after = match self.charges.is_empty() {
            true => Some(Duration::ZERO),
            false => self.clear_at().map(|at| at.since(self.latest)),
        };
        let open = u32::try_from(self.open.len()).expect("OPEN is less");
        Reply::Standing { charged, remaining: limit.saturating_sub(charged), open, clear_after }
    }

    /// When nothing counts any more.
    fn clear_at(&self) -> Option<Timestamp> {
        let charged = self.charges.iter().map(|charge| charge.0);
        let last = charged.chain(self.open.iter().map(|open| open.bucket)).max()?;
        self.window.end(last)
    }
}

impl Hold {
    /// Where an amount is charged that is reserved `now` and expires then.
    fn bucket(self, window: Window, now: Timestamp, expires: Timestamp) -> u64 {
        match self {
            Self::Now => window.bucket(now),
            Self::Slice => window.bucket(now.max(Timestamp(expires.0.saturating_sub(1)))),
        }
    }
}

#[cfg(test)]
mod tests;
