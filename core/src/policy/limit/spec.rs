//! What an operator writes: `60/minute`, `20usd/month`.
//!
//! Invariant: what [`Display`](fmt::Display) writes, [`FromStr`] reads as the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::usage::NanoUsd;

/// So many in any second, minute, hour or day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many: 1 to 10^15.
    pub amount: u64,
    /// In how long.
    pub unit: Unit,
}

/// The window of a rate; it slides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// Limits on one scope. An empty list: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Rate>,
    /// Input tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_tokens: Vec<Rate>,
    /// Output tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output_tokens: Vec<Rate>,
    /// Input and output tokens together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Rate>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Who admits.
    pub mode: Mode,
    /// What happens while the store is away.
    pub when_away: Away,
}

/// Who admits requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One authority for each request: never over.
    #[default]
    Strict,
    /// Instances admit from slices that are debited beforehand: never over, at most 5 % under.
    Leased,
}

/// What happens while the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Away {
    /// Requests pass.
    Open,
    /// Requests are refused with 503.
    #[default]
    Closed,
    /// Each instance admits its share: the limit divided by `admission.instances`.
    Local,
}

/// A budget: so much money in a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// How much, above zero.
    pub amount: NanoUsd,
    /// In how long.
    pub per: Span,
    /// At which per cent an alert is raised, ascending.
    #[serde(default = "Budget::default_alerts")]
    pub alerts: Vec<u8>,
    /// What happens to requests whose price nobody knows.
    #[serde(default)]
    pub unknown_price: UnknownPrice,
    /// Who admits.
    #[serde(default)]
    pub mode: Mode,
    /// What happens while the store is away.
    #[serde(default)]
    pub when_away: Away,
}

/// A calendar span in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A day.
    Day,
    /// A week; it begins on Monday.
    Week,
    /// A month.
    Month,
    /// For good.
    Total,
}

/// What happens to requests whose price nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnknownPrice {
    /// They are refused.
    #[default]
    Refuse,
    /// They pass, and cost nothing.
    Allow,
}

impl Budget {
    /// 50, 80 and 100 per cent.
    pub fn default_alerts() -> Vec<u8> {
        vec![50, 80, 100]
    }
}

const UNITS: [(Unit, &[&str]); 4] = [
    (Unit::Second, &["second", "sec", "s"]),
    (Unit::Minute, &["minute", "min", "m"]),
    (Unit::Hour, &["hour", "h"]),
    (Unit::Day, &["day", "d"]),
];

impl Rate {
    /// The most.
    pub const MOST: u64 = 1_000_000_000_000_000;
}

impl FromStr for Rate {
    type Err = String;

    /// Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((amount, unit)) = text.split_once('/') else { return Err("has no unit; write `60/minute`".into()) };
        let digits = amount.trim().replace('_', "");
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let amount = plain.then(|| digits.parse::<u64>().ok()).flatten().filter(|amount| (1..=Self::MOST).contains(amount));
        let amount = amount.ok_or("does not begin with a whole number from 1 to 10^15")?;
        let unit = UNITS.iter().find(|(_, names)| names.contains(&unit.trim())).map(|(unit, _)| *unit);
        Ok(Self { amount, unit: unit.ok_or("has an unknown unit; write `second`, `minute`, `hour` or `day`")? })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = UNITS.iter().find(|(unit, _)| *unit == self.unit).map_or("", |(_, names)| names[0]);
        write!(f, "{}/{name}", self.amount)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| serde::de::Error::custom(format_args!("`{}` {why}", text.escape_debug())))
    }
}

impl FromStr for Budget {
    type Err = String;

    /// Reads `20usd/month`. Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((amount, span)) = text.split_once('/') else { return Err("has no span; write `20usd/month`".into()) };
        let amount: NanoUsd = amount.trim().parse()?;
        if amount.0 == 0 {
            return Err("is nothing".into());
        }
        let per = match span.trim() {
            "day" => Span::Day,
            "week" => Span::Week,
            "month" => Span::Month,
            "total" => Span::Total,
            _ => return Err("has an unknown span; write `day`, `week`, `month` or `total`".into()),
        };
        Ok(Self {
            amount,
            per,
            alerts: Self::default_alerts(),
            unknown_price: UnknownPrice::Refuse,
            mode: Mode::Strict,
            when_away: Away::Closed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, amount, unit, shown) in [
            ("60/minute", 60, Unit::Minute, "60/minute"),
            ("1_000 / s", 1000, Unit::Second, "1000/second"),
            ("5/h", 5, Unit::Hour, "5/hour"),
            ("1000000000000000/day", Rate::MOST, Unit::Day, "1000000000000000/day"),
        ] {
            let rate: Rate = text.parse().expect(text);
            assert_eq!((rate, rate.to_string().as_str()), (Rate { amount, unit }, shown));
        }
        for bad in [
            "60",
            "",
            "/minute",
            "-1/minute",
            "0/minute",
            "1.5/minute",
            "NaN/minute",
            "1e9/minute",
            "60/month",
            "60/",
            "1000000000000001/day",
            "99999999999999999999/day",
            "٣/day",
        ] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn budgets_are_read_as_people_write_them() {
        let budget: Budget = "20usd/month".parse().expect("a budget");
        assert_eq!((budget.amount, budget.per), (NanoUsd(20_000_000_000), Span::Month));
        for bad in ["20usd", "0usd/day", "20/month", "-1usd/day", "20eur/month", "20usd/year", "NaNusd/day", "usd/day"] {
            assert!(bad.parse::<Budget>().is_err(), "{bad}");
        }
    }
}
