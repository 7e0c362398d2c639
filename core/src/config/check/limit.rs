//! Limits, budgets and alerts.

use std::collections::BTreeSet;

use super::super::diagnostic::{Report, shown};
use super::super::document::Document;
use super::super::limiting::{AlertsSection, BudgetSection, LimitSection};
use super::super::path::Path;
use crate::cell::concurrency::HELD;
use crate::identity::Name;
use crate::policy::limit::Rate;

/// The most instances that make sense.
const INSTANCES: u64 = 10_000;
/// The most limits, and the most budgets: each that holds for a request costs it a command.
const RULES: usize = 64;

pub(super) fn limits(document: &Document, report: &mut Report<'_>) {
    let names = document.limits.iter().map(|(name, _)| ("limits", name));
    let names = names.chain(document.budgets.iter().map(|(name, _)| ("budgets", name)));
    for (section, name) in names {
        if let Err(why) = name.parse::<Name>() {
            report.error(&Path::of(&[section, name]), format!("`{}` {why}", shown(name)), "name it like `free-keys`");
        }
    }
    for (section, count) in [("limits", document.limits.names().count()), ("budgets", document.budgets.names().count())] {
        if count > RULES {
            report.error(&Path::of(&[section]), format!("these are {count}"), format!("write at most {RULES}"));
        }
    }
    for (name, section) in document.limits.iter() {
        limit(section, &Path::of(&["limits", name]), report);
        routes(document, &section.routes, &Path::of(&["limits", name, "routes"]), report);
    }
    for (name, section) in document.budgets.iter() {
        budget(section, &Path::of(&["budgets", name]), report);
        routes(document, &section.routes, &Path::of(&["budgets", name, "routes"]), report);
    }
    super::count(document.admission.instances, INSTANCES, &Path::of(&["admission", "instances"]), report);
    alerts(&document.alerts, report);
}

fn limit(section: &LimitSection, at: &Path, report: &mut Report<'_>) {
    let rates = [
        ("requests", &section.requests.0),
        ("input_tokens", &section.input_tokens.0),
        ("output_tokens", &section.output_tokens.0),
        ("tokens", &section.tokens.0),
    ];
    for (name, rates) in rates {
        twice(rates, &at.key(name), report);
    }
    if let Some(most) = section.concurrency {
        super::count(most, HELD as u64, &at.key("concurrency"), report);
    }
    // What could not be read was meant as a limit.
    let said = rates.iter().any(|(name, rates)| !rates.is_empty() || report.layers().is_filled(&at.key(name)));
    if !said && !report.layers().has(&at.key("concurrency")) {
        report.error(at, "this limits nothing", "add `requests = \"60/minute\"`, `tokens`, or `concurrency = 20`");
    }
}

/// Two rates in one unit, of which only the smaller would hold.
fn twice(rates: &[Rate], at: &Path, report: &mut Report<'_>) {
    let mut seen = BTreeSet::new();
    for (index, rate) in rates.iter().enumerate() {
        if !seen.insert(rate.unit.name()) {
            let message = format!("there is a limit for each {} already, and only the smaller holds", rate.unit.name());
            report.error(&at.index(index), message, "remove one of the two");
        }
    }
}

fn budget(section: &BudgetSection, at: &Path, report: &mut Report<'_>) {
    if section.amount.0.is_empty() && !report.layers().is_filled(&at.key("amount")) {
        report.error(at, "this budget has no amount", "add `amount = \"20usd/month\"`");
    }
    let mut seen = BTreeSet::new();
    for (index, budget) in section.amount.0.iter().enumerate() {
        if !seen.insert(budget.per.name()) {
            let message = format!("there is an amount per {} already, and only the smaller holds", budget.per.name());
            report.error(&at.key("amount").index(index), message, "remove one of the two");
        }
    }
    let alerts = section.alerts.iter().flatten().enumerate();
    for (index, percent) in alerts.filter(|(_, percent)| !(1..=100).contains(*percent)) {
        report.error(&at.key("alerts").index(index), format!("{percent} is no per cent"), "write numbers from 1 to 100");
    }
    if section.alerts.as_ref().is_some_and(|alerts| alerts.len() > 8) {
        report.error(&at.key("alerts"), "these are too many", "write at most 8");
    }
}

fn routes(document: &Document, names: &[String], at: &Path, report: &mut Report<'_>) {
    for (index, name) in names.iter().enumerate().filter(|(_, name)| document.routes.get(name).is_none()) {
        report.error(&at.index(index), format!("there is no route `{}`", shown(name)), "name one of [routes]");
    }
}

fn alerts(section: &AlertsSection, report: &mut Report<'_>) {
    let at = Path::of(&["alerts", "webhook"]);
    match (&section.webhook, &section.secret) {
        (Some(url), secret) => {
            let address = url.parse::<http::Uri>().ok();
            let secure = address.as_ref().is_some_and(|uri| {
                let local = uri.host().is_some_and(|host| host == "localhost" || host.parse::<std::net::IpAddr>().is_ok());
                uri.host().is_some() && (uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && local)
            });
            let named = address.as_ref().and_then(http::Uri::authority).is_some_and(|authority| authority.as_str().contains('@'));
            if !secure || named {
                report.error(&at, "this is no address for alerts", "write `https://HOST/PATH`, without a name or password");
            }
            if secret.is_none() {
                let help = "add `secret = \"ALERT_SECRET\"`, the name of a secret with a long random text";
                report.error(&at, "nobody could tell who sent these alerts", help);
            }
        }
        (None, Some(_)) => {
            report.warning(&Path::of(&["alerts", "secret"]), "this signs nothing", "add `webhook`, or remove it");
        }
        (None, None) => {}
    }
}
