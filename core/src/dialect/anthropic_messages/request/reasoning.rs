//! Effort and budgets, as each generation of Claude takes them.
//!
//! A model that thinks within a budget gets one for a relative effort, at most four fifths of
//! `max_tokens` so that an answer fits; a model that sets its own budget gets an effort for one:
//!
//! | effort | minimal | low | medium | high | xhigh | max |
//! |---|---|---|---|---|---|---|
//! | budget, tokens | 1024 | 2048 | 8192 | 16384 | 32768 | 65536 |
//!
//! The API wants `1024 <= budget_tokens < max_tokens`. Thinking within a budget forbids a forced tool
//! call, a prefill, and tool results whose call came without its thinking; where the two meet, thinking
//! is left out with a warning, because the rest decides what the answer is.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::ME;
use super::super::generation::{Forcing, Generation, Off, Thinking};
use super::super::weight::EFFORT_ALONE;
use super::conversation::Conversation;
use crate::chat::{ChatRequest, Effort, ReasoningConfig, WarningCode, Warnings};
use crate::dialect::Target;

/// The smallest budget that the API takes.
const LEAST_BUDGET: u64 = 1024;

/// `max_tokens` where neither the caller nor the catalog says it.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Efforts and the budgets that stand for them.
const BUDGETS: [(Effort, u64); 6] = [
    (Effort::Minimal, 1024),
    (Effort::Low, 2048),
    (Effort::Medium, 8192),
    (Effort::High, 16384),
    (Effort::XHigh, 32768),
    (Effort::Max, 65536),
];

/// How the request thinks.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// `thinking`.
    pub(super) thinking: Option<Cow<'a, Value>>,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// `max_tokens`.
    pub(super) max_tokens: u64,
    /// Whether thinking was asked for, and so sampling is restricted.
    pub(super) on: bool,
}

