//! The audit trail: read, and verified.

use http::header::LINK;
use http::{Method, header};
use serde_json::json;

use super::answer::Answer;
use super::asked::{Asked, invalid};
use super::desk::{Desk, away};
use super::problem::Problem;
use super::route::{Reach, Route};
use crate::audit::{Entry, Trail};
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::Permission;

/// The media type of entries, one a line.
const LINES: &str = "application/jsonl";

pub(super) static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/audit",
        name: "audit_list",
        requires: Requires::Holds(Permission::AuditRead),
        reach: Reach::Operator,
        body: BodyLimit::None,
        summary: "Who did what, oldest first.",
        work: |desk, asked| Box::pin(list(desk, asked)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/audit/verify",
        name: "audit_verify",
        requires: Requires::Holds(Permission::AuditRead),
        reach: Reach::Operator,
        body: BodyLimit::None,
        summary: "Whether the audit trail is what was written.",
        work: |desk, asked| Box::pin(verify(desk, asked)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/tenants/{tenant}/audit",
        name: "audit_of_tenant",
        requires: Requires::Holds(Permission::AuditRead),
        reach: Reach::Tenant,
        body: BodyLimit::None,
        summary: "Who did what in a tenant, oldest first.",
        work: |desk, asked| Box::pin(list(desk, asked)),
    },
];

/// What of the trail is wanted: every field that is there has to fit.
struct Wanted {
    tenant: Option<String>,
    by: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
}

impl Wanted {
    fn read(asked: &Asked<'_>) -> Result<Self, Problem> {
        let tenant = match &asked.named.tenant {
            Some(tenant) => Some(tenant.to_string()),
            None => asked.query("tenant")?,
        };
        let outcome = asked.query("outcome")?;
        if outcome.as_deref().is_some_and(|outcome| !["begun", "done", "failed", "denied"].contains(&outcome)) {
            return Err(invalid("`outcome` is `begun`, `done`, `failed` or `denied`.").at("outcome"));
        }
        Ok(Self { tenant, by: asked.query("by")?, action: asked.query("action")?, outcome })
    }

    fn fits(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        let deed = &entry.deed;
        is(&self.tenant, deed.tenant.as_deref().unwrap_or(""))
            && is(&self.by, &deed.by)
            && is(&self.action, &deed.action)
            && is(&self.outcome, deed.outcome.name())
    }
}

async fn list(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (after, limit, wanted) = (place(asked)?, asked.limit()?, Wanted::read(asked)?);
    let page = trail(desk)?.list(after, limit, |entry| wanted.fits(entry)).await.map_err(away)?;
    let answer = if lines(asked) {
        Answer::text(LINES, page.entries.iter().flat_map(|entry| [entry.line(), "\n".to_owned()]).collect())
    } else {
        // The end tells how much others did, so it is the operator's alone.
        let end = asked.named.tenant.is_none().then_some(&page.end);
        let next = page.next.map(|next| next.to_string());
        Answer::json(json!({"items": page.entries, "next": next, "end": end, "broken": page.broken}))
    };
    let Some(next) = page.next else { return Ok(answer) };
    let others = asked.parts.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let query: String = others.flat_map(|pair| [pair, "&"]).collect();
    Ok(answer.with(LINK, format!("<{}?{query}after={next}>; rel=\"next\"", asked.parts.uri.path())))
}

async fn verify(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let verdict = trail(desk)?.verify(place(asked)?).await.map_err(away)?;
    let mut answer = json!(verdict);
    answer["next"] = json!(verdict.next.map(|next| next.to_string()));
    Ok(Answer::json(answer))
}

/// Behind which entry to begin; 0: with the first.
fn place(asked: &Asked<'_>) -> Result<u64, Problem> {
    let Some(after) = asked.after()? else { return Ok(0) };
    let plain = after.bytes().all(|byte| byte.is_ascii_digit());
    let number = plain.then(|| after.parse().ok()).flatten();
    number.ok_or_else(|| invalid("`after` is the number of an entry.").at("after"))
}

/// Whether the caller would rather have lines than a page.
fn lines(asked: &Asked<'_>) -> bool {
    let kinds = asked.parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = kinds.flat_map(|value| value.split(',')).map(|kind| kind.split(';').next().unwrap_or("").trim());
    kinds.any(|kind| kind == LINES || kind == "application/x-ndjson")
}

fn trail<'a>(desk: &'a Desk<'_>) -> Result<&'a Trail, Problem> {
    desk.live.trail().ok_or_else(|| super::record::no_store(desk.live))
}
