//! DeepSeek, Alibaba, Moonshot, Z.ai and MiniMax: what they sell for dollars. Their Chinese platforms sell for yuan, and have no
//! prices here.

use super::row::{HEAR, Maker, READ, SEE, Source, THINK, TOOLS, WATCH, WRITE, also, model};

const TEXT: u16 = WRITE | TOOLS;
const CHAT: u16 = TEXT | SEE;

pub(super) static DEEPSEEK: Maker = Maker {
    // Prices are those of peak hours, 1:00 to 4:00 and 6:00 to 10:00 UTC; at other times half of them is paid.
    source: Source {
        page: "https://api-docs.deepseek.com/quick_start/pricing",
        read: "2026-11",
        through: "models.dev, which cites the page",
    },
    sold_at: &["deepseek"],
    models: &[
        model("deepseek-v4", 1_000_000, 393_216, TEXT | THINK),
        also("deepseek-v4-pro").costs(1.32, 3.96).cached(0.044),
        also("deepseek-v4-flash").costs(0.44, 1.32).cached(0.014),
        model("deepseek-flash", 1_000_000, 393_216, TEXT | THINK).costs(0.3, 1.2).cached(0.006),
        model("deepseek-chat", 131_072, 8_192, TEXT),
        model("deepseek-reasoner", 131_072, 65_536, TEXT | THINK),
        model("deepseek-v3", 131_072, 0, TEXT),
        model("deepseek-r1", 131_072, 0, WRITE | THINK),
    ],
};

#[rustfmt::skip]
pub(super) static ALIBABA: Maker = Maker {
    source: Source { page: "https://www.alibabacloud.com/help/en/model-studio/models", read: "2026-11", through: "models.dev, which cites the page" },
    sold_at: &["dashscope-intl"],
    models: &[
        model("qwen3-8", 1_000_000, 131_072, CHAT | THINK),
        model("qwen3-7", 1_000_000, 65_536, CHAT | THINK),
        also("qwen3-7-plus").costs(0.4, 1.6).cached(0.08).written(0.5).above_written(256_000, 1.2, 4.8, 0.24, 1.5),
        model("qwen3-5-plus", 1_000_000, 65_536, CHAT | WATCH | READ | THINK).costs(0.4, 2.4).cached(0.04).written(0.5).above_written(256_000, 0.5, 3.0, 0.05, 0.625),
        model("qwen3-max", 262_144, 65_536, TEXT).costs(1.2, 6.0).cached(0.24).written(1.5).above_written(32_000, 2.4, 12.0, 0.48, 3.0).above_written(128_000, 3.0, 15.0, 0.6, 3.75),
        model("qwen3-coder", 262_144, 65_536, TEXT),
        also("qwen3-coder-480b-a35b-instruct").costs(1.5, 7.5).above(32_000, 2.7, 13.5, 2.7).above(128_000, 4.5, 22.5, 4.5).above(256_000, 9.0, 90.0, 9.0),
        model("qwen3-coder-plus", 1_000_000, 65_536, TEXT).costs(1.0, 5.0).cached(0.2).written(1.25).above_written(32_000, 1.8, 9.0, 0.36, 2.25).above_written(128_000, 3.0, 15.0, 0.6, 3.75).above_written(256_000, 6.0, 60.0, 1.2, 7.5),
        model("qwen3-coder-flash", 1_000_000, 65_536, TEXT).costs(0.3, 1.5).cached(0.06).written(0.375).above_written(32_000, 0.5, 2.5, 0.1, 0.625).above_written(128_000, 0.8, 4.0, 0.16, 1.0).above_written(256_000, 1.6, 9.6, 0.32, 2.0),
        model("qwen3-next", 262_144, 0, TEXT),
        model("qwen3-vl", 131_072, 32_768, CHAT | WATCH),
        also("qwen3-vl-flash").costs(0.05, 0.4).cached(0.01).written(0.0625).above_written(32_000, 0.075, 0.6, 0.015, 0.09375).above_written(128_000, 0.12, 0.96, 0.024, 0.15),
        model("qwen3-", 131_072, 0, TEXT | THINK),
        also("qwen3-235b-a22b-instruct-2507").costs(0.23, 0.92),
        also("qwen3-235b-a22b-thinking-2507").costs(0.23, 2.3),
        // Thoughts cost more than answers: what is charged here for all output is their price.
        model("qwen-plus", 131_072, 16_384, TEXT | THINK).costs(0.4, 4.0).cached(0.08).written(0.5).above_written(256_000, 1.2, 12.0, 0.24, 1.5),
        model("qwen-plus-latest", 1_000_000, 32_768, TEXT | THINK).costs(0.4, 4.0).cached(0.08).written(0.5).above_written(256_000, 1.2, 12.0, 0.24, 1.5),
        model("qwen-flash", 1_000_000, 32_768, TEXT | THINK).costs(0.05, 0.4).cached(0.01).written(0.063).above_written(256_000, 0.25, 2.0, 0.05, 0.313),
        model("qwen-turbo", 131_072, 16_384, TEXT | THINK).costs(0.05, 0.5).cached(0.01),
        model("qwen-max", 32_768, 8_192, TEXT).costs(1.6, 6.4).cached(0.32),
        model("qwen2-5", 32_768, 8_192, TEXT),
        model("qwq", 131_072, 8_192, TEXT | THINK),
        model("qwen3-omni-flash", 65_536, 16_384, CHAT | WATCH | HEAR),
    ],
};

