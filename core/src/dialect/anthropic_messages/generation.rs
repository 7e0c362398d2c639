//! What each generation of Claude takes, read off the model's name.
//!
//! The Messages API refuses (400) what a model does not know, and models differ. Sources: the vendor's
//! pages on thinking, effort and structured outputs, and its migration guides up to Claude 5.5
//! (November 2026); the SDK's notes on `temperature`, `top_p` and `top_k`.
//!
//! | generation | thinking on | thinking off | sampling | prefill | effort | schemas | forced tools |
//! |---|---|---|---|---|---|---|---|
//! | not a Claude | budget | say nothing | yes | yes | no | no | without thinking |
//! | up to 3.5 | never | say nothing | yes | yes | no | no | yes |
//! | 3.7, 4 | budget | say nothing | yes | yes | no | no | without thinking |
//! | Opus 4.1, Sonnet and Haiku 4.5 | budget | say nothing | one of two | yes | no | yes | without thinking |
//! | Opus 4.5 | budget | say nothing | one of two | yes | to high | yes | without thinking |
//! | 4.6 | budget or adaptive | say nothing | one of two | no | no xhigh | yes | without thinking |
//! | 4.7 | adaptive | say nothing | no | no | all | yes | without thinking |
//! | 4.8 | adaptive | say nothing | no | no | all | yes | yes |
//! | Opus 5, Sonnet 5, Haiku 5.5 | adaptive | `disabled` | no | no | all | yes | yes |
//! | Fable 5, Mythos 5, Mythos Preview | adaptive | never | no | no | all | yes | yes |
//! | Sonnet 5.5 | adaptive | `between_tools` | no | no | all | yes | no |
//! | Opus 5.5, Fable 5.1, Mythos 5.1, later | adaptive | never | no | no | all | yes | no |
//!
//! Invariant: a name that is not in the table gets the row that cannot be refused: an unknown
//! Claude the newest one, another vendor's model the first.

use crate::chat::Effort;

/// How thinking is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// The model has none.
    Never,
    /// `thinking: {type: enabled, budget_tokens}`.
    Budget,
    /// Either way; the model prefers adaptive.
    BudgetOrAdaptive,
    /// `thinking: {type: adaptive}` only.
    Adaptive,
}

/// How thinking is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// It is off unless asked for.
    Default,
    /// `thinking: {type: disabled}`.
    Disabled,
    /// `thinking: {type: between_tools}`: as far off as this model goes.
    BetweenTools,
    /// It cannot be.
    Never,
}

/// Which sampling parameters are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SamplingRule {
    /// All.
    Any,
    /// Not `temperature` and `top_p` together.
    OneOfTwo,
    /// None but the default values.
    Defaults,
}

/// Whether `tool_choice` may force a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forcing {
    /// Always.
    Yes,
    /// Only while thinking is off.
    WithoutThinking,
    /// Never.
    No,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) thinking: Thinking,
    pub(super) off: Off,
    pub(super) sampling: SamplingRule,
    /// Whether an answer may be begun by a last assistant message.
    pub(super) prefill: bool,
    /// Levels of `output_config.effort`, lowest first.
    pub(super) efforts: &'static [Effort],
    /// Whether `output_config.format` and `strict` tools are taken.
    pub(super) schemas: bool,
    pub(super) forcing: Forcing,
    /// Whether `system` messages may stand in the conversation (from 4.8 on).
    pub(super) system_turns: bool,
}

const NO_EFFORT: &[Effort] = &[];
const TO_HIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const NO_XHIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Max];
const ALL: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];

impl Generation {
    /// The row of `model`: `claude-sonnet-4-5-20250929`, `anthropic/claude-opus-4.6`, `claude-3-7-sonnet-latest`.
    #[rustfmt::skip]
    pub(super) fn of(model: &str) -> Self {
        use {Forcing as F, Off as O, SamplingRule as S, Thinking as T};
        let row = |thinking, off, sampling, prefill, efforts, schemas, forcing| {
            Generation { thinking, off, sampling, prefill, efforts, schemas, forcing, system_turns: false }
        };
        let Some(name) = Name::parse(model) else {
            return row(T::Budget, O::Default, S::Any, true, NO_EFFORT, false, F::WithoutThinking);
        };
        let generation = match (name.family, name.version) {
            (_, Some((0..=2, _) | (3, 0..=5)))        => row(T::Never,            O::Default,      S::Any,      true,  NO_EFFORT, false, F::Yes),
            (_, Some((3, _) | (4, 0)))                => row(T::Budget,           O::Default,      S::Any,      true,  NO_EFFORT, false, F::WithoutThinking),
            ("opus", Some((4, 5)))                    => row(T::Budget,           O::Default,      S::OneOfTwo, true,  TO_HIGH,   true,  F::WithoutThinking),
            (_, Some((4, 1..=5)))                     => row(T::Budget,           O::Default,      S::OneOfTwo, true,  NO_EFFORT, true,  F::WithoutThinking),
            (_, Some((4, 6)))                         => row(T::BudgetOrAdaptive, O::Default,      S::OneOfTwo, false, NO_XHIGH,  true,  F::WithoutThinking),
            (_, Some((4, 7)))                         => row(T::Adaptive,         O::Default,      S::Defaults, false, ALL,       true,  F::WithoutThinking),
            (_, Some((4, _)))                         => row(T::Adaptive,         O::Default,      S::Defaults, false, ALL,       true,  F::Yes),
            ("fable" | "mythos", Some((5, 0)) | None) => row(T::Adaptive,         O::Never,        S::Defaults, false, ALL,       true,  F::Yes),
            (_, Some((5, 0..=4))) if name.may_rest()  => row(T::Adaptive,         O::Disabled,     S::Defaults, false, ALL,       true,  F::Yes),
            ("haiku", Some((5, 5)))                   => row(T::Adaptive,         O::Disabled,     S::Defaults, false, ALL,       true,  F::Yes),
            ("sonnet", Some((5, 5)))                  => row(T::Adaptive,         O::BetweenTools, S::Defaults, false, ALL,       true,  F::No),
            _                                         => row(T::Adaptive,         O::Never,        S::Defaults, false, ALL,       true,  F::No),
        };
        Generation { system_turns: name.version >= Some((4, 8)), ..generation }
    }

