//! Google. Models that draw are priced by the token of an image, which is dearer than one of text.

use super::super::price::Unit;
use super::row::{DRAW, EMBED, HEAR, Maker, READ, SEE, SPEAK, Source, THINK, TOOLS, WATCH, WRITE, also, model};

const ALL: u16 = WRITE | SEE | HEAR | WATCH | READ | TOOLS;
const REASON: u16 = ALL | THINK;
const LONG: u32 = 200_000;

#[rustfmt::skip]
pub(super) static GOOGLE: Maker = Maker {
    source: Source { page: "https://ai.google.dev/gemini-api/docs/pricing", read: "2026-11", through: "models.dev and a transcript of the page of October 2026" },
    sold_at: &["gemini"],
    models: &[
        model("gemini-3", 1_048_576, 65_536, REASON),
        // The price from 1 January 2027 on is twice this one.
        also("gemini-3-8-flash").costs(0.75, 3.75).cached(0.075).batched(),
        also("gemini-3-7-flash").costs(1.5, 7.5).cached(0.15).batched(),
        also("gemini-3-5-flash").costs(1.5, 9.0).cached(0.15).batched(),
        also("gemini-3-5-flash-lite").costs(0.3, 2.5).batched(),
        also("gemini-3-1-pro-preview").costs(2.0, 12.0).cached(0.2).above(LONG, 4.0, 18.0, 0.4).batched(),
        also("gemini-3-1-pro-preview-customtools").costs(2.0, 12.0).cached(0.2).above(LONG, 4.0, 18.0, 0.4).batched(),
        also("gemini-3-1-flash-lite").costs(0.25, 1.5).cached(0.025).heard(0.5).batched(),
        also("gemini-3-1-flash-lite-preview").costs(0.25, 1.5).cached(0.025).heard(0.5).batched(),
        also("gemini-3-pro-preview").costs(2.0, 12.0).cached(0.2).above(LONG, 4.0, 18.0, 0.4).batched(),
        also("gemini-3-flash-preview").costs(0.5, 3.0).cached(0.05).heard(1.0).batched(),
        model("gemini-3-pro-image", 65_536, 32_768, WRITE | SEE | DRAW | THINK).costs(2.0, 120.0).batched(),
        model("gemini-3-pro-image-preview", 65_536, 32_768, WRITE | SEE | DRAW | THINK).costs(2.0, 120.0).batched(),
        model("gemini-3-1-flash-image-preview", 65_536, 65_536, WRITE | SEE | READ | DRAW | THINK).costs(0.5, 60.0).batched(),
        model("gemini-2-5", 1_048_576, 65_536, REASON),
        also("gemini-2-5-pro").costs(1.25, 10.0).cached(0.125).above(LONG, 2.5, 15.0, 0.25).batched(),
        also("gemini-2-5-flash").costs(0.3, 2.5).cached(0.03).heard(1.0).batched(),
        also("gemini-2-5-flash-lite").costs(0.1, 0.4).cached(0.01).heard(0.3).batched(),
        model("gemini-2-5-flash-image", 32_768, 32_768, WRITE | SEE | DRAW).costs(0.3, 30.0).batched(),
        model("gemini-2-5-computer-use", 128_000, 64_000, WRITE | SEE | TOOLS | THINK),
        model("gemini-pro-latest", 1_048_576, 65_536, REASON),
        model("gemini-flash-latest", 1_048_576, 65_536, REASON),
        model("gemini-flash-lite-latest", 1_048_576, 65_536, REASON),
        model("gemini-2-0-flash", 1_048_576, 8_192, ALL).costs(0.1, 0.4).cached(0.025).heard(0.7).batched(),
        also("gemini-2-0-flash-lite").costs(0.075, 0.3).batched(),
        model("gemini-embedding-001", 2_048, 0, EMBED).costs(0.15, 0.0).batched(),
        model("gemini-embedding-2", 8_192, 0, EMBED | SEE | HEAR | WATCH | READ).costs(0.2, 0.0).heard(6.5),
        model("imagen-4-0-fast-generate", 0, 0, DRAW).each(Unit::Image, 0.02),
        model("imagen-4-0-generate", 0, 0, DRAW).each(Unit::Image, 0.04),
        model("imagen-4-0-ultra-generate", 0, 0, DRAW).each(Unit::Image, 0.06),
        model("veo-3-1-generate-preview", 0, 0, SEE | DRAW | SPEAK).each(Unit::Second, 0.4),
        model("gemma-4", 262_144, 32_768, WRITE | SEE | TOOLS | THINK),
        model("gemma-3", 131_072, 8_192, WRITE | SEE),
        model("gemma-2", 8_192, 0, WRITE),
    ],
};
