//! The sections of the document that limit: how often, and for how much.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::diagnostic::{Report, alternatives, nearest, shown};
use super::node::{Node, Value};
use super::path::Path;
use super::secret_name::SecretName;
use super::shape::{Kind, Shape, mistyped, section};
use super::word::word;
use crate::policy::limit::{Away, Budget, Dimension, Mode, Rate, UnknownPrice};

section! {
    /// A limit: how many requests and tokens, and how many requests at once; see [limits.md](limits.md).
    pub struct LimitSection {
        /// What requests have in common that count together: `"key"`, `"application"`, `"team"`, `"tenant"`, `"user"`, `"route"`,
        /// `"model"`, `"provider"`, `"address"`, `"label:NAME"` (a label of the key), or several of them. Left out: all
        /// requests count together. Requests that do not have one (a key without a team, say) count together too.
        #[also("by", "scope", "key", "group_by", "on")]
        #[example("[\"key\"]")]
        pub per: Vec<Dimension>,
        /// How many requests.
        #[also("rpm", "request", "rps", "rate")]
        #[example("\"60/minute\"")]
        pub requests: Several<Rate>,
        /// How many tokens of input, cached ones too.
        #[also("prompt_tokens")]
        #[example("\"100000/minute\"")]
        pub input_tokens: Several<Rate>,
        /// How many tokens of output, reasoning too.
        #[also("completion_tokens")]
        #[example("\"20000/minute\"")]
        pub output_tokens: Several<Rate>,
        /// How many tokens of input and output together.
        #[also("tpm", "total_tokens", "token")]
        #[example("[\"100000/minute\", \"2000000/day\"]")]
        pub tokens: Several<Rate>,
        /// How many requests at once, at most 1024.
        #[also("concurrent", "max_concurrency", "parallel", "max_parallel_requests")]
        #[example("20")]
        pub concurrency: Option<u64>,
        /// Who admits: `"strict"` asks the store for every request; `"leased"` lets each instance admit from slices that are
        /// debited beforehand. Neither is ever over.
        pub mode: Mode = "strict",
        /// What happens while the store is away: `"open"` lets requests pass, `"closed"` refuses them with 503, `"local"` lets each
        /// instance count for itself, up to its share.
        #[also("fail", "on_error", "failure_mode", "fallback")]
        pub when_away: Away = "closed",
        /// Only for callers of these tenants.
        #[also("tenant")]
        pub tenants: Vec<String>,
        /// Only for callers of these teams.
        #[also("team")]
        pub teams: Vec<String>,
        /// Only on these routes.
        #[also("route")]
        pub routes: Vec<String>,
        /// Only for these models, as callers name them or as `provider/model`; with one `*` at the end a prefix.
        #[also("model")]
        pub models: Vec<String>,
    }
}

section! {
    /// A budget: for how much money; see [limits.md](limits.md).
    pub struct BudgetSection {
        /// What requests have in common that count together, as for a limit.
        #[also("by", "scope", "key", "group_by", "on")]
        #[example("[\"team\"]")]
        pub per: Vec<Dimension>,
        /// How much, per `day`, `week` (it begins on Monday), `month` or `total`, in UTC.
        #[also("limit", "max", "budget", "usd")]
        #[example("\"20usd/month\"")]
        pub amount: Several<Budget>,
        /// At which per cent an alert is raised, once each time the budget begins anew.
        #[also("alert", "thresholds", "soft")]
        #[example("[50, 80, 100]")]
        pub alerts: Option<Vec<u64>>,
        /// What happens to requests whose price nobody knows: `"refuse"`, or `"allow"`; then they cost nothing.
        pub unknown_price: UnknownPrice = "refuse",
        /// Who admits, as for a limit.
        pub mode: Mode = "strict",
        /// What happens while the store is away, as for a limit.
        #[also("fail", "on_error", "failure_mode", "fallback")]
        pub when_away: Away = "closed",
        /// Only for callers of these tenants.
        #[also("tenant")]
        pub tenants: Vec<String>,
        /// Only for callers of these teams.
        #[also("team")]
        pub teams: Vec<String>,
        /// Only on these routes.
        #[also("route")]
        pub routes: Vec<String>,
        /// Only for these models, as callers name them or as `provider/model`; with one `*` at the end a prefix.
        #[also("model")]
        pub models: Vec<String>,
    }
}

section! {
    /// How instances share limits and budgets.
    pub struct AdmissionSection {
        /// How many instances of the gateway there are at most. All of them together hold at most a fortieth of a leased limit, and
        /// each counts up to its share of a limit whose `when_away` is `"local"`.
        #[also("replicas", "nodes")]
        pub instances: u64 = "4",
    }
}

section! {
    /// Who is told that a budget runs out, beside the events that the gateway writes.
    pub struct AlertsSection {
        /// An address that gets each alert as a signed POST; see [limits.md](limits.md#alerts).
        #[also("url", "endpoint")]
        #[example("\"https://hooks.example.com/edgeway\"")]
        pub webhook: Option<String>,
        /// The name of the secret that signs alerts. Never the secret itself.
        #[also("key", "token", "signing_secret")]
        #[example("\"ALERT_SECRET\"")]
        pub secret: Option<SecretName>,
    }
}

word! { Mode, "a way to admit", || [("strict", Mode::Strict), ("leased", Mode::Leased)] }
word! { Away, "what can happen", || [("open", Away::Open), ("closed", Away::Closed), ("local", Away::Local)] }
word! { UnknownPrice, "what can happen", || [("refuse", UnknownPrice::Refuse), ("allow", UnknownPrice::Allow)] }

/// One, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several<T>(pub Vec<T>);

impl<T: fmt::Display> Serialize for Several<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<T: Shape> Shape for Several<T> {
    const KIND: Kind = Kind::Several(&T::KIND);
    const REQUIRED: bool = false;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, at, report).map(Self),
            _ => T::read(node, at, report).map(|one| Self(vec![one])),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self(Vec::new()))
    }

    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl Shape for Rate {
    const KIND: Kind = Kind::Rate;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        worded(node, at, report, Self::KIND)
    }
}

impl Shape for Budget {
    const KIND: Kind = Kind::Budget;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        worded(node, at, report, Self::KIND)
    }
}

/// Reads a number with a unit.
fn worded<T: FromStr<Err = String>>(node: &Node, at: &Path, report: &mut Report<'_>, kind: Kind) -> Option<T> {
    match &node.value {
        Value::Text(text) => {
            let wrong = |why: String| report.error(at, format!("`{}` {why}", shown(text)), format!("write {}", kind.noun()));
            text.parse().map_err(wrong).ok()
        }
        Value::Integer(number) => {
            report.error(at, format!("{number} has no unit"), format!("write {}", kind.noun()));
            None
        }
        _ => mistyped(kind, node, at, report),
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.amount, self.per.name())
    }
}

impl Shape for Dimension {
    const KIND: Kind = Kind::Text;
    const REQUIRED: bool = false;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        let Value::Text(text) = &node.value else { return mistyped(Self::KIND, node, at, report) };
        let wrong = |why: String| {
            let near = nearest(text, Self::words());
            let help = if near.is_empty() {
                let words: Vec<&str> = Self::words().chain(["label:NAME"]).collect();
                format!("write {}", alternatives(&words))
            } else {
                format!("did you mean {}?", alternatives(&near))
            };
            report.error(at, format!("`{}` {why}", shown(text)), help);
        };
        text.parse().map_err(wrong).ok()
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
