//! Which limits and budgets hold for a request.
//!
//! Two sources, one meaning: a [`Rule`] of the configuration counts together what agrees in its dimensions, and a
//! [`Share`](crate::identity::Share) that the caller carries counts what one object does. Both become [`Quota`]s: one
//! cell each.
//!
//! Invariant: a value that a request does not have (a team, say) is a value like any other, so leaving it out never
//! escapes a limit.

use std::fmt;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::spec::{Away, Budget, Limits, Mode, Rate, Span, Unit};
use crate::cell::allowance::Terms;
use crate::cell::window::Window;
use crate::identity::{Caller, Name, Share};

/// Limits or budgets of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its place: `limits.NAME` or `budgets.NAME`.
    pub name: String,
    /// What must agree for requests to count together; empty for all together.
    pub per: Vec<Dimension>,
    /// Which requests it is about.
    pub only: Only,
    /// The limits.
    pub limits: Limits,
    /// The budgets.
    pub budgets: Vec<Budget>,
}

/// Which requests a rule is about. An empty list: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Of these tenants.
    pub tenants: Vec<String>,
    /// Of these teams.
    pub teams: Vec<String>,
    /// On these routes.
    pub routes: Vec<String>,
    /// For these models, as `provider/model` or as the caller named it; with one `*` at the end a prefix.
    pub models: Vec<String>,
}

/// Something that requests have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The key or token with which it came.
    Key,
    /// The caller's application.
    Application,
    /// The caller's team.
    Team,
    /// The caller's tenant.
    Tenant,
    /// The user in whose name it came.
    User,
    /// The route.
    Route,
    /// The provider and model of the first target.
    Model,
    /// The first target's provider.
    Provider,
    /// The address; of an IPv6 address its first 64 bits.
    Address,
    /// A label of the key.
    Label(String),
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Requests.
    Requests,
    /// Tokens of input, cached ones too.
    InputTokens,
    /// Tokens of output, reasoning too.
    OutputTokens,
    /// All tokens.
    Tokens,
    /// Requests at once.
    Concurrency,
    /// Nano-dollars.
    Cost,
}

/// What a request is about, beside its caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The route.
    pub route: Option<&'a str>,
    /// The model as the caller named it.
    pub asked: &'a str,
    /// The first target's provider.
    pub provider: &'a str,
    /// The first target's model there.
    pub model: &'a str,
}

/// A limit or budget that holds for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Whose: `limits.NAME`, `budgets.NAME`, or the object's kind, `key` say.
    pub of: String,
    /// Its cell.
    pub cell: String,
    /// What is counted.
    pub measure: Measure,
    /// How much of it.
    pub amount: Amount,
    /// Who admits.
    pub mode: Mode,
    /// What happens while the store is away.
    pub when_away: Away,
}

/// How much, in how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    /// In a sliding window.
    Rate(Rate),
    /// In a calendar window.
    Budget(Budget),
    /// At once.
    AtOnce(u32),
}

