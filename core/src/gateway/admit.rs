//! Admission: the limits and budgets that hold for a request, before it goes to a provider.

use std::sync::Arc;
use std::time::Duration;

use crate::cell::allowance::LONGEST;
use crate::config::Config;
use crate::dialect::DialectId;
use crate::error::Result;
use crate::identity::Caller;
use crate::policy::limit::{self, Limiter, Measure, Need, Subject};
use crate::ports::Clock;
use crate::route::Plan;

use super::settle::Settlement;

/// What a request takes beyond its attempts: reading it, writing its answer.
const ASIDE: Duration = Duration::from_secs(60);

/// A planned request at the gate.
pub(super) struct Asked<'a> {
    pub(super) limiter: &'a Arc<Limiter>,
    pub(super) config: &'a Config,
    pub(super) caller: &'a Caller,
    /// The model as the caller named it.
    pub(super) model: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a dyn Clock,
}

impl Asked<'_> {
    /// Reserves what the request may take, or says why it may not. `need` is asked only if there is something to reserve.
    pub(super) async fn admit(&self, need: impl FnOnce() -> Need, settlement: &mut Settlement) -> Result<()> {
        let Self { limiter, config, caller, model, plan, clock } = *self;
        if config.rules.is_empty() && caller.shares.is_empty() {
            return Ok(());
        }
        let Some(first) = plan.candidates.first() else { return Ok(()) };
        let subject = Subject {
            route: plan.route.as_deref(),
            asked: model,
            provider: &first.target.provider.row.name,
            model: &first.target.model,
        };
        let quotas = limit::quotas(&config.rules, caller, subject);
        if quotas.is_empty() {
            return Ok(());
        }
        let longest = plan.candidates.iter().fold(ASIDE, |sum, candidate| sum.saturating_add(candidate.timeouts.total));
        // What only counts requests needs no look at the body.
        let sized = quotas.iter().any(|quota| !matches!(quota.measure, Measure::Requests | Measure::Concurrency));
        let need = if sized { need() } else { Need::default() };
        let admission = Arc::new(limiter.prepare(quotas, need, longest.min(LONGEST), config.instances));
        settlement.admitting(limiter.clone(), admission.clone());
        let admitted = limiter.admit(&admission).await;
        if caller.informed {
            let dialect = settlement.dialect().unwrap_or(DialectId::OpenAiChat);
            settlement.limited(limit::headers(&admission, dialect, clock.now()));
        }
        admitted.map_err(|refused| refused.error(caller.informed, model, clock.now()))
    }
}
