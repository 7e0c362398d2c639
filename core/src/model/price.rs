//! Prices, and what a request costs at them.
//!
//! Prices are money per million tokens in billionths of a dollar, so a catalog never holds a fraction; a cost is computed in
//! integers and rounded up to a nano-dollar once, at its end.

use serde::Serialize;

use crate::chat::Usage;
use crate::usage::NanoUsd;

/// What a model costs at one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Price {
    /// What tokens cost.
    #[serde(flatten)]
    pub rates: Rates,
    /// What they cost instead, all of them, in requests with a long input; ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// What each request costs beside its tokens.
    #[serde(skip_serializing_if = "free")]
    pub request: NanoUsd,
    /// What is paid for that is no token: an image, a minute of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitPrice>,
    /// What a request in a batch costs, in per cent of all this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_percent: Option<u8>,
}

/// Prices of a million tokens. `None` where the provider states none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rates {
    /// Fresh input.
    pub input: NanoUsd,
    /// Output, reasoning included.
    pub output: NanoUsd,
    /// Input read from the provider's cache; as fresh input when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<NanoUsd>,
    /// Input written to the cache for the default time; as fresh input when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<NanoUsd>,
    /// Input written to the cache for an hour; as for the default time when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<NanoUsd>,
    /// Audio input; as input when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<NanoUsd>,
    /// Audio output; as output when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<NanoUsd>,
}

/// The prices of requests with a long input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tier {
    /// Requests with more input than this, in tokens, cached ones included.
    pub above: u64,
    /// What their tokens cost.
    #[serde(flatten)]
    pub rates: Rates,
}

/// The price of something that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UnitPrice {
    /// Of what.
    pub per: Unit,
    /// How much.
    pub price: NanoUsd,
}

/// What is paid for that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// An image made, at the size and quality that the catalog's notes name.
    Image,
    /// A minute of sound, heard or made.
    Minute,
    /// A million characters.
    MillionCharacters,
    /// A search or a ranked list of documents.
    Search,
    /// A page that is read.
    Page,
    /// A second of film.
    Second,
}

fn free(price: &NanoUsd) -> bool {
    price.0 == 0
}

impl Price {
    /// Nothing: what a model costs on the operator's own machine.
    pub const FREE: Self = Self { rates: Rates::FREE, tiers: Vec::new(), request: NanoUsd(0), unit: None, batch_percent: None };

    /// The rates of a request with so many tokens of input.
    pub fn rates(&self, input: u64) -> &Rates {
        self.tiers.iter().rev().find(|tier| input > tier.above).map_or(&self.rates, |tier| &tier.rates)
    }

    /// What a request that took `usage` costs.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        sum(self.request, &self.rates(usage.input_total()).parts(usage))
    }
}

impl Rates {
    const FREE: Self = Self {
        input: NanoUsd(0),
        output: NanoUsd(0),
        cache_read: None,
        cache_write_5m: None,
        cache_write_1h: None,
        audio_input: None,
        audio_output: None,
    };

    fn parts(&self, usage: &Usage) -> [(u64, NanoUsd); 8] {
        let write_5m = self.cache_write_5m.unwrap_or(self.input);
        [
            (usage.input, self.input),
            (usage.cache_read, self.cache_read.unwrap_or(self.input)),
            (usage.cache_write_5m, write_5m),
            (usage.cache_write_1h, self.cache_write_1h.unwrap_or(write_5m)),
            (usage.audio_input, self.audio_input.unwrap_or(self.input)),
            (usage.output, self.output),
            (usage.reasoning, self.output),
            (usage.audio_output, self.audio_output.unwrap_or(self.output)),
        ]
    }
}

/// Money for tokens, each part at its price a million, rounded up once. What does not fit is the most there is.
pub(crate) fn sum(beside: NanoUsd, parts: &[(u64, NanoUsd)]) -> NanoUsd {
    let millionths = parts.iter().fold(0_u128, |sum, (tokens, price)| sum + u128::from(*tokens) * u128::from(price.0));
    NanoUsd(u64::try_from(millionths.div_ceil(1_000_000) + u128::from(beside.0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> NanoUsd {
        format!("{text}usd").parse().expect("an amount")
    }

    fn sonnet() -> Price {
        let rates = Rates {
            input: usd("3"),
            output: usd("15"),
            cache_read: Some(usd("0.3")),
            cache_write_5m: Some(usd("3.75")),
            cache_write_1h: Some(usd("6")),
            ..Rates::default()
        };
        let long = Rates { input: usd("6"), output: usd("22.5"), cache_read: Some(usd("0.6")), ..Rates::default() };
        Price { rates, tiers: vec![Tier { above: 200_000, rates: long }], ..Price::default() }
    }

    #[test]
    fn every_bucket_has_its_own_price() {
        let usage = Usage {
            input: 1_000,
            cache_read: 100_000,
            cache_write_5m: 2_000,
            cache_write_1h: 500,
            output: 300,
            reasoning: 700,
            ..Usage::default()
        };
        // 0.003 + 0.03 + 0.0075 + 0.003 + 0.0045 + 0.0105
        assert_eq!(sonnet().cost(&usage), usd("0.0585"));
    }

    #[test]
    fn a_long_input_makes_the_whole_request_dearer_and_cached_tokens_count_for_it() {
        let at = |input| sonnet().cost(&Usage { input, cache_read: 100_000, output: 1_000, ..Usage::default() });
        assert_eq!(at(100_000), usd("0.345"));
        // 100,001 x 6 + 100,000 x 0.6 + 1,000 x 22.5, a million
        assert_eq!(at(100_001), usd("0.682506"));
    }

    #[test]
    fn what_has_no_price_of_its_own_costs_as_its_neighbour_does() {
        let rates = Rates { input: usd("1"), output: usd("2"), cache_write_5m: Some(usd("1.25")), ..Rates::default() };
        let price = Price { rates, ..Price::default() };
        let cost = |usage| price.cost(&usage);
        assert_eq!(cost(Usage { cache_read: 1_000_000, ..Usage::default() }), usd("1"));
        assert_eq!(cost(Usage { cache_write_1h: 1_000_000, ..Usage::default() }), usd("1.25"));
        assert_eq!(cost(Usage { audio_input: 1_000_000, audio_output: 1_000_000, ..Usage::default() }), usd("3"));
    }

    #[test]
    fn a_cost_is_rounded_up_once_and_never_wraps() {
        let price = Price { rates: Rates { input: NanoUsd(1), output: NanoUsd(1), ..Rates::default() }, ..Price::default() };
        assert_eq!(price.cost(&Usage { input: 1, output: 1, ..Usage::default() }), NanoUsd(1));
        assert_eq!(price.cost(&Usage::default()), NanoUsd(0));
        let all = Usage { input: u64::MAX, output: u64::MAX, reasoning: u64::MAX, ..Usage::default() };
        let dear = Price { rates: Rates { input: NanoUsd(u64::MAX), ..Rates::default() }, ..Price::default() };
        assert_eq!(dear.cost(&all), NanoUsd(u64::MAX));
        assert_eq!(Price::FREE.cost(&all), NanoUsd(0));
        let fee = Price { request: usd("0.005"), ..Price::default() };
        assert_eq!(fee.cost(&Usage::default()), usd("0.005"));
    }
}
