//! Fields that say the same in two ways: of one layer they contradict each other, of two the higher one counts.
//!
//! | short | long |
//! |---|---|
//! | `target` of a model | `targets` |
//! | `timeout` of a route | `timeouts.total` |
//! | `base_url` and `dialects` of a provider | `speaks` |

use super::diagnostic::Report;
use super::document::{Document, ModelSection, ProviderSection, RouteSection};
use super::path::Path;
use super::shape::Named;

/// Leaves of every pair the one that counts; reports those that contradict each other.
pub(super) fn settle(document: Document, report: &mut Report<'_>) -> Document {
    let providers = each(document.providers, "providers", |provider, at| self::provider(provider, at, report));
    let models = each(document.models, "models", |model, at| self::model(model, at, report));
    let routes = each(document.routes, "routes", |route, at| self::route(route, at, report));
    Document { providers, models, routes, ..document }
}

fn each<T>(all: Named<T>, section: &str, mut settle: impl FnMut(&mut T, &Path)) -> Named<T> {
    let settled = all.into_iter().map(|(name, mut entry)| {
        settle(&mut entry, &Path::of(&[section, &name]));
        (name, entry)
    });
    settled.collect()
}

fn provider(provider: &mut ProviderSection, at: &Path, report: &mut Report<'_>) {
    let speaks = at.key("speaks");
    for field in ["base_url", "dialects"] {
        match winner(&at.key(field), &speaks, report) {
            Winner::First => provider.speaks = None,
            Winner::Second if field == "base_url" => provider.base_url = None,
            Winner::Second => provider.dialects = None,
            Winner::Neither => {}
        }
    }
}

fn model(model: &mut ModelSection, at: &Path, report: &mut Report<'_>) {
    match winner(&at.key("target"), &at.key("targets"), report) {
        Winner::First => model.targets = None,
        Winner::Second => model.target = None,
        Winner::Neither => {}
    }
}

fn route(route: &mut RouteSection, at: &Path, report: &mut Report<'_>) {
    match winner(&at.key("timeout"), &at.key("timeouts").key("total"), report) {
        Winner::First => route.timeouts.iter_mut().for_each(|timeouts| timeouts.total = None),
        Winner::Second => route.timeout = None,
        Winner::Neither => {}
    }
}

/// Which of two fields counts, when both are there.
enum Winner {
    First,
    Second,
    Neither,
}

fn winner(first: &Path, second: &Path, report: &mut Report<'_>) -> Winner {
    match (report.layers().rank(first), report.layers().rank(second)) {
        (Some(a), Some(b)) if a > b => Winner::First,
        (Some(a), Some(b)) if a < b => Winner::Second,
        (Some(_), Some(_)) => {
            report.error(second, format!("`{first}` and `{second}` both say it"), "keep one of the two");
            Winner::First
        }
        _ => Winner::Neither,
    }
}
