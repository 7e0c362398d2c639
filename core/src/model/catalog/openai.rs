//! OpenAI. A long context doubles the price of input and makes that of output half as high again, for the whole request.
//!
//! Models whose output is an image are priced by the token of an image, which is dearer than one of text.

use super::super::price::Unit;
use super::row::{DRAW, EMBED, HEAR, MUTE, Maker, Model, READ, SEE, SPEAK, Source, THINK, TOOLS, WRITE, also, model};

const CHAT: u16 = WRITE | SEE | READ | TOOLS;
const REASON: u16 = CHAT | THINK;
const TEXT: u16 = WRITE | TOOLS;
const LONG: u32 = 272_000;

pub(super) static OWN_PAGE: Maker = Maker {
    source: Source { page: "https://developers.openai.com/api/docs/models", read: "2026-11", through: "" },
    sold_at: &["openai"],
    models: &[
        model("gpt-6", 1_050_000, 128_000, REASON),
        also("gpt-6-2-sol")
            .costs(2.0, 10.0)
            .cached(0.1)
            .written(2.5)
            .for_an_hour(5.0)
            .above_written(LONG, 4.0, 15.0, 0.2, 5.0)
            .batched(),
        model("gpt-5-6", 1_050_000, 128_000, REASON),
        also("gpt-5-6-luna").costs(0.2, 1.2).cached(0.02).written(0.25).above_written(LONG, 0.4, 1.8, 0.04, 0.5).batched(),
    ],
};

