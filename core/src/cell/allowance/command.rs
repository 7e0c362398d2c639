//! What an allowance can be asked, and what it answers.

use std::time::Duration;

use crate::cell::window::Window;

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
    /// For how long it stays open, at most [`LONGEST`](super::LONGEST). Zero: charged at once and never open, so asking again charges again.
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
    /// Allows more, on top of the limit, for as long as what is charged now counts. Answered by [`Reply::Standing`], or
    /// by [`Reply::Refused`] when [`CREDITS`](super::CREDITS) count already.
    Credit {
        /// Of what.
        terms: Terms,
        /// Random, and the same when the same credit is given again.
        id: u64,
        /// How much more.
        amount: u64,
    },
    /// Forgets what is charged, but for what is open. Credits stay. Answered by [`Reply::Standing`].
    Reset {
        /// Of what.
        terms: Terms,
        /// Random, and the same when the same reset is asked for again.
        id: u64,
    },
    /// Answered by [`Reply::Granted`] or [`Reply::Gone`].
    Extend {
        /// The reservation.
        id: u64,
        /// For how long from now, at most [`LONGEST`](super::LONGEST). Never shortens.
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
        /// What is allowed on top of the limit.
        credit: u64,
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
        /// What is left after it.
        remaining: u64,
        /// After how long nothing is charged any more, if nothing is added; `None` for never.
        clear_after: Option<Duration>,
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
    Settled {
        /// What is charged after it, all together.
        charged: u64,
        /// Of that, what is open: reserved and not settled.
        reserved: u64,
        /// What is allowed on top of the limit.
        credit: u64,
    },
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
