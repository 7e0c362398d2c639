//! Flags, and the members of objects that they stand for.

use std::time::SystemTime;

use clap::Args;
use edgeway_core::config::Period;
use edgeway_core::ports::Timestamp;
use serde_json::{Map, Value, json};

/// Flags that stand for members of an object.
pub(in super::super) trait Fields {
    /// The members that were given. Fails with what is wrong, as a sentence.
    fn members(&self) -> Result<Map<String, Value>, String>;
}

/// How often, and for how much.
#[derive(Args, Clone, Debug, Default)]
pub(in super::super) struct Shares {
    /// At most so many requests a minute.
    #[arg(long, value_name = "N")]
    rpm: Option<u64>,
    /// A limit: `requests=60/minute`, `input_tokens=...`, `output_tokens=...`, `tokens=100000/day`. May be given several times.
    #[arg(long = "limit", value_name = "MEASURE=RATE")]
    limits: Vec<String>,
    /// At most so many requests at once.
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Who admits: `strict` (never over) or `leased` (faster; never over, at most 5 % under).
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// A budget: `20usd/month`; day, week, month or total. May be given several times.
    #[arg(long = "budget", value_name = "AMOUNT/SPAN")]
    budgets: Vec<String>,
}

impl Shares {
    fn add_to(&self, members: &mut Map<String, Value>) -> Result<(), String> {
        let mut limits = Map::new();
        let mut rate = |measure: &str, rate: String| match limits.get_mut(measure).and_then(Value::as_array_mut) {
            Some(rates) => rates.push(json!(rate)),
            None => drop(limits.insert(measure.to_owned(), json!([rate]))),
        };
        if let Some(rpm) = self.rpm {
            rate("requests", format!("{rpm}/minute"));
        }
        for limit in &self.limits {
            let (measure, given) = limit.split_once('=').ok_or(format!("`{limit}` is no limit; write requests=60/minute"))?;
            rate(measure, given.to_owned());
        }
        limits.extend(self.concurrency.map(|most| ("concurrency".to_owned(), json!(most))));
        limits.extend(self.mode.as_ref().map(|mode| ("mode".to_owned(), json!(mode))));
        if !limits.is_empty() {
            members.insert("limits".to_owned(), Value::Object(limits));
        }
        let budget = |text: &String| match text.split_once('/') {
            Some((amount, per)) => Ok(json!({"amount": amount.trim(), "per": per.trim()})),
            None => Err(format!("`{text}` is no budget; write 20usd/month")),
        };
        if !self.budgets.is_empty() {
            let budgets: Vec<Value> = self.budgets.iter().map(budget).collect::<Result<_, _>>()?;
            members.insert("budgets".to_owned(), json!(budgets));
        }
        Ok(())
    }
}

