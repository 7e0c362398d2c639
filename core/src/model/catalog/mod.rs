//! The model catalog: limits, abilities and prices, one row a model or a family of models.
//!
//! | file | what it holds |
//! |---|---|
//! | `row.rs` | how a row is written |
//! | `openai.rs`, `anthropic.rs`, `google.rs`, `western.rs`, `eastern.rs` | the rows of makers |
//! | `hosts.rs` | the rows of hosts that sell what others made |
//!
//! | asked for | what answers |
//! |---|---|
//! | limits, abilities | the row with the longest name that the model's name begins with: a family shares them, at every host |
//! | a price | the row of that name, at a provider that sells at it. A date or `-latest` after the name changes nothing, anything else is another model |
//!
//! Names are compared as the makers' own hosts, the aggregators and the open-weight hubs spell them: `claude-sonnet-4-5-20250929`,
//! `anthropic/claude-sonnet-4.5` and `us.anthropic.claude-sonnet-4-5-20250929-v1:0` are one family (see [`spelled`]).
//!
//! What it does not do: guess. A family that is not here has no limits, and a limit that its maker does not document is absent:
//! most makers of open weights state a context window and no separate maximum of the answer. A price that nobody could be
//! asked for is absent.
//!
//! Invariants: a limit is never above what the maker's own API accepts, because Anthropic's mandatory `max_tokens` is filled
//! from here and too large a value is refused. Where sources differ, or the time of day decides, a price is the dearer one.

mod anthropic;
mod eastern;
mod google;
mod hosts;
mod openai;
mod row;
mod western;

use serde::Serialize;

use super::ModelLimits;
use super::price::Price;
use row::{Maker, Model};

pub use row::Source;

/// When the catalog was last read as a whole.
pub const VERSION: &str = "2026-11-25";

static MAKERS: &[&Maker] = &[
    &openai::OWN_PAGE,
    &openai::OPENAI,
    &anthropic::OWN_PAGE,
    &anthropic::ANTHROPIC,
    &google::GOOGLE,
    &western::XAI,
    &western::MISTRAL,
    &western::META,
    &western::COHERE,
    &western::PERPLEXITY,
    &western::AI21,
    &eastern::DEEPSEEK,
    &eastern::ALIBABA,
    &eastern::MOONSHOT,
    &eastern::ZAI,
    &eastern::MINIMAX,
    &hosts::GROQ,
];

/// The limits of `model`, by its longest matching row.
pub fn limits(model: &str) -> ModelLimits {
    let name = spelled(model);
    let known = |limit: u32| (limit > 0).then_some(u64::from(limit));
    family(&name, |row| row.limits.0 > 0)
        .map_or_else(ModelLimits::default, |row| ModelLimits { context: known(row.limits.0), max_output: known(row.limits.1) })
}

/// What `model` costs at `provider`; `None` when nobody knows.
pub(super) fn price(provider: &str, model: &str) -> Option<Price> {
    let name = spelled(model);
    let sellers = MAKERS.iter().filter(|maker| maker.sold_at.contains(&provider));
    let rows = sellers.flat_map(|maker| maker.models).filter(|row| row.sold && is_of(&name, row.name));
    rows.max_by_key(|row| row.name.len())?.price()
}

/// The longest row that `name` begins with, of those that are wanted.
fn family(name: &str, wanted: impl Fn(&Model) -> bool) -> Option<&'static Model> {
    let rows = MAKERS.iter().flat_map(|maker| maker.models).filter(|row| name.starts_with(row.name) && wanted(row));
    rows.max_by_key(|row| row.name.len())
}

/// Whether a name is that of a row, but for a date, a number of three digits or `latest`.
fn is_of(name: &str, row: &str) -> bool {
    let Some(rest) = name.strip_prefix(row) else { return false };
    let Some(version) = rest.strip_prefix('-') else { return rest.is_empty() };
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    let date = |part: (usize, &str)| part.1.len() == [4, 2, 2][part.0] && part.1.bytes().all(|byte| byte.is_ascii_digit());
    version == "latest"
        || digits && (version.len() == 8 || version.len() == 3)
        || version.len() == "2026-12-31".len() && version.split('-').count() == 3 && version.split('-').enumerate().all(date)
}

/// A name as the rows spell it: without the path and the vendor before it, in lower case, with `-` for `.`, `_`, `:` and `@`.
pub(crate) fn spelled(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    // Cloud hosts write `region.vendor.model`; a version's dot is followed by a digit.
    let name = VENDORS.iter().find_map(|vendor| name.split_once(vendor)).map_or(name.as_str(), |(_, name)| name);
    let name = name.strip_prefix("meta-").unwrap_or(name);
    name.replace(['.', '_', ':', '@'], "-")
}

const VENDORS: &[&str] = &["anthropic.", "openai."];

/// A row, for readers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The model's name, or what the names of a family begin with; `.` and the like are written as `-`.
    pub model: &'static str,
    /// The providers that sell it at this price.
    pub sold_at: &'static [&'static str],
    /// Input and output together, in tokens.
    pub context: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u64>,
    /// What it takes: `text`, `image`, `audio`, `video`, `document`.
    pub input: Vec<&'static str>,
    /// What it gives: `text`, `image`, `audio`, `embedding`.
    pub output: Vec<&'static str>,
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it reasons before it answers.
    pub reasoning: bool,
    /// What it costs; none when nobody knows.
    pub price: Option<Price>,
    /// Where that is stated.
    pub source: Source,
}

/// Every row, in order of makers.
pub fn entries() -> impl Iterator<Item = Entry> {
    MAKERS.iter().flat_map(|maker| maker.models.iter().map(|row| entry(maker, row)))
}

fn entry(maker: &'static Maker, row: &'static Model) -> Entry {
    let traits = family(row.name, |row| row.traits > 0).map_or(0, |row| row.traits);
    let named = |names: &[(u16, &'static str)]| -> Vec<&'static str> {
        names.iter().filter(|(bit, _)| traits & bit != 0).map(|(_, name)| *name).collect()
    };
    let mut input = named(&[(row::SEE, "image"), (row::HEAR, "audio"), (row::WATCH, "video"), (row::READ, "document")]);
    if traits & row::MUTE == 0 && traits > 0 {
        input.insert(0, "text");
    }
    let limits = limits(row.name);
    Entry {
        model: row.name,
        sold_at: if row.sold { maker.sold_at } else { &[] },
        context: limits.context,
        max_output: limits.max_output,
        input,
        output: named(&[(row::WRITE, "text"), (row::DRAW, "image"), (row::SPEAK, "audio"), (row::EMBED, "embedding")]),
        tools: traits & row::TOOLS != 0,
        reasoning: traits & row::THINK != 0,
        price: row.price(),
        source: maker.source,
    }
}

#[cfg(test)]
mod tests;
