//! The leases of this instance: slices of allowances from which it admits without asking.
//!
//! Invariant: at most [`LEASES`] are kept. One that is pushed out gives back what it holds.

use std::collections::HashMap;
use std::time::Duration;

use super::admission::Left;
use crate::cell::allowance::{Command, Reply, Terms};
use crate::cell::lease::{Lease, Ticket};
use crate::cell::window::Window;
use crate::ports::Timestamp;

/// The most leases.
pub(super) const LEASES: usize = 1024;
/// How many others are looked after with each request.
const LOOKS: usize = 2;
/// How long an idle lease is kept.
const IDLE: Duration = Duration::from_secs(600);
/// The longest that a slice is held, and the shortest.
const SLICE: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(50);
/// All instances together hold at most one in so many of a limit.
const PARTS: u64 = 40;

#[derive(Default)]
pub(super) struct Leases {
    all: Vec<Entry>,
    places: HashMap<String, usize>,
    /// Who is looked after next.
    turn: usize,
}

struct Entry {
    cell: String,
    lease: Lease,
    terms: Terms,
    size: u64,
    left: Option<Left>,
    used: Timestamp,
}

/// A command for a cell.
pub(super) struct Errand {
    pub(super) cell: String,
    pub(super) command: Command,
    /// Whether a lease waits for the answer; what is given back needs none.
    pub(super) awaited: bool,
}

/// What a lease says to a request.
pub(super) enum Taken {
    /// It is in a slice.
    Here(Ticket, Option<Left>),
    /// It is not: this has to be asked first, and answered to [`Leases::answered`].
    Ask(Command),
    /// There is nothing left, and asking makes no sense before.
    Wait(Duration, Option<Left>),
    /// The cell itself has to be asked for the amount.
    Direct,
}

/// How much of an allowance an instance holds at once; below two a lease makes no sense.
pub(super) fn size(terms: Terms, instances: u32) -> u64 {
    terms.limit / (PARTS * u64::from(instances.max(1)))
}

/// For how long it holds it: what is held counts from when it is given back.
fn slice(window: Window) -> Duration {
    match window {
        Window::Sliding(length) | Window::Fixed(length) => (length / 20).clamp(SHORTEST, SLICE),
        Window::Ever | Window::Month | Window::Week => SLICE,
    }
}

impl Leases {
    /// Takes an amount from the lease on a cell, which is made if there is none. `id` is random.
    pub(super) fn take(
        &mut self,
        cell: &str,
        terms: Terms,
        instances: u32,
        amount: u64,
        id: impl FnOnce() -> u64,
        now: Timestamp,
    ) -> (Taken, Vec<Errand>) {
        let size = size(terms, instances);
        let (at, pushed_out) = self.place(cell, terms, size, now);
        let entry = &mut self.all[at];
        entry.used = now;
        if amount > size || size < 2 {
            return (Taken::Direct, pushed_out);
        }
        if let Some(ticket) = entry.lease.take(amount, now) {
            return (Taken::Here(ticket, entry.left), pushed_out);
        }
        let taken = match entry.lease.next(amount, id(), now) {
            Some(command) => Taken::Ask(command),
            None => match entry.lease.retry_after(now) {
                wait if wait.is_zero() || entry.lease.is_failing() => Taken::Direct,
                wait => Taken::Wait(wait, entry.left),
            },
        };
        (taken, pushed_out)
    }

    fn place(&mut self, cell: &str, terms: Terms, size: u64, now: Timestamp) -> (usize, Vec<Errand>) {
        let new = || Lease::new(terms, size, slice(terms.window));
        if let Some(at) = self.places.get(cell).copied() {
            let entry = &mut self.all[at];
            if (entry.terms, entry.size) == (terms, size) {
                return (at, Vec::new());
            }
            let mut before = std::mem::replace(&mut entry.lease, new());
            (entry.terms, entry.size, entry.left) = (terms, size, None);
            return (at, errands(cell, before.close()));
        }
        let mut pushed_out = Vec::new();
        if self.all.len() >= LEASES {
            let oldest = (0..16).map(|step| (self.turn + step) % self.all.len()).min_by_key(|at| self.all[*at].used);
            pushed_out = oldest.map(|at| self.remove(at)).unwrap_or_default();
        }
        let at = self.all.len();
        self.places.insert(cell.to_owned(), at);
        self.all.push(Entry { cell: cell.to_owned(), lease: new(), terms, size, left: None, used: now });
        (at, pushed_out)
    }

    fn remove(&mut self, at: usize) -> Vec<Errand> {
        let mut entry = self.all.swap_remove(at);
        self.places.remove(&entry.cell);
        if let Some(moved) = self.all.get(at) {
            self.places.insert(moved.cell.clone(), at);
        }
        errands(&entry.cell, entry.lease.close())
    }

