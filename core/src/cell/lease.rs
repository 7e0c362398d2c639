//! A lease: slices of an allowance from which one instance admits without asking the cell.
//!
//! The instance's half: a small state that says what may be admitted, and which [`Command`] to send next to the cell.
//! It sends nothing itself. A slice is debited in the cell before the first of it is spent, and stays charged there if
//! the instance dies, so every error is on the safe side:
//!
//! * never over: all instances together spend at most the limit (see [`allowance`](super::allowance), rule 3);
//! * at most a slice under: an instance never has more than [`size`](Lease::new) unspent when it asks for more, and returns
//!   what it does not use before that expires.
//!
//! ```
//! use std::time::Duration;
//! use edgeway_core::cell::{allowance::{Reply, Terms}, lease::Lease, window::Window};
//! use edgeway_core::ports::Timestamp;
//!
//! let terms = Terms { limit: 1000, window: Window::Sliding(Duration::from_secs(60)) };
//! let (mut lease, now) = (Lease::new(terms, 100, Duration::from_secs(10)), Timestamp(0));
//! assert!(lease.take(3, now).is_none());
//! let command = lease.next(3, 0x5eed, now).expect("a slice to ask for");
//! // ... send `command` to the cell; it answers:
//! # drop(command);
//! lease.answered(&Reply::Granted { amount: 100, ttl: Duration::from_secs(10), remaining: 900, clear_after: None }, now);
//! let ticket = lease.take(3, now).expect("it is in the slice");
//! lease.settle(ticket, 2); // it was less
//! ```
//!
//! Invariant: what is spent of a slice is spent between the moment its command was sent and its expiry, by a clock that
//! did not go back meanwhile. When the clock goes back, slices are forgotten: they expire as charged.

use std::collections::VecDeque;
use std::time::Duration;

use super::allowance::{Command, Hold, Reply, Reserve, Settle, Terms};
use crate::ports::Timestamp;

/// One instance's lease on one allowance.
#[derive(Debug)]
pub struct Lease {
    terms: Terms,
    size: u64,
    ttl: Duration,
    /// At most [`SLICES`], oldest first.
    held: VecDeque<Slice>,
    sent: Option<Sent>,
    /// When not to ask before.
    quiet_until: Timestamp,
    latest: Timestamp,
}

/// How many slices are held at once.
const SLICES: usize = 2;

#[derive(Debug)]
struct Slice {
    id: u64,
    size: u64,
    spent: u64,
    until: Timestamp,
    /// Whether anything was taken since it was granted or renewed.
    used: bool,
    /// Whether renewing it helps: not at the end of a fixed window.
    renewable: bool,
}

/// A command that has not been answered.
#[derive(Debug)]
struct Sent {
    command: Command,
    at: Timestamp,
    /// Whether it failed, and is to be sent again as it was.
    failed: bool,
}

/// Something taken, to be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what is not settled counts in full"]
pub struct Ticket {
    slice: u64,
    amount: u64,
}

impl Slice {
    fn left(&self) -> u64 {
        self.size.saturating_sub(self.spent)
    }
}

impl Lease {
    /// A lease that holds at most `size` of the allowance, for `ttl` at a time.
    ///
    /// A larger `size` asks more seldom (a command for each half of it), and leaves more unused when an instance dies.
    pub fn new(terms: Terms, size: u64, ttl: Duration) -> Self {
        let (held, quiet_until, latest) = (VecDeque::new(), Timestamp(0), Timestamp(0));
        Self { terms, size, ttl, held, sent: None, quiet_until, latest }
    }

    /// Takes an amount, if the slices hold it. Nothing above the lease's size can ever be taken: reserve that in the cell.
    pub fn take(&mut self, amount: u64, now: Timestamp) -> Option<Ticket> {
        self.proceed(now);
        let last = self.held.back()?.id;
        if self.left() < amount {
            return None;
        }
        let mut rest = amount;
        for slice in &mut self.held {
            let part = slice.left().min(rest);
            slice.spent += part;
            slice.used |= part > 0;
            rest -= part;
        }
        Some(Ticket { slice: last, amount })
    }

    /// Says what was really spent of what was taken. What is given back can be taken again, unless its slice is gone.
    pub fn settle(&mut self, ticket: Ticket, actual: u64) {
        if let Some(slice) = self.held.iter_mut().find(|slice| slice.id == ticket.slice) {
            slice.spent = slice.spent.saturating_sub(ticket.amount.saturating_sub(actual));
            slice.spent = slice.spent.saturating_add(actual.saturating_sub(ticket.amount));
        }
    }

