//! What the families of Gemini models take, read off the model's name, and how much they are asked to think.
//!
//! | family | thinking | signed calls | https files | media in results |
//! |---|---|---|---|---|
//! | 1.x, 2.0, Gemma | none | no | no | no |
//! | 2.5 Pro | budget 128 to 32768, always on | no | yes | no |
//! | 2.5 Flash | budget 0 to 24576 | no | yes | no |
//! | 2.5 Flash-Lite | budget 0, 512 to 24576 | no | yes | no |
//! | 3 and later, `*-latest` | level | yes | yes | yes |
//! | any other name (tuned, private) | as the caller wrote it | no | yes | no |
//!
//! Effort and budget become each other so (Google's own table for its OpenAI-compatible endpoint):
//!
//! | effort | level, 3 and later | budget, 2.5 |
//! |---|---|---|
//! | none | MINIMAL, or LOW where there is no MINIMAL | 0, or the least |
//! | minimal | the same | 1024 |
//! | low | LOW | 1024 |
//! | medium | MEDIUM (HIGH for 3.0 Pro, which has only two) | 8192 |
//! | high | HIGH | 24576 |
//! | xhigh, max | HIGH | the most |
//!
//! Sources: ai.google.dev/gemini-api/docs/{thinking,openai,thought-signatures,file-input-methods,function-calling}.

use super::wire::{Int, ThinkingConfig};
use crate::chat::{Effort, ReasoningConfig, WarningCode, Warnings};

/// What a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// How thinking is asked for.
    pub(super) thinking: Thinking,
    /// Refuses a call of the current turn whose `thoughtSignature` is missing.
    pub(super) signed_calls: bool,
    /// Fetches files from any https address.
    pub(super) https_files: bool,
    /// Takes media inside of function responses.
    pub(super) media_in_results: bool,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all.
    None,
    /// In tokens. `off`: whether 0 is taken.
    Budget { least: u64, most: u64, off: bool },
    /// In levels. Which of the optional ones there are.
    Level { minimal: bool, medium: bool },
    /// Unknown: whatever the caller wrote.
    Any,
}

impl Family {
    /// The family of a model's name, with or without `models/`.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let old = |thinking| Self { thinking, signed_calls: false, https_files: true, media_in_results: false };
        if name.starts_with("gemma") {
            return Self { https_files: false, ..old(Thinking::None) };
        }
        let Some(version) = name.strip_prefix("gemini-") else { return old(Thinking::Any) };
        let (major, minor) = if version.ends_with("-latest") && !version.starts_with(|c: char| c.is_ascii_digit()) {
            (u32::MAX, 0)
        } else {
            let number = version.split('-').next().unwrap_or_default();
            let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
            match (major.parse(), minor.parse()) {
                (Ok(major), Ok(minor)) => (major, minor),
                _ => return old(Thinking::Any),
            }
        };
        let is = |word| version.contains(word);
        match (major, minor) {
            (2, 5..) if is("pro") => old(Thinking::Budget { least: 128, most: 32_768, off: false }),
            (2, 5..) if is("lite") => old(Thinking::Budget { least: 512, most: 24_576, off: true }),
            (2, 5..) => old(Thinking::Budget { least: 1, most: 24_576, off: true }),
            (..=2, _) => Self { https_files: false, ..old(Thinking::None) },
            _ => {
                let minimal = is("flash-lite") || (is("flash") && major == 3 && minor <= 6);
                let medium = !(is("pro") && (major, minor) == (3, 0));
                Self {
                    thinking: Thinking::Level { minimal, medium },
                    signed_calls: true,
                    https_files: true,
                    media_in_results: true,
                }
            }
        }
    }
}

