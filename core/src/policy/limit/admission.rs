//! What one request holds of its limits and budgets, from its admission to its settlement.
//!
//! Made before the first cell is asked, with every id that will be used, so that whoever settles knows what may have been
//! reserved however the request ends. A charge goes one way only: [`Held::Nothing`], [`Held::Asked`], then what the cell said.
//!
//! Invariant: [`Admission::take`] gives each charge away once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::rule::{Measure, Quota};
use crate::cell::lease::Ticket;
use crate::usage::NanoUsd;

/// The most that a request can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Tokens of input.
    pub input: u64,
    /// Tokens of output.
    pub output: u64,
    /// What that costs at most; `None` when nobody knows the price.
    pub cost: Option<NanoUsd>,
}

impl Need {
    /// The most of either. What nobody knows of one, nobody knows of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cost: self.cost.zip(other.cost).map(|(one, other)| one.max(other)),
        }
    }

    /// How much of a measure. What nobody knows is nothing.
    pub fn of(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Requests | Measure::Concurrency => 1,
            Measure::InputTokens => self.input,
            Measure::OutputTokens => self.output,
            Measure::Tokens => self.input.saturating_add(self.output),
            Measure::Cost => self.cost.unwrap_or_default().0,
        }
    }
}

/// What one request holds.
#[derive(Debug)]
pub struct Admission {
    pub(super) charges: Vec<Charge>,
    /// For how long reservations stay open.
    pub(super) ttl: Duration,
    /// Among how many instances a limit is divided.
    pub(super) instances: u32,
    /// Whether anybody knows what the request can cost.
    pub(super) priced: bool,
    admitted: AtomicBool,
}

/// One cell's part of it.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) quota: Quota,
    /// The reservation's.
    pub(super) id: u64,
    /// How much is reserved.
    pub(super) amount: u64,
    held: Mutex<(Held, Option<Left>)>,
}

/// What is held of a charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    #[default]
    Nothing,
    /// The cell was asked, and has not answered.
    Asked(Place),
    /// It is reserved, and open.
    Open(Place),
    /// It is counted, and no more to be changed.
    Counted,
    /// It is in a slice of this instance.
    Leased(Ticket),
}

/// Where something is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the cell that all instances share.
    Shared,
    /// In this instance, while the store is away.
    Here,
}

/// How a limit or budget stood when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// What is left.
    pub remaining: u64,
    /// After how long all of it is there again; `None` for never.
    pub clear_after: Option<Duration>,
}

impl Admission {
    /// Nothing is reserved yet. `id` is random.
    pub(super) fn new(quotas: Vec<Quota>, need: Need, ttl: Duration, instances: u32, id: u64) -> Self {
        // In different cells, so one random number and those after it do for all.
        let charge = |(index, quota): (u64, Quota)| {
            let (amount, id) = (need.of(quota.measure), id.wrapping_add(index));
            Charge { amount, id, quota, held: Mutex::default() }
        };
        let charges = (0..).zip(quotas).map(charge).collect();
        Self { charges, ttl, instances, priced: need.cost.is_some(), admitted: AtomicBool::new(false) }
    }

    /// Says that everything was granted.
    pub(super) fn admit(&self) {
        self.admitted.store(true, Ordering::Release);
    }

    /// Whether everything was granted.
    pub fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::Acquire)
    }

    /// Whether slots must be renewed for as long as the request lasts.
    pub fn has_slots(&self) -> bool {
        self.charges.iter().any(|charge| charge.quota.measure == Measure::Concurrency)
    }

    /// How each limit and budget stood, in their order.
    pub fn standings(&self) -> impl Iterator<Item = (&Quota, Left)> {
        self.charges.iter().filter_map(|charge| charge.left().map(|left| (&charge.quota, left)))
    }
}

impl Charge {
    fn lock(&self) -> std::sync::MutexGuard<'_, (Held, Option<Left>)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, held: Held) {
        self.lock().0 = held;
    }

    pub(super) fn held(&self) -> Held {
        self.lock().0
    }

    /// What is held, which from now on is nothing.
    pub(super) fn take(&self) -> Held {
        std::mem::take(&mut self.lock().0)
    }

    pub(super) fn stands(&self, left: Left) {
        self.lock().1 = Some(left);
    }

    pub(super) fn left(&self) -> Option<Left> {
        self.lock().1
    }
}
