//! What a document says of prices, as the model catalog has them.

use super::document::{PriceSection, TierSection};
use crate::model::{Price, Rates, Tier};

/// The price that a section states.
pub(super) fn price(section: &PriceSection) -> Price {
    Price {
        rates: Rates {
            input: section.input,
            output: section.output,
            cache_read: section.cache_read,
            cache_write_5m: section.cache_write,
            cache_write_1h: section.cache_write_1h,
            audio_input: section.audio_input,
            audio_output: section.audio_output,
        },
        tiers: section.tiers.iter().map(|tier| self::tier(section, tier)).collect(),
        request: section.request.unwrap_or_default(),
        ..Price::FREE
    }
}

fn tier(section: &PriceSection, tier: &TierSection) -> Tier {
    let rates = Rates {
        input: tier.input,
        output: tier.output,
        cache_read: tier.cache_read,
        cache_write_5m: tier.cache_write,
        cache_write_1h: tier.cache_write_1h,
        // Sound has one price, however long the input is; but never less than words have.
        audio_input: section.audio_input.map(|price| price.max(tier.input)),
        audio_output: section.audio_output.map(|price| price.max(tier.output)),
    };
    Tier { above: tier.above, rates }
}
