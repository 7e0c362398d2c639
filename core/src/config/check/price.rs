//! Prices that nobody has.

use super::super::diagnostic::Report;
use super::super::document::PriceSection;
use super::super::path::Path;
use crate::usage::NanoUsd;

/// The dearest million tokens that makes sense. More is a price in cents, or for a thousand million.
const DEAREST: NanoUsd = NanoUsd(100_000_000_000_000);

/// Most tiers that anybody has.
const MOST_TIERS: usize = 8;

pub(super) fn price(section: &PriceSection, at: &Path, report: &mut Report<'_>) {
    let own = [
        ("input", Some(section.input)),
        ("output", Some(section.output)),
        ("cache_read", section.cache_read),
        ("cache_write", section.cache_write),
        ("cache_write_1h", section.cache_write_1h),
        ("audio_input", section.audio_input),
        ("audio_output", section.audio_output),
        ("request", section.request),
    ];
    amounts(&own, at, report);
    if section.cache_read.is_some_and(|read| read > section.input) {
        let message = "input that is read from the cache is dearer than fresh input";
        report.warning(&at.key("cache_read"), message, "check that the two are not swapped");
    }
    let tiers = at.key("tiers");
    if section.tiers.len() > MOST_TIERS {
        report.error(&tiers, format!("there are more than {MOST_TIERS} tiers"), "leave out those that nobody reaches");
    }
    let mut before = 0;
    for (index, tier) in section.tiers.iter().enumerate() {
        let at = tiers.index(index);
        let own = [
            ("input", Some(tier.input)),
            ("output", Some(tier.output)),
            ("cache_read", tier.cache_read),
            ("cache_write", tier.cache_write),
            ("cache_write_1h", tier.cache_write_1h),
        ];
        amounts(&own, &at, report);
        if tier.above <= before {
            let message = format!("this tier begins at {}, not after the one before it", tier.above);
            report.error(&at.key("above"), message, "write tiers in order, each with a larger `above`, the first above 0");
        }
        before = tier.above;
    }
}

fn amounts(own: &[(&str, Option<NanoUsd>)], at: &Path, report: &mut Report<'_>) {
    for (name, amount) in own {
        if let Some(amount) = amount.filter(|amount| *amount > DEAREST) {
            report.error(
                &at.key(name),
                format!("{amount} is more than any model costs"),
                "write US dollars for a million tokens, like \"2.5usd\"",
            );
        }
    }
}
