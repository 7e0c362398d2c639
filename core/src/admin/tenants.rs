//! Tenants. The operator makes them; a tenant's own callers see theirs, as if it were the only one.

use http::{Method, StatusCode};

use super::answer::Answer;
use super::asked::Asked;
use super::desk::{Desk, away, nothing_here};
use super::kind::{Kind, Of};
use super::problem::Problem;
use super::resource::{self, BODY, row};
use super::route::{Reach, Route};
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::{Application, Key, Permission, Role, Team, Tenant, User};
use crate::objects::Page;

static KIND: Of<Tenant> = Of::KIND;

const ITEM: &str = "/admin/v1/tenants/{tenant}";

pub(super) static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/tenants",
        name: "tenants_list",
        requires: Requires::Holds(Permission::TenantsRead),
        reach: Reach::Own,
        body: BodyLimit::None,
        summary: "The tenants, a page at a time; to a tenant's own callers theirs alone.",
        work: |desk, asked| Box::pin(list(desk, asked)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/tenants",
        name: "tenants_create",
        requires: Requires::Holds(Permission::TenantsWrite),
        reach: Reach::Operator,
        body: BodyLimit::AtMost(BODY),
        summary: "Make a tenant.",
        work: |desk, asked| Box::pin(resource::create(&KIND, desk, asked)),
    },
    row(Method::GET, ITEM, "tenants_show", Permission::TenantsRead, BodyLimit::None, "One tenant.", |desk, asked| {
        Box::pin(resource::show(&KIND, desk, asked))
    }),
    row(
        Method::PUT,
        ITEM,
        "tenants_replace",
        Permission::TenantsWrite,
        BodyLimit::AtMost(BODY),
        "Replace what can be changed of a tenant.",
        |desk, asked| Box::pin(resource::replace(&KIND, desk, asked)),
    ),
    row(
        Method::PATCH,
        ITEM,
        "tenants_change",
        Permission::TenantsWrite,
        BodyLimit::AtMost(BODY),
        "Change what the body says of a tenant (RFC 7396).",
        |desk, asked| Box::pin(resource::patch(&KIND, desk, asked)),
    ),
    row(
        Method::DELETE,
        ITEM,
        "tenants_remove",
        Permission::TenantsWrite,
        BodyLimit::None,
        "Remove a tenant that has no teams, applications, users, roles and keys any more.",
        |desk, asked| Box::pin(remove(desk, asked)),
    ),
];

async fn list(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let Some(own) = &desk.caller.tenant else { return resource::list(&KIND, desk, asked).await };
    let (after, limit) = (resource::after(asked)?, asked.limit()?);
    let mine = KIND.get(desk.objects()?, None, own.as_str()).await.map_err(away)?;
    let behind = after.is_none_or(|after| own.as_str() > after.as_str());
    let items = mine.filter(|_| behind).map(|stored| (own.to_string(), stored)).into_iter().collect();
    Ok(resource::paged(&KIND, Page { items, next: None }, asked.parts.uri.path(), limit))
}

/// What is left of a tenant would be nobody's, and somebody else's who is called the same one day.
async fn remove(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    resource::conditional(asked)?;
    let tenant = asked.named.tenant.as_ref().ok_or_else(nothing_here)?;
    let kinds: [&dyn Kind; 5] =
        [&Of::<Team>::KIND, &Of::<Application>::KIND, &Of::<User>::KIND, &Of::<Role>::KIND, &Of::<Key>::KIND];
    for kind in kinds {
        if !kind.list(desk.objects()?, Some(tenant), None, 1).await.map_err(away)?.items.is_empty() {
            let detail = format!("The tenant has a {}. Remove what it has first, or suspend it.", kind.name());
            return Err(Problem::new(StatusCode::CONFLICT, "not_empty", detail));
        }
    }
    resource::remove(&KIND, desk, asked).await
}
