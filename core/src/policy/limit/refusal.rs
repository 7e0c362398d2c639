//! Why a request is not admitted, and how its caller is told.

use std::time::Duration;

use super::rule::{Measure, Quota};
use crate::error::{Error, ErrorKind};
use crate::ports::Timestamp;
use crate::usage::NanoUsd;

/// Why a request was not admitted.
pub struct Refused {
    quota: Box<Quota>,
    because: Box<Because>,
}

/// The reason.
pub(super) enum Because {
    /// The limit or budget leaves less than the request may take.
    Exhausted { amount: u64, remaining: u64, retry_after: Option<Duration> },
    /// Too many requests are under way.
    Crowded { retry_after: Option<Duration> },
    /// Nobody knows the price.
    Unpriced,
    /// The store is away.
    Away(Error),
}

impl Refused {
    pub(super) fn new(quota: &Quota, because: Because) -> Self {
        Self { quota: Box::new(quota.clone()), because: Box::new(because) }
    }

    /// Of several refusals the one is told that holds longest.
    pub(super) fn weight(&self) -> (u8, Duration) {
        match &*self.because {
            Because::Crowded { retry_after } => (0, retry_after.unwrap_or(Duration::MAX)),
            Because::Exhausted { retry_after, .. } => (1, retry_after.unwrap_or(Duration::MAX)),
            Because::Unpriced => (2, Duration::MAX),
            Because::Away(_) => (3, Duration::MAX),
        }
    }

    /// The error for the caller; it names figures only to one that may know them.
    pub fn error(self, informed: bool, model: &str, now: Timestamp) -> Error {
        let Self { quota, because } = self;
        let of = &quota.of;
        match *because {
            Because::Away(error) => {
                let message = "The gateway cannot check its limits at the moment. Try again in a moment.";
                let source = error.source.unwrap_or(error.message);
                Error::new(ErrorKind::Overloaded, message)
                    .retry_after(Some(Duration::from_secs(1)))
                    .source(format_args!("{}: {source}", quota.cell))
            }
            Because::Unpriced => {
                let message = format!(
                    "Nobody knows what `{model}` costs, and there is a budget. Ask the operator to configure its price, or choose \
                     another model."
                );
                Error::new(ErrorKind::BudgetExceeded, message)
            }
            Because::Crowded { retry_after } => {
                let message = "Too many requests are under way. Try again in a moment.";
                Error::new(ErrorKind::RateLimited, message).retry_after(retry_after.map(at_least_a_second))
            }
            Because::Exhausted { amount, remaining, retry_after } if quota.measure == Measure::Cost => {
                let message = match (informed, retry_after) {
                    (false, _) => "The budget for this request is used up. Ask the operator for more.".to_owned(),
                    (true, after) => {
                        let more = |after| format!("More is there at {}.", date(now.plus(after)));
                        let again = after.map_or_else(|| "Allow a shorter answer.".to_owned(), more);
                        format!(
                            "The budget `{of}` ({}) leaves {}, and this request may cost up to {}. {again}",
                            quota.amount,
                            NanoUsd(remaining),
                            NanoUsd(amount)
                        )
                    }
                };
                Error::new(ErrorKind::BudgetExceeded, message)
            }
            Because::Exhausted { amount, remaining, retry_after } => {
                let what = quota.measure.name().replace('_', " ");
                let limit = quota.terms().map_or(u64::MAX, |terms| terms.limit);
                let message = match (informed, quota.measure, retry_after) {
                    (_, Measure::Concurrency, _) if !informed => "Too many requests at once. Wait for one to end.".to_owned(),
                    (_, Measure::Concurrency, _) => {
                        format!("`{of}` allows {}: wait for a request to end.", quota.amount)
                    }
                    (false, Measure::Requests, _) => "Too many requests. Try again later.".to_owned(),
                    (false, ..) => "Too many tokens. Try again later, or allow a shorter answer.".to_owned(),
                    (true, Measure::Requests, _) => format!("Too many requests: `{of}` allows {}.", quota.amount),
                    (true, ..) if amount > limit => format!(
                        "This request may take {amount} {what}, and `{of}` allows {}. Allow a shorter answer, or send less.",
                        quota.amount
                    ),
                    (true, ..) => format!(
                        "Too many tokens: `{of}` allows {} {what}, {remaining} are left, and this request may take {amount}.",
                        quota.amount
                    ),
                };
                Error::new(ErrorKind::RateLimited, message).retry_after(retry_after.map(at_least_a_second))
            }
        }
    }
}

/// Headers know whole seconds only.
fn at_least_a_second(after: Duration) -> Duration {
    after.max(Duration::from_secs(1))
}

/// A moment without its fraction.
pub(super) fn date(at: Timestamp) -> String {
    let text = at.to_string();
    text.split('.').next().map(|whole| format!("{whole}Z")).unwrap_or(text)
}
