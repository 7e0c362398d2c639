//! What goes on record: every change, before it is made, and everything that is denied. See [`crate::audit`].
//!
//! | what happens | entries |
//! |---|---|
//! | a change | `begun` before it is tried, then `done`, `failed` or `denied` |
//! | anything else that its author may not do | `denied` |
//! | a stranger at the door | `denied`, so many a minute; see [`Denials`](crate::audit::Denials) |
//! | the trail takes no entry | no change: 503. What is denied stays denied |
//!
//! A change that only says what it would do (`dry_run`), and an endpoint that needs no more than to read, change nothing.
//!
//! Invariant: of a body only fields get into an entry that are on [`SHOWN`]; of the others their names, and of all of it the
//! digest.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::select;
use http::{StatusCode, header, request::Parts};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::asked::Asked;
use super::desk::Desk;
use super::problem::Problem;
use super::route::Route;
use crate::audit::{Deed, Outcome, Trail};
use crate::config;
use crate::endpoint::Requires;
use crate::error::{Error, ErrorKind};
use crate::gateway::live::Live;

/// What the paths of the administration begin with.
const ROOT: &str = "/admin/v1/";
/// The fields of a body whose values may be on record. None of them ever holds a secret.
const SHOWN: [&str; 24] = [
    "addresses",
    "amount",
    "application",
    "budgets",
    "environment",
    "expires",
    "id",
    "informed",
    "labels",
    "limits",
    "models",
    "name",
    "overlap",
    "permissions",
    "role",
    "routes",
    "scope",
    "suspended",
    "team",
    "title",
    "to",
    "user",
    "budget",
    "limit",
];
/// How long the answer to what is denied waits until it is on record.
const PATIENCE: Duration = Duration::from_secs(2);

impl Desk<'_> {
    /// Does a row's work, on record where it may change something.
    pub(super) async fn work(&self, route: &Route, asked: &Asked<'_>) -> Result<Answer, Problem> {
        if !changes(route, asked) {
            let answered = self.run(route, asked).await;
            if let Err(problem) = &answered {
                self.turned_away(route, asked, problem).await;
            }
            return answered;
        }
        let Some(trail) = self.live.trail() else {
            return match self.live.ports().cells {
                // There is nothing to change, as the work itself says best.
                None => self.run(route, asked).await,
                Some(_) => Err(no_store(self.live)),
            };
        };
        let mut deed = self.deed(route, asked);
        let begun = trail.append(&deed).await.map_err(not_recorded)?;
        let answered = self.run(route, asked).await;
        deed.detail = BTreeMap::from([("begun".to_owned(), begun.seq.to_string())]);
        match &answered {
            Ok(answer) => {
                deed.outcome = Outcome::Done;
                let made = answer.headers.iter().find(|(name, _)| *name == header::LOCATION);
                if let Some((_, path)) = made {
                    deed.object = object(path);
                }
                if let Some(version) = answer.version {
                    deed.detail.insert("version".to_owned(), version.to_string());
                }
            }
            Err(problem) => {
                deed.outcome = if self.is_denial(asked, problem) { Outcome::Denied } else { Outcome::Failed };
                deed.detail.insert("code".to_owned(), problem.code.to_owned());
            }
        }
        // That it was begun is on record, so what fails here hides nothing.
        let _ = trail.append(&deed).await;
        answered
    }

    /// Puts on record what the author may not do: nothing happens, whatever comes of that.
    pub(super) async fn turned_away(&self, route: &Route, asked: &Asked<'_>, problem: &Problem) {
        if !self.is_denial(asked, problem) {
            return;
        }
        let Some(trail) = self.live.trail() else { return };
        let detail = BTreeMap::from([("code".to_owned(), problem.code.to_owned())]);
        let deed = Deed { outcome: Outcome::Denied, detail, ..self.deed(route, asked) };
        patiently(self.live, trail, &deed).await;
    }

    /// Whether a problem is that the author may not. To who has a tenant, another's objects are not there.
    fn is_denial(&self, asked: &Asked<'_>, problem: &Problem) -> bool {
        let foreign = self.caller.tenant.is_some() && asked.named.tenant != self.caller.tenant;
        problem.status == StatusCode::FORBIDDEN || (foreign && problem.status == StatusCode::NOT_FOUND)
    }

    /// What is asked, as an entry has it.
    fn deed(&self, route: &Route, asked: &Asked<'_>) -> Deed {
        let own = self.caller.tenant.as_ref();
        Deed {
            by: self.by.to_owned(),
            tenant: asked.named.tenant.as_ref().or(own).map(ToString::to_string),
            address: self.caller.address.map(|address| address.to_string()),
            detail: detail(asked),
            ..begun(route, asked.parts, self.request)
        }
    }
}

