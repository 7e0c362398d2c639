//! Events to a response: what a stream said, as if it had come whole.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ChatEvent, ChatResponse, Choice, Delta, Extra, Part, PartHead, Reasoning, Refusal, Text, ToolCall};
use crate::dialect::DialectId;
use crate::error::Error;

/// Collects the events of one stream.
///
/// Invariant: `replay(response)` fed to an accumulator gives `response` again.
#[derive(Debug, Default)]
pub struct Accumulator {
    response: ChatResponse,
    choices: BTreeMap<u32, Choice>,
    ended: bool,
    error: Option<Error>,
}

impl Accumulator {
    /// Takes the next event. Deltas of parts that were never started are ignored.
    pub fn push(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Start(head) => {
                self.response.id = head.id;
                self.response.model = head.model;
                self.response.created = head.created;
                self.response.service_tier = head.service_tier;
                self.response.extra = head.extra;
            }
            ChatEvent::PartStart { choice, head, .. } => self.choice(choice).parts.push(start(head)),
            ChatEvent::PartDelta { choice, part, delta } => {
                if let Some(part) = self.choice(choice).parts.get_mut(part as usize) {
                    grow(part, delta);
                }
            }
            ChatEvent::PartEnd { .. } => {}
            ChatEvent::LogProbs { choice, tokens } => self.choice(choice).logprobs.extend(tokens),
            ChatEvent::Finish { choice, finish } => self.choice(choice).finish = finish,
            ChatEvent::Usage(usage) => self.response.usage = Some(usage),
            ChatEvent::Extra { choice, dialect, field, value } => {
                let extra = match choice {
                    Some(index) => &mut self.choice(index).extra,
                    None => &mut self.response.extra,
                };
                merge(extra, dialect, field, value);
            }
            ChatEvent::End => self.ended = true,
            ChatEvent::Error(error) => self.error = Some(error),
        }
    }

    /// The response so far, and whether the stream said that it was complete; or the provider's error.
    pub fn finish(mut self) -> Result<(ChatResponse, bool), Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.response.choices = self.choices.into_values().collect();
        Ok((self.response, self.ended))
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        self.choices.entry(index).or_insert_with(|| Choice { index, ..Choice::default() })
    }
}

fn start(head: PartHead) -> Part {
    match head {
        PartHead::Text => Part::Text(Text::default()),
        PartHead::Reasoning { redacted } => Part::Reasoning(Reasoning { redacted, ..Reasoning::default() }),
        PartHead::ToolCall { id, name } => Part::ToolCall(ToolCall { id, name, ..ToolCall::default() }),
        PartHead::Refusal => Part::Refusal(Refusal::default()),
        PartHead::Media(media) => Part::Media(*media),
        PartHead::Opaque(opaque) => Part::Opaque(opaque),
    }
}

fn grow(part: &mut Part, delta: Delta) {
    match (part, delta) {
        (Part::Text(part), Delta::Text(more)) => part.text.push_str(&more),
        (Part::Text(part), Delta::Signature(signature)) => part.signature = Some(signature),
        (Part::Text(part), Delta::Extra { dialect, field, value }) => merge(&mut part.extra, dialect, field, value),
        (Part::Reasoning(part), Delta::Text(more)) => part.text.push_str(&more),
        (Part::Reasoning(part), Delta::Signature(signature)) => part.signature = Some(signature),
        (Part::ToolCall(part), Delta::Text(more)) => part.arguments.push_str(&more),
        (Part::ToolCall(part), Delta::Signature(signature)) => part.signature = Some(signature),
        (Part::ToolCall(part), Delta::Extra { dialect, field, value }) => merge(&mut part.extra, dialect, field, value),
        (Part::Refusal(part), Delta::Text(more)) => part.text.push_str(&more),
        (Part::Media(part), Delta::Signature(signature)) => part.signature = Some(signature),
        _ => {}
    }
}

/// Keeps a field: arrays of the same field are appended, other values replaced.
fn merge(extra: &mut Extra, dialect: DialectId, field: String, value: Value) {
    let value = match (extra.field(dialect, &field), value) {
        (Some(Value::Array(old)), Value::Array(new)) => Value::Array(old.iter().cloned().chain(new).collect()),
        (_, value) => value,
    };
    extra.insert(dialect, field, value);
}
