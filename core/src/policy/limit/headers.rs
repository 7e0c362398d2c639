//! What a response says of limits and budgets.
//!
//! | header | of what | who reads it |
//! |---|---|---|
//! | `RateLimit-Policy`, `RateLimit` | every limit | clients of [draft-ietf-httpapi-ratelimit-headers-10](https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/) |
//! | `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` | the tightest of each | OpenAI's SDKs |
//! | `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}` | the tightest of each | Anthropic's |
//! | `x-edgeway-budget`, `x-edgeway-budget-remaining`, `x-edgeway-budget-reset` | the tightest budget | people |
//!
//! A figure is that of the moment of admission. Where an instance admits from slices, it is that of its last slice.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::admission::{Admission, Left};
use super::refusal::date;
use super::rule::{Amount, Measure, Quota};
use crate::dialect::DialectId;
use crate::order;
use crate::ports::Timestamp;
use crate::usage::NanoUsd;

/// Most limits that the IETF's headers tell: the tightest.
const MOST: usize = 8;

/// Whether a provider's header would contradict ours.
pub fn is_about_limits(name: &HeaderName) -> bool {
    let name = name.as_str();
    ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit"].iter().any(|prefix| name.starts_with(prefix))
}

/// The headers for a caller that may know how its limits and budgets stand.
pub fn headers(admission: &Admission, dialect: DialectId, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut all: Vec<(&Quota, u64, Left)> =
        admission.standings().filter_map(|(quota, left)| Some((quota, quota.terms()?.limit, left))).collect();
    // The tightest first: the smallest part that is left.
    order::sort_by_key(&mut all, |(_, limit, left)| u128::from(left.remaining) * 1_000_000 / u128::from((*limit).max(1)));
    let rates: Vec<_> = all.iter().filter(|(quota, ..)| matches!(quota.amount, Amount::Rate(_))).collect();
    let (mut policies, mut limits) = (String::new(), String::new());
    for (quota, limit, left) in rates.iter().take(MOST) {
        let Amount::Rate(rate) = &quota.amount else { continue };
        let unit = if quota.measure == Measure::Requests { "" } else { ";qu=\"tokens\"" };
        let name = format!("\"{}.{}.{}\"", quota.of, quota.measure.name(), rate.unit.name());
        let separator = if policies.is_empty() { "" } else { ", " };
        let _ = write!(policies, "{separator}{name};q={limit}{unit};w={}", rate.unit.length().as_secs());
        let _ = write!(limits, "{separator}{name};r={}", left.remaining);
        if let Some(after) = left.clear_after {
            let _ = write!(limits, ";t={}", seconds(after));
        }
    }
    put(&mut headers, "ratelimit-policy", policies);
    put(&mut headers, "ratelimit", limits);
    for measure in [Measure::Requests, Measure::Tokens, Measure::InputTokens, Measure::OutputTokens] {
        if let Some((_, limit, left)) = rates.iter().find(|(quota, ..)| quota.measure == measure) {
            of_protocol(&mut headers, dialect, measure, *limit, *left, now);
        }
    }
    if let Some((quota, _, left)) = all.iter().find(|(quota, ..)| quota.measure == Measure::Cost) {
        put(&mut headers, "x-edgeway-budget", format!("{} {}", quota.of, quota.amount));
        put(&mut headers, "x-edgeway-budget-remaining", NanoUsd(left.remaining).to_string());
        if let Some(after) = left.clear_after {
            put(&mut headers, "x-edgeway-budget-reset", date(now.plus(after)));
        }
    }
    headers
}

/// OpenAI's names: limit, remaining, reset.
const OPENAI_REQUESTS: [&str; 3] = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const OPENAI_TOKENS: [&str; 3] = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
/// Anthropic's.
const ANTHROPIC_REQUESTS: [&str; 3] =
    ["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"];
const ANTHROPIC_TOKENS: [&str; 3] =
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"];
const ANTHROPIC_INPUT: [&str; 3] = [
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-input-tokens-reset",
];
const ANTHROPIC_OUTPUT: [&str; 3] = [
    "anthropic-ratelimit-output-tokens-limit",
    "anthropic-ratelimit-output-tokens-remaining",
    "anthropic-ratelimit-output-tokens-reset",
];

/// What the SDKs of a protocol's owner read.
fn of_protocol(headers: &mut HeaderMap, dialect: DialectId, measure: Measure, limit: u64, left: Left, now: Timestamp) {
    let after = left.clear_after.unwrap_or_default();
    let [most, remaining, reset] = match (dialect, measure) {
        (DialectId::OpenAiChat, Measure::Requests) => OPENAI_REQUESTS,
        (DialectId::OpenAiChat, Measure::Tokens) => OPENAI_TOKENS,
        (DialectId::AnthropicMessages, Measure::Requests) => ANTHROPIC_REQUESTS,
        (DialectId::AnthropicMessages, Measure::Tokens) => ANTHROPIC_TOKENS,
        (DialectId::AnthropicMessages, Measure::InputTokens) => ANTHROPIC_INPUT,
        (DialectId::AnthropicMessages, Measure::OutputTokens) => ANTHROPIC_OUTPUT,
        _ => return,
    };
    headers.insert(HeaderName::from_static(most), HeaderValue::from(limit));
    headers.insert(HeaderName::from_static(remaining), HeaderValue::from(left.remaining));
    put(headers, reset, if dialect == DialectId::OpenAiChat { span(after) } else { date(now.plus(after)) });
}

fn put(headers: &mut HeaderMap, name: &'static str, value: String) {
    if value.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Whole seconds, rounded up.
fn seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0)
}

/// A duration as OpenAI writes it: `20ms`, `1s`, `6m0s`, `23h59m59s`.
fn span(after: Duration) -> String {
    if after < Duration::from_secs(1) {
        return format!("{}ms", after.as_millis());
    }
    let all = seconds(after);
    let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_openai_does() {
        for (millis, text) in
            [(0, "0ms"), (20, "20ms"), (1000, "1s"), (59_001, "1m0s"), (360_000, "6m0s"), (86_399_000, "23h59m59s")]
        {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn headers_about_limits_are_known_by_their_names() {
        for (name, about) in [
            ("x-ratelimit-limit-requests", true),
            ("anthropic-ratelimit-tokens-reset", true),
            ("ratelimit", true),
            ("ratelimit-policy", true),
            ("retry-after", false),
            ("x-request-id", false),
        ] {
            assert_eq!(is_about_limits(&HeaderName::from_static(name)), about, "{name}");
        }
    }
}
