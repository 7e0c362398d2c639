//! What can be done with any kind of object: list, show, make, change and remove.
//!
//! | request | answer |
//! |---|---|
//! | `GET` a collection | a page: `items`, `next`; the next page as a `Link`, too |
//! | `POST` to a collection | 201, the object, its `Location` and `ETag`; 409 when there is one of that id |
//! | `GET` an object | the object and its `ETag`; 304 for who has that version |
//! | `PUT` an object | replaces all that can be changed of it |
//! | `PATCH` an object | changes what the body says (RFC 7396: a null puts the default back) |
//! | `DELETE` an object | 204 |
//!
//! A change needs `If-Match`: the `ETag` that its author has seen, or `*`. Without it 428, with another one 412.
//!
//! Invariants: an object is kept only after [`Kind::checked`] and [`Desk::vet`]; nothing is granted that the author does not
//! hold.

use http::header::LINK;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::asked::{Asked, Expected, invalid, unprocessable};
use super::desk::{Desk, away, nothing_here, uncertain};
use super::kind::{Json, Kind};
use super::problem::Problem;
use super::route::{Reach, Route, Work};
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::{Name, Permission};
use crate::objects::{Conflict, Exists, Page, Stored};

/// Most bytes of an object's body.
pub(super) const BODY: usize = 32 << 10;

/// Where an object is.
pub(super) struct Place<'a> {
    pub(super) tenant: Option<&'a Name>,
    pub(super) id: &'a str,
}

impl<'a> Place<'a> {
    /// That of the object that a path names. Without `{id}` it is the tenant itself, which is nobody's.
    pub(super) fn of(asked: &'a Asked<'_>) -> Result<Self, Problem> {
        match (&asked.named.tenant, &asked.named.id) {
            (tenant, Some(id)) => Ok(Self { tenant: tenant.as_ref(), id }),
            (Some(tenant), None) => Ok(Self { tenant: None, id: tenant.as_str() }),
            (None, None) => Err(nothing_here()),
        }
    }
}

/// An object as it is shown.
pub(super) fn view(kind: &dyn Kind, id: &str, stored: Stored<Json>) -> Answer {
    let version = stored.version;
    Answer::about(version, item(kind, id, stored))
}

fn item(kind: &dyn Kind, id: &str, stored: Stored<Json>) -> Value {
    let mut shown = Map::from_iter([("id".to_owned(), json!(id)), ("version".to_owned(), json!(stored.version))]);
    shown.extend(kind.shown(stored.value));
    Value::Object(shown)
}

pub(super) async fn list(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (after, limit) = (after(asked)?, asked.limit()?);
    let page = kind.list(desk.objects()?, asked.named.tenant.as_ref(), after.as_deref(), limit).await.map_err(away)?;
    Ok(paged(kind, page, asked.parts.uri.path(), limit))
}

/// Behind which id a page begins.
pub(super) fn after(asked: &Asked<'_>) -> Result<Option<String>, Problem> {
    let after = asked.after()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match &after {
        Some(id) if id.len() > Name::LONGEST || !id.bytes().all(plain) => {
            Err(invalid("`after` is the `next` of the page before: an id.").at("after"))
        }
        _ => Ok(after),
    }
}

/// A page, as it is shown.
pub(super) fn paged(kind: &dyn Kind, page: Page<Json>, path: &str, limit: usize) -> Answer {
    let items: Vec<Value> = page.items.into_iter().map(|(id, stored)| item(kind, &id, stored)).collect();
    let answer = Answer::json(json!({"items": items, "next": page.next}));
    match page.next {
        // Ids are plain, so nothing of them has to be encoded.
        Some(next) => answer.with(LINK, format!("<{path}?limit={limit}&after={next}>; rel=\"next\"")),
        None => answer,
    }
}

pub(super) async fn show(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let place = Place::of(asked)?;
    let stored = desk.stored(kind, place.tenant, place.id).await?;
    Ok(view(kind, place.id, stored))
}