impl Unit {
    /// How long it is.
    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

impl Span {
    /// Its window.
    pub fn window(self) -> Window {
        match self {
            Self::Day => Window::Fixed(Duration::from_secs(86_400)),
            Self::Week => Window::Week,
            Self::Month => Window::Month,
            Self::Total => Window::Ever,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}

impl Measure {
    /// Its name in configuration, cells and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Tokens => "tokens",
            Self::Concurrency => "concurrency",
            Self::Cost => "cost",
        }
    }
}

impl Quota {
    /// What its cell is told; slots have no terms.
    pub fn terms(&self) -> Option<Terms> {
        match &self.amount {
            Amount::Rate(rate) => Some(Terms { limit: rate.amount, window: Window::Sliding(rate.unit.length()) }),
            Amount::Budget(budget) => Some(Terms { limit: budget.amount.0, window: budget.per.window() }),
            Amount::AtOnce(_) => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Budget(budget) => write!(f, "{}/{}", budget.amount, budget.per.name()),
            Self::AtOnce(most) => write!(f, "{most} at once"),
        }
    }
}

/// The limits and budgets that hold for a request: those of the rules, then those that the caller carries.
pub fn quotas(rules: &[Rule], caller: &Caller, subject: Subject<'_>) -> Vec<Quota> {
    let mut all = Vec::new();
    for rule in rules.iter().filter(|rule| rule.only.includes(caller, subject)) {
        let mut cell = rule.name.clone();
        for dimension in &rule.per {
            let _ = write!(cell, "/{}", value(dimension, caller, subject));
        }
        of_limits(&rule.name, &cell, &rule.limits, &mut all);
        of_budgets(&rule.name, &cell, &rule.budgets, &mut all);
    }
    all.extend(caller.shares.iter().flat_map(quotas_of));
    all
}

/// The limits and budgets that an object carries.
pub fn quotas_of(share: &Share) -> Vec<Quota> {
    let (kind, mut all) = (share.of.split('/').next().unwrap_or_default(), Vec::new());
    of_limits(kind, &share.of, &share.limits, &mut all);
    of_budgets(kind, &share.of, &share.budgets, &mut all);
    all
}

/// The quotas of one scope's limits. Of two rates in the same unit the smaller holds.
fn of_limits(of: &str, scope: &str, limits: &Limits, all: &mut Vec<Quota>) {
    let Limits { requests, input_tokens, output_tokens, tokens, concurrency, mode, when_away } = limits;
    let measures = [
        (Measure::Requests, requests),
        (Measure::InputTokens, input_tokens),
        (Measure::OutputTokens, output_tokens),
        (Measure::Tokens, tokens),
    ];
    let quota = |measure: Measure, cell: String, amount: Amount| Quota {
        of: of.to_owned(),
        cell,
        measure,
        amount,
        mode: *mode,
        when_away: *when_away,
    };
    for (measure, rates) in measures {
        for (at, rate) in rates.iter().enumerate() {
            let smaller =
                |(other, another): (usize, &Rate)| another.unit == rate.unit && (another.amount, other) < (rate.amount, at);
            if !rates.iter().enumerate().any(smaller) {
                let cell = format!("limit/{scope}/{}/{}", measure.name(), rate.unit.name());
                all.push(quota(measure, cell, Amount::Rate(*rate)));
            }
        }
    }
    if let Some(most) = concurrency {
        all.push(quota(Measure::Concurrency, format!("slots/{scope}"), Amount::AtOnce(*most)));
    }
}

/// The quotas of one scope's budgets. Of two in the same span the smaller holds.
fn of_budgets(of: &str, scope: &str, budgets: &[Budget], all: &mut Vec<Quota>) {
    for (at, budget) in budgets.iter().enumerate() {
        let smaller =
            |(other, another): (usize, &Budget)| another.per == budget.per && (another.amount, other) < (budget.amount, at);
        if budgets.iter().enumerate().any(smaller) {
            continue;
        }
        all.push(Quota {
            of: of.to_owned(),
            cell: format!("budget/{scope}/{}", budget.per.name()),
            measure: Measure::Cost,
            amount: Amount::Budget(budget.clone()),
            mode: budget.mode,
            when_away: budget.when_away,
        });
    }
}

impl Only {
    fn includes(&self, caller: &Caller, subject: Subject<'_>) -> bool {
        let among = |list: &[String], value: Option<&str>| list.is_empty() || list.iter().any(|one| Some(one.as_str()) == value);
        let target = || format!("{}/{}", subject.provider, subject.model);
        among(&self.tenants, caller.tenant.as_ref().map(Name::as_str))
            && among(&self.teams, caller.team.as_ref().map(Name::as_str))
            && among(&self.routes, subject.route)
            && (self.models.is_empty() || {
                let target = target();
                self.models.iter().any(|pattern| matches(pattern, subject.asked) || matches(pattern, &target))
            })
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// The longest value that stands in a cell's name as it is.
const LONGEST: usize = 96;

/// A request's value in a dimension, as part of a cell's name: unreserved characters, or a hash. `-` for none.
fn value(dimension: &Dimension, caller: &Caller, subject: Subject<'_>) -> String {
    let text = match dimension {
        Dimension::Key => caller.name(),
        Dimension::Application => caller.application.as_ref().map(ToString::to_string),
        Dimension::Team => caller.team.as_ref().map(ToString::to_string),
        Dimension::Tenant => caller.tenant.as_ref().map(ToString::to_string),
        Dimension::User => caller.user.as_ref().map(ToString::to_string),
        Dimension::Route => subject.route.map(str::to_owned),
        Dimension::Model => Some(format!("{}:{}", subject.provider, subject.model)),
        Dimension::Provider => Some(subject.provider.to_owned()),
        Dimension::Address => caller.address.map(network),
        Dimension::Label(name) => caller.labels.get(name).cloned(),
    };
    // A name belongs to its tenant: two tenants' teams of one name are two.
    let owned = matches!(dimension, Dimension::Application | Dimension::Team | Dimension::User | Dimension::Label(_));
    let text = match (&caller.tenant, text) {
        (Some(tenant), text) if owned => format!("{tenant}:{}", text.as_deref().unwrap_or("-")),
        (_, Some(text)) => text,
        (_, None) => return "-".to_owned(),
    };
    scoped(&text)
}

/// A text as one segment of a cell's name.
fn scoped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if text.len() <= LONGEST && text.bytes().all(plain) && text != "-" {
        return text.to_owned();
    }
    // A tilde begins nothing else, so no plain value is taken for a hash.
    let mut name = String::from("~");
    for byte in Sha256::digest(text.as_bytes()).iter().take(16) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// One caller's address: networks give a customer 64 bits of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::")
        }
    }
}

