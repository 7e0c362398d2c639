//! The model catalog: one row a model family, by the prefix of its name.
//!
//! The longest prefix wins. Names are compared as the makers' own hosts, the aggregators and the
//! open-weight hubs spell them: `claude-sonnet-4-5-20250929`, `anthropic/claude-sonnet-4.5` and
//! `us.anthropic.claude-sonnet-4-5-20250929-v1:0` are one family (see [`family_name`]).
//!
//! What it does not do: guess. A family that is not here has no limits, and a limit that its maker does
//! not document is absent: most makers of open weights state a context window and no separate maximum
//! of the answer.
//!
//! Invariant: a limit is never above what the maker's own API accepts, because Anthropic's mandatory
//! `max_tokens` is filled from here and too large a value is refused.

use super::ModelLimits;

/// The limits of `model`, by its longest matching row.
pub fn limits(model: &str) -> ModelLimits {
    let name = family_name(model);
    let rows = MAKERS.iter().flat_map(|maker| maker.families).filter(|(prefix, ..)| name.starts_with(prefix));
    let known = |limit: u64| (limit > 0).then_some(limit);
    rows.max_by_key(|(prefix, ..)| prefix.len()).map_or_else(ModelLimits::default, |(_, context, max_output)| ModelLimits {
        context: known(*context),
        max_output: known(*max_output),
    })
}

/// A name as the rows spell it: without the path and the vendor before it, in lower case, with `-` for `.`, `_`, `:` and `@`.
fn family_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    // Cloud hosts write `region.vendor.model`; a version's dot is followed by a digit.
    let name = VENDORS.iter().find_map(|vendor| name.split_once(vendor)).map_or(name.as_str(), |(_, name)| name);
    let name = name.strip_prefix("meta-").unwrap_or(name);
    name.replace(['.', '_', ':', '@'], "-")
}

const VENDORS: &[&str] = &["anthropic.", "openai."];

/// The families of one maker, with the page that states them and the month in which it was read.
struct Maker {
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and for the test that demands it"))]
    source: (&'static str, &'static str),
    /// Prefix, context window, most tokens of one answer; 0 where the maker states none.
    families: &'static [(&'static str, u64, u64)],
}