    /// The command to send now, if any: more (when `want` is not there, or less than half), a renewal, or a return.
    ///
    /// `id` is random. After it comes [`answered`](Self::answered) or [`failed`](Self::failed); until then, nothing.
    pub fn next(&mut self, want: u64, id: u64, now: Timestamp) -> Option<Command> {
        self.proceed(now);
        if self.latest < self.quiet_until || self.sent.as_ref().is_some_and(|sent| !sent.failed) {
            return None;
        }
        let command = match self.sent.take() {
            Some(sent) => sent.command,
            None if self.size == 0 => return None,
            None if self.left() < want.min(self.size) || self.left() <= self.size / 2 && self.wanted(want) => self.more(id),
            None => self.keep_or_return()?,
        };
        self.sent = Some(Sent { command: command.clone(), at: self.latest, failed: false });
        Some(command)
    }

    /// Whether anybody takes from the lease: an idle one is not filled.
    fn wanted(&self, want: u64) -> bool {
        want > 0 || self.held.iter().any(|slice| slice.used)
    }

    /// Asks for what is missing; closes the oldest slice if it is spent, or one too many.
    fn more(&mut self, id: u64) -> Command {
        let close = self.held.len() >= SLICES || self.held.front().is_some_and(|slice| slice.left() == 0);
        let closed = if close { self.held.pop_front() } else { None };
        let after = closed.map(|slice| Settle { id: slice.id, actual: slice.spent });
        let amount = self.size.saturating_sub(self.left());
        Command::Reserve(Reserve { terms: self.terms, id, amount, least: 1, ttl: self.ttl, hold: Hold::Slice, after })
    }

    /// Renews a slice that is about to expire if it is in use, and returns it if not.
    fn keep_or_return(&mut self) -> Option<Command> {
        let soon = self.latest.plus(self.ttl / 4);
        let at = self.held.iter().position(|slice| slice.until <= soon && (slice.renewable || !slice.used))?;
        if self.held[at].used {
            return Some(Command::Extend { id: self.held[at].id, ttl: self.ttl });
        }
        let slice = self.held.remove(at)?;
        Some(Command::Settle(Settle { id: slice.id, actual: slice.spent }))
    }

    /// Takes the cell's answer to the command that was sent.
    pub fn answered(&mut self, reply: &Reply, now: Timestamp) {
        self.proceed(now);
        let Some(sent) = self.sent.take() else { return };
        match (sent.command, reply) {
            (Command::Reserve(reserve), Reply::Granted { amount, ttl, .. }) => {
                let (size, until) = (*amount, sent.at.plus(*ttl));
                self.held.push_back(Slice { id: reserve.id, size, spent: 0, until, used: false, renewable: true });
            }
            (Command::Reserve(_), Reply::Refused { retry_after, .. }) => {
                let pause = retry_after.unwrap_or(self.ttl).min(self.ttl);
                self.quiet_until = self.latest.plus(pause);
            }
            (Command::Extend { id, .. }, Reply::Granted { ttl, .. }) => {
                let until = sent.at.plus(*ttl);
                if let Some(slice) = self.held.iter_mut().find(|slice| slice.id == id) {
                    slice.renewable = until > slice.until;
                    slice.until = slice.until.max(until);
                    slice.used = false;
                }
            }
            (Command::Extend { id, .. }, _) => self.held.retain(|slice| slice.id != id),
            _ => {}
        }
    }

    /// The command failed, and nobody knows whether it took effect. It is sent again, a tenth of the time to live later.
    pub fn failed(&mut self, now: Timestamp) {
        self.proceed(now);
        if let Some(sent) = &mut self.sent {
            sent.failed = true;
            self.quiet_until = self.latest.plus(self.ttl / 10);
        }
    }