/// Collects the members that were given.
fn given(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A name; empty takes it away.
fn name(text: &Option<String>) -> Option<Value> {
    text.as_ref().map(|text| if text.is_empty() { Value::Null } else { json!(text) })
}

/// Of tenants and teams.
#[derive(Args, Clone, Debug)]
pub(in super::super) struct TenantFields {
    /// Its name for people.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Whether everything of it is refused for now.
    #[arg(long, value_name = "BOOL")]
    suspended: Option<bool>,
    #[command(flatten)]
    shares: Shares,
}

impl Fields for TenantFields {
    fn members(&self) -> Result<Map<String, Value>, String> {
        let mut members =
            given([("title", self.title.as_ref().map(|title| json!(title))), ("suspended", self.suspended.map(Value::from))]);
        self.shares.add_to(&mut members)?;
        Ok(members)
    }
}

/// Of applications.
#[derive(Args, Clone, Debug)]
pub(in super::super) struct ApplicationFields {
    #[command(flatten)]
    plain: TenantFields,
    /// The team that it belongs to; empty for none.
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
}

impl Fields for ApplicationFields {
    fn members(&self) -> Result<Map<String, Value>, String> {
        let mut members = self.plain.members()?;
        members.extend(given([("team", name(&self.team))]));
        Ok(members)
    }
}

/// Of users.
#[derive(Args, Clone, Debug)]
pub(in super::super) struct UserFields {
    /// Its name for people.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Where it gets mail; empty for nowhere.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The most that keys in its name may do; empty for no such bound.
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Whether its keys are refused for now.
    #[arg(long, value_name = "BOOL")]
    suspended: Option<bool>,
}

impl Fields for UserFields {
    fn members(&self) -> Result<Map<String, Value>, String> {
        Ok(given([
            ("title", self.title.as_ref().map(|title| json!(title))),
            ("email", name(&self.email)),
            ("role", name(&self.role)),
            ("suspended", self.suspended.map(Value::from)),
        ]))
    }
}

/// Of roles.
#[derive(Args, Clone, Debug)]
pub(in super::super) struct RoleFields {
    /// Its name for people.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// What it allows: `invoke,usage:read`.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    permissions: Option<Vec<String>>,
}

impl Fields for RoleFields {
    fn members(&self) -> Result<Map<String, Value>, String> {
        let permissions = self.permissions.as_ref().map(|list| json!(list));
        Ok(given([("title", self.title.as_ref().map(|title| json!(title))), ("permissions", permissions)]))
    }
}

/// Of keys.
#[derive(Args, Clone, Debug)]
pub(in super::super) struct KeyFields {
    /// Its name for people.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The team whose it is.
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// The application whose it is.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The user in whose name it acts.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// What it may do [default: call models, and nothing else].
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// When it ends: `30d` from now, or `2026-12-31T23:59:59Z`; empty for never.
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// The models that it may ask for, as callers write them; with `*` at the end a prefix.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// The routes that it may use.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    routes: Option<Vec<String>>,
    /// The addresses that its requests may come from: `10.0.0.0/8`.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    addresses: Option<Vec<String>>,
    /// A label, for limits, budgets and usage by label. May be given several times.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// Whether answers tell its holder their cost, and what is left of limits and budgets.
    #[arg(long, value_name = "BOOL")]
    informed: Option<bool>,
    #[command(flatten)]
    shares: Shares,
}

impl Fields for KeyFields {
    fn members(&self) -> Result<Map<String, Value>, String> {
        let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| json!(list));
        let access =
            given([("models", list(&self.models)), ("routes", list(&self.routes)), ("addresses", list(&self.addresses))]);
        let mut labels = Map::new();
        for label in &self.labels {
            let (name, value) = label.split_once('=').ok_or(format!("`{label}` is no label; write NAME=VALUE"))?;
            labels.insert(name.to_owned(), json!(value));
        }
        let some = |members: Map<String, Value>| (!members.is_empty()).then_some(Value::Object(members));
        let mut members = given([
            ("title", self.title.as_ref().map(|title| json!(title))),
            ("team", name(&self.team)),
            ("application", name(&self.app)),
            ("user", name(&self.user)),
            ("role", name(&self.role)),
            ("expires", self.expires.as_deref().map(end).transpose()?),
            ("access", some(access)),
            ("labels", some(labels)),
            ("informed", self.informed.map(Value::from)),
        ]);
        self.shares.add_to(&mut members)?;
        Ok(members)
    }
}

/// A moment, or a time from now.
fn end(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(json!(moment.to_string()));
    }
    let period: Period = text.parse().map_err(|why| format!("`{text}` {why}; write 30d, or 2026-12-31T23:59:59Z"))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|error| error.to_string())?;
    let micros = u64::try_from(now.as_micros()).map_err(|error| error.to_string())?;
    Ok(json!(Timestamp(micros).plus(period.0).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        fields: KeyFields,
    }

    #[test]
    fn flags_stand_for_members_and_what_is_not_given_is_not_there() {
        let line = "x --team x --rpm 60 --limit tokens=5/day --limit requests=9/day --budget 20usd/month --models gpt-*,o3 --label a=b=c --app=";
        let fields = Line::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).fields;
        let expected = json!({
            "team": "x", "application": null, "access": {"models": ["gpt-*", "o3"]}, "labels": {"a": "b=c"},
            "limits": {"requests": ["60/minute", "9/day"], "tokens": ["5/day"]},
            "budgets": [{"amount": "20usd", "per": "month"}],
        });
        assert_eq!(fields.members().map(Value::Object), Ok(expected));
        for wrong in ["--limit tokens", "--budget 20usd", "--label a", "--expires soon"] {
            let line = format!("x {wrong}");
            assert!(
                Line::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).fields.members().is_err(),
                "{wrong}"
            );
        }
    }
}