#[rustfmt::skip]
static MAKERS: &[Maker] = &[
    Maker {
        source: ("https://platform.claude.com/docs/en/about-claude/models/overview", "2026-11"),
        families: &[
            ("claude-fable-5", 1_000_000, 128_000),
            ("claude-mythos", 1_000_000, 128_000),
            ("claude-opus-5", 1_000_000, 128_000),
            ("claude-opus-4-8", 1_000_000, 128_000),
            ("claude-opus-4-7", 1_000_000, 128_000),
            ("claude-opus-4-6", 1_000_000, 128_000),
            ("claude-opus-4-5", 200_000, 64_000),
            ("claude-opus-4", 200_000, 32_000),
            ("claude-4-opus", 200_000, 32_000),
            ("claude-sonnet-5", 1_000_000, 128_000),
            ("claude-sonnet-4-6", 1_000_000, 128_000),
            ("claude-sonnet-4", 200_000, 64_000),
            ("claude-4-sonnet", 200_000, 64_000),
            ("claude-haiku-5", 1_000_000, 128_000),
            ("claude-haiku-4-5", 200_000, 64_000),
            ("claude-3-7-sonnet", 200_000, 64_000),
            ("claude-3-5-sonnet", 200_000, 8_192),
            ("claude-3-5-haiku", 200_000, 8_192),
            ("claude-3-opus", 200_000, 4_096),
            ("claude-3-sonnet", 200_000, 4_096),
            ("claude-3-haiku", 200_000, 4_096),
        ],
    },
    Maker {
        source: ("https://platform.openai.com/docs/models", "2026-11"),
        families: &[
            ("gpt-6", 1_050_000, 128_000),
            ("gpt-5-6", 1_050_000, 128_000),
            ("gpt-5-5", 1_050_000, 128_000),
            ("gpt-5-4", 1_050_000, 128_000),
            ("gpt-5-4-mini", 400_000, 128_000),
            ("gpt-5-4-nano", 400_000, 128_000),
            ("gpt-5", 400_000, 128_000),
            ("gpt-5-pro", 400_000, 272_000),
            ("gpt-5-chat", 128_000, 16_384),
            ("gpt-5-1-chat", 128_000, 16_384),
            ("gpt-5-2-chat", 128_000, 16_384),
            ("gpt-5-3-chat", 128_000, 16_384),
            ("gpt-4-1", 1_047_576, 32_768),
            ("gpt-4-1106", 128_000, 4_096),
            ("gpt-4o", 128_000, 16_384),
            ("gpt-4o-2024-05-13", 128_000, 4_096),
            ("chatgpt-4o", 128_000, 16_384),
            ("gpt-audio", 128_000, 16_384),
            ("gpt-4-turbo", 128_000, 4_096),
            ("gpt-4", 8_192, 8_192),
            ("gpt-3-5-turbo", 16_385, 4_096),
            ("gpt-oss", 131_072, 131_072),
            ("o1", 200_000, 100_000),
            ("o3", 200_000, 100_000),
            ("o4-mini", 200_000, 100_000),
        ],
    },
    Maker {
        source: ("https://ai.google.dev/gemini-api/docs/models", "2026-11"),
        families: &[
            ("gemini-3", 1_048_576, 65_536),
            ("gemini-2-5", 1_048_576, 65_536),
            ("gemini-2-5-computer-use", 128_000, 64_000),
            ("gemini-pro-latest", 1_048_576, 65_536),
            ("gemini-flash-latest", 1_048_576, 65_536),
            ("gemini-flash-lite-latest", 1_048_576, 65_536),
            ("gemini-2-0-flash", 1_048_576, 8_192),
            ("gemma-4", 262_144, 32_768),
            ("gemma-3", 131_072, 8_192),
            ("gemma-2", 8_192, 0),
        ],
    },
    Maker {
        source: ("https://docs.x.ai/docs/models", "2026-11"),
        families: &[
            ("grok-4", 256_000, 0),
            ("grok-4-fast", 2_000_000, 0),
            ("grok-4-1-fast", 2_000_000, 0),
            ("grok-4-20", 1_000_000, 0),
            ("grok-4-3", 1_000_000, 0),
            ("grok-4-5", 500_000, 0),
            ("grok-4-6", 500_000, 0),
            ("grok-4-7", 500_000, 0),
            ("grok-code-fast", 256_000, 0),
            ("grok-build", 256_000, 0),
            ("grok-3", 131_072, 0),
        ],
    },
    Maker {
        source: ("https://api-docs.deepseek.com/quick_start/pricing", "2026-11"),
        families: &[
            ("deepseek-v4", 1_000_000, 393_216),
            ("deepseek-flash", 1_000_000, 393_216),
            ("deepseek-chat", 131_072, 8_192),
            ("deepseek-reasoner", 131_072, 65_536),
            ("deepseek-v3", 131_072, 0),
            ("deepseek-r1", 131_072, 0),
        ],
    },
    Maker {
        source: ("https://docs.mistral.ai/getting-started/models/models_overview/", "2026-11"),
        families: &[
            ("mistral-large-4", 1_048_576, 0),
            ("mistral-large", 262_144, 0),
            ("mistral-large-24", 131_072, 0),
            ("mistral-medium", 262_144, 0),
            ("mistral-medium-25", 131_072, 0),
            ("mistral-small-26", 262_144, 0),
            ("mistral-small-latest", 262_144, 0),
            ("mistral-small-3", 131_072, 0),
            ("mistral-small-25", 131_072, 0),
            ("ministral-3b", 131_072, 0),
            ("ministral-8b", 131_072, 0),
            ("ministral-8b-2512", 262_144, 0),
            ("ministral-14b", 262_144, 0),
            ("magistral", 131_072, 0),
            ("codestral", 128_000, 0),
            ("devstral", 131_072, 0),
            ("devstral-medium-latest", 256_000, 0),
            ("devstral-small-latest", 256_000, 0),
            ("pixtral", 128_000, 0),
            ("voxtral-small", 32_768, 0),
            ("open-mistral-nemo", 128_000, 0),
            ("mistral-nemo", 128_000, 0),
            ("mixtral-8x22b", 65_536, 0),
            ("mixtral-8x7b", 32_768, 0),
        ],
    },
    Maker {
        source: ("https://www.llama.com/docs/model-cards-and-prompt-formats/", "2026-11"),
        families: &[
            ("llama-4-scout", 10_485_760, 0),
            ("llama-4-maverick", 1_048_576, 0),
            ("llama-3-3", 131_072, 0),
            ("llama-3-2", 131_072, 0),
            ("llama-3-1", 131_072, 0),
            ("llama-3", 8_192, 0),
            ("llama-2", 4_096, 0),
            ("muse-spark", 1_048_576, 131_072),
        ],
    },
    Maker {
        source: ("https://www.alibabacloud.com/help/en/model-studio/models", "2026-11"),
        families: &[
            ("qwen3-8", 1_000_000, 131_072),
            ("qwen3-7", 1_000_000, 65_536),
            ("qwen3-5-plus", 1_000_000, 65_536),
            ("qwen3-max", 262_144, 65_536),
            ("qwen3-coder", 262_144, 65_536),
            ("qwen3-coder-plus", 1_000_000, 65_536),
            ("qwen3-coder-flash", 1_000_000, 65_536),
            ("qwen3-next", 262_144, 0),
            ("qwen3-vl", 131_072, 32_768),
            ("qwen3-", 131_072, 0),
            ("qwen-plus", 131_072, 16_384),
            ("qwen-plus-latest", 1_000_000, 32_768),
            ("qwen-flash", 1_000_000, 32_768),
            ("qwen-turbo", 131_072, 16_384),
            ("qwen-max", 32_768, 8_192),
            ("qwen2-5", 32_768, 8_192),
            ("qwq", 131_072, 8_192),
        ],
    },
    Maker {
        source: ("https://platform.kimi.ai/docs/api/chat", "2026-11"),
        families: &[
            ("kimi-k3", 1_048_576, 0),
            ("kimi-k2", 131_072, 0),
            ("kimi-k2-0905", 262_144, 0),
            ("kimi-k2-instruct-0905", 262_144, 0),
            ("kimi-k2-thinking", 262_144, 0),
            ("kimi-k2-5", 262_144, 0),
            ("kimi-k2-6", 262_144, 0),
            ("kimi-k2-7", 262_144, 0),
            ("moonshot-v1-8k", 8_192, 0),
            ("moonshot-v1-32k", 32_768, 0),
            ("moonshot-v1", 131_072, 0),
        ],
    },
    Maker {
        source: ("https://docs.z.ai/api-reference/llm/chat-completion", "2026-11"),
        families: &[
            ("glm-5-3", 1_000_000, 131_072),
            ("glm-5-2", 1_000_000, 131_072),
            ("glm-5", 200_000, 131_072),
            ("glm-4-7", 200_000, 131_072),
            ("glm-4-6", 200_000, 131_072),
            ("glm-4-6v", 131_072, 32_768),
            ("glm-4-5", 131_072, 98_304),
            ("glm-4-5v", 65_536, 16_384),
        ],
    },
    Maker {
        source: ("https://docs.cohere.com/docs/models", "2026-11"),
        families: &[
            ("command-a", 256_000, 8_000),
            ("command-a-plus", 128_000, 64_000),
            ("command-a-reasoning", 256_000, 32_000),
            ("command-a-vision", 128_000, 8_000),
            ("command-r", 128_000, 4_000),
            ("c4ai-aya-expanse-32b", 128_000, 4_000),
            ("c4ai-aya-expanse-8b", 8_000, 4_000),
        ],
    },
    // MiniMax accepts larger answers (200,000 and 512,000) and recommends these, which leave room for the input.
    Maker {
        source: ("https://platform.minimax.io/docs/api-reference/text-openai-api", "2026-11"),
        families: &[
            ("minimax-m3", 1_000_000, 131_072),
            ("minimax-m2", 204_800, 65_536),
            ("minimax-m1", 1_000_000, 40_000),
        ],
    },
    Maker {
        source: ("https://docs.perplexity.ai/getting-started/models", "2026-11"),
        families: &[
            ("sonar", 128_000, 0),
            ("sonar-pro", 200_000, 8_000),
        ],
    },
    Maker {
        source: ("https://docs.ai21.com/reference/jamba-1-6-api-ref", "2026-11"),
        families: &[("jamba", 256_000, 4_096)],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
        let mut seen = BTreeSet::new();
        for maker in MAKERS {
            assert!(maker.source.0.starts_with("https://") && maker.source.1.len() == 7, "{:?}", maker.source);
            for (prefix, context, max_output) in maker.families {
                assert_eq!(family_name(prefix), *prefix, "rows are written as names are compared");
                assert!(seen.insert(prefix), "{prefix} is there twice");
                assert!(*context >= *max_output && *context > 0, "{prefix}");
            }
        }
        assert!(seen.len() >= 60);
    }
}
