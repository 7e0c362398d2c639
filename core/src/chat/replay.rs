//! A response to events: an answer that came whole, as if it had been streamed.
//!
//! Used when a provider answers a streaming request with plain JSON, and by caches.

use super::{ChatEvent, ChatResponse, Delta, Extra, Part, PartHead, ResponseHead, Signature};

/// The events of `response`, from `Start` to `End`, each part in one delta.
pub fn replay(response: &ChatResponse) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::Start(ResponseHead {
        id: response.id.clone(),
        model: response.model.clone(),
        created: response.created,
        service_tier: response.service_tier.clone(),
        extra: response.extra.clone(),
    })];
    for choice in &response.choices {
        for (part, content) in (0..).zip(&choice.parts) {
            let index = Index { choice: choice.index, part };
            index.replay(content, &mut events);
        }
        if !choice.logprobs.is_empty() {
            events.push(ChatEvent::LogProbs { choice: choice.index, tokens: choice.logprobs.clone() });
        }
        for (dialect, field, value) in all(&choice.extra) {
            events.push(ChatEvent::Extra { choice: Some(choice.index), dialect, field, value });
        }
        events.push(ChatEvent::Finish { choice: choice.index, finish: choice.finish.clone() });
    }
    events.extend(response.usage.map(ChatEvent::Usage));
    events.push(ChatEvent::End);
    events
}

struct Index {
    choice: u32,
    part: u32,
}

impl Index {
    fn replay(&self, content: &Part, events: &mut Vec<ChatEvent>) {
        match content {
            Part::Text(part) => self.part(PartHead::Text, &part.text, &part.signature, Some(&part.extra), events),
            Part::Reasoning(part) => {
                self.part(PartHead::Reasoning { redacted: part.redacted }, &part.text, &part.signature, None, events);
            }
            Part::ToolCall(part) => {
                let head = PartHead::ToolCall { id: part.id.clone(), name: part.name.clone() };
                self.part(head, &part.arguments, &part.signature, Some(&part.extra), events);
            }
            Part::Refusal(part) => self.part(PartHead::Refusal, &part.text, &None, None, events),
            Part::Media(part) => self.part(PartHead::Media(Box::new(part.clone())), "", &None, None, events),
            Part::Opaque(part) => self.part(PartHead::Opaque(part.clone()), "", &None, None, events),
            // Only callers send results; a response that holds one has nothing to stream.
            Part::ToolResult(_) => {}
        }
    }

    fn part(
        &self,
        head: PartHead,
        text: &str,
        signature: &Option<Signature>,
        extra: Option<&Extra>,
        events: &mut Vec<ChatEvent>,
    ) {
        let Self { choice, part } = *self;
        let text = (!text.is_empty()).then(|| Delta::Text(text.to_owned()));
        let proof = signature.clone().map(Delta::Signature);
        let fields = extra.into_iter().flat_map(all).map(|(dialect, field, value)| Delta::Extra { dialect, field, value });
        // What stands beside a call's arguments goes first: some encoders say it when the call begins.
        let deltas: Vec<Delta> = if matches!(head, PartHead::ToolCall { .. }) {
            proof.into_iter().chain(fields).chain(text).collect()
        } else {
            text.into_iter().chain(proof).chain(fields).collect()
        };
        events.push(ChatEvent::PartStart { choice, part, head });
        events.extend(deltas.into_iter().map(|delta| ChatEvent::PartDelta { choice, part, delta }));
        events.push(ChatEvent::PartEnd { choice, part });
    }
}

fn all(extra: &Extra) -> impl Iterator<Item = (crate::dialect::DialectId, String, serde_json::Value)> + '_ {
    crate::dialect::DialectId::ALL
        .into_iter()
        .flat_map(|dialect| extra.fields(dialect).map(move |(field, value)| (dialect, field.clone(), value.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Accumulator, Choice, Finish, FinishReason, Reasoning, Text, ToolCall, Usage};
    use crate::dialect::DialectId;

    #[test]
    fn what_is_replayed_accumulates_to_the_same_response() {
        let mut text = Text { text: "It is 12 degrees.".into(), ..Text::default() };
        text.extra.insert(DialectId::AnthropicMessages, "citations", serde_json::json!([{"type": "char_location"}]));
        let signature = Signature { dialect: DialectId::Gemini, data: "c2ln".into() };
        let response = ChatResponse {
            id: "r1".into(),
            model: "m".into(),
            created: Some(7),
            choices: vec![Choice {
                parts: vec![
                    Part::Reasoning(Reasoning { text: "hm".into(), redacted: false, signature: Some(signature.clone()) }),
                    Part::Text(text),
                    Part::ToolCall(ToolCall {
                        id: "c1".into(),
                        name: "f".into(),
                        arguments: "{\"a\":1}".into(),
                        signature: Some(signature),
                        ..ToolCall::default()
                    }),
                ],
                finish: FinishReason::new(Finish::ToolCalls, "tool_use"),
                ..Choice::default()
            }],
            usage: Some(Usage { input: 3, output: 4, ..Usage::default() }),
            ..ChatResponse::default()
        };
        let mut accumulator = Accumulator::default();
        replay(&response).into_iter().for_each(|event| accumulator.push(event));
        assert_eq!(accumulator.finish().unwrap(), (response, true));
    }
}