/// Puts on record that somebody who is not known wanted to administer.
pub(crate) async fn stranger(live: &Live, route: &Route, parts: &Parts, peer: Option<IpAddr>, request: &str, error: &Error) {
    if !matches!(error.kind, ErrorKind::Unauthenticated | ErrorKind::PermissionDenied) {
        return;
    }
    let (Some(trail), Some(untold)) = (live.trail(), live.denials().count(live.ports().clock.now())) else { return };
    let mut detail = BTreeMap::from([("code".to_owned(), error.kind.name().to_owned())]);
    if untold > 0 {
        detail.insert("untold".to_owned(), untold.to_string());
    }
    let address = peer.map(|address| address.to_string());
    let deed = Deed { address, outcome: Outcome::Denied, detail, ..begun(route, parts, request) };
    patiently(live, trail, &deed).await;
}

async fn patiently(live: &Live, trail: &Trail, deed: &Deed) {
    let patience = live.ports().clock.sleep(PATIENCE);
    // What fails here, the request's own record still has.
    let _ = select(Box::pin(trail.append(deed)), patience).await;
}

fn begun(route: &Route, parts: &Parts, request: &str) -> Deed {
    Deed { action: route.name.to_owned(), object: object(parts.uri.path()), request: request.to_owned(), ..Deed::default() }
}

fn object(path: &str) -> String {
    path.strip_prefix(ROOT).unwrap_or(path).trim_end_matches('/').to_owned()
}

/// Whether the work may change something.
fn changes(route: &Route, asked: &Asked<'_>) -> bool {
    let reads = matches!(route.requires, Requires::Holds(permission) if permission.to_string().ends_with(":read"));
    !route.safe() && !reads && !asked.flag("dry_run").unwrap_or(false)
}

/// What there is to say about a request: only what can hold no secret.
fn detail(asked: &Asked<'_>) -> BTreeMap<String, String> {
    let mut detail = BTreeMap::new();
    if let Ok(Some(note)) = asked.query("note") {
        detail.insert("note".to_owned(), note);
    }
    if let Some(expected) = asked.parts.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()) {
        detail.insert("if_match".to_owned(), expected.to_owned());
    }
    if asked.body.is_empty() {
        return detail;
    }
    let fields: Map<String, Value> = serde_json::from_slice(asked.body).unwrap_or_default();
    let (shown, others): (Vec<_>, Vec<_>) = fields.iter().partition(|(name, _)| SHOWN.contains(&name.as_str()));
    for (name, value) in &shown {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        detail.insert((*name).clone(), text);
    }
    if !others.is_empty() || shown.is_empty() {
        detail.insert("digest".to_owned(), config::digest(&String::from_utf8_lossy(asked.body)));
    }
    if !others.is_empty() {
        detail.insert("fields".to_owned(), others.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
    }
    detail
}

pub(super) fn no_store(live: &Live) -> Problem {
    let hint = live.store_hint();
    let hint = if hint.is_empty() { String::new() } else { format!(" To give it one: {hint}.") };
    let detail = format!("This gateway has no store for its audit trail (it needs a key-value store and cells).{hint}");
    Problem::new(StatusCode::NOT_IMPLEMENTED, "no_store", detail)
}

/// The answer to whoever would change something that cannot be put on record.
fn not_recorded(error: Error) -> Problem {
    let why = error.source.unwrap_or(error.message);
    let detail = format!(
        "Nothing was changed, for the audit trail takes no entry: {why}. See that the gateway's stores are there, then try again."
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_recorded", detail)
}
