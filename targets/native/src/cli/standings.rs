//! `edgeway limits | budgets | usage`: how much was used, and how much is left.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::configuration::Failure;
use super::desk::{Ask, Desk, encoded};
use super::objects::{At, refused, short};
use super::output::{Output, table};

/// Whose limits and budgets; without any of them the tenant's own.
#[derive(Args, Clone, Debug)]
pub(super) struct Whose {
    /// Of this team.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["app", "key"])]
    team: Option<String>,
    /// Of this application.
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    app: Option<String>,
    /// Of the key with this id.
    #[arg(long, value_name = "ID")]
    key: Option<String>,
}

/// `edgeway limits`.
#[derive(Args, Clone, Debug)]
pub(super) struct Limits {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    at: At,
}

/// `edgeway budgets`.
#[derive(Args, Clone, Debug)]
pub(super) struct Budgets {
    #[command(subcommand)]
    verb: BudgetVerb,
    #[command(flatten)]
    at: At,
}

#[derive(Subcommand, Clone, Debug)]
enum BudgetVerb {
    /// Show how they stand.
    Show {
        #[command(flatten)]
        whose: Whose,
    },
    /// Allow more of one, until it begins anew.
    TopUp {
        /// How much more: `5usd`.
        amount: String,
        /// The budget's span: day, week, month or total.
        #[arg(long, value_name = "SPAN")]
        per: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Forget what was spent of one.
    Reset {
        /// The budget's span: day, week, month or total.
        #[arg(long, value_name = "SPAN")]
        per: String,
        #[command(flatten)]
        whose: Whose,
    },
}

/// `edgeway usage`.
#[derive(Args, Clone, Debug)]
pub(super) struct Usage {
    /// From when: `2026-11-25`, or a moment [default: a day ago].
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Until when [default: now].
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Add up by these: tenant, team, application, key, user, route, provider, model, outcome, day, hour, label:NAME.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "model")]
    by: Vec<String>,
    #[command(flatten)]
    at: At,
}

impl Whose {
    fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("team", &self.team), ("application", &self.app), ("key", &self.key)];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    fn query(&self) -> String {
        self.named().map(|(name, value)| format!("?{name}={}", encoded(value))).collect()
    }

    fn body(&self, per: &str) -> Value {
        let mut body = json!({"per": per});
        for (name, value) in self.named() {
            body[name] = json!(value);
        }
        body
    }
}

pub(super) fn limits(arguments: &Limits, config: Option<PathBuf>, output: &Output) -> ExitCode {
    let Limits { whose, at } = arguments;
    let done = at.work(config, async |desk| {
        let path = format!("tenants/{}/limits{}", at.tenant(desk).await?, whose.query());
        standings(desk, Ask::get(path), output).await
    });
    end(done, output)
}

pub(super) fn budgets(arguments: &Budgets, config: Option<PathBuf>, output: &Output) -> ExitCode {
    let Budgets { verb, at } = arguments;
    let done = at.work(config, async |desk| {
        let base = format!("tenants/{}/budgets", at.tenant(desk).await?);
        let send =
            |path: &str, body: Value| Ask::send(Method::POST, format!("{base}/{path}"), "application/json", body.to_string());
        let ask = match verb {
            BudgetVerb::Show { whose } => Ask::get(format!("{base}{}", whose.query())),
            BudgetVerb::TopUp { amount, per, whose } => {
                let mut body = whose.body(per);
                body["amount"] = json!(amount);
                send("top-up", body)
            }
            BudgetVerb::Reset { per, whose } => send("reset", whose.body(per)),
        };
        standings(desk, ask, output).await
    });
    end(done, output)
}

pub(super) fn usage(arguments: &Usage, config: Option<PathBuf>, output: &Output) -> ExitCode {
    let Usage { from, until, by, at } = arguments;
    let done = at.work(config, async |desk| {
        let mut path = format!("usage?group_by={}", encoded(&by.join(",")));
        for (name, value) in [("from", from), ("until", until)] {
            path.extend(value.iter().map(|value| format!("&{name}={}", encoded(value))));
        }
        let answer = desk.ask(Ask::get(path)).await?;
        if !answer.status.is_success() {
            refused(&answer, output);
            return Ok(false);
        }
        let body = answer.body();
        match output.json {
            true => output.print_json(body),
            false => rows(body["groups"].as_array().map_or(&[], Vec::as_slice), "nothing was used\n", output),
        }
        if !body["next"].is_null() {
            output.warn("there is more than one answer holds; ask for less time at once");
        }
        Ok(true)
    });
    end(done, output)
}

async fn standings(desk: &Desk, ask: Ask, output: &Output) -> Result<bool, Failure> {
    let answer = desk.ask(ask).await?;
    if !answer.status.is_success() {
        refused(&answer, output);
        return Ok(false);
    }
    let body = answer.body();
    match (output.json, body["items"].as_array()) {
        (true, _) => output.print_json(body),
        (false, Some(items)) => rows(items, "there are none\n", output),
        (false, None) => rows(std::slice::from_ref(body), "", output),
    }
    Ok(true)
}

/// Objects with the same members, as a table; members of members are columns of their own.
fn rows(items: &[Value], none: &str, output: &Output) {
    let Some(Value::Object(first)) = items.first() else { return output.say(none) };
    let mut places: Vec<(String, String)> = Vec::new();
    for (name, value) in first {
        match value {
            Value::Object(inner) => places.extend(inner.keys().map(|inner| (name.clone(), inner.clone()))),
            _ => places.push((name.clone(), String::new())),
        }
    }
    let heading = |(outer, inner): &(String, String)| if inner.is_empty() { outer } else { inner }.to_uppercase();
    let mut text = vec![places.iter().map(heading).collect::<Vec<_>>()];
    text.extend(items.iter().map(|item| {
        let cell =
            |(outer, inner): &(String, String)| if inner.is_empty() { short(&item[outer]) } else { short(&item[outer][inner]) };
        places.iter().map(cell).collect()
    }));
    output.print(&table(output.colour, &text));
}

fn end(done: Result<bool, Failure>, output: &Output) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => super::failed(&failure, output),
    }
}
