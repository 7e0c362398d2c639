//! How a row is written: constructors that are `const`, so that the table costs nothing at start.

use serde::Serialize;

use super::super::price::{Price, Rates, Tier, Unit, UnitPrice};
use crate::usage::NanoUsd;

/// The models of one maker, or those that a host sells: where that is stated, and who sells at these prices.
pub(super) struct Maker {
    /// Where and when it was read.
    pub(super) source: Source,
    /// Providers (names of the provider catalog) that sell at these prices.
    pub(super) sold_at: &'static [&'static str],
    /// Its models.
    pub(super) models: &'static [Model],
}

/// Where figures are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The maker's own page that states them.
    pub page: &'static str,
    /// The month in which they were read, `2026-11`.
    pub read: &'static str,
    /// Through whom they were read, where not on that page itself.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub through: &'static str,
}

/// What the maker's page says of a model.
pub(super) struct Model {
    /// Its name, or the beginning of the names of a family; as [`super::spelled`] spells them.
    pub(super) name: &'static str,
    /// Context window and most tokens of one answer; 0 where the maker states none, or a shorter row does.
    pub(super) limits: (u32, u32),
    /// What it takes, gives and can do; 0 where a shorter row says it.
    pub(super) traits: u16,
    /// Whether it has a price.
    pub(super) sold: bool,
    cost: Cost,
}

/// Prices in micro-dollars a million tokens; [`NONE`] where none is stated.
#[derive(Clone, Copy)]
struct Cost {
    input: u32,
    output: u32,
    cached: u32,
    written: u32,
    written_1h: u32,
    heard: u32,
    said: u32,
    steps: [Step; 3],
    batch: u8,
    unit: Option<(Unit, u32)>,
}

#[derive(Clone, Copy)]
struct Step {
    above: u32,
    input: u32,
    output: u32,
    cached: u32,
    written: u32,
}

const NONE: u32 = u32::MAX;

const NO_STEP: Step = Step { above: 0, input: 0, output: 0, cached: NONE, written: NONE };

/// Takes images.
pub(super) const SEE: u16 = 1;
/// Takes sound.
pub(super) const HEAR: u16 = 1 << 1;
/// Takes films.
pub(super) const WATCH: u16 = 1 << 2;
/// Takes documents.
pub(super) const READ: u16 = 1 << 3;
/// Writes text.
pub(super) const WRITE: u16 = 1 << 4;
/// Gives images.
pub(super) const DRAW: u16 = 1 << 5;
/// Gives sound.
pub(super) const SPEAK: u16 = 1 << 6;
/// Gives embeddings.
pub(super) const EMBED: u16 = 1 << 7;
/// Calls tools.
pub(super) const TOOLS: u16 = 1 << 8;
/// Reasons before it answers.
pub(super) const THINK: u16 = 1 << 9;
/// Takes no text.
pub(super) const MUTE: u16 = 1 << 10;

/// A model with its limits.
pub(super) const fn model(name: &'static str, context: u32, max_output: u32, traits: u16) -> Model {
    let cost = Cost {
        input: 0,
        output: 0,
        cached: NONE,
        written: NONE,
        written_1h: NONE,
        heard: NONE,
        said: NONE,
        steps: [NO_STEP; 3],
        batch: 0,
        unit: None,
    };
    Model { name, limits: (context, max_output), traits, sold: false, cost }
}

/// A model whose limits, and what it can do, a shorter row states.
pub(super) const fn also(name: &'static str) -> Model {
    model(name, 0, 0, 0)
}

/// Dollars to micro-dollars.
const fn micro(dollars: f64) -> u32 {
    (dollars * 1_000_000.0 + 0.5) as u32
}

impl Model {
    /// Dollars for a million tokens of input and of output.
    pub(super) const fn costs(mut self, input: f64, output: f64) -> Self {
        self.sold = true;
        self.cost.input = micro(input);
        self.cost.output = micro(output);
        self
    }

    /// Input read from the cache.
    pub(super) const fn cached(mut self, dollars: f64) -> Self {
        self.cost.cached = micro(dollars);
        self
    }

    /// Input written to the cache.
    pub(super) const fn written(mut self, dollars: f64) -> Self {
        self.cost.written = micro(dollars);
        self
    }

    /// Input written to the cache for an hour, or longer than by default.
    pub(super) const fn for_an_hour(mut self, dollars: f64) -> Self {
        self.cost.written_1h = micro(dollars);
        self
    }

    /// Sound, heard and said.
    pub(super) const fn sound(mut self, heard: f64, said: f64) -> Self {
        self.cost.heard = micro(heard);
        self.cost.said = micro(said);
        self
    }

    /// Sound that is heard.
    pub(super) const fn heard(mut self, dollars: f64) -> Self {
        self.cost.heard = micro(dollars);
        self
    }

    /// Half the price in a batch.
    pub(super) const fn batched(mut self) -> Self {
        self.cost.batch = 50;
        self
    }

    /// Other prices in requests with more input: input, output, input from the cache.
    pub(super) const fn above(mut self, tokens: u32, input: f64, output: f64, cached: f64) -> Self {
        let mut at = 0;
        while self.cost.steps[at].above > 0 {
            at += 1;
        }
        self.cost.steps[at] =
            Step { above: tokens, input: micro(input), output: micro(output), cached: micro(cached), written: NONE };
        self
    }

    /// The same, and input written to the cache.
    pub(super) const fn above_written(mut self, tokens: u32, input: f64, output: f64, cached: f64, written: f64) -> Self {
        self = self.above(tokens, input, output, cached);
        let mut at = 0;
        while at < 3 && self.cost.steps[at].above > 0 {
            at += 1;
        }
        self.cost.steps[at - 1].written = micro(written);
        self
    }

    /// What is paid for that is no token.
    pub(super) const fn each(mut self, unit: Unit, dollars: f64) -> Self {
        self.sold = true;
        self.cost.unit = Some((unit, micro(dollars)));
        self
    }

    /// The price, if it has one.
    pub(super) fn price(&self) -> Option<Price> {
        let cost = &self.cost;
        // Micro- to nano-dollars.
        let nano = |price: u32| NanoUsd(u64::from(price) * 1000);
        let stated = |price: u32| (price != NONE).then(|| nano(price));
        let rates = Rates {
            input: nano(cost.input),
            output: nano(cost.output),
            cache_read: stated(cost.cached),
            cache_write_5m: stated(cost.written),
            cache_write_1h: stated(cost.written_1h),
            audio_input: stated(cost.heard),
            audio_output: stated(cost.said),
        };
        let steps = cost.steps.iter().filter(|step| step.above > 0);
        let tier = |step: &Step| Tier {
            above: step.above.into(),
            rates: Rates {
                input: nano(step.input),
                output: nano(step.output),
                cache_read: stated(step.cached),
                cache_write_5m: stated(step.written),
                // Twice the input is what a longer write costs where one is sold.
                cache_write_1h: stated(cost.written_1h).map(|price| price.max(nano(step.input).times(2))),
                audio_input: stated(cost.heard).map(|price| price.max(nano(step.input))),
                audio_output: stated(cost.said).map(|price| price.max(nano(step.output))),
            },
        };
        self.sold.then(|| Price {
            rates,
            tiers: steps.map(tier).collect(),
            request: NanoUsd(0),
            unit: cost.unit.map(|(per, price)| UnitPrice { per, price: nano(price) }),
            batch_percent: (cost.batch > 0).then_some(cost.batch),
        })
    }
}

impl NanoUsd {
    const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}