pub(super) static MOONSHOT: Maker = Maker {
    source: Source {
        page: "https://platform.kimi.ai/docs/pricing/chat",
        read: "2026-11",
        through: "models.dev, which cites the page",
    },
    sold_at: &["moonshot"],
    models: &[
        model("kimi-k3", 1_048_576, 0, CHAT | WATCH | THINK).costs(3.0, 15.0).cached(0.3),
        model("kimi-k2", 131_072, 0, TEXT),
        model("kimi-k2-0905", 262_144, 0, TEXT),
        also("kimi-k2-0905-preview").costs(0.6, 2.5).cached(0.15),
        model("kimi-k2-instruct-0905", 262_144, 0, TEXT),
        model("kimi-k2-thinking", 262_144, 0, TEXT | THINK).costs(0.6, 2.5).cached(0.15),
        also("kimi-k2-thinking-turbo").costs(1.15, 8.0).cached(0.15),
        model("kimi-k2-5", 262_144, 0, CHAT | WATCH | THINK).costs(0.6, 3.0).cached(0.1),
        model("kimi-k2-6", 262_144, 0, CHAT | WATCH | THINK).costs(0.95, 4.0).cached(0.16),
        model("kimi-k2-7", 262_144, 0, CHAT | THINK),
        model("moonshot-v1-8k", 8_192, 0, TEXT),
        model("moonshot-v1-32k", 32_768, 0, TEXT),
        model("moonshot-v1", 131_072, 0, TEXT),
    ],
};

pub(super) static ZAI: Maker = Maker {
    source: Source {
        page: "https://docs.z.ai/guides/overview/pricing",
        read: "2026-11",
        through: "models.dev and reports that cite the page",
    },
    sold_at: &["zai"],
    models: &[
        model("glm-5-3", 1_000_000, 131_072, TEXT | THINK).costs(1.4, 4.4).cached(0.26),
        model("glm-5-2", 1_000_000, 131_072, TEXT | THINK).costs(1.4, 4.4).cached(0.26),
        model("glm-5", 200_000, 131_072, TEXT | THINK).costs(1.0, 3.2),
        also("glm-5-1").costs(1.4, 4.4).cached(0.26),
        also("glm-5-turbo").costs(1.2, 4.0).cached(0.24),
        model("glm-5v-turbo", 200_000, 131_072, CHAT | WATCH | READ | THINK).costs(1.2, 4.0).cached(0.24),
        model("glm-4-7", 200_000, 131_072, TEXT | THINK).costs(0.6, 2.2).cached(0.11),
        also("glm-4-7-flashx").costs(0.07, 0.4).cached(0.01),
        model("glm-4-6", 200_000, 131_072, TEXT | THINK).costs(0.6, 2.2).cached(0.11),
        model("glm-4-6v", 131_072, 32_768, CHAT | WATCH | THINK).costs(0.3, 0.9),
        model("glm-4-5", 131_072, 98_304, TEXT | THINK).costs(0.6, 2.2).cached(0.11),
        also("glm-4-5-air").costs(0.2, 1.1).cached(0.03),
        model("glm-4-5v", 65_536, 16_384, CHAT | WATCH | THINK).costs(0.6, 1.8),
    ],
};

// MiniMax accepts larger answers (200,000 and 512,000) and recommends these, which leave room for the input.
pub(super) static MINIMAX: Maker = Maker {
    source: Source {
        page: "https://platform.minimax.io/docs/api-reference/text-openai-api",
        read: "2026-11",
        through: "models.dev for the prices",
    },
    sold_at: &["minimax"],
    models: &[
        model("minimax-m3", 1_000_000, 131_072, CHAT | WATCH | THINK).costs(0.35, 1.4).cached(0.07).written(0.4),
        also("minimax-m3-highspeed").costs(0.6, 2.4).cached(0.12).written(0.75),
        model("minimax-m2", 204_800, 65_536, TEXT | THINK),
        also("minimax-m2-5").costs(0.3, 1.2).cached(0.03).written(0.375),
        model("minimax-m1", 1_000_000, 40_000, TEXT | THINK),
    ],
};
