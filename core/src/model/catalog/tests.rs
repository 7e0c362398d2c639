use std::collections::BTreeSet;

use super::*;
use crate::chat::Usage;
use crate::model::Unit;
use crate::usage::NanoUsd;

fn of(model: &str) -> (Option<u64>, Option<u64>) {
    let limits = limits(model);
    (limits.context, limits.max_output)
}

#[test]
fn claude_gets_the_largest_answer_that_each_model_accepts() {
    for (model, max_output) in [
        ("claude-opus-5-5", 128_000),
        ("claude-opus-4-6", 128_000),
        ("claude-opus-4-5-20251101", 64_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-sonnet-5", 128_000),
        ("claude-sonnet-4-6", 128_000),
        ("claude-sonnet-4-5", 64_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-haiku-4-5-20251001", 64_000),
        ("claude-haiku-5-5", 128_000),
        ("claude-3-7-sonnet-latest", 64_000),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-3-opus-20240229", 4_096),
    ] {
        assert_eq!(of(model).1, Some(max_output), "{model}");
    }
}

#[test]
fn a_model_is_known_however_its_host_spells_it() {
    for model in [
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-sonnet-4.5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-sonnet-4-5@20250929",
        "Claude-Sonnet-4.5",
    ] {
        assert_eq!(of(model), (Some(200_000), Some(64_000)), "{model}");
    }
    for model in ["meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"] {
        assert_eq!(of(model).0, Some(131_072), "{model}");
    }
    assert_eq!(of("Qwen/Qwen3-Coder-480B-A35B-Instruct").0, Some(262_144));
    assert_eq!(of("moonshotai/Kimi-K2-Instruct-0905").0, Some(262_144));
    assert_eq!(of("accounts/x/models/glm-4.6").0, Some(200_000));
}

#[test]
fn the_longest_prefix_wins() {
    assert_eq!(of("gpt-4"), (Some(8_192), Some(8_192)));
    assert_eq!(of("gpt-4.1-mini"), (Some(1_047_576), Some(32_768)));
    assert_eq!(of("gpt-4-1106-preview"), (Some(128_000), Some(4_096)));
    assert_eq!(of("gpt-4o-mini"), (Some(128_000), Some(16_384)));
    assert_eq!(of("gpt-5.4-mini").0, Some(400_000));
    assert_eq!(of("gpt-5.1"), (Some(400_000), Some(128_000)));
    assert_eq!(of("grok-4-0709").0, Some(256_000));
    assert_eq!(of("grok-4.5").0, Some(500_000));
}

#[test]
fn what_is_not_known_has_no_limits() {
    for model in ["", "my-finetune", "claude", "claude-future-9", "openai/", "grok-9"] {
        assert_eq!(limits(model), ModelLimits::default(), "{model}");
    }
    assert_eq!(of("grok-4").1, None);
}

#[test]
fn the_table_is_sound_and_every_group_says_where_it_is_from() {
    let (mut limited, mut sold) = (BTreeSet::new(), BTreeSet::new());
    for maker in MAKERS {
        let source = &maker.source;
        assert!(source.page.starts_with("https://") && source.read.len() == 7, "{source:?}");
        for provider in maker.sold_at {
            assert!(crate::provider::catalog::find(provider).is_some_and(|row| row.name == *provider), "{provider}");
        }
        for row in maker.models {
            assert_eq!(spelled(row.name), row.name, "rows are written as names are compared");
            let (context, max_output) = row.limits;
            assert!(context >= max_output, "{}", row.name);
            assert!(context == 0 || limited.insert(row.name), "{} has limits twice", row.name);
            assert!(row.sold || context > 0, "{} says nothing", row.name);
            assert!(!row.sold || !maker.sold_at.is_empty(), "{} is sold nowhere", row.name);
            for provider in maker.sold_at.iter().filter(|_| row.sold) {
                assert!(sold.insert((*provider, row.name)), "{provider} sells {} twice", row.name);
            }
        }
    }
    let chat = entries().filter(|entry| entry.price.is_some()).count();
    assert!(limited.len() >= 60 && sold.len() >= 150, "{} are sold", sold.len());
    assert_eq!(chat, sold.len());
}

#[test]
fn no_price_contradicts_itself() {
    for entry in entries() {
        let Some(price) = &entry.price else { continue };
        let name = entry.model;
        assert!(price.rates.input.0 > 0 || price.unit.is_some(), "{name} is free");
        assert!(price.rates.input <= NanoUsd(200_000_000_000) && price.rates.output <= NanoUsd(600_000_000_000), "{name}");
        let mut before = (0, price.rates);
        for tier in std::iter::once(&price.rates).chain(price.tiers.iter().map(|tier| &tier.rates)) {
            assert!(tier.cache_read.is_none_or(|read| read <= tier.input), "{name}: the cache is dearer than fresh input");
            assert!(tier.cache_write_5m.is_none_or(|write| write >= tier.input), "{name}: writing is cheaper than reading");
        }
        for tier in &price.tiers {
            assert!(tier.above > before.0, "{name}: tiers ascend");
            assert!(tier.rates.input >= before.1.input && tier.rates.output >= before.1.output, "{name}: long is not cheaper");
            before = (tier.above, tier.rates);
        }
        assert!(!entry.output.is_empty() && !entry.input.is_empty(), "{name}: what does it do?");
        assert!(entry.output.contains(&"text") || !entry.tools, "{name}");
    }
}

#[test]
fn every_kind_of_model_is_there() {
    let count = |kind: &str| entries().filter(|entry| entry.price.is_some() && entry.output.contains(&kind)).count();
    assert!(count("text") >= 130 && count("embedding") >= 7 && count("image") >= 8 && count("audio") >= 8);
    let priced: Vec<Entry> = entries().filter(|entry| entry.price.is_some()).collect();
    let per =
        |unit: Unit| priced.iter().any(|entry| entry.price.as_ref().and_then(|price| price.unit).is_some_and(|u| u.per == unit));
    assert!(per(Unit::Image) && per(Unit::Minute) && per(Unit::MillionCharacters));
    assert!(
        priced
            .iter()
            .any(|entry| entry.reasoning && entry.tools && entry.input == ["text", "image", "audio", "video", "document"])
    );
}

fn cost(provider: &str, model: &str, usage: Usage) -> Option<String> {
    price(provider, model).map(|price| price.cost(&usage).to_string())
}

#[test]
fn bills_are_what_the_makers_pages_make_them() {
    // 1,000 x 4 + 50,000 x 0.2 + 2,000 x 5 + 1,000 x 8 + 500 x 20, a million
    let usage =
        Usage { input: 1_000, cache_read: 50_000, cache_write_5m: 2_000, cache_write_1h: 1_000, output: 500, ..Usage::default() };
    assert_eq!(cost("anthropic", "claude-opus-5-5", usage).as_deref(), Some("0.042usd"));
    // 272,000 is short: 22,000 x 2.5 + 250,000 x 0.25 + 1,000 x 15 a million; one token more, and it is 5, 0.5 and 22.5.
    let short = Usage { input: 22_000, cache_read: 250_000, output: 400, reasoning: 600, ..Usage::default() };
    assert_eq!(cost("openai", "gpt-5.4", short).as_deref(), Some("0.1325usd"));
    assert_eq!(cost("openai", "gpt-5.4-2026-03-05", Usage { input: 22_001, ..short }).as_deref(), Some("0.257505usd"));
    // 10,000 x 0.3 + 20,000 x 1 + 1,000 x 2.5, a million
    let heard = Usage { input: 10_000, audio_input: 20_000, output: 1_000, ..Usage::default() };
    assert_eq!(cost("gemini", "gemini-2.5-flash", heard).as_deref(), Some("0.0255usd"));
    // Four tiers: 200,000 tokens are in the third.
    let long = Usage { input: 200_000, output: 1_000, ..Usage::default() };
    assert_eq!(cost("dashscope-intl", "qwen3-coder-plus", long).as_deref(), Some("0.615usd"));
    assert_eq!(cost("groq", "openai/gpt-oss-120b", Usage { input: 1_000_000, ..Usage::default() }).as_deref(), Some("0.15usd"));
}

#[test]
fn another_model_or_another_seller_is_another_price() {
    let usage = Usage { input: 1_000_000, ..Usage::default() };
    for (provider, model) in [
        ("openai", "gpt-5-turbo"),
        ("openai", "gpt-5.9"),
        ("openai", "gpt-4o-mini-2"),
        ("openai", "gpt-4o:free"),
        ("anthropic", "claude-opus-5-9"),
        ("anthropic", "claude-sonnet-4-5-20250929-fast"),
        ("mistral", "mistral-large-2701"),
        ("openrouter", "openai/gpt-4o"),
        ("acme", "gpt-4o"),
        ("perplexity", "sonar"),
        ("openai", ""),
    ] {
        assert_eq!(cost(provider, model, usage), None, "{provider}/{model}");
    }
    for (provider, model, price) in [
        ("openai", "gpt-4o-2024-11-20", "2.5usd"),
        ("openai", "gpt-4o-2024-05-13", "5usd"),
        ("anthropic", "claude-sonnet-4-5-20250929", "6usd"),
        ("anthropic", "claude-3-5-haiku-latest", "0.8usd"),
        ("gemini", "gemini-2.0-flash-001", "0.1usd"),
    ] {
        assert_eq!(cost(provider, model, usage).as_deref(), Some(price), "{provider}/{model}");
    }
}