const DIMENSIONS: [(&str, Dimension); 9] = [
    ("key", Dimension::Key),
    ("application", Dimension::Application),
    ("team", Dimension::Team),
    ("tenant", Dimension::Tenant),
    ("user", Dimension::User),
    ("route", Dimension::Route),
    ("model", Dimension::Model),
    ("provider", Dimension::Provider),
    ("address", Dimension::Address),
];

impl Dimension {
    /// Every word for one, `label:NAME` apart.
    pub fn words() -> impl Iterator<Item = &'static str> {
        DIMENSIONS.iter().map(|(word, _)| *word)
    }
}

impl FromStr for Dimension {
    type Err = String;

    /// Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, known)) = DIMENSIONS.iter().find(|(word, _)| *word == text) {
            return Ok(known.clone());
        }
        match text.strip_prefix("label:") {
            Some(label) if !label.is_empty() && label.len() <= 64 => Ok(Self::Label(label.to_owned())),
            _ => Err("is nothing that requests have in common".into()),
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(name) => write!(f, "label:{name}"),
            plain => f.write_str(DIMENSIONS.iter().find(|(_, known)| known == plain).map_or("", |(word, _)| word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Proof;

    fn rule(per: &[&str], requests: &[&str]) -> Rule {
        Rule {
            name: "limits.x".into(),
            per: per.iter().map(|text| text.parse().expect("a dimension")).collect(),
            only: Only::default(),
            limits: Limits { requests: requests.iter().map(|text| text.parse().expect("a rate")).collect(), ..Limits::default() },
            budgets: Vec::new(),
        }
    }

    fn cells(rules: &[Rule], caller: &Caller, subject: Subject<'_>) -> Vec<String> {
        quotas(rules, caller, subject).into_iter().map(|quota| quota.cell).collect()
    }

    const SUBJECT: Subject<'static> = Subject { route: Some("chat"), asked: "fast", provider: "openai", model: "gpt-4.1" };

    #[test]
    fn requests_count_together_that_agree_in_every_dimension() {
        let rules = [rule(&["key", "route", "model", "label:project"], &["60/minute"]), rule(&[], &["9/s", "7/s", "5/day"])];
        let caller = Caller {
            proof: Proof::Key("k1".into()),
            tenant: Some("acme".parse().expect("a name")),
            labels: std::sync::Arc::new([("project".to_owned(), "é".to_owned())].into()),
            ..Caller::default()
        };
        let all = cells(&rules, &caller, SUBJECT);
        assert_eq!(all.len(), 3, "of two rates a second the smaller holds: {all:?}");
        assert!(all[0].starts_with("limit/limits.x/k1/chat/openai:gpt-4.1/~"), "{all:?}");
        assert_eq!(all[1..], ["limit/limits.x/requests/second", "limit/limits.x/requests/day"]);
        let Amount::Rate(second) = quotas(&rules, &caller, SUBJECT)[1].amount else { panic!("a rate") };
        assert_eq!(second.amount, 7);
    }

    #[test]
    fn what_a_request_does_not_have_is_a_value_like_any_other() {
        let rules = [rule(&["team", "address", "label:x"], &["1/s"])];
        assert_eq!(cells(&rules, &Caller::default(), Subject::default()), ["limit/limits.x/-/-/-/requests/second"]);
        let named = Caller { team: Some("a".parse().expect("a name")), ..Caller::default() };
        assert_eq!(cells(&rules, &named, Subject::default()), ["limit/limits.x/a/-/-/requests/second"]);
    }

    #[test]
    fn teams_of_two_tenants_are_two() {
        let rules = [rule(&["team"], &["1/s"])];
        let of = |tenant: &str| Caller {
            tenant: Some(tenant.parse().expect("a name")),
            team: Some("x".parse().expect("a name")),
            ..Caller::default()
        };
        assert_ne!(cells(&rules, &of("a"), SUBJECT), cells(&rules, &of("b"), SUBJECT));
    }

    #[test]
    fn an_ipv6_address_counts_by_its_network_and_an_ipv4_address_as_itself() {
        for (a, b, same) in [
            ("2001:db8::1", "2001:db8::ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let name = |text: &str| network(text.parse().expect("an address"));
            assert_eq!(name(a) == name(b), same, "{a} {b}");
        }
    }

    #[test]
    fn a_rule_is_only_about_what_it_names() {
        let mut only = rule(&[], &["1/s"]);
        only.only.models = vec!["openai/*".into()];
        only.only.routes = vec!["chat".into()];
        assert_eq!(cells(&[only.clone()], &Caller::default(), SUBJECT).len(), 1);
        for subject in [Subject { route: None, ..SUBJECT }, Subject { provider: "groq", ..SUBJECT }] {
            assert_eq!(cells(&[only.clone()], &Caller::default(), subject).len(), 0);
        }
    }

    #[test]
    fn what_a_caller_carries_counts_by_its_object() {
        let share = Share {
            of: "team/acme/x".into(),
            limits: Limits { concurrency: Some(3), ..Limits::default() },
            budgets: vec!["20usd/month".parse().expect("a budget"), "10usd/month".parse().expect("a budget")],
        };
        let caller = Caller { shares: vec![share].into(), ..Caller::default() };
        let all = quotas(&[], &caller, SUBJECT);
        assert_eq!(
            all.iter().map(|quota| quota.cell.as_str()).collect::<Vec<_>>(),
            ["slots/team/acme/x", "budget/team/acme/x/month"]
        );
        assert_eq!((all[1].of.as_str(), all[1].amount.to_string().as_str()), ("team", "10usd/month"));
    }

    #[test]
    fn dimensions_are_read_as_they_are_written() {
        for word in Dimension::words().chain(["label:team of 3"]) {
            assert_eq!(word.parse::<Dimension>().expect(word).to_string(), word);
        }
        for bad in ["", "keys", "label:", "label", &format!("label:{}", "x".repeat(65))] {
            assert!(bad.parse::<Dimension>().is_err(), "{bad}");
        }
    }
}
