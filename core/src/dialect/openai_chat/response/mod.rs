//! Whole responses, both ways.
//!
//! | wire | canonical |
//! |---|---|
//! | `message.content`, Mistral's `text` and `thinking` chunks | [`Text`], [`Reasoning`] |
//! | `message.reasoning_content`, `message.reasoning` | readable [`Reasoning`] |
//! | `message.reasoning_details` (OpenRouter) | the same, signed by this dialect |
//! | `message.annotations` | a field of the text |
//! | `message.audio`, `message.images` (OpenRouter) | [`Media`] |
//! | `finish_reason`, `native_finish_reason` (OpenRouter), `stop_reason` (vLLM) | [`FinishReason`] |
//! | `stop` with a refusal | [`Finish::ContentFilter`], which goes back as `stop` |
//! | unknown fields of the response and of a choice | [`Extra`]; those of a message under `message` |
//!
//! A caller that declared legacy `functions` gets the first call as `message.function_call`, which has no id: what would
//! have to ride in it is lost. Further calls, if the model makes any, are `tool_calls`.
//!
//! Signed reasoning of other dialects rides in the id of the call that follows it. Where no call
//! follows, nothing needs it: only tool conversations are checked for it.
//!
//! Source: openai-python `types/chat/chat_completion.py`.

mod decode;
mod encode;

pub(super) use decode::{AudioAnswer, decode, decode_image, invented_id, split_chunk, tokens};
pub(super) use encode::{encode, encode_audio, encode_finish, encode_images, encode_logprobs, foreign_signature, response_id};

use crate::chat::{Finish, FinishReason};

/// What an answer came to, beside its finish reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Text,
    Calls,
    Refusal,
}

/// Names a reason. `stop` is also what OpenAI says after a call that was forced, and after a refusal.
pub(super) fn decode_finish(word: &str, native: Option<&str>, stop_sequence: Option<String>, answer: Answer) -> FinishReason {
    let unified = match word {
        "stop" | "eos" | "end_turn" | "stop_sequence" | "complete" | "COMPLETE" => match answer {
            Answer::Text => Finish::Stop,
            Answer::Calls => Finish::ToolCalls,
            Answer::Refusal => Finish::ContentFilter,
        },
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::ContentFilter,
        "error" | "network_error" | "insufficient_system_resource" => Finish::Error,
        "" if answer == Answer::Calls => Finish::ToolCalls,
        _ => Finish::Other,
    };
    let raw = native.filter(|native| !native.is_empty()).unwrap_or(word);
    FinishReason { unified, raw: raw.to_owned(), stop_sequence }
}

/// The protocol's word for a reason, and whether it says the same. `function_call`: see [`crate::dialect::Reply`].
pub(super) fn finish_word(finish: &FinishReason, function_call: bool) -> (&'static str, bool) {
    match finish.unified {
        Finish::Stop => ("stop", true),
        Finish::Length => ("length", true),
        Finish::ToolCalls if function_call => ("function_call", true),
        Finish::ToolCalls => ("tool_calls", true),
        // A refusal as OpenAI itself words it.
        Finish::ContentFilter if finish.raw == "stop" => ("stop", true),
        Finish::ContentFilter => ("content_filter", true),
        Finish::Pause | Finish::Error | Finish::Other => ("stop", false),
    }
}

/// The protocol's word for the tier that served an answer.
pub(super) fn tier_word(tier: Option<&str>) -> Option<&str> {
    // Anthropic's word for what everybody gets.
    tier.map(|tier| if tier == "standard" { "default" } else { tier })
}
