//! How the limits and budgets of a tenant's objects stand; budgets are topped up and reset here, too.
//!
//! Which object it is about is said by name: `team`, `application` or `key`; none of them for the tenant itself. What the
//! configuration limits is not an object's, and is not shown here.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::asked::{Asked, unprocessable};
use super::desk::{Desk, away, nothing_here, uncertain};
use super::once;
use super::problem::Problem;
use super::resource::row;
use super::route::Route;
use crate::endpoint::BodyLimit;
use crate::identity::{Application, Key, Name, Permission, Share, Team, Tenant};
use crate::objects::Stored;
use crate::policy::limit::{self, Amount, Budget, Limits, Measure, Quota, Span, Standing};
use crate::ports::CellStore;
use crate::usage::NanoUsd;

pub(super) static ROUTES: &[Route] = &[
    row(
        Method::GET,
        "/admin/v1/tenants/{tenant}/limits",
        "limits_list",
        Permission::LimitsRead,
        BodyLimit::None,
        "How the limits of a tenant, or of one of its teams, applications or keys, stand.",
        |desk, asked| Box::pin(list(desk, asked, |measure| measure != Measure::Cost)),
    ),
    row(
        Method::GET,
        "/admin/v1/tenants/{tenant}/budgets",
        "budgets_list",
        Permission::BudgetsRead,
        BodyLimit::None,
        "How the budgets of a tenant, or of one of its teams, applications or keys, stand.",
        |desk, asked| Box::pin(list(desk, asked, |measure| measure == Measure::Cost)),
    ),
    row(
        Method::POST,
        "/admin/v1/tenants/{tenant}/budgets/top-up",
        "budgets_top_up",
        Permission::BudgetsWrite,
        BodyLimit::AtMost(1024),
        "Allow more of a budget, until it begins anew.",
        |desk, asked| Box::pin(top_up(desk, asked)),
    ),
    row(
        Method::POST,
        "/admin/v1/tenants/{tenant}/budgets/reset",
        "budgets_reset",
        Permission::BudgetsWrite,
        BodyLimit::AtMost(1024),
        "Forget what was spent of a budget.",
        |desk, asked| Box::pin(reset(desk, asked)),
    ),
];

/// Which object; the tenant when none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    /// A team.
    team: Option<Name>,
    /// An application.
    application: Option<Name>,
    /// A key, by its id.
    key: Option<String>,
}

/// A top-up.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct TopUp {
    /// A team; without team, application and key it is the tenant's own budget.
    team: Option<Name>,
    /// An application.
    application: Option<Name>,
    /// A key, by its id.
    key: Option<String>,
    /// The budget's span.
    per: Span,
    /// How much more.
    amount: NanoUsd,
}

/// A reset.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    /// A team; without team, application and key it is the tenant's own budget.
    team: Option<Name>,
    /// An application.
    application: Option<Name>,
    /// A key, by its id.
    key: Option<String>,
    /// The budget's span.
    per: Span,
}

async fn list(desk: &Desk<'_>, asked: &Asked<'_>, of: fn(Measure) -> bool) -> Result<Answer, Problem> {
    let name = |field| match asked.query(field)? {
        None => Ok(None),
        Some(text) => text.parse::<Name>().map(Some).map_err(|why| super::asked::invalid(format!("`{field}` {why}.")).at(field)),
    };
    let whose = Whose { team: name("team")?, application: name("application")?, key: asked.query("key")? };
    let share = desk.share(asked, &whose).await?;
    let mut items = Vec::new();
    for quota in limit::quotas_of(&share).into_iter().filter(|quota| of(quota.measure)) {
        items.push(shown(&limit::standing(desk.cells()?, &quota).await.map_err(away)?));
    }
    Ok(Answer::json(json!({"of": share.of, "items": items})))
}

