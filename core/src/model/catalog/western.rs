//! xAI, Mistral, Meta, Cohere, Perplexity and AI21.

use super::super::price::Unit;
use super::openai::open_weights;
use super::row::{DRAW, EMBED, HEAR, Maker, READ, SEE, Source, THINK, TOOLS, WRITE, also, model};

const TEXT: u16 = WRITE | TOOLS;
const CHAT: u16 = TEXT | SEE;

#[rustfmt::skip]
pub(super) static XAI: Maker = Maker {
    source: Source { page: "https://docs.x.ai/developers/pricing", read: "2026-11", through: "models.dev, which cites the page" },
    sold_at: &["xai"],
    models: &[
        model("grok-4", 256_000, 0, CHAT | THINK).costs(3.0, 15.0).cached(0.75).above(128_000, 6.0, 30.0, 0.75),
        also("grok-4-0709").costs(3.0, 15.0).cached(0.75).above(128_000, 6.0, 30.0, 0.75),
        model("grok-4-fast", 2_000_000, 0, CHAT | THINK).costs(0.2, 0.5).cached(0.05).above(128_000, 0.4, 1.0, 0.05),
        model("grok-4-1-fast", 2_000_000, 0, CHAT | THINK).costs(0.2, 0.5).cached(0.05).above(128_000, 0.4, 1.0, 0.05),
        model("grok-4-20", 1_000_000, 0, CHAT | THINK),
        also("grok-4-20-0309-reasoning").costs(1.25, 2.5).cached(0.2).above(200_000, 4.0, 12.0, 0.4),
        also("grok-4-20-0309-non-reasoning").costs(1.25, 2.5).cached(0.2).above(200_000, 4.0, 12.0, 0.4),
        model("grok-4-3", 1_000_000, 0, CHAT | THINK).costs(1.25, 2.5).cached(0.2).above(200_000, 2.5, 5.0, 0.4),
        model("grok-4-5", 500_000, 0, CHAT | READ | THINK).costs(2.0, 6.0).cached(0.5).above(200_000, 4.0, 12.0, 1.0),
        model("grok-4-6", 500_000, 0, CHAT | READ | THINK).costs(2.0, 6.0).cached(0.5).above(200_000, 4.0, 12.0, 1.0),
        model("grok-4-7", 500_000, 0, CHAT | READ | THINK).costs(2.0, 6.0).cached(0.5).above(200_000, 4.0, 12.0, 1.0),
        model("grok-code-fast", 256_000, 0, TEXT | THINK),
        also("grok-code-fast-1").costs(0.2, 1.5).cached(0.02),
        model("grok-build", 256_000, 0, CHAT | READ | THINK),
        also("grok-build-0-1").costs(1.0, 2.0).cached(0.2),
        model("grok-3", 131_072, 0, TEXT).costs(3.0, 15.0).cached(0.75),
        also("grok-3-mini").costs(0.3, 0.5).cached(0.075),
        model("grok-imagine-image-2-0", 0, 0, SEE | DRAW).each(Unit::Image, 0.04),
    ],
};

