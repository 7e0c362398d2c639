//! What requests took: added up, or as they were kept. See `docs/usage.md`.
//!
//! A tenant's callers see their tenant's records, the operator everybody's. An answer is one page; its `next` leads on.

use std::time::Duration;

use http::{Method, StatusCode, header};
use serde_json::json;

use super::answer::Answer;
use super::asked::{Asked, invalid};
use super::desk::{Desk, away, nothing_here};
use super::problem::Problem;
use super::route::{Reach, Route};
use crate::endpoint::{BodyLimit, Requires};
use crate::error::ErrorKind;
use crate::identity::{Name, Permission};
use crate::ports::Timestamp;
use crate::usage::{Dimension, MOST_ROWS, Page, Query, Tenants, csv, groups};
use crate::wire::percent;

pub(super) static ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/usage",
    name: "usage",
    requires: Requires::Holds(Permission::UsageRead),
    reach: Reach::Own,
    body: BodyLimit::None,
    summary: "What requests took and cost, added up or one by one, as JSON, CSV or JSON Lines.",
    work: |desk, asked| Box::pin(desk.usage(asked)),
}];

/// The parameters beside the names of dimensions.
const PARAMETERS: [&str; 6] = ["from", "until", "group_by", "format", "limit", "after"];

/// How far back is looked when nobody says.
const A_DAY: Duration = Duration::from_secs(86_400);

/// How an answer is written.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Json,
    Csv,
    Lines,
}

impl Desk<'_> {
    async fn usage(&self, asked: &Asked<'_>) -> Result<Answer, Problem> {
        let (query, by, format) = (self.question(asked)?, by(asked)?, format(asked)?);
        let Some(kv) = &self.live.ports().kv else {
            let detail = "This gateway has no key-value store, so it keeps no records of requests; its log has them.";
            return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "no_store", detail));
        };
        let page = query.page(&**kv).await;
        let page = page.map_err(|error| if error.kind == ErrorKind::InvalidRequest { error.into() } else { away(error) })?;
        let added = || groups(page.rows.iter().map(|(_, row)| row), &by);
        let answer = match format {
            Format::Csv if by.is_empty() => {
                Answer::text("text/csv; charset=utf-8", csv::rows(page.rows.iter().map(|(_, row)| row)))
            }
            Format::Csv => Answer::text("text/csv; charset=utf-8", csv::groups(&added(), &by)),
            Format::Lines if by.is_empty() => Answer::text("application/jsonl", lines(&page)),
            Format::Lines => {
                let text: String = added().iter().map(|group| format!("{}\n", json!(group))).collect();
                Answer::text("application/jsonl", text)
            }
            Format::Json => Answer::json(json!({
                "from": page.stretch.0,
                "until": page.stretch.1,
                "groups": added(),
                "looked_at": page.looked_at,
                "next": page.next,
                "kept": self.live.config().usage.store,
            })),
        };
        Ok(match &page.next {
            Some(next) => answer.with(header::LINK, further(asked, next)),
            None => answer,
        })
    }

    fn question(&self, asked: &Asked<'_>) -> Result<Query, Problem> {
        let until = time(asked, "until")?.unwrap_or_else(|| self.live.ports().clock.now());
        let day_before = Timestamp(until.0.saturating_sub(u64::try_from(A_DAY.as_micros()).unwrap_or(u64::MAX)));
        let mut filters = Vec::new();
        for (name, value) in pairs(asked) {
            if PARAMETERS.contains(&&*name) || name == "tenant" {
                continue;
            }
            let Some(dimension) = Dimension::parse(&name) else {
                let shown: String = name.chars().take(60).collect();
                let detail =
                    format!("There is no parameter `{shown}`: there are {} and {}.", PARAMETERS.join(", "), dimensions());
                return Err(invalid(detail).at("query"));
            };
            asked.query(&name)?;
            filters.push((dimension, value));
        }
        Ok(Query {
            tenants: self.whose(asked.query("tenant")?)?,
            from: time(asked, "from")?.unwrap_or(day_before),
            until,
            filters,
            limit: limit(asked)?,
            after: asked.after()?,
        })
    }

    /// Whose records these are: the caller's tenant's; for the operator, those of the tenant asked for, `-` for none.
    fn whose(&self, asked: Option<String>) -> Result<Tenants, Problem> {
        let own = self.caller.tenant.as_ref().map(ToString::to_string);
        match (own, asked) {
            (Some(own), Some(asked)) if asked != own => Err(nothing_here()),
            (Some(own), _) => Ok(Tenants::One(Some(own))),
            (None, None) => Ok(Tenants::All),
            (None, Some(asked)) if asked == "-" => Ok(Tenants::One(None)),
            (None, Some(asked)) => match asked.parse::<Name>() {
                Ok(name) => Ok(Tenants::One(Some(name.to_string()))),
                Err(why) => Err(invalid(format!("`tenant` {why}.")).at("tenant")),
            },
        }
    }
}

