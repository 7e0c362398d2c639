//! Anthropic. What is written to the cache costs a quarter more than fresh input for five minutes, and twice as much for an hour.

use super::row::{Maker, Model, READ, SEE, Source, THINK, TOOLS, WRITE, also, model};

const CHAT: u16 = WRITE | SEE | READ | TOOLS;
const REASON: u16 = CHAT | THINK;

/// Dollars for input, output and input from the cache; the rest follows.
const fn claude(row: Model, input: f64, output: f64, cached: f64) -> Model {
    row.costs(input, output).cached(cached).written(input * 1.25).for_an_hour(input * 2.0).batched()
}

pub(super) static OWN_PAGE: Maker = Maker {
    source: Source { page: "https://platform.claude.com/docs/en/about-claude/pricing", read: "2026-11", through: "" },
    sold_at: &["anthropic"],
    models: &[
        claude(also("claude-opus-5"), 5.0, 25.0, 0.5),
        claude(model("claude-opus-4-6", 1_000_000, 128_000, REASON), 5.0, 25.0, 0.5),
        claude(model("claude-opus-4-5", 200_000, 64_000, REASON), 5.0, 25.0, 0.5),
        claude(model("claude-opus-4", 200_000, 32_000, REASON), 15.0, 75.0, 1.5),
        claude(also("claude-opus-4-1"), 15.0, 75.0, 1.5),
        claude(model("claude-4-opus", 200_000, 32_000, REASON), 15.0, 75.0, 1.5),
        claude(model("claude-sonnet-4-6", 1_000_000, 128_000, REASON), 3.0, 15.0, 0.3),
        // Beyond 200,000 tokens only with a beta header.
        claude(model("claude-sonnet-4", 200_000, 64_000, REASON), 3.0, 15.0, 0.3).above_written(200_000, 6.0, 22.5, 0.6, 7.5),
        claude(also("claude-sonnet-4-5"), 3.0, 15.0, 0.3).above_written(200_000, 6.0, 22.5, 0.6, 7.5),
        claude(model("claude-4-sonnet", 200_000, 64_000, REASON), 3.0, 15.0, 0.3).above_written(200_000, 6.0, 22.5, 0.6, 7.5),
        claude(model("claude-haiku-4-5", 200_000, 64_000, REASON), 1.0, 5.0, 0.1),
        claude(model("claude-3-7-sonnet", 200_000, 64_000, REASON), 3.0, 15.0, 0.3),
        claude(model("claude-3-5-haiku", 200_000, 8_192, CHAT), 0.8, 4.0, 0.08),
        claude(model("claude-3-opus", 200_000, 4_096, CHAT), 15.0, 75.0, 1.5),
        model("claude-3-haiku", 200_000, 4_096, CHAT).costs(0.25, 1.25).cached(0.03).written(0.3).for_an_hour(0.5).batched(),
    ],
};

pub(super) static ANTHROPIC: Maker = Maker {
    source: Source {
        page: "https://platform.claude.com/docs/en/about-claude/models/overview",
        read: "2026-11",
        through: "the page itself for fresh input and output, reports that cite it for the cache",
    },
    sold_at: &["anthropic"],
    models: &[
        model("claude-fable-5", 1_000_000, 128_000, REASON),
        claude(also("claude-fable-5-1"), 10.0, 50.0, 0.25),
        model("claude-mythos", 1_000_000, 128_000, REASON),
        model("claude-opus-5", 1_000_000, 128_000, REASON),
        claude(also("claude-opus-5-5"), 4.0, 20.0, 0.2),
        claude(model("claude-opus-4-8", 1_000_000, 128_000, REASON), 5.0, 25.0, 0.5),
        claude(model("claude-opus-4-7", 1_000_000, 128_000, REASON), 5.0, 25.0, 0.5),
        model("claude-sonnet-5", 1_000_000, 128_000, REASON),
        // Two reports say 0.1 and one says 0.2 for the cache.
        claude(also("claude-sonnet-5-5"), 2.0, 10.0, 0.2),
        model("claude-haiku-5", 1_000_000, 128_000, REASON),
        claude(also("claude-haiku-5-5"), 0.1, 0.5, 0.01).above_written(100_000, 0.5, 2.5, 0.05, 0.625),
        model("claude-3-5-sonnet", 200_000, 8_192, CHAT).costs(3.0, 15.0).cached(0.3).written(3.75).batched(),
        model("claude-3-sonnet", 200_000, 4_096, CHAT),
    ],
};