#[rustfmt::skip]
pub(super) static MISTRAL: Maker = Maker {
    source: Source { page: "https://docs.mistral.ai/inference/pricing", read: "2026-11", through: "models.dev, which cites the page" },
    sold_at: &["mistral"],
    models: &[
        // The list price; half of it while this is a preview.
        model("mistral-large-4", 1_048_576, 0, CHAT | THINK).costs(1.36, 4.18).cached(0.14),
        model("mistral-large", 262_144, 0, CHAT),
        also("mistral-large-2512").costs(0.5, 1.5),
        model("mistral-large-24", 131_072, 0, TEXT),
        also("mistral-large-2411").costs(2.0, 6.0),
        model("mistral-medium", 262_144, 0, CHAT),
        also("mistral-medium-3-5").costs(1.5, 7.5),
        also("mistral-medium-2604").costs(1.5, 7.5),
        model("mistral-medium-25", 131_072, 0, CHAT),
        also("mistral-medium-2505").costs(0.4, 2.0),
        also("mistral-medium-2508").costs(0.4, 2.0),
        model("mistral-small-26", 262_144, 0, CHAT | THINK),
        also("mistral-small-2603").costs(0.15, 0.6),
        model("mistral-small-latest", 262_144, 0, CHAT | THINK).costs(0.15, 0.6),
        model("mistral-small-3", 131_072, 0, CHAT),
        model("mistral-small-25", 131_072, 0, CHAT),
        also("mistral-small-2506").costs(0.1, 0.3),
        model("ministral-3b", 131_072, 0, TEXT),
        also("ministral-3b-2512").costs(0.1, 0.1).cached(0.01),
        model("ministral-8b", 131_072, 0, TEXT),
        model("ministral-8b-2512", 262_144, 0, CHAT).costs(0.15, 0.15).cached(0.015),
        model("ministral-14b", 262_144, 0, CHAT),
        also("ministral-14b-2512").costs(0.2, 0.2).cached(0.02),
        model("magistral", 131_072, 0, TEXT | THINK),
        also("magistral-medium").costs(2.0, 5.0),
        also("magistral-small-latest").costs(0.15, 0.6),
        model("codestral", 128_000, 0, TEXT),
        also("codestral-2508").costs(0.3, 0.9).cached(0.03),
        also("codestral-latest").costs(0.3, 0.9).cached(0.03),
        model("devstral", 131_072, 0, TEXT),
        model("devstral-2512", 262_144, 0, TEXT).costs(0.4, 2.0),
        model("devstral-medium-latest", 256_000, 0, TEXT).costs(0.4, 2.0),
        model("devstral-small-latest", 256_000, 0, TEXT),
        model("pixtral", 128_000, 0, CHAT),
        also("pixtral-large").costs(2.0, 6.0),
        // Sound is 0.004 dollars a minute, which usage does not tell apart: see docs/prices.md.
        model("voxtral-small", 32_768, 0, TEXT | HEAR),
        model("open-mistral-nemo", 128_000, 0, TEXT),
        model("mistral-nemo", 128_000, 0, TEXT),
        model("mixtral-8x22b", 65_536, 0, TEXT),
        model("mixtral-8x7b", 32_768, 0, WRITE),
        model("mistral-embed", 8_192, 0, EMBED).costs(0.1, 0.0),
        model("mistral-embed-2312", 8_192, 0, EMBED).costs(0.1, 0.0),
        model("codestral-embed", 8_192, 0, EMBED).costs(0.15, 0.0),
        model("codestral-embed-2505", 8_192, 0, EMBED).costs(0.15, 0.0),
    ],
};

pub(super) static META: Maker = Maker {
    source: Source { page: "https://www.llama.com/docs/model-cards-and-prompt-formats/", read: "2026-11", through: "" },
    sold_at: &[],
    models: &[
        model("llama-4-scout", 10_485_760, 0, CHAT),
        model("llama-4-maverick", 1_048_576, 0, CHAT),
        open_weights("llama-3-3", 131_072, 0),
        open_weights("llama-3-2", 131_072, 0),
        open_weights("llama-3-1", 131_072, 0),
        open_weights("llama-3", 8_192, 0),
        model("llama-2", 4_096, 0, WRITE),
        model("muse-spark", 1_048_576, 131_072, CHAT | THINK),
    ],
};

#[rustfmt::skip]
pub(super) static COHERE: Maker = Maker {
    source: Source { page: "https://cohere.com/pricing", read: "2026-11", through: "models.dev and a list that cites the page" },
    sold_at: &["cohere"],
    models: &[
        model("command-a", 256_000, 8_000, TEXT),
        also("command-a-03-2025").costs(2.5, 10.0),
        model("command-a-plus", 128_000, 64_000, CHAT | THINK),
        also("command-a-plus-05-2026").costs(2.5, 10.0),
        model("command-a-reasoning", 256_000, 32_000, TEXT | THINK),
        also("command-a-reasoning-08-2025").costs(2.5, 10.0),
        model("command-a-vision", 128_000, 8_000, WRITE | SEE),
        also("command-a-vision-07-2025").costs(2.5, 10.0),
        also("command-a-translate-08-2025").costs(2.5, 10.0),
        model("command-r", 128_000, 4_000, TEXT),
        also("command-r-08-2024").costs(0.15, 0.6),
        also("command-r-plus-08-2024").costs(2.5, 10.0),
        also("command-r7b-12-2024").costs(0.0375, 0.15),
        model("c4ai-aya-expanse-32b", 128_000, 4_000, WRITE),
        model("c4ai-aya-expanse-8b", 8_000, 4_000, WRITE),
    ],
};

pub(super) static PERPLEXITY: Maker = Maker {
    // Each search costs beside the tokens, by a context size that a request chooses: so no price here.
    source: Source { page: "https://docs.perplexity.ai/getting-started/models", read: "2026-11", through: "" },
    sold_at: &[],
    models: &[model("sonar", 128_000, 0, WRITE), model("sonar-pro", 200_000, 8_000, WRITE | SEE)],
};

pub(super) static AI21: Maker = Maker {
    source: Source { page: "https://docs.ai21.com/reference/jamba-1-6-api-ref", read: "2026-11", through: "" },
    sold_at: &[],
    models: &[model("jamba", 256_000, 4_096, TEXT)],
};
