//! An allowance: so much in a window, or for good. Requests, tokens, nano-dollars: whatever is counted in integers.
//!
//! | command | what it does |
//! |---|---|
//! | [`Command::Look`] | tells what is left |
//! | [`Command::Reserve`] | charges an amount at once and keeps it open, to be settled; or refuses |
//! | [`Command::Settle`] | replaces the amount by what it really was, and closes it |
//! | [`Command::Extend`] | keeps it open for longer |
//! | [`Command::Credit`] | allows more for as long as the present counts |
//! | [`Command::Reset`] | forgets what is charged and not open |
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

mod command;
mod encoding;

use std::time::Duration;

use super::window::Window;
use super::{Next, Program};
use crate::error::Result;
use crate::ports::Timestamp;

pub use command::{Command, Hold, Refusal, Reply, Reserve, Settle, Terms};

/// How many reservations may be open at once. One takes about 20 bytes of the state.
pub const OPEN: usize = 1024;
/// How many credits may count at once.
pub const CREDITS: usize = 64;
/// The longest that a reservation stays open without being extended.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The program.
pub struct Allowance;

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
    /// What is allowed on top of the limit, in order of arrival. Only what counts at `latest`.
    credits: Vec<Credit>,
    /// The latest reset's id and bucket, for as long as that counts.
    reset: Option<(u64, u64)>,
}

/// An amount on top of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Credit {
    id: u64,
    amount: u64,
    bucket: u64,
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
            (
                None,
                Command::Look(terms)
                | Command::Reserve(Reserve { terms, .. })
                | Command::Credit { terms, .. }
                | Command::Reset { terms, .. },
            ) => State::new(terms.window, now),
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
                true => (true, next.settled()),
                false => (false, Reply::Gone),
            },
            Command::Extend { id, ttl } => match next.extend(id, ttl) {
                Some(reply) => (true, reply),
                None => (false, Reply::Gone),
            },
            Command::Credit { terms, id, amount } => next.credit(terms, id, amount),
            Command::Reset { terms, id } => next.reset(terms, id),
        };
        let next = match changed {
            false => Next::Same,
            true if next.is_empty() => Next::Nothing,
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
        Self { window, latest: now, charges: Vec::new(), open: Vec::new(), credits: Vec::new(), reset: None }
    }

    fn is_empty(&self) -> bool {
        self.charges.is_empty() && self.open.is_empty() && self.credits.is_empty() && self.reset.is_none()
    }

    /// Lets time pass: what does not count any more is forgotten, what has expired stays charged and is open no more.
    fn proceed(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
        let (latest, oldest) = (self.latest, self.window.oldest(self.latest));
        self.charges.retain(|(bucket, _)| *bucket >= oldest);
        self.open.retain(|open| open.expires > latest && open.bucket >= oldest);
        self.credits.retain(|credit| credit.bucket >= oldest);
        self.reset = self.reset.filter(|(_, bucket)| *bucket >= oldest);
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
        self.credits.iter_mut().for_each(|credit| credit.bucket = present);
        self.reset = self.reset.map(|(id, _)| (id, present));
    }

    fn credits(&self) -> u64 {
        self.credits.iter().fold(0, |sum, credit| sum.saturating_add(credit.amount))
    }

    fn credit(&mut self, terms: Terms, id: u64, amount: u64) -> (bool, Reply) {
        self.measure_by(terms.window);
        if amount == 0 || self.credits.iter().any(|credit| credit.id == id) {
            return (false, self.standing(terms.limit));
        }
        if self.credits.len() >= CREDITS {
            let first = self.credits.iter().filter_map(|credit| self.window.end(credit.bucket)).min();
            let retry_after = first.map(|first| first.since(self.latest));
            return (false, Reply::Refused { remaining: self.remaining(terms.limit), retry_after, because: Refusal::Crowded });
        }
        self.credits.push(Credit { id, amount, bucket: self.window.bucket(self.latest) });
        (true, self.standing(terms.limit))
    }

    fn reset(&mut self, terms: Terms, id: u64) -> (bool, Reply) {
        self.measure_by(terms.window);
        if self.reset.is_some_and(|(last, _)| last == id) {
            return (false, self.standing(terms.limit));
        }
        self.charges.clear();
        for at in 0..self.open.len() {
            self.charge(self.open[at].bucket, self.open[at].amount);
        }
        self.reset = Some((id, self.window.bucket(self.latest)));
        (true, self.standing(terms.limit))
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
            return (false, self.granted(at, reserve.terms.limit));
        }
        self.measure_by(reserve.terms.window);
        let limit = reserve.terms.limit.saturating_add(self.credits());
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
            let (remaining, clear_after) = (self.remaining(reserve.terms.limit), self.clear_after());
            return (true, Reply::Granted { amount, ttl: Duration::ZERO, remaining, clear_after });
        }
        if self.open.len() >= OPEN {
            let first = self.open.iter().map(|open| open.expires).min();
            let retry_after = first.map(|first| first.since(self.latest));
            return (false, Reply::Refused { remaining, retry_after, because: Refusal::Crowded });
        }
        self.charge(bucket, amount);
        let at = self.find(reserve.id).unwrap_or_else(|at| at);
        self.open.insert(at, Open { id: reserve.id, amount, bucket, expires, hold: reserve.hold });
        (true, self.granted(at, reserve.terms.limit))
    }

    fn granted(&self, at: usize, limit: u64) -> Reply {
        let open = &self.open[at];
        let (remaining, clear_after) = (self.remaining(limit), self.clear_after());
        Reply::Granted { amount: open.amount, ttl: open.expires.since(self.latest), remaining, clear_after }
    }

    fn remaining(&self, limit: u64) -> u64 {
        limit.saturating_add(self.credits()).saturating_sub(self.charged())
    }

    fn settled(&self) -> Reply {
        let reserved = self.open.iter().fold(0_u64, |sum, open| sum.saturating_add(open.amount));
        Reply::Settled { charged: self.charged(), reserved, credit: self.credits() }
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
        // Whoever extends brings no limit: nothing is said of what is left.
        Some(self.granted(at, 0))
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
        let open = u32::try_from(self.open.len()).expect("OPEN is less");
        Reply::Standing {
            charged: self.charged(),
            credit: self.credits(),
            remaining: self.remaining(limit),
            open,
            clear_after: self.clear_after(),
        }
    }

    fn clear_after(&self) -> Option<Duration> {
        match self.charges.last() {
            None => Some(Duration::ZERO),
            Some((last, _)) => self.window.end(*last).map(|at| at.since(self.latest)),
        }
    }

    /// When nothing counts any more.
    fn clear_at(&self) -> Option<Timestamp> {
        let charged = self.charges.iter().map(|charge| charge.0);
        let open = self.open.iter().map(|open| open.bucket);
        let given = self.credits.iter().map(|credit| credit.bucket).chain(self.reset.map(|(_, bucket)| bucket));
        let last = charged.chain(open).chain(given).max()?;
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
