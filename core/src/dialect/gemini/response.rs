//! Whole responses, both ways, and what they share with streams: finish reasons, log probabilities.
//!
//! | `finishReason` | common name |
//! |---|---|
//! | STOP | `Stop`, or `ToolCalls` when the answer holds calls |
//! | MAX_TOKENS, CONTINUATION (only Google can continue it) | `Length` |
//! | SAFETY, RECITATION, BLOCKLIST, PROHIBITED_CONTENT, SPII, ESCALATION, MODEL_ARMOR, IMAGE_SAFETY, IMAGE_PROHIBITED_CONTENT, IMAGE_RECITATION | `ContentFilter` |
//! | MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, TOO_MANY_TOOL_CALLS, MALFORMED_RESPONSE, MISSING_THOUGHT_SIGNATURE | `Error` |
//! | LANGUAGE, NO_IMAGE, IMAGE_OTHER, OTHER, what is new | `Other` |
//!
//! A refused prompt has no candidates but `promptFeedback.blockReason`; it is one choice without
//! parts that ended with `ContentFilter`.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::content::{self, Reader};
use super::wire::{
    Candidate, Content, GenerateContentResponse, Int, LogprobsCandidate, LogprobsResult, Part as WirePart, Str, TopCandidates,
};
use super::{time, usage};
use crate::chat::{ChatResponse, Choice, Extra, Finish, FinishReason, Part, TokenLogProb, Warnings};
use crate::dialect::{DialectId, Reply};
use crate::error::{Error, ErrorKind, Result};

const GEMINI: DialectId = DialectId::Gemini;
/// Where a prompt's verdict is kept.
pub(super) const PROMPT_FEEDBACK: &str = "promptFeedback";

pub(super) fn decode(body: &[u8]) -> Result<ChatResponse> {
    let unreadable =
        |source: String| Error::new(ErrorKind::UpstreamInvalid, "The provider's answer could not be understood.").source(source);
    let wire: GenerateContentResponse<'_> = serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    if let Some(status) = wire.error {
        return Err(super::error::in_band(&status));
    }
    if wire.candidates.is_none() && wire.prompt_feedback.is_none() && wire.usage_metadata.is_none() {
        return Err(unreadable("neither candidates nor promptFeedback".into()));
    }
    let id = wire.response_id.map(Str::into_string).unwrap_or_default();
    let mut choices = Vec::new();
    let mut calls = 0;
    for (position, candidate) in (0..).zip(wire.candidates.into_iter().flatten()) {
        choices.push(decode_candidate(candidate, position, &id, &mut calls).map_err(|flaw| unreadable(format!("{flaw:?}")))?);
    }
    let mut extra = Extra::default();
    extra.extend(GEMINI, wire.rest);
    if let Some(feedback) = wire.prompt_feedback {
        if choices.is_empty()
            && let Some(finish) = blocked(&feedback)
        {
            choices.push(Choice { finish, ..Choice::default() });
        }
        extra.insert(GEMINI, PROMPT_FEEDBACK, feedback);
    }
    Ok(ChatResponse {
        id,
        model: wire.model_version.map(Str::into_string).unwrap_or_default(),
        created: wire.create_time.as_deref().and_then(time::seconds),
        choices,
        usage: wire.usage_metadata.as_ref().map(usage::decode),
        service_tier: None,
        extra,
    })
}

fn decode_candidate(
    candidate: Candidate<'_>,
    position: u32,
    response_id: &str,
    calls: &mut usize,
) -> Result<Choice, content::Flaw> {
    let mut parts = Vec::new();
    for part in candidate.content.and_then(|content| content.parts).into_iter().flatten() {
        content::join(&mut parts, content::decode(part, &mut |name| invented_id(response_id, name, calls))?, false);
    }
    let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let mut extra = Extra::default();
    extra.extend(GEMINI, candidate.rest);
    Ok(Choice {
        index: candidate.index.and_then(|index| u32::try_from(index.0).ok()).unwrap_or(position),
        parts,
        finish: finish(candidate.finish_reason.as_deref().unwrap_or_default(), has_calls),
        logprobs: candidate.logprobs_result.map(|result| decode_logprobs(*result)).unwrap_or_default(),
        extra,
    })
}

/// The id of a response's call that has none: unique in the conversation where the response has an id.
pub(super) fn invented_id(response_id: &str, name: &str, calls: &mut usize) -> String {
    *calls += 1;
    content::invented_id(if response_id.is_empty() { name } else { response_id }, *calls - 1)
}

/// The finish of a prompt that was refused.
pub(super) fn blocked(feedback: &Value) -> Option<FinishReason> {
    let reason = feedback.get("blockReason").or_else(|| feedback.get("block_reason"))?.as_str()?;
    Some(FinishReason::new(Finish::ContentFilter, reason))
}

/// The finish reason by its name.
pub(super) fn finish(raw: &str, has_calls: bool) -> FinishReason {
    let unified = match raw {
        "STOP" if has_calls => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "ESCALATION"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => Finish::Error,
        _ => Finish::Other,
    };
    FinishReason::new(unified, raw)
}

