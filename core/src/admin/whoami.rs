//! Who is asking, and what they may do: what a key is good for, told to its holder.

use http::Method;
use serde_json::json;

use super::answer::Answer;
use super::desk::Desk;
use super::problem::Problem;
use super::route::{Reach, Route};
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::Proof;

pub(super) static ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/whoami",
    name: "whoami",
    requires: Requires::Known,
    reach: Reach::Own,
    body: BodyLimit::None,
    summary: "Who is asking, and what they may do.",
    work: |desk, _| Box::pin(whoami(desk)),
}];

async fn whoami(desk: &Desk<'_>) -> Result<Answer, Problem> {
    let caller = desk.caller;
    let proof = match &caller.proof {
        Proof::Nobody => "none",
        Proof::Secret(_) => "secret",
        Proof::Key(_) => "key",
        Proof::Token { .. } => "token",
    };
    Ok(Answer::json(json!({
        "name": desk.by,
        "proof": proof,
        "tenant": caller.tenant,
        "team": caller.team,
        "application": caller.application,
        "user": caller.user,
        "labels": *caller.labels,
        "permissions": caller.permissions.iter().collect::<Vec<_>>(),
        "access": *caller.access,
        "informed": caller.informed,
    })))
}
