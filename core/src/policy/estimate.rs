//! What a request can take at most, before it is made: the bound that limits and budgets reserve.
//!
//! [`measure`] reads a request once; [`Measure::bound`] says what it can take at one target; [`Bound::cost`] what that costs at
//! its dearest. A provider's own count replaces all of it afterwards.
//!
//! | part of a request | most tokens |
//! |---|---|
//! | everything that is not media: text, tools, schemas, the JSON around them | one a byte: no tokenizer makes more |
//! | an image, in the body or by its address | 16,384; 49,152 at `gpt-4o-mini`, which counts tiles 33 times |
//! | WAV and MP3 sound | 32 a second, at the lowest rate that the format has |
//! | other sound | one a byte of base64 |
//! | a document, a film, anything by reference (a file, a cache, an earlier answer), FLAC | the model's context |
//! | what the provider adds | 256, and 2,048 when there are tools; at `xai` 1,024 more |
//! | the whole input | the model's context, where that is known |
//! | an answer | what the request allows, else the model's most, else its context, else 131,072 |
//! | an answer at `xai`, where thoughts come on top of what was allowed | the model's most, else its context |
//!
//! With a [`TokenCounter`] that knows the model, text counts as its tokens (the JSON around it included) and a tenth more.
//!
//! What it does not bound: what a provider's own tools (web search, code execution) bring into the model's context over several
//! turns. Such a request may take more than it reserved. What it took is charged nevertheless, and the next one is refused.
//!
//! Sources: OpenAI's and Anthropic's pages on images and vision, Gemini's on media tokens (November 2026). That bounds hold is
//! tested against what providers really counted, see `core/tests/estimate.rs`.

mod measure;

use crate::config::Target;
use crate::model::{Price, Rates, sum};
use crate::ports::TokenCounter;
use crate::usage::NanoUsd;

pub use measure::{Measure, measure};

/// Most tokens that a request can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Input, cached or not.
    pub input: u64,
    /// Output, all answers and their reasoning together.
    pub output: u64,
    /// Whether some of the input may be sound.
    pub sound_input: bool,
    /// Whether some of the output may be sound.
    pub sound_output: bool,
    /// Whether some of the input may be written to a cache for an hour.
    pub cached_for_an_hour: bool,
}

/// Most tokens of one image, where no model is known to count more.
const IMAGE: u64 = 16_384;

/// Models that count more for an image, by the beginning of their names.
const DEAR_IMAGES: &[(&str, u64)] = &[("gpt-4o-mini", 49_152)];

/// What a provider adds to every request: a system message, the frame of a conversation.
const ADDED: u64 = 256;

/// What a provider adds when there are tools.
const ADDED_FOR_TOOLS: u64 = 2_048;

/// What some providers add beyond that.
const ADDED_AT: &[(&str, u64)] = &[("xai", 1_024)];

/// Providers that count thoughts beside what a request allows.
const THINKS_BESIDE: &[&str] = &["xai"];

/// Most tokens of an answer of which nothing is known.
pub const UNKNOWN_OUTPUT: u64 = 131_072;

/// Most tokens of a document of which nothing is known, at a model of which nothing is known.
pub const UNKNOWN_CONTEXT: u64 = 1_048_576;

impl Measure<'_> {
    /// What the request can take at `target`, at most.
    pub fn bound(&self, target: &Target, counter: Option<&dyn TokenCounter>) -> Bound {
        let (provider, limits) = (target.provider.row.name.as_ref(), target.limits);
        let name = target.model.rsplit('/').next().unwrap_or(&target.model);
        let at = |table: &[(&str, u64)], what: &str, other: u64| {
            table.iter().find(|(known, _)| what.starts_with(known)).map_or(other, |(_, tokens)| *tokens)
        };
        let counted = counter.and_then(|counter| self.count(counter, &target.model));
        let text = counted.map_or(self.text_bytes, |tokens| tokens.saturating_add(tokens / 10).min(self.text_bytes));
        let tools = if self.tools { ADDED_FOR_TOOLS } else { 0 };
        let images = self.images.saturating_mul(at(DEAR_IMAGES, name, IMAGE));
        let parts = [text, images, self.sound_tokens, tools, ADDED, at(ADDED_AT, provider, 0)];
        let told = parts.into_iter().fold(0, u64::saturating_add);
        let input = match (limits.context, self.untold) {
            (Some(context), true) => context,
            (Some(context), false) => told.min(context),
            (None, true) => told.max(UNKNOWN_CONTEXT),
            (None, false) => told,
        };
        let most = limits.max_output.or(limits.context).unwrap_or(UNKNOWN_OUTPUT);
        let answer = match self.asked {
            Some(_) if THINKS_BESIDE.contains(&provider) => most,
            Some(asked) => asked.min(limits.context.unwrap_or(u64::MAX)),
            None => most,
        };
        Bound {
            input,
            output: answer.saturating_mul(self.answers),
            sound_input: self.sound_input,
            sound_output: self.sound_output,
            cached_for_an_hour: self.cached_for_an_hour,
        }
    }
}

impl Bound {
    /// Input and output.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// What the request costs at most: everything at the dearest price that it could have, in the dearest tier that its input
    /// can reach.
    pub fn cost(&self, price: &Price) -> NanoUsd {
        let tiers = price.tiers.iter().filter(|tier| self.input > tier.above).map(|tier| &tier.rates);
        tiers.chain([&price.rates]).map(|rates| self.at(rates, price.request)).max().unwrap_or_default()
    }

    fn at(&self, rates: &Rates, request: NanoUsd) -> NanoUsd {
        let written = rates.cache_write_5m.unwrap_or(rates.input);
        let hour = if self.cached_for_an_hour { rates.cache_write_1h.unwrap_or(written) } else { written };
        let heard = if self.sound_input { rates.audio_input.unwrap_or(rates.input) } else { rates.input };
        let said = if self.sound_output { rates.audio_output.unwrap_or(rates.output) } else { rates.output };
        let read = rates.cache_read.unwrap_or(rates.input);
        let input = [rates.input, written, hour, heard, read].into_iter().max().unwrap_or_default();
        sum(request, &[(self.input, input), (self.output, said.max(rates.output))])
    }

    /// What covers both: of the candidates of a plan, any may answer.
    pub fn or(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            sound_input: self.sound_input || other.sound_input,
            sound_output: self.sound_output || other.sound_output,
            cached_for_an_hour: self.cached_for_an_hour || other.cached_for_an_hour,
        }
    }
}
