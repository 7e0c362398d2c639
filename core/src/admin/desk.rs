//! What an operator or a tenant's administrator stands at: who asks, and what is at hand to answer.

use http::{Method, StatusCode};

use super::answer::Answer;
use super::asked::Asked;
use super::once;
use super::problem::Problem;
use super::route::{Reach, Route};
use crate::cell::pointer::BY;
use crate::endpoint::Requires;
use crate::error::{Error, ErrorKind};
use crate::gateway::live::Live;
use crate::identity::{Caller, Tenant};
use crate::objects::Objects;
use crate::ports::Timestamp;

/// One administrator at the desk.
pub(crate) struct Desk<'a> {
    pub(super) live: &'a Live,
    /// Who it is, and what they may do.
    pub(super) caller: &'a Caller,
    /// What they are called.
    pub(super) by: &'a str,
    /// The request in which they ask; empty when there is none.
    pub(super) request: &'a str,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(live: &'a Live, caller: &'a Caller, by: &'a str, request: &'a str) -> Self {
        Self { live, caller, by, request }
    }

    /// Does what a row says, for whom it is for.
    pub(crate) async fn answer(&self, route: &Route, asked: &Asked<'_>) -> Result<Answer, Problem> {
        if let Err(problem) = self.admits(route, asked).await {
            self.turned_away(route, asked, &problem).await;
            return Err(problem);
        }
        let answer = self.work(route, asked).await?;
        Ok(match answer.tag() {
            Some(tag) if route.safe() && asked.has(&tag) => {
                Answer { status: StatusCode::NOT_MODIFIED, version: answer.version, ..Answer::nothing() }
            }
            _ => answer,
        })
    }

    /// Does a row's work, once if its author says so.
    pub(super) async fn run(&self, route: &Route, asked: &Asked<'_>) -> Result<Answer, Problem> {
        if route.method == Method::POST { once::work(self, route, asked).await } else { (route.work)(self, asked).await }
    }

    /// Whether whoever asks may, and there is something to ask about.
    async fn admits(&self, route: &Route, asked: &Asked<'_>) -> Result<(), Problem> {
        if let Requires::Holds(permission) = route.requires
            && !self.caller.permissions.holds(permission)
        {
            return Err(denied(format!("it needs `{permission}`, and nobody can ask for more than they hold")));
        }
        match (route.reach, &self.caller.tenant) {
            (Reach::Operator, Some(_)) => Err(denied("it is the operator's".to_owned())),
            (Reach::Tenant, Some(own)) if asked.named.tenant.as_ref() != Some(own) => Err(nothing_here()),
            (Reach::Tenant, _) => self.has_tenant(asked).await,
            _ => Ok(()),
        }
    }

    /// What is in a tenant that is not there is not there either.
    async fn has_tenant(&self, asked: &Asked<'_>) -> Result<(), Problem> {
        let tenant = asked.named.tenant.as_ref().ok_or_else(nothing_here)?;
        let found = self.objects()?.get::<Tenant>(None, tenant.as_str()).await.map_err(away)?;
        found.map(drop).ok_or_else(nothing_here)
    }

    /// The gateway's objects.
    pub(super) fn objects(&self) -> Result<&Objects, Problem> {
        self.live.objects().ok_or_else(|| {
            let hint = self.live.store_hint();
            let hint = if hint.is_empty() { String::new() } else { format!(" To give it one: {hint}.") };
            let detail = format!("This gateway has no store for tenants, keys and the like (it needs cells).{hint}");
            Problem::new(StatusCode::NOT_IMPLEMENTED, "no_store", detail)
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.live.ports().clock.now()
    }

    /// What the author is called in histories: as much of it as they keep.
    pub(super) fn author(&self) -> &'a str {
        let mut end = self.by.len().min(BY);
        while !self.by.is_char_boundary(end) {
            end -= 1;
        }
        &self.by[..end]
    }
}

fn denied(why: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, ErrorKind::PermissionDenied.name(), format!("This key may not do that: {why}."))
}

/// The answer to whoever asks for what is not theirs, and for what is not.
pub(super) fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "There is no such object.")
}

/// A read that failed. The operator of the gateway is the caller here, and may know why.
pub(super) fn away(error: Error) -> Problem {
    let why = error.source.unwrap_or(error.message);
    let detail = format!("The store cannot be read: {why}. What is served stays as it is; try again in a moment.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_away", detail)
}

/// A change that failed, perhaps after it took effect.
pub(super) fn uncertain(error: Error) -> Problem {
    // What its author can do something about never reached the store, or was refused by it.
    if error.status().is_client_error() {
        return Problem::from(error);
    }
    let why = error.source.unwrap_or(error.message);
    let detail = format!("The store failed, and may or may not have changed: {why}. Look at what is there, then try again.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_away", detail)
}