#[rustfmt::skip]
pub(super) static OPENAI: Maker = Maker {
    source: Source { page: "https://developers.openai.com/api/docs/pricing", read: "2026-11", through: "models.dev, LiteLLM's list and reports that cite the page" },
    sold_at: &["openai"],
    models: &[
        also("gpt-6-1-sol").costs(2.0, 10.0).cached(0.1).written(2.5).above_written(LONG, 4.0, 15.0, 0.2, 5.0).batched(),
        also("gpt-6-1-terra").costs(1.0, 5.0).cached(0.05).written(1.25).for_an_hour(2.5).above_written(LONG, 2.0, 7.5, 0.1, 2.5).batched(),
        also("gpt-6-astra").costs(10.0, 50.0).cached(1.0).written(12.5).above_written(LONG, 20.0, 75.0, 2.0, 25.0).batched(),
        also("gpt-6-sol").costs(2.0, 10.0).cached(0.2).written(2.5).above_written(LONG, 4.0, 15.0, 0.4, 5.0).batched(),
        also("gpt-6-luna").costs(0.1, 0.5).cached(0.01).written(0.125).above_written(LONG, 0.2, 0.75, 0.02, 0.25).batched(),
        also("gpt-5-6-sol").costs(4.0, 20.0).cached(0.4).written(5.0).above_written(LONG, 8.0, 30.0, 0.8, 10.0).batched(),
        also("gpt-5-6-terra").costs(2.0, 12.0).cached(0.2).written(2.5).above_written(LONG, 4.0, 18.0, 0.4, 5.0).batched(),
        model("gpt-5-5", 1_050_000, 128_000, REASON).costs(5.0, 30.0).cached(0.5).above(LONG, 10.0, 45.0, 1.0).batched(),
        also("gpt-5-5-pro").costs(30.0, 180.0).above(LONG, 60.0, 270.0, 60.0).batched(),
        model("gpt-5-4", 1_050_000, 128_000, REASON).costs(2.5, 15.0).cached(0.25).above(LONG, 5.0, 22.5, 0.5).batched(),
        also("gpt-5-4-pro").costs(30.0, 180.0).above(LONG, 60.0, 270.0, 60.0).batched(),
        model("gpt-5-4-mini", 400_000, 128_000, REASON).costs(0.75, 4.5).cached(0.075).batched(),
        model("gpt-5-4-nano", 400_000, 128_000, REASON).costs(0.2, 1.25).cached(0.02).batched(),
        model("gpt-5", 400_000, 128_000, REASON).costs(1.25, 10.0).cached(0.125).batched(),
        also("gpt-5-mini").costs(0.25, 2.0).cached(0.025).batched(),
        also("gpt-5-nano").costs(0.05, 0.4).cached(0.005).batched(),
        model("gpt-5-pro", 400_000, 272_000, REASON).costs(15.0, 120.0).batched(),
        also("gpt-5-codex").costs(1.25, 10.0).cached(0.125),
        model("gpt-5-chat", 128_000, 16_384, CHAT).costs(1.25, 10.0).cached(0.125),
        also("gpt-5-1").costs(1.25, 10.0).cached(0.125).batched(),
        also("gpt-5-1-codex").costs(1.25, 10.0).cached(0.125),
        also("gpt-5-1-codex-max").costs(1.25, 10.0).cached(0.125),
        also("gpt-5-1-codex-mini").costs(0.25, 2.0).cached(0.025),
        model("gpt-5-1-chat", 128_000, 16_384, CHAT).costs(1.25, 10.0).cached(0.125),
        also("gpt-5-2").costs(1.75, 14.0).cached(0.175).batched(),
        also("gpt-5-2-pro").costs(21.0, 168.0).batched(),
        also("gpt-5-2-codex").costs(1.75, 14.0).cached(0.175),
        model("gpt-5-2-chat", 128_000, 16_384, CHAT).costs(1.75, 14.0).cached(0.175),
        also("gpt-5-3-codex").costs(1.75, 14.0).cached(0.175),
        model("gpt-5-3-chat", 128_000, 16_384, CHAT),
        model("gpt-4-1", 1_047_576, 32_768, CHAT).costs(2.0, 8.0).cached(0.5).batched(),
        also("gpt-4-1-mini").costs(0.4, 1.6).cached(0.1).batched(),
        also("gpt-4-1-nano").costs(0.1, 0.4).cached(0.025).batched(),
        model("gpt-4-1106", 128_000, 4_096, TEXT),
        also("gpt-4-1106-preview").costs(10.0, 30.0),
        model("gpt-4-0125-preview", 128_000, 4_096, TEXT).costs(10.0, 30.0),
        model("gpt-4o", 128_000, 16_384, CHAT).costs(2.5, 10.0).cached(1.25).batched(),
        model("gpt-4o-2024-05-13", 128_000, 4_096, CHAT).costs(5.0, 15.0).batched(),
        also("gpt-4o-mini").costs(0.15, 0.6).cached(0.075).batched(),
        model("gpt-4o-audio-preview", 128_000, 16_384, WRITE | HEAR | SPEAK | TOOLS).costs(2.5, 10.0).sound(40.0, 80.0),
        model("gpt-4o-mini-audio-preview", 128_000, 16_384, WRITE | HEAR | SPEAK | TOOLS).costs(0.15, 0.6).sound(10.0, 20.0),
        model("chatgpt-4o", 128_000, 16_384, WRITE | SEE).costs(5.0, 15.0),
        model("gpt-audio", 128_000, 16_384, WRITE | HEAR | SPEAK | TOOLS).costs(2.5, 10.0).sound(32.0, 64.0),
        also("gpt-audio-mini").costs(0.6, 2.4).sound(10.0, 20.0),
        model("gpt-realtime", 32_000, 4_096, WRITE | SEE | HEAR | SPEAK | TOOLS).costs(4.0, 16.0).cached(0.4).sound(32.0, 64.0),
        also("gpt-realtime-1-5").costs(4.0, 16.0).cached(0.4).sound(32.0, 64.0),
        also("gpt-realtime-2").costs(4.0, 16.0).cached(0.4).sound(32.0, 64.0),
        model("gpt-realtime-2-1", 128_000, 32_000, WRITE | SEE | HEAR | SPEAK | TOOLS).costs(4.0, 24.0).cached(0.4).sound(32.0, 64.0),
        model("gpt-realtime-2-1-mini", 128_000, 4_096, WRITE | SEE | HEAR | SPEAK | TOOLS).costs(0.6, 2.4).cached(0.06).sound(10.0, 20.0),
        model("gpt-realtime-mini", 128_000, 4_096, WRITE | HEAR | SPEAK | TOOLS).costs(0.6, 2.4).sound(10.0, 20.0),
        model("gpt-realtime-whisper", 16_000, 2_000, WRITE | HEAR | MUTE).each(Unit::Minute, 0.017),
        model("gpt-4-turbo", 128_000, 4_096, CHAT).costs(10.0, 30.0).batched(),
        model("gpt-4", 8_192, 8_192, TEXT).costs(30.0, 60.0).batched(),
        also("gpt-4-0613").costs(30.0, 60.0).batched(),
        model("gpt-3-5-turbo", 16_385, 4_096, TEXT).costs(0.5, 1.5).batched(),
        also("gpt-3-5-turbo-0125").costs(0.5, 1.5).batched(),
        also("gpt-3-5-turbo-1106").costs(1.0, 2.0).batched(),
        model("gpt-oss", 131_072, 131_072, TEXT | THINK),
        model("o1", 200_000, 100_000, REASON).costs(15.0, 60.0).cached(7.5).batched(),
        also("o1-pro").costs(150.0, 600.0).batched(),
        model("o3", 200_000, 100_000, REASON).costs(2.0, 8.0).cached(0.5).batched(),
        model("o3-mini", 200_000, 100_000, TEXT | THINK).costs(1.1, 4.4).cached(0.55).batched(),
        also("o3-pro").costs(20.0, 80.0).batched(),
        also("o3-deep-research").costs(10.0, 40.0).cached(2.5).batched(),
        model("o4-mini", 200_000, 100_000, REASON).costs(1.1, 4.4).cached(0.275).batched(),
        also("o4-mini-deep-research").costs(2.0, 8.0).cached(0.5).batched(),
        model("text-embedding-3-large", 8_192, 0, EMBED).costs(0.13, 0.0).batched(),
        model("text-embedding-3-small", 8_192, 0, EMBED).costs(0.02, 0.0).batched(),
        model("text-embedding-ada-002", 8_192, 0, EMBED).costs(0.1, 0.0).batched(),
        model("gpt-image-1", 0, 0, SEE | DRAW).costs(10.0, 40.0),
        model("gpt-image-1-mini", 0, 0, SEE | DRAW).costs(2.5, 8.0),
        model("gpt-image-2", 0, 0, SEE | DRAW).costs(8.0, 30.0).cached(2.0),
        model("gpt-4o-transcribe", 16_000, 2_000, WRITE | HEAR).costs(2.5, 10.0).heard(6.0),
        model("gpt-4o-mini-transcribe", 16_000, 2_000, WRITE | HEAR).costs(1.25, 5.0).heard(3.0),
        model("gpt-4o-mini-tts", 2_000, 0, SPEAK).costs(0.6, 12.0),
        model("whisper-1", 0, 0, WRITE | HEAR | MUTE).each(Unit::Minute, 0.006),
        model("tts-1", 0, 0, SPEAK).each(Unit::MillionCharacters, 15.0),
        model("tts-1-hd", 0, 0, SPEAK).each(Unit::MillionCharacters, 30.0),
    ],
};

/// Open weights that other hosts serve: what is known of them without a price.
pub(super) const fn open_weights(name: &'static str, context: u32, max_output: u32) -> Model {
    model(name, context, max_output, TEXT)
}
