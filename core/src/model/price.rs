//! Prices, and what a request costs at them.
//!
//! Prices are whole micro-dollars per million tokens (2.50 USD is 2,500,000), so a catalog never holds a fraction and a
//! cost is computed in integers, rounded up to a nano-dollar once.

use crate::chat::Usage;
use crate::usage::NanoUsd;

/// Prices in micro-dollars per million tokens. `None` where the provider states none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Fresh input.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the provider's cache; as fresh input when left out.
    pub cache_read: Option<u64>,
    /// Input written to the cache for the default time; as fresh input when left out.
    pub cache_write_5m: Option<u64>,
    /// Input written to the cache for an hour; as for the default time when left out.
    pub cache_write_1h: Option<u64>,
    /// Audio input; as input when left out.
    pub audio_input: Option<u64>,
    /// Audio output; as output when left out.
    pub audio_output: Option<u64>,
}

impl Price {
    /// What `usage` costs.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let write_5m = self.cache_write_5m.unwrap_or(self.input);
        let parts = [
            (usage.input, self.input),
            (usage.cache_read, self.cache_read.unwrap_or(self.input)),
            (usage.cache_write_5m, write_5m),
            (usage.cache_write_1h, self.cache_write_1h.unwrap_or(write_5m)),
            (usage.audio_input, self.audio_input.unwrap_or(self.input)),
            (usage.output, self.output),
            (usage.reasoning, self.output),
            (usage.audio_output, self.audio_output.unwrap_or(self.output)),
        ];
        let pico = parts.iter().fold(0_u128, |sum, (tokens, price)| sum + u128::from(*tokens) * u128::from(*price));
        NanoUsd(u64::try_from(pico.div_ceil(1000)).unwrap_or(u64::MAX))
    }
}
