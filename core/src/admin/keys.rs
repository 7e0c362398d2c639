//! The virtual keys of a tenant. A key's text is in the answer to its making, or to its rotation, and nowhere else, ever.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Content};
use super::asked::{Asked, unprocessable};
use super::desk::{Desk, nothing_here, uncertain};
use super::kind::{Json, Kind, Of, members, object, typed};
use super::problem::Problem;
use super::resource::{self, BODY, Place, conditional, current, row, rows, stale};
use super::route::Route;
use crate::config::Period;
use crate::endpoint::BodyLimit;
use crate::identity::{Credential, Issued, Key, Keys, Permission, Terms};
use crate::objects::Conflict;

static KIND: Of<Key> = Of::KIND;

/// The longest that two secrets of a key are good.
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 86_400);

pub(super) static ROUTES: &[Route] = &[
    row(
        Method::POST,
        "/admin/v1/tenants/{tenant}/keys",
        "keys_create",
        Permission::KeysWrite,
        BodyLimit::AtMost(BODY),
        "Make a key. Its text is in this answer and nowhere else.",
        |desk, asked| Box::pin(create(desk, asked)),
    ),
    rows!(@list KIND, "key", "keys", KeysRead),
    rows!(@show KIND, "key", "keys", KeysRead),
    rows!(@replace KIND, "key", "keys", KeysWrite),
    rows!(@change KIND, "key", "keys", KeysWrite),
    row(
        Method::DELETE,
        "/admin/v1/tenants/{tenant}/keys/{id}",
        "keys_remove",
        Permission::KeysWrite,
        BodyLimit::None,
        "Remove one of the keys.",
        |desk, asked| Box::pin(remove(desk, asked)),
    ),
    row(
        Method::POST,
        "/admin/v1/tenants/{tenant}/keys/{id}/rotate",
        "keys_rotate",
        Permission::KeysWrite,
        BodyLimit::AtMost(1024),
        "Give a key another text. The one before stays good for `overlap`.",
        |desk, asked| Box::pin(rotate(desk, asked)),
    ),
    row(
        Method::POST,
        "/admin/v1/tenants/{tenant}/keys/{id}/revoke",
        "keys_revoke",
        Permission::KeysWrite,
        BodyLimit::AtMost(1024),
        "End a key for good.",
        |desk, asked| Box::pin(revoke(desk, asked)),
    ),
];

/// What a rotation's body says.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the secret before stays good, `1h` say; without it, it ends now.
    overlap: Option<String>,
}

/// A body that says nothing.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn create(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut terms: Json = asked.json()?;
    let environment = match terms.shift_remove("environment") {
        None => Key::ENVIRONMENT.to_owned(),
        Some(Value::String(environment)) => environment,
        Some(_) => return Err(unprocessable("`environment` is a text")),
    };
    if !Credential::is_environment(&environment) {
        return Err(unprocessable("`environment` is not 1 to 16 of a-z and 0-9"));
    }
    let terms: Terms = serde_json::from_value(Value::Object(terms)).map_err(|error| unprocessable(error.to_string()))?;
    let tenant = asked.named.tenant.as_ref();
    // As it will be kept, but for its seals.
    let key = Key { environment, seals: Vec::new(), created: desk.now(), revoked: None, terms };
    desk.vet(tenant, &KIND.checked(&object(&key))?).await?;
    let issued = desk.keys()?.create(tenant, &key.environment, key.terms).await.map_err(uncertain)?;
    let path = format!("{}/{}", asked.parts.uri.path().trim_end_matches('/'), issued.id);
    Ok(told(issued).created(&path))
}

/// Tells a key's text, once.
pub(super) fn told(issued: Issued) -> Answer {
    let mut answer = resource::view(&KIND, &issued.id, members(issued.stored));
    if let Content::Json(body) = &mut answer.content {
        body["key"] = json!(issued.text.expose());
    }
    answer
}

pub(super) async fn rotate(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let Rotation { overlap } = asked.json_or_default()?;
    let overlap = match overlap {
        None => Duration::ZERO,
        Some(text) => text.parse::<Period>().map_err(|why| unprocessable(format!("`overlap` {why}; write `1h`")))?.0,
    };
    if overlap > LONGEST_OVERLAP {
        return Err(unprocessable("`overlap` is longer than 30 days"));
    }
    let place = Place::of(asked)?;
    let stored = desk.stored(&KIND, place.tenant, place.id).await?;
    current(asked.expected()?, &stored)?;
    // Whoever has the new text can do what the key can.
    desk.vet(place.tenant, &KIND.checked(&stored.value)?).await?;
    if !typed::<Key>(stored.value)?.is_good(desk.now()) {
        let detail = "The key is revoked, or past its end. Make another.";
        return Err(Problem::new(StatusCode::CONFLICT, "ended", detail));
    }
    let rotated = desk.keys()?.rotate(place.tenant, place.id, overlap, Some(stored.version)).await.map_err(uncertain)?;
    rotated.map(told).map_err(gone)
}

pub(super) async fn revoke(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let Nothing {} = asked.json_or_default()?;
    let place = Place::of(asked)?;
    let expected = asked.expected()?.version();
    let revoked = desk.keys()?.revoke(place.tenant, place.id, expected).await.map_err(uncertain)?;
    revoked.map(|stored| resource::view(&KIND, place.id, members(stored))).map_err(gone)
}

pub(super) async fn remove(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (place, expected) = (Place::of(asked)?, conditional(asked)?);
    let removed = desk.keys()?.remove(place.tenant, place.id, expected.version()).await.map_err(uncertain)?;
    removed.map(|()| Answer::nothing()).map_err(gone)
}

fn gone(Conflict { current }: Conflict<Key>) -> Problem {
    current.map_or_else(nothing_here, |stored| stale(stored.version))
}

impl Desk<'_> {
    pub(super) fn keys(&self) -> Result<Keys<'_>, Problem> {
        Ok(Keys { objects: self.objects()?, entropy: &*self.live.ports().entropy, now: self.now() })
    }
}