pub(super) async fn create(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut body: Json = asked.json()?;
    let id = match body.shift_remove("id") {
        Some(Value::String(id)) => id.parse::<Name>().map_err(|why| unprocessable(format!("`id` {why}")))?,
        Some(_) => return Err(unprocessable("`id` is a text")),
        None => return Err(unprocessable("`id` is missing; it is the name of the object in paths")),
    };
    if kind.reserved(id.as_str()) {
        return Err(unprocessable(format!("`id` is `{id}`, and that {} is always there", kind.name())));
    }
    let tenant = asked.named.tenant.as_ref();
    let object = desk.ready(kind, tenant, &kind.begun(desk.now()), body).await?;
    let created = kind.create(desk.objects()?, tenant, id.as_str(), object).await.map_err(uncertain)?;
    match created {
        Ok(stored) => {
            let path = format!("{}/{id}", asked.parts.uri.path().trim_end_matches('/'));
            Ok(view(kind, id.as_str(), stored).created(&path))
        }
        Err(Exists(stored)) => Err(exists(kind, id.as_str(), &stored)),
    }
}

pub(super) async fn replace(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    change(kind, desk, asked, |_, body| body).await
}

pub(super) async fn patch(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    change(kind, desk, asked, merged).await
}

async fn change(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>, edit: fn(Json, Json) -> Json) -> Result<Answer, Problem> {
    let (place, expected) = (Place::of(asked)?, conditional(asked)?);
    let body: Json = asked.json()?;
    let before = desk.stored(kind, place.tenant, place.id).await?;
    current(expected, &before)?;
    let to = edit(kind.editable(before.value.clone()), body);
    let tenant = asked.named.tenant.as_ref();
    let object = desk.ready(kind, tenant, &before.value, to).await?;
    desk.put(kind, place.tenant, place.id, object, before.version).await
}

pub(super) async fn remove(kind: &dyn Kind, desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (place, expected) = (Place::of(asked)?, conditional(asked)?);
    let before = desk.stored(kind, place.tenant, place.id).await?;
    current(expected, &before)?;
    let removed = kind.remove(desk.objects()?, place.tenant, place.id, expected.version()).await.map_err(uncertain)?;
    match removed {
        Ok(()) => Ok(Answer::nothing()),
        Err(Conflict { current: None }) => Err(nothing_here()),
        Err(Conflict { current: Some(stored) }) => Err(stale(stored.version)),
    }
}

/// Which version a change is for: every change says it.
pub(super) fn conditional(asked: &Asked<'_>) -> Result<Expected, Problem> {
    match asked.expected()? {
        Expected::Unsaid => {
            let detail = "A change says which version it is for, so that nobody overwrites what they have not seen: send the ETag \
                          of a `GET` as `If-Match`, or `If-Match: *` for whichever is there.";
            Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail))
        }
        expected => Ok(expected),
    }
}

/// Fails unless what is there is what the author has seen.
pub(super) fn current(expected: Expected, stored: &Stored<Json>) -> Result<(), Problem> {
    if expected.version().is_none_or(|version| version == stored.version) { Ok(()) } else { Err(stale(stored.version)) }
}

/// Another version is there than its author has seen.
pub(super) fn stale(version: u64) -> Problem {
    let detail = format!("Version {version} is current. Look at it, then send your change with its ETag.");
    Problem::new(StatusCode::PRECONDITION_FAILED, "version_conflict", detail).with("version", json!(version))
}

fn exists(kind: &dyn Kind, id: &str, stored: &Stored<Json>) -> Problem {
    let detail = format!("There is a {} `{id}` already. Change that one, or choose another name.", kind.name());
    Problem::new(StatusCode::CONFLICT, "exists", detail).with("version", json!(stored.version))
}

/// A merge patch (RFC 7396).
fn merged(mut target: Json, patch: Json) -> Json {
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.shift_remove(&name)),
            Value::Object(patch) => {
                let before = match target.shift_remove(&name) {
                    Some(Value::Object(before)) => before,
                    _ => Map::new(),
                };
                target.insert(name, Value::Object(merged(before, patch)));
            }
            value => drop(target.insert(name, value)),
        }
    }
    target
}