/// The thinking configuration of a request, if it has any.
pub(super) fn encode<'a>(config: &ReasoningConfig, family: Family, warnings: &mut Warnings) -> Option<ThinkingConfig<'a>> {
    let off = config.budget_tokens == Some(0) || config.effort == Some(Effort::None);
    let asked = config.budget_tokens.is_some() || config.effort.is_some() || config.adaptive;
    let mut wire = ThinkingConfig { include_thoughts: config.include_thoughts, ..ThinkingConfig::default() };
    match family.thinking {
        Thinking::None => {
            if !off && (asked || config.include_thoughts == Some(true)) {
                warnings.dropped("reasoning", "this model does not think");
            }
            return None;
        }
        Thinking::Budget { least, most, off: can_be_off } => {
            let wanted = match (config.budget_tokens, config.effort) {
                _ if config.adaptive => None,
                (Some(budget), _) => Some(budget),
                (None, effort) => effort.map(|effort| budget_of(effort, most)),
            };
            wire.thinking_budget = match wanted {
                None => config.adaptive.then_some(Int(-1)),
                Some(0) if can_be_off => Some(Int(0)),
                Some(budget) => {
                    let sent = budget.clamp(least, most);
                    if sent != budget {
                        approximated(warnings, format!("thinkingBudget {sent}: this model takes {least} to {most}"));
                    }
                    Some(sent.into())
                }
            };
        }
        Thinking::Level { minimal, medium } => match (config.effort, config.budget_tokens) {
            (Some(effort), _) => {
                let (level, exact) = level_of(effort, minimal, medium);
                if !exact {
                    approximated(warnings, format!("thinkingLevel {level} is the nearest that this model has"));
                }
                wire.thinking_level = Some(level.into());
            }
            (None, Some(0)) => {
                let (level, _) = level_of(Effort::None, minimal, medium);
                approximated(warnings, format!("this model always thinks: thinkingLevel {level}"));
                wire.thinking_level = Some(level.into());
            }
            (None, Some(budget)) => wire.thinking_budget = Some(budget.into()),
            // Its default is to choose for itself.
            (None, None) => {}
        },
        Thinking::Any => {
            wire.thinking_level = config.effort.map(|effort| level_of(effort, true, true).0.into());
            if wire.thinking_level.is_none() {
                wire.thinking_budget = if config.adaptive { Some(Int(-1)) } else { config.budget_tokens.map(Int::from) };
            }
        }
    }
    let empty = wire.include_thoughts.is_none() && wire.thinking_budget.is_none() && wire.thinking_level.is_none();
    (!empty).then_some(wire)
}

fn approximated(warnings: &mut Warnings, why: String) {
    warnings.push(WarningCode::Approximated, "reasoning", why);
}

fn budget_of(effort: Effort, most: u64) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High => 24_576,
        Effort::XHigh | Effort::Max => most,
    }
}

/// The nearest level, and whether it is what was asked.
fn level_of(effort: Effort, minimal: bool, medium: bool) -> (&'static str, bool) {
    match effort {
        Effort::None if minimal => ("MINIMAL", false),
        Effort::Minimal if minimal => ("MINIMAL", true),
        Effort::None | Effort::Minimal => ("LOW", false),
        Effort::Low => ("LOW", true),
        Effort::Medium if medium => ("MEDIUM", true),
        Effort::Medium => ("HIGH", false),
        Effort::High => ("HIGH", true),
        Effort::XHigh | Effort::Max => ("HIGH", false),
    }
}