    fn find(&mut self, cell: &str) -> Option<&mut Entry> {
        let at = *self.places.get(cell)?;
        self.all.get_mut(at)
    }

    /// Takes a cell's answer; `None` when there is none.
    pub(super) fn answered(&mut self, cell: &str, reply: Option<&Reply>, now: Timestamp) {
        let Some(entry) = self.find(cell) else { return };
        match reply {
            Some(reply) => entry.lease.answered(reply, now),
            None => entry.lease.failed(now),
        }
        match reply {
            Some(Reply::Granted { remaining, clear_after, .. }) => {
                entry.left = Some(Left { remaining: *remaining, clear_after: *clear_after });
            }
            Some(Reply::Refused { remaining, retry_after, .. }) => {
                entry.left = Some(Left { remaining: *remaining, clear_after: *retry_after });
            }
            _ => {}
        }
    }

    /// Says what was really spent of what was taken.
    pub(super) fn settle(&mut self, cell: &str, ticket: Ticket, actual: u64) {
        if let Some(entry) = self.find(cell) {
            entry.lease.settle(ticket, actual);
        }
    }

    /// What there is to do for a cell's lease, and for a few others whose turn it is.
    pub(super) fn due<'a>(&mut self, cells: impl Iterator<Item = &'a str>, id: impl Fn() -> u64, now: Timestamp) -> Vec<Errand> {
        let mut errands = Vec::new();
        for cell in cells {
            if let Some(entry) = self.find(cell) {
                let command = entry.lease.next(0, id(), now);
                errands.extend(command.map(|command| Errand { cell: cell.to_owned(), command, awaited: true }));
            }
        }
        for _ in 0..LOOKS.min(self.all.len()) {
            self.turn = (self.turn + 1) % self.all.len();
            let entry = &mut self.all[self.turn];
            if now.since(entry.used) > IDLE {
                errands.extend(self.remove(self.turn));
                if self.all.is_empty() {
                    break;
                }
            } else if let Some(command) = entry.lease.next(0, id(), now) {
                errands.push(Errand { cell: entry.cell.clone(), command, awaited: true });
            }
        }
        errands
    }

    /// Gives everything back.
    pub(super) fn close(&mut self) -> Vec<Errand> {
        self.places.clear();
        self.all.drain(..).flat_map(|mut entry| errands(&entry.cell, entry.lease.close())).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

fn errands(cell: &str, commands: Vec<Command>) -> Vec<Errand> {
    commands.into_iter().map(|command| Errand { cell: cell.to_owned(), command, awaited: false }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(limit: u64) -> Terms {
        Terms { limit, window: Window::Sliding(Duration::from_secs(60)) }
    }

    const NOW: Timestamp = Timestamp(1_790_000_000_000_000);

    fn granted(amount: u64) -> Reply {
        Reply::Granted { amount, ttl: SLICE, remaining: 0, clear_after: None }
    }

    #[test]
    fn leases_have_a_cap_and_one_that_is_pushed_out_gives_back_what_it_holds() {
        let mut leases = Leases::default();
        for number in 0..LEASES {
            let cell = number.to_string();
            assert!(matches!(leases.take(&cell, terms(4000), 1, 1, || 7, NOW).0, Taken::Ask(_)));
            leases.answered(&cell, Some(&granted(100)), NOW);
        }
        let (_, pushed_out) = leases.take("another", terms(4000), 1, 1, || 8, NOW.plus(SHORTEST));
        assert_eq!((leases.len(), pushed_out.len()), (LEASES, 1));
        assert!(matches!(pushed_out[0].command, Command::Settle(_)));
        for (cell, at) in &leases.places {
            assert_eq!(*cell, leases.all[*at].cell);
        }
    }

    #[test]
    fn a_new_limit_gives_the_old_slice_back() {
        let mut leases = Leases::default();
        let _ = leases.take("a", terms(4000), 1, 1, || 7, NOW);
        leases.answered("a", Some(&granted(100)), NOW);
        let (taken, back) = leases.take("a", terms(2000), 1, 1, || 8, NOW);
        assert!(matches!(taken, Taken::Ask(_)) && back.len() == 1);
    }

    #[test]
    fn a_small_limit_and_a_large_amount_go_to_the_cell() {
        let mut leases = Leases::default();
        assert!(matches!(leases.take("a", terms(79), 1, 1, || 7, NOW).0, Taken::Direct));
        assert!(matches!(leases.take("b", terms(4000), 1, 101, || 7, NOW).0, Taken::Direct));
        assert!(matches!(leases.take("c", terms(4000), 1, 100, || 7, NOW).0, Taken::Ask(_)));
        assert!(matches!(leases.take("c", terms(4000), 1, 100, || 7, NOW).0, Taken::Direct), "somebody else is asking");
    }
}