    /// Whether the last command failed and has not been sent again.
    pub fn is_failing(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.failed)
    }

    /// After how long it makes sense to try again; zero when more can be asked for now.
    pub fn retry_after(&self, now: Timestamp) -> Duration {
        self.quiet_until.since(self.latest.max(now))
    }

    /// The commands that return everything, for an orderly end. Nothing can be taken afterwards.
    pub fn close(&mut self) -> Vec<Command> {
        self.size = 0;
        let settle = |slice: Slice| Command::Settle(Settle { id: slice.id, actual: slice.spent });
        self.held.drain(..).map(settle).collect()
    }

    /// What can be taken.
    fn left(&self) -> u64 {
        self.held.iter().fold(0, |sum, slice| sum.saturating_add(slice.left()))
    }

    fn proceed(&mut self, now: Timestamp) {
        if now < self.latest {
            self.held.clear();
            self.sent = None;
            self.quiet_until = self.quiet_until.min(now.plus(self.ttl));
        }
        self.latest = now;
        self.held.retain(|slice| slice.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::allowance::Allowance;
    use crate::cell::pack::Pack;
    use crate::cell::step;
    use crate::cell::window::Window;
    use crate::ports::Entropy;
    use crate::ports::memory::SeededEntropy;

    const SECOND: Duration = Duration::from_secs(1);
    const SIZE: u64 = 20;

    fn lease(window: Window) -> Lease {
        Lease::new(Terms { limit: 100, window }, SIZE, 10 * SECOND)
    }

    fn granted(amount: u64, seconds: u32) -> Reply {
        Reply::Granted { amount, ttl: seconds * SECOND, remaining: 0, clear_after: None }
    }

    fn reserve(command: Option<Command>) -> Reserve {
        match command {
            Some(Command::Reserve(reserve)) => reserve,
            other => panic!("{other:?}"),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    #[test]
    fn fills_up_at_half_and_never_holds_more_than_its_size() {
        let mut lease = lease(Window::Ever);
        assert_eq!(reserve(lease.next(1, 1, at(0))).amount, SIZE);
        assert_eq!(lease.next(1, 2, at(0)), None, "one command at a time");
        lease.answered(&granted(SIZE, 10), at(1));
        let first = lease.take(9, at(1)).expect("it is there");
        assert_eq!(lease.next(0, 2, at(1)), None);
        let _ = lease.take(3, at(1)).expect("it is there");
        let more = reserve(lease.next(0, 2, at(1)));
        assert_eq!((more.amount, more.after), (12, None));
        lease.answered(&granted(12, 10), at(1));
        assert_eq!(lease.take(21, at(1)), None);
        lease.settle(first, 2);
        assert_eq!(lease.left(), 27, "what was given back by those who took it comes on top");
        let _ = lease.take(22, at(1)).expect("across both slices");
        assert_eq!(reserve(lease.next(0, 3, at(1))).after, Some(Settle { id: 1, actual: 20 }));
    }

    #[test]
    fn a_slice_counts_from_when_it_was_asked_for() {
        let mut lease = lease(Window::Ever);
        lease.next(1, 1, at(0));
        lease.answered(&granted(SIZE, 10), at(4));
        assert!(lease.take(1, Timestamp(9_999_999)).is_some());
        assert!(lease.take(1, at(10)).is_none());
    }

    #[test]
    fn a_slice_in_use_is_renewed_and_an_idle_one_returned() {
        let mut lease = lease(Window::Ever);
        lease.next(1, 1, at(0));
        lease.answered(&granted(SIZE, 10), at(0));
        let _ = lease.take(1, at(1)).expect("it is there");
        assert_eq!(lease.next(0, 2, at(7)), None);
        assert_eq!(lease.next(0, 2, at(8)), Some(Command::Extend { id: 1, ttl: 10 * SECOND }));
        lease.answered(&granted(SIZE, 10), at(9));
        assert!(lease.take(0, at(17)).is_some(), "until ten seconds after the renewal was sent");
        assert_eq!(lease.next(0, 2, at(17)), Some(Command::Settle(Settle { id: 1, actual: 1 })));
        lease.answered(&Reply::Settled { charged: 1, reserved: 0, credit: 0 }, at(17));
        assert_eq!(lease.take(0, at(17)), None);
        assert_eq!(lease.next(0, 3, at(17)), None, "and an idle lease is not filled");
    }

    #[test]
    fn a_slice_at_the_end_of_its_window_is_not_renewed_again_and_again() {
        let mut lease = lease(Window::Fixed(10 * SECOND));
        lease.next(1, 1, at(0));
        lease.answered(&granted(SIZE, 10), at(0));
        let _ = lease.take(1, at(1)).expect("it is there");
        assert!(matches!(lease.next(0, 2, at(8)), Some(Command::Extend { .. })));
        lease.answered(&granted(SIZE, 2), at(8));
        let _ = lease.take(1, at(8)).expect("it is there");
        assert_eq!(lease.next(0, 2, at(9)), None);
    }

    #[test]
    fn a_command_that_failed_is_sent_again_as_it_was() {
        let mut lease = lease(Window::Ever);
        let first = lease.next(1, 1, at(0));
        lease.failed(at(0));
        assert_eq!(lease.retry_after(at(0)), SECOND);
        assert_eq!(lease.next(1, 2, Timestamp(999_999)), None);
        assert_eq!(lease.next(1, 2, at(1)), first);
        lease.answered(&granted(SIZE, 10), at(1));
        assert!(lease.take(1, Timestamp(10_999_999)).is_some());
    }

    #[test]
    fn a_refusal_is_not_asked_again_before_its_time() {
        let mut lease = lease(Window::Ever);
        lease.next(1, 1, at(0));
        let refusal =
            Reply::Refused { remaining: 0, retry_after: Some(3 * SECOND), because: crate::cell::allowance::Refusal::Exhausted };
        lease.answered(&refusal, at(0));
        assert_eq!((lease.next(1, 2, at(2)), lease.retry_after(at(2))), (None, SECOND));
        assert!(lease.next(1, 2, at(3)).is_some());
    }

    #[test]
    fn a_clock_that_goes_back_forgets_the_slices() {
        let mut lease = lease(Window::Ever);
        lease.next(1, 1, at(100));
        lease.answered(&granted(SIZE, 10), at(100));
        assert!(lease.take(1, at(101)).is_some());
        assert!(lease.take(1, at(50)).is_none());
    }

    #[test]
    fn a_closed_lease_returns_everything() {
        let mut lease = lease(Window::Ever);
        lease.next(1, 1, at(0));
        lease.answered(&granted(SIZE, 10), at(0));
        let _ = lease.take(5, at(1)).expect("it is there");
        assert_eq!(lease.close(), [Command::Settle(Settle { id: 1, actual: 5 })]);
        assert_eq!((lease.take(1, at(1)), lease.next(1, 2, at(1))), (None, None));
    }

    /// An instance and what is on its way to and from the cell.
    struct Instance {
        lease: Lease,
        on_the_way: Option<Command>,
        taken: Vec<Ticket>,
        dead: bool,
    }

    /// Six instances whose commands are delayed, lost, and applied without an answer; some die.
    #[test]
    fn all_instances_together_never_spend_more_than_the_limit_and_little_less() {
        let dice = SeededEntropy::new(5);
        let below = |bound: u64| dice.u64() % bound;
        for window in [Window::Ever, Window::Sliding(20 * SECOND), Window::Fixed(20 * SECOND)] {
            let mut least_unspent = u64::MAX;
            for _ in 0..60 {
                let terms = Terms { limit: 100 + below(400), window };
                let new = || Lease::new(terms, SIZE, 5 * SECOND);
                let mut instances: Vec<_> =
                    (0..6).map(|_| Instance { lease: new(), on_the_way: None, taken: Vec::new(), dead: false }).collect();
                let (mut state, mut now, mut spent) = (None, at(1_790_000_000), Vec::new());
                for _ in 0..1500 {
                    now = now.plus(Duration::from_millis(below(30)));
                    let instance = &mut instances[below(6) as usize];
                    if instance.dead {
                        continue;
                    }
                    match below(12) {
                        0..5 => {
                            let amount = 1 + below(4);
                            match instance.lease.take(amount, now) {
                                Some(ticket) => {
                                    spent.push((now, amount));
                                    instance.taken.push(ticket);
                                }
                                None if instance.on_the_way.is_none() => {
                                    instance.on_the_way = instance.lease.next(amount, dice.u64(), now);
                                }
                                None => {}
                            }
                        }
                        5 if instance.on_the_way.is_none() => instance.on_the_way = instance.lease.next(0, dice.u64(), now),
                        6 => {
                            if let Some(ticket) = instance.taken.pop() {
                                // What was taken was spent: nothing is given back, so that `spent` stays true.
                                instance.lease.settle(ticket, ticket.amount);
                            }
                        }
                        7 if below(60) == 0 => instance.dead = true,
                        _ => {
                            let Some(command) = instance.on_the_way.take() else { continue };
                            let (applied, heard) = (below(10) > 0, below(10) > 0);
                            let run = |state: Option<&[u8]>| {
                                step::<Allowance>().step(state, &command.to_bytes(), now).expect("a good command")
                            };
                            let reply = if applied {
                                let next = run(state.as_deref());
                                state = next.state;
                                Reply::from_bytes(&next.reply).ok().filter(|_| heard)
                            } else {
                                None
                            };
                            match reply {
                                Some(reply) => instance.lease.answered(&reply, now),
                                None => instance.lease.failed(now),
                            }
                        }
                    }
                    let unspent =
                        instances.iter().filter(|instance| !instance.dead).map(|instance| instance.lease.left()).sum::<u64>();
                    assert!(unspent <= 6 * SIZE);
                }
                let counted = |at: Timestamp| -> u64 {
                    let counts = |then: Timestamp| match window {
                        Window::Sliding(length) => then <= at && then.plus(length) > at,
                        _ => then <= at && window.bucket(then) == window.bucket(at),
                    };
                    spent.iter().filter(|(then, _)| counts(*then)).map(|(_, amount)| amount).sum()
                };
                let most = spent.iter().map(|(at, _)| counted(*at)).max().unwrap_or(0);
                assert!(most <= terms.limit, "{most} of {} in {window:?}", terms.limit);
                least_unspent = least_unspent.min(terms.limit - most);
            }
            assert!(least_unspent <= SIZE, "{window:?}: {least_unspent} were never spent");
        }
    }
}