    /// The level to send for `wanted`: the same, or the nearest one below, or the lowest.
    pub(super) fn effort(&self, wanted: Effort) -> Option<Effort> {
        self.efforts.iter().rev().find(|level| **level <= wanted).or(self.efforts.first()).copied()
    }
}

/// A Claude's name, taken apart.
struct Name<'a> {
    family: &'a str,
    version: Option<(u32, u32)>,
}

impl<'a> Name<'a> {
    fn parse(model: &'a str) -> Option<Self> {
        let name = &model[model.rfind("claude")? + "claude".len()..];
        let words = || name.split(['-', '.', '@', ':', '_']).filter(|word| !word.is_empty());
        let family =
            words().find(|word| matches!(*word, "opus" | "sonnet" | "haiku" | "fable" | "mythos" | "instant")).unwrap_or("");
        // One or two digits are a version; eight are a date.
        let mut numbers = words().map_while(|word| match word.parse::<u32>() {
            Ok(number) if word.len() <= 2 => Some(Some(number)),
            Ok(_) => None,
            Err(_) => Some(None),
        });
        let major = numbers.by_ref().flatten().next();
        let minor = numbers.next().flatten().unwrap_or(0);
        let version = match (major, family) {
            (Some(major), _) => Some((major, minor)),
            // `claude-instant`, before versions were named.
            (None, "instant") => Some((1, 0)),
            (None, _) => None,
        };
        Some(Self { family, version })
    }

    /// Families whose thinking could be switched off up to 5.4.
    fn may_rest(&self) -> bool {
        !matches!(self.family, "fable" | "mythos")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_platform_are_read() {
        let version = |model| Name::parse(model).and_then(|name| name.version);
        assert_eq!(version("claude-sonnet-4-5-20250929"), Some((4, 5)));
        assert_eq!(version("claude-sonnet-4-20250514"), Some((4, 0)));
        assert_eq!(version("claude-3-7-sonnet-latest"), Some((3, 7)));
        assert_eq!(version("claude-3-opus-20240229"), Some((3, 0)));
        assert_eq!(version("anthropic/claude-opus-4.6"), Some((4, 6)));
        assert_eq!(version("us.anthropic.claude-opus-4-6-v1:0"), Some((4, 6)));
        assert_eq!(version("claude-opus-4-8"), Some((4, 8)));
        assert_eq!(version("claude-opus-4-1@20250805"), Some((4, 1)));
        assert_eq!(version("claude-fable-5-1"), Some((5, 1)));
        assert_eq!(version("claude-mythos-preview"), None);
        assert_eq!(version("claude-2.1"), Some((2, 1)));
        assert!(Name::parse("kimi-k2").is_none());
    }

    #[test]
    fn each_generation_thinks_in_its_own_way() {
        let thinking = |model| Generation::of(model).thinking;
        assert_eq!(thinking("claude-3-5-haiku-20241022"), Thinking::Never);
        assert_eq!(thinking("claude-sonnet-4-5"), Thinking::Budget);
        assert_eq!(thinking("claude-opus-4-6"), Thinking::BudgetOrAdaptive);
        assert_eq!(thinking("claude-opus-5"), Thinking::Adaptive);
        assert_eq!(thinking("deepseek-chat"), Thinking::Budget);
        let off = |model| Generation::of(model).off;
        assert_eq!(off("claude-opus-4-7"), Off::Default);
        assert_eq!(off("claude-sonnet-5"), Off::Disabled);
        assert_eq!(off("claude-haiku-5-5"), Off::Disabled);
        assert_eq!(off("claude-sonnet-5-5"), Off::BetweenTools);
        assert_eq!(off("claude-opus-5-5"), Off::Never);
        assert_eq!(off("claude-mythos-preview"), Off::Never);
        assert_eq!(off("claude-opus-9"), Off::Never);
    }

    #[test]
    fn instructions_may_stand_in_a_conversation_from_4_8_on() {
        let takes = |model| Generation::of(model).system_turns;
        assert!(takes("claude-opus-4-8") && takes("claude-sonnet-5") && takes("claude-fable-5-1"));
        assert!(!takes("claude-opus-4-7") && !takes("claude-mythos-preview") && !takes("deepseek-chat"));
    }

    #[test]
    fn efforts_fall_to_the_nearest_level_below() {
        let effort = |model, wanted| Generation::of(model).effort(wanted);
        assert_eq!(effort("claude-opus-4-6", Effort::XHigh), Some(Effort::High));
        assert_eq!(effort("claude-opus-4-5", Effort::Max), Some(Effort::High));
        assert_eq!(effort("claude-opus-5", Effort::Minimal), Some(Effort::Low));
        assert_eq!(effort("claude-sonnet-4-5", Effort::High), None);
    }
}