fn pairs(asked: &Asked<'_>) -> Vec<(String, String)> {
    let pairs = asked.parts.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (percent::decoded(name).into_owned(), percent::decoded(value).into_owned())).collect()
}

fn by(asked: &Asked<'_>) -> Result<Vec<Dimension>, Problem> {
    let text = asked.query("group_by")?.unwrap_or_default();
    let mut by: Vec<Dimension> = Vec::new();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        match Dimension::parse(name) {
            Some(dimension) if !by.contains(&dimension) => by.push(dimension),
            Some(_) => {}
            None => return Err(invalid(format!("`group_by` is a list of {}, with commas.", dimensions())).at("group_by")),
        }
    }
    Ok(by)
}

fn dimensions() -> String {
    format!("{} and label:NAME", Dimension::fields().join(", "))
}

fn format(asked: &Asked<'_>) -> Result<Format, Problem> {
    let accepts = asked.parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepts: Vec<&str> = accepts.flat_map(|value| value.split(',')).collect();
    let first = |kinds: &[&str]| accepts.iter().any(|accepted| kinds.contains(&accepted.split(';').next().unwrap_or("").trim()));
    match asked.query("format")?.as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("jsonl") => Ok(Format::Lines),
        Some("json") => Ok(Format::Json),
        Some(_) => Err(invalid("`format` is `json`, `csv` or `jsonl`.").at("format")),
        None if first(&["application/json", "*/*"]) => Ok(Format::Json),
        None if first(&["text/csv"]) => Ok(Format::Csv),
        None if first(&["application/jsonl", "application/x-ndjson"]) => Ok(Format::Lines),
        None => Ok(Format::Json),
    }
}

fn limit(asked: &Asked<'_>) -> Result<usize, Problem> {
    let Some(text) = asked.query("limit")? else { return Ok(MOST_ROWS) };
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = plain.then(|| text.parse().ok()).flatten().filter(|limit| (1..=MOST_ROWS).contains(limit));
    limit.ok_or_else(|| invalid(format!("`limit` is how many records a page looks at, from 1 to {MOST_ROWS}.")).at("limit"))
}

/// A moment, or the beginning of a day.
fn time(asked: &Asked<'_>, name: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = asked.query(name)? else { return Ok(None) };
    let whole = if text.len() == "2026-12-31".len() { format!("{text}T00:00:00Z") } else { text };
    match whole.parse() {
        Ok(moment) => Ok(Some(moment)),
        Err(why) => Err(invalid(format!("`{name}` {why}, or a day like `2026-12-31`.")).at(name)),
    }
}

/// The records as they are kept, one a line.
fn lines(page: &Page) -> String {
    let mut text = String::new();
    for (line, _) in &page.rows {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text
}

/// Where the next page is (RFC 8288).
fn further(asked: &Asked<'_>, next: &str) -> String {
    let query = asked.parts.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let query: Vec<&str> = query.collect();
    let and = if query.is_empty() { "" } else { "&" };
    format!("<{}?{}{and}after={next}>; rel=\"next\"", asked.parts.uri.path(), query.join("&"))
}