async fn top_up(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let TopUp { team, application, key, per, amount } = asked.json()?;
    if amount.0 == 0 {
        return Err(unprocessable("`amount` is nothing"));
    }
    let budget = desk.budget(asked, &Whose { team, application, key }, per).await?;
    let standing = limit::top_up(desk.cells()?, &budget, once::seed(desk, asked)?, amount).await.map_err(uncertain)?;
    Ok(Answer::json(shown(&standing)))
}

async fn reset(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let Reset { team, application, key, per } = asked.json()?;
    let budget = desk.budget(asked, &Whose { team, application, key }, per).await?;
    let standing = limit::reset(desk.cells()?, &budget, once::seed(desk, asked)?).await.map_err(uncertain)?;
    Ok(Answer::json(shown(&standing)))
}

fn shown(standing: &Standing) -> Value {
    let quota = &standing.quota;
    let per = match &quota.amount {
        Amount::Rate(rate) => Some(rate.unit.name()),
        Amount::Budget(budget) => Some(budget.per.name()),
        Amount::AtOnce(_) => None,
    };
    let amount = |amount: u64| match quota.measure {
        Measure::Cost => json!(NanoUsd(amount)),
        _ => json!(amount),
    };
    json!({
        "measure": quota.measure.name(),
        "per": per,
        "limit": amount(standing.limit),
        "credit": amount(standing.credit),
        "charged": amount(standing.charged),
        "remaining": amount(standing.remaining),
        "open": standing.open,
        "clear_after_seconds": standing.clear_after.map(|after| after.as_secs_f64()),
    })
}

impl Desk<'_> {
    fn cells(&self) -> Result<&dyn CellStore, Problem> {
        self.live.ports().cells.as_deref().ok_or_else(|| {
            Problem::new(StatusCode::NOT_IMPLEMENTED, "no_store", "This gateway has no store in which limits are counted.")
        })
    }

    /// What the object carries that a request is about.
    async fn share(&self, asked: &Asked<'_>, whose: &Whose) -> Result<Share, Problem> {
        let (objects, own) = (self.objects()?, asked.named.tenant.as_ref().ok_or_else(nothing_here)?);
        let share = |of: String, limits: Limits, budgets: Vec<Budget>| Share { of, limits, budgets };
        match whose {
            Whose { team: Some(team), application: None, key: None } => {
                let found = objects.get::<Team>(Some(own), team.as_str()).await.map_err(away)?;
                let Stored { value, .. } = found.ok_or_else(nothing_here)?;
                Ok(share(format!("team/{own}/{team}"), value.limits, value.budgets))
            }
            Whose { team: None, application: Some(application), key: None } => {
                let found = objects.get::<Application>(Some(own), application.as_str()).await.map_err(away)?;
                let Stored { value, .. } = found.ok_or_else(nothing_here)?;
                Ok(share(format!("application/{own}/{application}"), value.limits, value.budgets))
            }
            Whose { team: None, application: None, key: Some(key) } => {
                let found = objects.get::<Key>(Some(own), key).await.map_err(away)?;
                let Stored { value: Key { terms, .. }, .. } = found.ok_or_else(nothing_here)?;
                Ok(share(format!("key/{key}"), terms.limits, terms.budgets))
            }
            Whose { team: None, application: None, key: None } => {
                let found = objects.get::<Tenant>(None, own.as_str()).await.map_err(away)?;
                let Stored { value, .. } = found.ok_or_else(nothing_here)?;
                Ok(share(format!("tenant/{own}"), value.limits, value.budgets))
            }
            _ => Err(unprocessable("it names more than one of `team`, `application` and `key`")),
        }
    }

    async fn budget(&self, asked: &Asked<'_>, whose: &Whose, per: Span) -> Result<Quota, Problem> {
        let share = self.share(asked, whose).await?;
        let fits = |quota: &Quota| matches!(&quota.amount, Amount::Budget(budget) if budget.per == per);
        limit::quotas_of(&share).into_iter().find(fits).ok_or_else(|| {
            unprocessable(format!("`per` is `{}`, and {} has no such budget; give it one first", per.name(), share.of))
        })
    }
}