/// What a request asks of the model's thinking. Unknown levels are refused by name.
pub(super) fn decode(wire: &ThinkingConfig<'_>) -> Result<ReasoningConfig, String> {
    let mut config = ReasoningConfig { include_thoughts: wire.include_thoughts, ..ReasoningConfig::default() };
    match wire.thinking_budget {
        Some(Int(-1)) => config.adaptive = true,
        Some(budget) => {
            let tokens = budget.unsigned().ok_or("thinkingBudget is a number of tokens, 0 for none or -1 for automatic")?;
            config.budget_tokens = Some(tokens);
        }
        None => {}
    }
    config.effort = match wire.thinking_level.as_ref().map(|level| level.to_ascii_uppercase()).as_deref() {
        None | Some("THINKING_LEVEL_UNSPECIFIED") => None,
        Some("MINIMAL") => Some(Effort::Minimal),
        Some("LOW") => Some(Effort::Low),
        Some("MEDIUM") => Some(Effort::Medium),
        Some("HIGH") => Some(Effort::High),
        Some("XHIGH") => Some(Effort::XHigh),
        Some(other) => return Err(format!("unknown thinkingLevel `{other}`; use MINIMAL, LOW, MEDIUM, HIGH or XHIGH")),
    };
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(model: &str, config: ReasoningConfig) -> (String, String) {
        let mut warnings = Warnings::default();
        let wire = encode(&config, Family::of(model), &mut warnings);
        (wire.map_or_else(String::new, |wire| super::super::json::raw(&wire).get().to_owned()), warnings.header())
    }

    fn effort(effort: Effort) -> ReasoningConfig {
        ReasoningConfig { effort: Some(effort), ..ReasoningConfig::default() }
    }

    fn budget(tokens: u64) -> ReasoningConfig {
        ReasoningConfig { budget_tokens: Some(tokens), ..ReasoningConfig::default() }
    }

    #[test]
    fn effort_becomes_what_the_family_takes() {
        for (model, asked, wire, exact) in [
            ("gemini-3-flash-preview", effort(Effort::Minimal), r#"{"thinkingLevel":"MINIMAL"}"#, true),
            ("gemini-3.7-flash", effort(Effort::Minimal), r#"{"thinkingLevel":"LOW"}"#, false),
            ("gemini-3-pro-preview", effort(Effort::Medium), r#"{"thinkingLevel":"HIGH"}"#, false),
            ("gemini-3.1-pro-preview", effort(Effort::Medium), r#"{"thinkingLevel":"MEDIUM"}"#, true),
            ("models/gemini-4-hydrogen", effort(Effort::Max), r#"{"thinkingLevel":"HIGH"}"#, false),
            ("gemini-flash-latest", effort(Effort::Low), r#"{"thinkingLevel":"LOW"}"#, true),
            ("gemini-2.5-flash", effort(Effort::Medium), r#"{"thinkingBudget":8192}"#, true),
            ("gemini-2.5-flash", effort(Effort::None), r#"{"thinkingBudget":0}"#, true),
            ("gemini-2.5-pro", effort(Effort::None), r#"{"thinkingBudget":128}"#, false),
            ("gemini-2.5-pro", budget(50_000), r#"{"thinkingBudget":32768}"#, false),
            ("gemini-2.5-flash-lite", budget(100), r#"{"thinkingBudget":512}"#, false),
            ("gemini-3-flash-preview", budget(0), r#"{"thinkingLevel":"MINIMAL"}"#, false),
            ("gemini-3-flash-preview", budget(2000), r#"{"thinkingBudget":2000}"#, true),
            ("tunedModels/mine", effort(Effort::High), r#"{"thinkingLevel":"HIGH"}"#, true),
            ("gemini-2.0-flash", effort(Effort::High), "", false),
            ("gemma-3-27b-it", effort(Effort::None), "", true),
        ] {
            let (got, warned) = sent(model, asked.clone());
            assert_eq!(got, wire, "{model} {asked:?}");
            assert_eq!(warned.is_empty(), exact, "{model} {asked:?}: {warned}");
        }
    }

    #[test]
    fn adaptive_thinking_is_minus_one_where_budgets_are_and_the_default_where_levels_are() {
        let adaptive = ReasoningConfig { adaptive: true, include_thoughts: Some(true), ..ReasoningConfig::default() };
        assert_eq!(sent("gemini-2.5-flash", adaptive.clone()).0, r#"{"includeThoughts":true,"thinkingBudget":-1}"#);
        assert_eq!(sent("gemini-3.5-flash", adaptive).0, r#"{"includeThoughts":true}"#);
    }

    #[test]
    fn only_the_third_generation_wants_signed_calls() {
        let signed = ["gemini-3-pro-preview", "gemini-3.8-flash", "gemini-pro-latest", "gemini-4-hydrogen"];
        assert!(signed.iter().all(|model| Family::of(model).signed_calls));
        let unsigned = ["gemini-2.5-flash", "gemini-2.0-flash-001", "gemini-1.5-flash-latest", "my-model", "gemini-exp-1206"];
        assert!(!unsigned.iter().any(|model| Family::of(model).signed_calls));
    }
}
