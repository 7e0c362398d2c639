//! How limits and budgets stand, and what an operator may do about it.
//!
//! For the administration: nothing here admits a request. A change carries an id, so that sending it again changes nothing
//! more; whoever calls writes it into the audit trail first.

use std::time::Duration;

use super::rule::{Amount, Measure, Quota};
use crate::cell::allowance::{self, Allowance, Terms};
use crate::cell::command;
use crate::cell::concurrency::{self, Concurrency};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::CellStore;
use crate::usage::NanoUsd;

/// How a limit or budget stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit or budget.
    pub quota: Quota,
    /// How much it allows, without what was allowed on top: requests, tokens, nano-dollars, requests at once.
    pub limit: u64,
    /// What was allowed on top in the present window.
    pub credit: u64,
    /// What is charged: spent, or reserved by requests under way and slices of instances.
    pub charged: u64,
    /// What is left.
    pub remaining: u64,
    /// How many requests under way have reserved something (or slices have), or how many hold a slot.
    pub open: u32,
    /// After how long nothing is charged any more, if nothing is added; `None` for never.
    pub clear_after: Option<Duration>,
}

/// How a limit or budget stands now. Changes nothing.
pub async fn standing(cells: &dyn CellStore, quota: &Quota) -> Result<Standing> {
    if let Amount::AtOnce(most) = quota.amount {
        let limit = u64::from(most);
        return match command::<Concurrency>(cells, &quota.cell, &concurrency::Command::Look).await? {
            concurrency::Reply::Standing { held, .. } => Ok(Standing {
                quota: quota.clone(),
                limit,
                credit: 0,
                charged: held.into(),
                remaining: limit.saturating_sub(held.into()),
                open: held,
                clear_after: None,
            }),
            _ => Err(unexpected()),
        };
    }
    let terms = quota.terms().ok_or_else(unexpected)?;
    ask(cells, quota, terms, &allowance::Command::Look(terms)).await
}

/// Allows more of a budget, for as long as the present day, week or month (or for good). `id` names this very top-up.
///
/// Fails with `Conflict` when there have been too many in one window, and with `InvalidRequest` for anything but a budget.
pub async fn top_up(cells: &dyn CellStore, budget: &Quota, id: u64, amount: NanoUsd) -> Result<Standing> {
    let terms = terms_of_budget(budget)?;
    ask(cells, budget, terms, &allowance::Command::Credit { terms, id, amount: amount.0 }).await
}

/// Forgets what was spent of a budget; what is reserved stays. `id` names this very reset.
pub async fn reset(cells: &dyn CellStore, budget: &Quota, id: u64) -> Result<Standing> {
    let terms = terms_of_budget(budget)?;
    ask(cells, budget, terms, &allowance::Command::Reset { terms, id }).await
}

fn terms_of_budget(quota: &Quota) -> Result<Terms> {
    let budget = quota.terms().filter(|_| quota.measure == Measure::Cost);
    budget.ok_or_else(|| Error::new(ErrorKind::InvalidRequest, "Only budgets can be topped up and reset."))
}

async fn ask(cells: &dyn CellStore, quota: &Quota, terms: Terms, what: &allowance::Command) -> Result<Standing> {
    match command::<Allowance>(cells, &quota.cell, what).await? {
        allowance::Reply::Standing { charged, credit, remaining, open, clear_after } => {
            Ok(Standing { quota: quota.clone(), limit: terms.limit, credit, charged, remaining, open, clear_after })
        }
        allowance::Reply::Refused { .. } => {
            let message = format!(
                "This budget has been topped up {} times since it began anew. Raise its amount instead.",
                allowance::CREDITS
            );
            Err(Error::new(ErrorKind::Conflict, message))
        }
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Internal, "The gateway got an answer from its store that it does not understand.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;
    use crate::identity::Share;
    use crate::policy::limit::{Limits, quotas_of};
    use crate::ports::Timestamp;
    use crate::ports::memory::{ManualClock, MemoryCells};

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("memory never waits")
    }

    #[test]
    fn a_budget_is_topped_up_and_reset_once_and_a_limit_never() {
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000_000)));
        let cells = MemoryCells::new(clock.clone(), 1 << 20);
        let share = Share {
            of: "team/acme/x".into(),
            limits: Limits { requests: vec!["5/minute".parse().expect("a rate")], concurrency: Some(2), ..Limits::default() },
            budgets: vec!["20usd/month".parse().expect("a budget")],
        };
        let all = quotas_of(&share);
        let [requests, slots, budget] = &all[..] else { panic!("{all:?}") };
        for quota in &all {
            let standing = now(standing(&cells, quota)).expect("it stands");
            assert_eq!((standing.charged, standing.remaining), (0, standing.limit));
        }
        for _ in 0..2 {
            let standing = now(top_up(&cells, budget, 7, NanoUsd(5))).expect("it is topped up");
            assert_eq!((standing.credit, standing.remaining), (5, 20_000_000_005));
        }
        assert_eq!(now(reset(&cells, budget, 8)).expect("it is reset").remaining, 20_000_000_005);
        for other in [requests, slots] {
            assert_eq!(now(top_up(&cells, other, 9, NanoUsd(5))).expect_err("no budget").kind, ErrorKind::InvalidRequest);
            assert_eq!(now(reset(&cells, other, 9)).expect_err("no budget").kind, ErrorKind::InvalidRequest);
        }
        for id in 0..allowance::CREDITS as u64 - 1 {
            now(top_up(&cells, budget, 100 + id, NanoUsd(1))).expect("there is room");
        }
        assert_eq!(now(top_up(&cells, budget, 999, NanoUsd(1))).expect_err("too many").kind, ErrorKind::Conflict);
        clock.advance(Duration::from_secs(31 * 86_400));
        assert_eq!(now(standing(&cells, budget)).expect("it stands").credit, 0, "a top-up ends with its month");
    }
}
