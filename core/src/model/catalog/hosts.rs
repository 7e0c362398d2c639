//! Hosts that sell what others made.

use super::row::{Maker, Source, also};

pub(super) static GROQ: Maker = Maker {
    source: Source { page: "https://groq.com/pricing", read: "2026-11", through: "models.dev and lists that cite the page" },
    sold_at: &["groq"],
    models: &[
        also("gpt-oss-120b").costs(0.15, 0.6).cached(0.075).batched(),
        also("gpt-oss-20b").costs(0.075, 0.3).cached(0.0375).batched(),
        also("llama-3-3-70b-versatile").costs(0.59, 0.79).batched(),
        also("llama-3-1-8b-instant").costs(0.05, 0.08).batched(),
        also("qwen3-32b").costs(0.29, 0.59).batched(),
        also("qwen3-8-27b").costs(0.8, 4.0).cached(0.4).batched(),
    ],
};
