//! `Idempotency-Key`: a `POST` that is sent again, because nobody knows whether it arrived, happens once.
//!
//! | sent again | answer |
//! |---|---|
//! | after it was done | the same, with `Idempotency-Replayed: true`; of a key's text there is no second telling |
//! | while it is under way | 409 `in_progress`, with `Retry-After` |
//! | with another body, path or method | 422 `idempotency_key_reused` |
//! | after it was refused | it is tried as if for the first time |
//! | after more than a day | the same |
//!
//! A try that was broken off counts as under way for [`PATIENCE`]; then the next one takes its place.
//!
//! Invariants: a key is its author's own, so nobody learns from another's; no secret is kept.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::{Answer, Content};
use super::asked::{Asked, invalid};
use super::desk::{Desk, uncertain};
use super::problem::Problem;
use super::route::Route;
use crate::objects::{Exists, Object, Objects, Stored};
use crate::ports::Timestamp;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
const LONGEST: usize = 255;
/// How long a try that was begun may be under way.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is kept of a request that must happen once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Once {
    /// SHA-256 of the request.
    digest: String,
    /// When the try began.
    begun: Timestamp,
    /// What came of it; none while it is under way.
    done: Option<Done>,
}

/// An answer as it is given again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    status: u16,
    version: Option<u64>,
    location: Option<String>,
    body: Value,
}

impl Object for Once {
    const KIND: &'static str = "once";
    const KEPT: Option<Duration> = Some(Duration::from_secs(86_400));
}

/// Does a row's work, once for each `Idempotency-Key`; without one as often as it is asked for.
pub(super) async fn work(desk: &Desk<'_>, route: &Route, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let Some(key) = key(asked)? else { return (route.work)(desk, asked).await };
    let objects = desk.objects()?;
    let id =
        hash(&[b"key", desk.by.as_bytes(), desk.caller.tenant.as_ref().map_or("", |tenant| tenant.as_str()).as_bytes(), key]);
    let line = asked.parts.uri.path_and_query().map_or("", |line| line.as_str());
    let digest = hash(&[route.method.as_str().as_bytes(), line.as_bytes(), asked.body]);
    let once = Once { digest, begun: desk.now(), done: None };
    let version = match objects.create(None, &id, &once).await.map_err(uncertain)? {
        Ok(stored) => stored.version,
        Err(Exists(Stored { value, .. })) if value.digest != once.digest => return Err(reused()),
        Err(Exists(Stored { value: Once { done: Some(done), .. }, .. })) => return Ok(again(done)),
        Err(Exists(Stored { value, .. })) if once.begun.since(value.begun) < PATIENCE => return Err(under_way()),
        Err(Exists(Stored { version, .. })) => {
            let taken = objects.replace(None, &id, &once, Some(version)).await.map_err(uncertain)?;
            taken.map_err(|_| under_way())?.version
        }
    };
    let answer = (route.work)(desk, asked).await;
    match &answer {
        Ok(answer) => {
            let done = Once { done: Some(kept(answer)), ..once };
            keep(objects, &id, &done, version).await;
        }
        // It did not happen, so it may be tried again. What is left behind by a store that is away ends by itself.
        Err(_) => drop(objects.remove::<Once>(None, &id, Some(version)).await),
    }
    answer
}

/// A number for a change, the same when the same `POST` is sent again under its key; random without one.
pub(super) fn seed(desk: &Desk<'_>, asked: &Asked<'_>) -> Result<u64, Problem> {
    let Some(key) = key(asked)? else { return Ok(desk.live.ports().entropy.u64()) };
    let digits = &named(desk, key)[..16];
    Ok(u64::from_str_radix(digits, 16).unwrap_or_default())
}

/// A key among all authors' keys.
fn named(desk: &Desk<'_>, key: &[u8]) -> String {
    let tenant = desk.caller.tenant.as_ref().map_or("", |tenant| tenant.as_str());
    hash(&[desk.by.as_bytes(), tenant.as_bytes(), key])
}

/// An answer too large to keep is kept without its body. It is given even when nothing can be kept.
async fn keep(objects: &Objects, id: &str, once: &Once, version: u64) {
    if objects.replace(None, id, once, Some(version)).await.is_err() {
        let mut once = once.clone();
        if let Some(done) = &mut once.done {
            done.body = Value::Null;
        }
        let _ = objects.replace(None, id, &once, Some(version)).await;
    }
}

fn kept(answer: &Answer) -> Done {
    let mut body = answer.body().clone();
    if let Value::Object(members) = &mut body {
        // A key's text: see `keys.rs`.
        members.shift_remove("key");
    }
    let location = answer.headers.iter().find(|(name, _)| name == header::LOCATION).map(|(_, value)| value.clone());
    Done { status: answer.status.as_u16(), version: answer.version, location, body }
}

fn again(done: Done) -> Answer {
    let Done { status, version, location, body } = done;
    let content = if body.is_null() { Content::Nothing } else { Content::Json(body) };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let answer = Answer { status, version, headers: Vec::new(), content }.with(REPLAYED, "true");
    match location {
        Some(location) => answer.with(header::LOCATION, location),
        None => answer,
    }
}

fn key<'a>(asked: &'a Asked<'_>) -> Result<Option<&'a [u8]>, Problem> {
    let mut values = asked.parts.headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.as_bytes();
    let plain = (1..=LONGEST).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if !plain || values.next().is_some() {
        return Err(
            invalid(format!("`Idempotency-Key` is one text of 1 to {LONGEST} visible ASCII characters.")).at("Idempotency-Key")
        );
    }
    Ok(Some(key))
}

fn reused() -> Problem {
    let detail = "This `Idempotency-Key` was sent with another request. Each request has its own; repeat one with the same body.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
}

fn under_way() -> Problem {
    let detail = "The request with this `Idempotency-Key` is under way. Ask again in a moment.";
    Problem::new(StatusCode::CONFLICT, "in_progress", detail).after(1)
}

/// SHA-256 of texts, each with its length before it, in hexadecimal.
fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