impl Desk<'_> {
    /// The object that a body makes, if it can be kept and its author may keep it. `before` is the object as it was.
    async fn ready(&self, kind: &dyn Kind, tenant: Option<&Name>, before: &Json, to: Json) -> Result<Json, Problem> {
        if let Some(own) = ["created", "version"].into_iter().find(|own| to.contains_key(*own)) {
            return Err(unprocessable(format!("`{own}` is set by the gateway; leave it out")));
        }
        let object = kind.edited(before, to);
        let claims = kind.checked(&object)?;
        self.vet(tenant, &claims).await?;
        Ok(object)
    }

    /// An object that is there.
    pub(super) async fn stored(&self, kind: &dyn Kind, tenant: Option<&Name>, id: &str) -> Result<Stored<Json>, Problem> {
        kind.get(self.objects()?, tenant, id).await.map_err(away)?.ok_or_else(nothing_here)
    }

    /// Puts an object in the place of the version that was just looked at.
    async fn put(&self, kind: &dyn Kind, tenant: Option<&Name>, id: &str, object: Json, version: u64) -> Result<Answer, Problem> {
        let replaced = kind.replace(self.objects()?, tenant, id, object, Some(version)).await.map_err(uncertain)?;
        match replaced {
            Ok(stored) => Ok(view(kind, id, stored)),
            Err(Conflict { current: None }) => Err(nothing_here()),
            Err(Conflict { current: Some(stored) }) => Err(stale(stored.version)),
        }
    }
}

/// A row about the objects of a tenant.
pub(super) const fn row(
    method: Method,
    path: &'static str,
    name: &'static str,
    requires: Permission,
    body: BodyLimit,
    summary: &'static str,
    work: Work,
) -> Route {
    Route { method, path, name, requires: Requires::Holds(requires), reach: Reach::Tenant, body, summary, work }
}

/// The rows of a kind, `rows!(KIND, "team", "teams", TeamsRead, TeamsWrite)`; with `unmade` all but that which makes one.
macro_rules! rows {
    ($kind:ident, $one:literal, $many:literal, $read:ident, $write:ident) => {
        &[
            rows!(@make $kind, $one, $many, $write),
            rows!(@list $kind, $one, $many, $read),
            rows!(@show $kind, $one, $many, $read),
            rows!(@replace $kind, $one, $many, $write),
            rows!(@change $kind, $one, $many, $write),
            rows!(@remove $kind, $one, $many, $write),
        ]
    };
    (@list $kind:ident, $one:literal, $many:literal, $read:ident) => {
        rows!(@row GET, ("/admin/v1/tenants/{tenant}/", $many), ($many, "_list"), $read, None, ("The ", $many, " of a tenant, a page at a time."), list, $kind)
    };
    (@make $kind:ident, $one:literal, $many:literal, $write:ident) => {
        rows!(@row POST, ("/admin/v1/tenants/{tenant}/", $many), ($many, "_create"), $write, AtMost($crate::admin::resource::BODY), ("Make one of the ", $many, " of a tenant."), create, $kind)
    };
    (@show $kind:ident, $one:literal, $many:literal, $read:ident) => {
        rows!(@row GET, ("/admin/v1/tenants/{tenant}/", $many, "/{id}"), ($many, "_show"), $read, None, ("One of the ", $many, " of a tenant."), show, $kind)
    };
    (@replace $kind:ident, $one:literal, $many:literal, $write:ident) => {
        rows!(@row PUT, ("/admin/v1/tenants/{tenant}/", $many, "/{id}"), ($many, "_replace"), $write, AtMost($crate::admin::resource::BODY), ("Replace what can be changed of one of the ", $many, "."), replace, $kind)
    };
    (@change $kind:ident, $one:literal, $many:literal, $write:ident) => {
        rows!(@row PATCH, ("/admin/v1/tenants/{tenant}/", $many, "/{id}"), ($many, "_change"), $write, AtMost($crate::admin::resource::BODY), ("Change what the body says of one of the ", $many, " (RFC 7396)."), patch, $kind)
    };
    (@remove $kind:ident, $one:literal, $many:literal, $write:ident) => {
        rows!(@row DELETE, ("/admin/v1/tenants/{tenant}/", $many, "/{id}"), ($many, "_remove"), $write, None, ("Remove one of the ", $many, "."), remove, $kind)
    };
    (@row $method:ident, ($($path:literal),*), ($($name:literal),*), $permission:ident, $body:expr, ($($summary:literal),*), $work:ident, $kind:ident) => {{
        use $crate::endpoint::BodyLimit::*;
        $crate::admin::resource::row(
            http::Method::$method,
            concat!($($path),*),
            concat!($($name),*),
            $crate::identity::Permission::$permission,
            $body,
            concat!($($summary),*),
            |desk, asked| Box::pin($crate::admin::resource::$work(&$kind, desk, asked)),
        )
    }};
}
pub(super) use rows;
