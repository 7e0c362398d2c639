//! Contradictions in a document, all of them at once.
//!
//! | file | what it looks at |
//! |---|---|
//! | `server.rs` | listening, TLS, time and size limits |
//! | `auth.rs` | who must show a key, and how long what is known of one is good |
//! | `provider.rs` | addresses, headers, names, prefixes |
//! | `issuer.rs` | whose tokens are good, and for whom |
//! | `route.rs` | aliases, targets, patterns |
//! | `limit.rs` | limits, budgets, alerts |
//! | `price.rs` | prices of models |
//! | `stored.rs` | what a stored document can and cannot change |
//!
//! Looks at the document alone; what depends on the platform (which secrets are set) is [`super::compile()`]'s.

mod auth;
mod issuer;
mod limit;
mod price;
mod provider;
mod route;
mod server;
mod stored;

pub(super) use route::in_order;

use std::time::Duration;

use super::diagnostic::{Report, shown};
use super::document::{Document, TimeoutsChange};
use super::duration::Period;
use super::path::Path;
use super::size::Size;
use crate::provider::Provider;

/// Checks a document whose fields were read.
pub(super) fn document(document: &Document, rows: &[Provider], report: &mut Report<'_>) {
    server::server(&document.server, report);
    server::timeouts(&document.timeouts, report);
    stored::refresh(&document.config, report);
    auth::auth(document, report);
    stored::usage(&document.usage, report);
    stored::server(report);
    issuer::issuers(document, report);
    provider::providers(document, rows, report);
    route::models(document, rows, report);
    route::routes(document, rows, report);
    limit::limits(document, report);
}

/// The longest time budget that makes sense.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The shortest time budget in which a provider on another machine has ever answered.
const SHORTEST: Duration = Duration::from_millis(10);

/// A time budget that is zero or absurd.
fn budget(period: Period, at: &Path, report: &mut Report<'_>) {
    if period.0.is_zero() {
        report.error(
            at,
            "a time budget of zero fails every request",
            "write a duration like \"30s\", or leave it out for the default",
        );
    } else if period.0 > LONGEST {
        report.error(at, format!("{period} is longer than a day"), "write at most \"24h\"");
    } else if period.0 < SHORTEST {
        report.warning(
            at,
            format!("hardly any provider answers within {period}"),
            "check the unit; most budgets are seconds or minutes",
        );
    }
}

fn budgets(changes: &TimeoutsChange, at: &Path, report: &mut Report<'_>) {
    let fields =
        [("connect", changes.connect), ("first_byte", changes.first_byte), ("idle", changes.idle), ("total", changes.total)];
    for (name, period) in fields {
        if let Some(period) = period {
            budget(period, &at.key(name), report);
        }
    }
    if let (Some(total), Some(first_byte)) = (changes.total, changes.first_byte) {
        budget_order(total, first_byte, at, report);
    }
}

fn budget_order(total: Period, first_byte: Period, at: &Path, report: &mut Report<'_>) {
    if first_byte > total && !total.0.is_zero() {
        let message = format!("`first_byte` ({first_byte}) is longer than `total` ({total}), so it never takes effect");
        report.warning(&at.key("first_byte"), message, "make `total` the longest of them");
    }
}

/// The largest request body that makes sense: everything a provider takes, with room.
const LARGEST_BODY: Size = Size(1 << 30);

fn body_limit(size: Size, at: &Path, report: &mut Report<'_>) {
    if size.0 == 0 {
        report.error(at, "a limit of zero refuses every request", "write a size like \"32MiB\", or leave it out for the default");
    } else if size > LARGEST_BODY {
        report.error(at, format!("{size} is more than {LARGEST_BODY}"), format!("write at most \"{LARGEST_BODY}\""));
    } else if size.0 < 1024 {
        report.warning(at, format!("{size} is less than most requests have"), "check the unit: \"32MiB\" is usual");
    }
}

/// A count that is zero or absurd.
fn count(number: u64, most: u64, at: &Path, report: &mut Report<'_>) {
    if number == 0 {
        report.error(at, "a limit of zero refuses every request", format!("write a number from 1 to {most}"));
    } else if number > most {
        report.error(at, format!("{number} is more than {most}"), format!("write a number from 1 to {most}"));
    }
}

/// A name that the operator chose, for a route or a model.
fn name(name: &str, what: &str, at: &Path, report: &mut Report<'_>) {
    if name.is_empty() || name.trim() != name || name.len() > 256 || name.chars().any(char::is_control) {
        let message = format!("`{}` is no name for {what}", shown(name));
        report.error(at, message, "a name has 1 to 256 characters, no control characters and no space around it");
    }
}