/// The name of a finish reason: Gemini's own where it is one, else the nearest.
pub(super) fn finish_name(reason: &FinishReason) -> &str {
    let own = finish(&reason.raw, reason.unified == Finish::ToolCalls).unified;
    if own == reason.unified && (own != Finish::Other || is_other(&reason.raw)) {
        return &reason.raw;
    }
    match reason.unified {
        Finish::Stop | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        Finish::Pause | Finish::Error | Finish::Other => "OTHER",
    }
}

fn is_other(raw: &str) -> bool {
    matches!(raw, "OTHER" | "LANGUAGE" | "NO_IMAGE" | "IMAGE_OTHER" | "FINISH_REASON_UNSPECIFIED")
}

/// What the finish's name leaves out: the provider's own word, where `OTHER` stands for it.
pub(super) fn finish_message(reason: &FinishReason) -> Option<&str> {
    (finish_name(reason) == "OTHER" && reason.raw != "OTHER" && !reason.raw.is_empty()).then_some(&reason.raw)
}

pub(super) fn decode_logprobs(result: LogprobsResult<'_>) -> Vec<TokenLogProb> {
    let mut top = result.top_candidates.into_iter().flatten();
    let token = |candidate: LogprobsCandidate<'_>| TokenLogProb {
        token: candidate.token.map(Str::into_string).unwrap_or_default(),
        logprob: candidate.log_probability.unwrap_or_default(),
        ..TokenLogProb::default()
    };
    let chosen = result.chosen_candidates.into_iter().flatten();
    chosen
        .map(|chosen| {
            let top = top.next().and_then(|top| top.candidates).into_iter().flatten();
            TokenLogProb { top: top.map(token).collect(), ..token(chosen) }
        })
        .collect()
}

pub(super) fn encode_logprobs(tokens: &[TokenLogProb]) -> LogprobsResult<'_> {
    let candidate = |token: &TokenLogProb| LogprobsCandidate {
        token: Some(Str(token.token.clone().into())),
        log_probability: Some(token.logprob),
        ..Default::default()
    };
    let top = |token: &TokenLogProb| TopCandidates {
        candidates: (!token.top.is_empty()).then(|| token.top.iter().map(candidate).collect()),
        ..Default::default()
    };
    LogprobsResult {
        top_candidates: tokens.iter().any(|token| !token.top.is_empty()).then(|| tokens.iter().map(top).collect()),
        chosen_candidates: Some(tokens.iter().map(candidate).collect()),
        ..Default::default()
    }
}

pub(super) fn encode(response: &ChatResponse, reply: &Reply, warnings: &mut Warnings) -> Bytes {
    let refused = response.extra.field(GEMINI, PROMPT_FEEDBACK).is_some_and(|feedback| blocked(feedback).is_some());
    let refused = refused && response.choices.iter().all(|choice| choice.parts.is_empty());
    let candidates: Vec<_> = response.choices.iter().map(|choice| encode_choice(choice, warnings)).collect();
    let wire = GenerateContentResponse {
        candidates: (!refused && !candidates.is_empty()).then_some(candidates),
        usage_metadata: response.usage.as_ref().map(usage::encode),
        model_version: Some(Str::from(if response.model.is_empty() { &reply.model } else { &response.model })),
        response_id: Some(Str::from(if response.id.is_empty() { &reply.id } else { &response.id })),
        create_time: response.created.map(|created| time::rfc3339(created).into()),
        rest: own(&response.extra),
        ..Default::default()
    };
    serde_json::to_vec(&wire).expect("messages serialise").into()
}

fn encode_choice<'a>(choice: &'a Choice, warnings: &mut Warnings) -> Candidate<'a> {
    let mut parts: Vec<WirePart<'a>> = Vec::with_capacity(choice.parts.len().max(1));
    let mut malformed = None;
    for (index, part) in choice.parts.iter().enumerate() {
        match content::encode(part, &format_args!("choices[{}].content[{index}]", choice.index), Reader::Caller, warnings) {
            Ok(part) => parts.extend(part),
            // The model wrote arguments that this protocol cannot hold: it has a finish reason for that.
            Err(error) => malformed = Some(error.message),
        }
    }
    let mut rest = own(&choice.extra);
    let finish_reason = if malformed.is_some() { "MALFORMED_FUNCTION_CALL" } else { finish_name(&choice.finish) };
    if let Some(message) = malformed.or_else(|| finish_message(&choice.finish).map(str::to_owned)) {
        rest.entry("finishMessage").or_insert(message.into());
    }
    // SDKs read `parts` of every candidate.
    if parts.is_empty() {
        parts.push(WirePart { text: Some("".into()), ..Default::default() });
    }
    Candidate {
        content: Some(Content { parts: Some(parts), role: Some("model".into()), ..Default::default() }),
        finish_reason: Some(Str(finish_reason.to_owned().into())),
        index: Some(Int(choice.index.into())),
        logprobs_result: (!choice.logprobs.is_empty()).then(|| Box::new(encode_logprobs(&choice.logprobs))),
        rest,
        ..Default::default()
    }
}

fn own(extra: &Extra) -> Map<String, Value> {
    extra.fields(GEMINI).map(|(field, value)| (field.clone(), value.clone())).collect()
}
