//! The configuration that is stored with the gateway: shown, checked, pushed, rolled back.

use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::asked::{Asked, Expected, essence, invalid};
use super::desk::{Desk, away, uncertain};
use super::problem::Problem;
use super::route::{Reach, Route};
use crate::cell::pointer::{Change, NOTE};
use crate::config::{self, DOCUMENT_BYTES, Diagnostic, Entry, Set, Severity, Versions};
use crate::endpoint::{BodyLimit, Requires};
use crate::error::Error;
use crate::exchange::Notice;
use crate::gateway::live::{Candidate, source};
use crate::identity::Permission;
use crate::ports::Event;

pub(super) static ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/config",
        name: "config_show",
        requires: Requires::Holds(Permission::ConfigRead),
        reach: Reach::Operator,
        body: BodyLimit::None,
        summary: "What is stored, what is served, and where each value comes from.",
        work: |desk, _| Box::pin(desk.show()),
    },
    Route {
        method: Method::PUT,
        path: "/admin/v1/config",
        name: "config_push",
        requires: Requires::Holds(Permission::ConfigWrite),
        reach: Reach::Operator,
        body: BodyLimit::AtMost(DOCUMENT_BYTES),
        summary: "Make a document current.",
        work: |desk, asked| Box::pin(desk.push(asked)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/config/check",
        name: "config_check",
        requires: Requires::Holds(Permission::ConfigRead),
        reach: Reach::Operator,
        body: BodyLimit::AtMost(DOCUMENT_BYTES),
        summary: "What would be wrong with a document, and what it would change.",
        work: |desk, asked| Box::pin(desk.check(asked)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/config/rollback",
        name: "config_rollback",
        requires: Requires::Holds(Permission::ConfigWrite),
        reach: Reach::Operator,
        body: BodyLimit::AtMost(1024),
        summary: "Make an earlier version current again, as a new version.",
        work: |desk, asked| Box::pin(desk.rollback(asked)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/config/history",
        name: "config_history",
        requires: Requires::Holds(Permission::ConfigRead),
        reach: Reach::Operator,
        body: BodyLimit::None,
        summary: "The versions that are kept, newest first.",
        work: |desk, _| Box::pin(desk.history()),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/config/{number}",
        name: "config_version",
        requires: Requires::Holds(Permission::ConfigRead),
        reach: Reach::Operator,
        body: BodyLimit::None,
        summary: "One version and its document.",
        work: |desk, asked| Box::pin(desk.version(asked.named.number.unwrap_or(0))),
    },
];

/// What a rollback's body says.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    /// Which version; none for the one before the current.
    to: Option<u64>,
}

/// A change under way.
struct Plan {
    event: &'static str,
    current: Option<Entry>,
    note: String,
    dry_run: bool,
}

impl Desk<'_> {
    async fn show(&self) -> Result<Answer, Problem> {
        let current = match self.live.versions() {
            Some(versions) => versions.current().await.map_err(away)?,
            None => None,
        };
        let document = match (self.live.versions(), &current) {
            (Some(versions), Some(entry)) => versions.text(entry).await.ok(),
            _ => None,
        };
        let state = self.live.state();
        let version = current.as_ref().map_or(0, |entry| entry.version);
        Ok(Answer::about(
            version,
            json!({
                "version": version,
                "current": current,
                "document": document,
                "serving": {
                    "version": state.serving.as_ref().map_or(0, |entry| entry.version),
                    "snapshot": state.config.version,
                },
                "refused": state.refused.as_ref().map(|refused| json!({
                    "version": refused.entry.as_ref().map(|entry| entry.version),
                    "why": refused.why,
                    "diagnostics": refused.diagnostics,
                })),
                "store": self.live.versions().is_some(),
                "layers": state.layers.names().collect::<Vec<_>>(),
                "values": state.layers.leaves(),
            }),
        ))
    }

    async fn history(&self) -> Result<Answer, Problem> {
        let versions = self.versions()?.history().await.map_err(away)?;
        Ok(Answer::about(versions.first().map_or(0, |entry| entry.version), json!({"versions": versions})))
    }

    async fn version(&self, number: u64) -> Result<Answer, Problem> {
        let entry = self.kept(number).await?;
        let text = self.versions()?.text(&entry).await.map_err(away)?;
        let mut body = json!(entry);
        body["document"] = json!(text);
        Ok(Answer::about(number, body))
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Answer, Problem> {
        let text = document(&asked.parts.headers, asked.body)?;
        let (found, changes) = match self.live.compile(&text, "document").await {
            Ok(candidate) => (candidate.resolved.warnings.clone(), self.changes(&candidate)),
            Err(found) => (found, Value::Null),
        };
        let count = |severity: Severity| found.iter().filter(|found| found.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let body = json!({
            "ok": errors == 0, "errors": errors, "warnings": warnings, "diagnostics": found, "changes": changes,
        });
        Ok(Answer::json(body))
    }

    async fn push(&self, asked: &Asked<'_>) -> Result<Answer, Problem> {
        let text = document(&asked.parts.headers, asked.body)?;
        let expected = match asked.expected()? {
            Expected::Unsaid => return Err(unconditional()),
            expected => expected.version(),
        };
        let (note, dry_run) = (asked.query("note")?.unwrap_or_default(), asked.flag("dry_run")?);
        let candidate = self.compile(&text, "document").await?;
        let current = self.expect(expected).await?;
        let plan = Plan { event: "config_pushed", current, note, dry_run };
        let versions = self.versions()?;
        if plan.current.as_ref().is_some_and(|entry| entry.digest == config::digest(&text)) {
            let body = self.report(&candidate, &plan, None);
            return Ok(Answer::about(plan.current.map_or(0, |entry| entry.version), body));
        }
        if plan.dry_run {
            return Ok(Answer::json(self.report(&candidate, &plan, None)));
        }
        let set = versions.push(&text, self.change(&plan)?).await;
        self.done(set, &text, candidate, plan).await
    }

    async fn rollback(&self, asked: &Asked<'_>) -> Result<Answer, Problem> {
        let Back { to } = asked.json_or_default()?;
        let (note, dry_run) = (asked.query("note")?.unwrap_or_default(), asked.flag("dry_run")?);
        let current = self.expect(asked.expected()?.version()).await?;
        let plan = Plan { event: "config_rolled_back", current, note, dry_run };
        let versions = self.versions()?;
        let before = plan.current.as_ref().map_or(0, |entry| entry.version).saturating_sub(1);
        let entry = self.kept(to.unwrap_or(before)).await?;
        let text = versions.text(&entry).await.map_err(away)?;
        let candidate = self.compile(&text, &source(&entry)).await?;
        if plan.dry_run {
            return Ok(Answer::json(self.report(&candidate, &plan, None)));
        }
        let set = versions.rollback(entry.version, self.change(&plan)?).await;
        self.done(set, &text, candidate, plan).await
    }

    /// Serves what was set, and has it on record before it is acknowledged.
    async fn done(&self, set: Result<Set, Error>, text: &str, candidate: Candidate, plan: Plan) -> Result<Answer, Problem> {
        let entry = match set.map_err(uncertain)? {
            Set::Done(entry) => entry,
            Set::Conflict(current) => return Err(Problem::conflict(current.as_ref())),
            Set::Unknown => return Err(not_kept("The version is not kept any more.".to_owned())),
        };
        let body = self.report(&candidate, &plan, Some(&entry));
        // Its values are known by the version from here on; it has compiled a moment ago.
        let candidate = self.live.compile(text, &source(&entry)).await.unwrap_or(candidate);
        self.live.serve(entry.clone(), candidate).await;
        let notice = Notice {
            event: plan.event,
            at: entry.at,
            by: self.by.to_owned(),
            request: self.request.to_owned(),
            version: Some(entry.version),
            previous: plan.current.map(|entry| entry.version),
            digest: entry.digest.clone(),
            message: plan.note,
        };
        let recorded = self.live.ports().events.append(Event::Notice(Box::new(notice))).await;
        recorded.map_err(|_| {
            let detail = format!(
                "Version {} is stored and served, but the record of who did it could not be written. See that the gateway's \
                 events have a place to go; the history has it as well.",
                entry.version
            );
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not_recorded", detail).with("version", json!(entry.version))
        })?;
        Ok(Answer::about(entry.version, body))
    }

    /// What a change did, or would do. Without a new version nothing was changed.
    fn report(&self, candidate: &Candidate, plan: &Plan, made: Option<&Entry>) -> Value {
        let current = plan.current.as_ref().map_or(0, |entry| entry.version);
        let refresh = candidate.resolved.config.refresh;
        json!({
            "version": made.map_or(current, |entry| entry.version),
            "previous": current,
            "changed": made.is_some(),
            "dry_run": plan.dry_run,
            "digest": made.map(|entry| &entry.digest),
            "diagnostics": candidate.resolved.warnings,
            "changes": self.changes(candidate),
            "everywhere_within_seconds": refresh.as_secs_f64(),
        })
    }

    fn changes(&self, candidate: &Candidate) -> Value {
        json!(config::changes(&self.live.state().layers, &candidate.layers))
    }

    async fn compile(&self, text: &str, source: &str) -> Result<Candidate, Problem> {
        if text.len() > DOCUMENT_BYTES {
            let detail = format!("The document has {} bytes; at most {DOCUMENT_BYTES} are stored.", text.len());
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail));
        }
        let candidate = self.live.compile(text, source).await.map_err(|found: Vec<Diagnostic>| Problem::refused(&found))?;
        // Who is at the store itself can undo it; who is not would have locked the door behind them.
        if !self.request.is_empty() && candidate.resolved.config.admin_keys.is_empty() {
            let detail = "The document takes the last administrator's key away, so nobody could undo it over HTTP, and nothing was \
                          changed. Leave `admin.keys` out of it; the file or a variable can switch the administration off.";
            return Err(Problem::new(StatusCode::CONFLICT, "locks_out", detail));
        }
        Ok(candidate)
    }

    /// The current version, if it is the one that the operator has seen.
    async fn expect(&self, expected: Option<u64>) -> Result<Option<Entry>, Problem> {
        let current = self.versions()?.current().await.map_err(away)?;
        let number = current.as_ref().map_or(0, |entry| entry.version);
        if expected.is_none_or(|expected| expected == number) { Ok(current) } else { Err(Problem::conflict(current.as_ref())) }
    }

    fn change(&self, plan: &Plan) -> Result<Change, Problem> {
        if plan.note.len() > NOTE {
            let detail = format!("The note has {} bytes; at most {NOTE} are kept.", plan.note.len());
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail));
        }
        Ok(Change {
            id: self.live.ports().entropy.u64(),
            expected: plan.current.as_ref().map_or(0, |entry| entry.version),
            by: self.author().to_owned(),
            note: plan.note.clone(),
        })
    }

    async fn kept(&self, number: u64) -> Result<Entry, Problem> {
        let kept = self.versions()?.history().await.map_err(away)?;
        if let Some(entry) = kept.iter().find(|entry| entry.version == number) {
            return Ok(entry.clone());
        }
        Err(not_kept(match (kept.last(), kept.first()) {
            (Some(oldest), Some(newest)) => {
                format!("Version {number} is not kept; {} to {} are.", oldest.version, newest.version)
            }
            _ => "Nothing is stored yet.".to_owned(),
        }))
    }

    fn versions(&self) -> Result<&Versions, Problem> {
        self.live.versions().ok_or_else(|| {
            let hint = self.live.store_hint();
            let hint = if hint.is_empty() { String::new() } else { format!(" To give it one: {hint}.") };
            let detail = format!("This gateway has no store for configurations (it needs a key-value store and cells).{hint}");
            Problem::new(StatusCode::NOT_IMPLEMENTED, "no_store", detail)
        })
    }
}

fn not_kept(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

fn unconditional() -> Problem {
    let detail = "A push says which version it replaces, so that nobody overwrites what they have not seen: send the ETag of \
                  `GET /admin/v1/config` as `If-Match`, or `If-Match: *` to replace whatever is there.";
    Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail)
}

/// A document is TOML or JSON; which, its first character says. A browser's form can be neither.
fn document(headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    let essence = essence(headers);
    if !matches!(essence.as_str(), "application/toml" | "text/toml" | "application/json") && !essence.ends_with("+json") {
        let detail = "Send the document with `Content-Type: application/toml` or `application/json`.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    String::from_utf8(body.to_vec()).map_err(|_| invalid("The document is not UTF-8."))
}