/// Decides how `request` thinks at `target`, and how many tokens it may take.
pub(super) fn plan<'a>(
    request: &'a ChatRequest,
    conversation: &Conversation<'_>,
    forced: bool,
    target: Target<'_>,
    warnings: &mut Warnings,
) -> Plan<'a> {
    let mut planner = Planner { generation: Generation::of(target.model), request, target, warnings, plan: Plan::default() };
    let own = request.extra.field(ME, "thinking");
    let config = request.reasoning.clone().unwrap_or_default();
    if let Some(whole) = own.filter(|own| own.get("type").is_some()) {
        planner.plan.thinking = Some(Cow::Borrowed(whole));
        planner.plan.on = config.budget_tokens != Some(0);
        planner.effort(config.effort);
    } else if request.extra.field(ME, EFFORT_ALONE).is_some() {
        planner.effort(config.effort);
    } else {
        planner.decide(&config, conversation, forced);
        if let (Some(Value::Object(rest)), Some(thinking)) = (own, &mut planner.plan.thinking)
            && let Value::Object(fields) = thinking.to_mut()
        {
            fields.extend(rest.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    planner.finish()
}

struct Planner<'a, 't, 'w> {
    generation: Generation,
    request: &'a ChatRequest,
    target: Target<'t>,
    warnings: &'w mut Warnings,
    plan: Plan<'a>,
}

impl<'a> Planner<'a, '_, '_> {
    fn decide(&mut self, config: &ReasoningConfig, conversation: &Conversation<'_>, forced: bool) {
        if config.budget_tokens == Some(0) || config.effort == Some(Effort::None) {
            return self.off(config);
        }
        let wished =
            config.adaptive || config.effort.is_some() || config.budget_tokens.is_some() || config.include_thoughts == Some(true);
        if !wished {
            return;
        }
        let by_budget = match self.generation.thinking {
            Thinking::Never => return self.without("this model does not think"),
            Thinking::Budget => true,
            Thinking::BudgetOrAdaptive => config.budget_tokens.is_some() && !config.adaptive,
            Thinking::Adaptive => false,
        };
        if forced && self.generation.forcing == Forcing::WithoutThinking {
            return self.without("a forced tool call excludes thinking");
        }
        if conversation.prefill {
            return self.without("a begun answer excludes thinking");
        }
        if by_budget && conversation.unproven_call {
            return self.without("the last tool call came without its thinking");
        }
        if by_budget { self.within_budget(config) } else { self.adaptive(config) }
    }

    fn without(&mut self, why: &str) {
        self.warnings.dropped("reasoning", why);
    }

    fn off(&mut self, config: &ReasoningConfig) {
        match (self.generation.thinking, self.generation.off) {
            (Thinking::Never, _) => {}
            (_, off @ (Off::Default | Off::Disabled)) => {
                self.think("disabled", Map::new());
                let mut effort = config.effort.filter(|effort| *effort != Effort::None);
                // Models that think by default refuse their highest levels without it.
                if off == Off::Disabled && effort > Some(Effort::High) {
                    effort = Some(Effort::High);
                    self.warnings.push(WarningCode::Approximated, "reasoning.effort", "sent as high");
                }
                self.effort(effort);
            }
            (_, Off::BetweenTools) => {
                self.think("between_tools", Map::new());
                self.warnings.push(WarningCode::Approximated, "reasoning", "this model still thinks between tool calls");
            }
            (_, Off::Never) => {
                self.plan.effort = Some(name(Effort::Low));
                self.warnings.push(WarningCode::Approximated, "reasoning", "this model always thinks; it gets its lowest effort");
            }
        }
    }

    fn within_budget(&mut self, config: &ReasoningConfig) {
        let wanted = config.budget_tokens.unwrap_or_else(|| budget(config.effort.unwrap_or(Effort::Medium)));
        let max_tokens = self.request.max_tokens.unwrap_or_else(|| self.default_max_tokens(wanted));
        if max_tokens <= LEAST_BUDGET {
            return self.without("thinking needs a budget of 1024 tokens below max_tokens");
        }
        let most = match config.budget_tokens {
            Some(_) => max_tokens - 1,
            None => (max_tokens - max_tokens / 5).max(LEAST_BUDGET),
        };
        let budget = wanted.clamp(LEAST_BUDGET, most);
        if config.budget_tokens != Some(budget) {
            self.warnings.push(WarningCode::Approximated, "reasoning", format!("a budget of {budget} tokens"));
        }
        self.plan.max_tokens = max_tokens;
        let mut fields = Map::new();
        fields.insert("budget_tokens".into(), budget.into());
        self.display(config, Some(true), &mut fields);
        self.think("enabled", fields);
        if config.budget_tokens.is_some() {
            self.effort(config.effort);
        }
        self.plan.on = true;
    }

    fn adaptive(&mut self, config: &ReasoningConfig) {
        let mut fields = Map::new();
        self.display(config, None, &mut fields);
        self.think("adaptive", fields);
        self.plan.on = true;
        let effort = config.effort.or_else(|| {
            let budget = config.budget_tokens?;
            let effort = BUDGETS.iter().find(|(_, most)| budget <= *most).map_or(Effort::Max, |(effort, _)| *effort);
            self.warnings.push(WarningCode::Approximated, "reasoning.budget_tokens", "this model takes an effort instead");
            Some(effort)
        });
        self.effort(effort);
    }

    /// Sends an effort, as near as the model has it.
    fn effort(&mut self, wanted: Option<Effort>) {
        let Some(wanted) = wanted else { return };
        let Some(effort) = self.generation.effort(wanted) else {
            return self.warnings.dropped("reasoning.effort", "not known to this model");
        };
        if effort != wanted {
            self.warnings.push(WarningCode::Approximated, "reasoning.effort", format!("sent as {}", name(effort)));
        }
        self.plan.effort = Some(name(effort));
    }

    /// Whether readable thoughts are wanted. Models before 4.1, and other vendors', know no such wish.
    fn display(&self, config: &ReasoningConfig, by_default: Option<bool>, fields: &mut Map<String, Value>) {
        let wish = config.include_thoughts.filter(|_| self.generation.schemas && config.include_thoughts != by_default);
        if let Some(include) = wish {
            fields.insert("display".into(), if include { "summarized" } else { "omitted" }.into());
        }
    }

    fn think(&mut self, kind: &str, mut fields: Map<String, Value>) {
        fields.insert("type".into(), kind.into());
        self.plan.thinking = Some(Cow::Owned(Value::Object(fields)));
    }

    fn default_max_tokens(&self, budget: u64) -> u64 {
        let room = budget.saturating_add(DEFAULT_MAX_TOKENS);
        self.target.limits.max_output.unwrap_or(room)
    }

    fn finish(mut self) -> Plan<'a> {
        if self.request.max_tokens.is_none() {
            let max_tokens = match self.plan.max_tokens {
                0 => self.target.limits.max_output.unwrap_or(DEFAULT_MAX_TOKENS),
                planned => planned,
            };
            self.plan.max_tokens = max_tokens;
            self.warnings.push(WarningCode::Filled, "max_tokens", format!("the provider needs it; sent {max_tokens}"));
        } else {
            self.plan.max_tokens = self.request.max_tokens.unwrap_or_default();
        }
        self.plan
    }
}

fn budget(effort: Effort) -> u64 {
    BUDGETS.iter().find(|(level, _)| *level >= effort).map_or(LEAST_BUDGET, |(_, budget)| *budget)
}

fn name(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    }
}
