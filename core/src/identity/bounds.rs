//! How large the parts of an object may be, and what is wrong with one that is larger.
//!
//! Invariant: an object without anything wrong fits into what a store keeps as one value, many times over.

use std::collections::BTreeMap;

use super::Access;
use crate::policy::limit::{Budget, Limits};

/// Most characters of a title.
pub const TITLE: usize = 200;
/// Most labels of a key.
pub const LABELS: usize = 16;
/// Most entries of each list of an [`Access`].
pub const ENTRIES: usize = 64;
/// Most rates of each kind, and most budgets, of one object.
pub const SHARES: usize = 8;

/// A field that cannot be kept as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field's path in the object: `access.models[3]`.
    pub at: String,
    /// What is wrong, as the second half of a sentence that begins with the field.
    pub what: String,
}

impl Wrong {
    pub(super) fn at(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

pub(super) fn title(title: &str, wrong: &mut Vec<Wrong>) {
    if title.chars().count() > TITLE || title.chars().any(char::is_control) {
        wrong.push(Wrong::at("title", format!("is more than {TITLE} characters, or holds control characters")));
    }
}

pub(super) fn shares(limits: &Limits, budgets: &[Budget], wrong: &mut Vec<Wrong>) {
    let rates = [
        ("requests", &limits.requests),
        ("input_tokens", &limits.input_tokens),
        ("output_tokens", &limits.output_tokens),
        ("tokens", &limits.tokens),
    ];
    for (name, rates) in rates {
        let at = format!("limits.{name}");
        few(rates.len(), SHARES, &at, wrong);
        if rates.iter().enumerate().any(|(index, rate)| rates[..index].iter().any(|earlier| earlier.unit == rate.unit)) {
            wrong.push(Wrong::at(at, "has two rates of one unit; keep the lower"));
        }
    }
    if limits.concurrency == Some(0) {
        wrong.push(Wrong::at("limits.concurrency", "of zero refuses every request; write a number above it, or leave it out"));
    }
    few(budgets.len(), SHARES, "budgets", wrong);
    for (index, budget) in budgets.iter().enumerate() {
        let at = format!("budgets[{index}]");
        if budget.amount.0 == 0 {
            wrong.push(Wrong::at(format!("{at}.amount"), "of nothing refuses every request"));
        }
        let ascending = budget.alerts.windows(2).all(|two| two[0] < two[1]);
        let per_cent = budget.alerts.iter().all(|alert| (1..=100).contains(alert));
        if !ascending || !per_cent || budget.alerts.len() > SHARES {
            wrong.push(Wrong::at(format!("{at}.alerts"), format!("is not at most {SHARES} ascending per cents from 1 to 100")));
        }
        if budgets[..index].iter().any(|earlier| earlier.per == budget.per) {
            wrong.push(Wrong::at(format!("{at}.per"), "is that of another budget; keep the lower"));
        }
    }
}

pub(super) fn labels(labels: &BTreeMap<String, String>, wrong: &mut Vec<Wrong>) {
    few(labels.len(), LABELS, "labels", wrong);
    for (name, value) in labels {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            wrong.push(Wrong::at("labels", "has a name that is not 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`"));
        } else if value.len() > 256 || value.chars().any(char::is_control) {
            let what = "is longer than 256 bytes, or holds control characters";
            wrong.push(Wrong::at(format!("labels.{name}"), what));
        }
    }
}

pub(super) fn access(access: &Access, wrong: &mut Vec<Wrong>) {
    few(access.models.len(), ENTRIES, "access.models", wrong);
    few(access.routes.len(), ENTRIES, "access.routes", wrong);
    few(access.addresses.len(), ENTRIES, "access.addresses", wrong);
    let lists = [("models", &access.models, 512), ("routes", &access.routes, 256)];
    for (name, list, longest) in lists {
        for (index, entry) in list.iter().enumerate() {
            if entry.is_empty() || entry.len() > longest || entry.chars().any(char::is_control) {
                let what = format!("is not 1 to {longest} bytes without control characters");
                wrong.push(Wrong::at(format!("access.{name}[{index}]"), what));
            }
        }
    }
    for (index, model) in access.models.iter().enumerate() {
        if model.strip_suffix('*').unwrap_or(model).contains('*') {
            wrong.push(Wrong::at(format!("access.models[{index}]"), "has a `*` that is not at its end"));
        }
    }
}

pub(super) fn few(count: usize, most: usize, at: &str, wrong: &mut Vec<Wrong>) {
    if count > most {
        wrong.push(Wrong::at(at, format!("has {count} entries; at most {most} can be kept")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::limit::Rate;

    #[test]
    fn what_is_too_much_or_contradicts_itself_is_named_by_its_place() {
        let rate = |text: &str| text.parse::<Rate>().expect("a rate");
        let budget = |text: &str| text.parse::<Budget>().expect("a budget");
        let limits = Limits {
            requests: vec![rate("60/minute"), rate("5/minute")],
            tokens: (0..9).map(|_| rate("1/day")).collect(),
            concurrency: Some(0),
            ..Limits::default()
        };
        let mut budgets = vec![budget("1usd/day"), budget("2usd/day")];
        budgets[0].alerts = vec![80, 50];
        let access = Access {
            models: vec!["gpt-*-mini".into(), String::new(), "a*".into()],
            routes: (0..65).map(|_| "r".into()).collect(),
            ..Access::default()
        };
        let many: BTreeMap<_, _> = [("ok".to_owned(), "x\n".to_owned()), ("no/".to_owned(), "x".to_owned())].into();
        let mut wrong = Vec::new();
        title(&"x".repeat(201), &mut wrong);
        shares(&limits, &budgets, &mut wrong);
        self::access(&access, &mut wrong);
        labels(&many, &mut wrong);
        let places: Vec<_> = wrong.iter().map(|wrong| wrong.at.as_str()).collect();
        let expected = [
            "title",
            "limits.requests",
            "limits.tokens",
            "limits.tokens",
            "limits.concurrency",
            "budgets[0].alerts",
            "budgets[1].per",
            "access.routes",
            "access.models[1]",
            "access.models[0]",
            "labels",
            "labels.ok",
        ];
        assert_eq!(places, expected);
    }
}
