//! Decodes streams. Every chunk is a `GenerateContentResponse` with what is new.
//!
//! Text of consecutive chunks is one part, thoughts are another; a call comes whole. Usage is
//! cumulative in every chunk. Nothing marks the end but a finish reason and the end of the transport,
//! and some models repeat the reason in every chunk: so `Finish` and `End` are said at the end.
//!
//! Encoding is in [`super::chunks`]. Invariant: a stream accumulates to what the whole response decodes to.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::response::{self, PROMPT_FEEDBACK};
use super::wire::{Candidate, GenerateContentResponse, Str};
use super::{content, error, time, usage};
use crate::chat::{ChatEvent, Delta, Extra, FinishReason, Part, PartHead, Reasoning, ResponseHead, Text, ToolCall, Usage};
use crate::dialect::{DialectId, Fault, Frame, StreamDecoder};
use crate::error::Error;

const GEMINI: DialectId = DialectId::Gemini;

/// Decodes a stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    failed: bool,
    id: String,
    calls: usize,
    choices: BTreeMap<u32, Heard>,
    usage: Option<Usage>,
    blocked: Option<FinishReason>,
}

/// What was heard of a choice.
#[derive(Debug, Default)]
struct Heard {
    parts: u32,
    open: Option<Open>,
    has_calls: bool,
    finish: Option<String>,
    extra: Map<String, Value>,
}

/// A part without signature, to which the next chunk may add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thought,
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        if self.failed {
            return Ok(());
        }
        let wire: GenerateContentResponse<'_> = match serde_json::from_slice(frame.data) {
            Ok(wire) => wire,
            Err(corrupt) => {
                let status = error::parse(frame.data).ok_or_else(|| Fault::Corrupt(corrupt.to_string()))?;
                self.fail(error::in_band(&status), events);
                return Ok(());
            }
        };
        if let Some(status) = &wire.error {
            self.fail(error::in_band(status), events);
            return Ok(());
        }
        self.chunk(wire, events)
    }

    fn finish(&mut self, events: &mut Vec<ChatEvent>) {
        let finished = !self.choices.is_empty() && self.choices.values().all(|choice| choice.finish.is_some());
        if self.failed || !(finished || (self.choices.is_empty() && self.blocked.is_some())) {
            return;
        }
        if let Some(finish) = self.blocked.take().filter(|_| self.choices.is_empty()) {
            events.push(ChatEvent::Finish { choice: 0, finish });
        }
        for (index, mut choice) in std::mem::take(&mut self.choices) {
            choice.close(index, events);
            for (field, value) in choice.extra {
                events.push(ChatEvent::Extra { choice: Some(index), dialect: GEMINI, field, value });
            }
            let raw = choice.finish.unwrap_or_default();
            events.push(ChatEvent::Finish { choice: index, finish: response::finish(&raw, choice.has_calls) });
        }
        events.push(ChatEvent::End);
    }
}

impl Decoder {
    fn fail(&mut self, error: Error, events: &mut Vec<ChatEvent>) {
        self.failed = true;
        events.push(ChatEvent::Error(error));
    }

    fn chunk(&mut self, wire: GenerateContentResponse<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        if wire.candidates.is_none() && wire.prompt_feedback.is_none() && wire.usage_metadata.is_none() {
            return Err(Fault::Unknown);
        }
        let mut extra = wire.rest;
        if let Some(feedback) = wire.prompt_feedback {
            self.blocked = response::blocked(&feedback);
            extra.insert(PROMPT_FEEDBACK.into(), feedback);
        }
        if self.started {
            for (field, value) in extra {
                events.push(ChatEvent::Extra { choice: None, dialect: GEMINI, field, value });
            }
        } else {
            self.started = true;
            self.id = wire.response_id.map(Str::into_string).unwrap_or_default();
            let mut head = ResponseHead {
                id: self.id.clone(),
                model: wire.model_version.map(Str::into_string).unwrap_or_default(),
                created: wire.create_time.as_deref().and_then(time::seconds),
                ..ResponseHead::default()
            };
            head.extra.extend(GEMINI, extra);
            events.push(ChatEvent::Start(head));
        }
        if let Some(usage) = wire.usage_metadata.as_ref().map(usage::decode)
            && self.usage != Some(usage)
        {
            self.usage = Some(usage);
            events.push(ChatEvent::Usage(usage));
        }
        for (position, candidate) in (0..).zip(wire.candidates.into_iter().flatten()) {
            self.candidate(candidate, position, events)?;
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: Candidate<'_>, position: u32, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let index = candidate.index.and_then(|index| u32::try_from(index.0).ok()).unwrap_or(position);
        let choice = self.choices.entry(index).or_default();
        if let Some(reason) = candidate.finish_reason.filter(|reason| !matches!(&**reason, "" | "FINISH_REASON_UNSPECIFIED")) {
            choice.finish = Some(reason.into_string());
        }
        for (field, value) in candidate.rest {
            choice.keep(field, value);
        }
        for (number, part) in candidate.content.and_then(|content| content.parts).into_iter().flatten().enumerate() {
            let part = content::decode(part, &mut |name| response::invented_id(&self.id, name, &mut self.calls))
                .map_err(|flaw| Fault::Corrupt(flaw.why.to_owned()))?;
            choice.part(index, part, number == 0, events);
        }
        if let Some(result) = candidate.logprobs_result {
            let tokens = response::decode_logprobs(*result);
            if !tokens.is_empty() {
                events.push(ChatEvent::LogProbs { choice: index, tokens });
            }
        }
        Ok(())
    }
}

impl Heard {
    /// Adds a part; [`content::join`] tells which ones continue the last.
    fn part(&mut self, choice: u32, part: Part, seam: bool, events: &mut Vec<ChatEvent>) {
        match part {
            Part::Text(Text { text, signature, extra, .. }) => {
                if text.is_empty() && signature.is_none() && extra.is_empty() {
                    return;
                }
                let continues =
                    self.open == Some(Open::Text) && extra.is_empty() && (seam || (text.is_empty() && signature.is_some()));
                if !continues {
                    self.start(choice, PartHead::Text, events);
                    self.open = Some(Open::Text);
                }
                self.text(choice, text, events);
                let whole = signature.is_some() || !extra.is_empty();
                self.deltas(choice, signature.map(Delta::Signature).into_iter().chain(fields(&extra)), events);
                if whole {
                    self.close(choice, events);
                }
            }
            Part::Reasoning(Reasoning { text, redacted, signature }) => {
                if text.is_empty() && signature.is_none() {
                    return;
                }
                if self.open != Some(Open::Thought) || redacted {
                    self.start(choice, PartHead::Reasoning { redacted }, events);
                    self.open = Some(Open::Thought);
                }
                self.text(choice, text, events);
                if let Some(signature) = signature {
                    self.deltas(choice, [Delta::Signature(signature)].into_iter(), events);
                    self.close(choice, events);
                }
            }
            Part::ToolCall(ToolCall { id, name, arguments, signature, extra, .. }) => {
                self.has_calls = true;
                self.start(choice, PartHead::ToolCall { id, name }, events);
                self.deltas(choice, signature.map(Delta::Signature).into_iter(), events);
                self.text(choice, arguments, events);
                self.deltas(choice, fields(&extra), events);
                self.end(choice, events);
            }
            Part::Media(media) => {
                self.start(choice, PartHead::Media(Box::new(media)), events);
                self.end(choice, events);
            }
            Part::Opaque(opaque) => {
                self.start(choice, PartHead::Opaque(opaque), events);
                self.end(choice, events);
            }
            // Models neither refuse in a part of its own nor answer tools.
            Part::Refusal(_) | Part::ToolResult(_) => {}
        }
    }

    fn start(&mut self, choice: u32, head: PartHead, events: &mut Vec<ChatEvent>) {
        self.close(choice, events);
        events.push(ChatEvent::PartStart { choice, part: self.parts, head });
        self.parts += 1;
    }

    fn text(&self, choice: u32, text: String, events: &mut Vec<ChatEvent>) {
        if !text.is_empty() {
            self.deltas(choice, [Delta::Text(text)].into_iter(), events);
        }
    }

    fn deltas(&self, choice: u32, deltas: impl Iterator<Item = Delta>, events: &mut Vec<ChatEvent>) {
        let part = self.parts.saturating_sub(1);
        events.extend(deltas.map(|delta| ChatEvent::PartDelta { choice, part, delta }));
    }

    fn end(&self, choice: u32, events: &mut Vec<ChatEvent>) {
        events.push(ChatEvent::PartEnd { choice, part: self.parts.saturating_sub(1) });
    }

    fn close(&mut self, choice: u32, events: &mut Vec<ChatEvent>) {
        if self.open.take().is_some() {
            self.end(choice, events);
        }
    }

    /// Keeps a candidate's field: the last one counts, but the lists inside of citations grow.
    fn keep(&mut self, field: String, value: Value) {
        if field == "citationMetadata"
            && let (Some(Value::Object(old)), Value::Object(new)) = (self.extra.get_mut(&field), &value)
        {
            for (name, value) in new {
                match (old.get_mut(name), value) {
                    (Some(Value::Array(old)), Value::Array(new)) => old.extend(new.iter().cloned()),
                    _ => drop(old.insert(name.clone(), value.clone())),
                }
            }
            return;
        }
        self.extra.insert(field, value);
    }
}

fn fields(extra: &Extra) -> impl Iterator<Item = Delta> + '_ {
    extra.fields(GEMINI).map(|(field, value)| Delta::Extra { dialect: GEMINI, field: field.clone(), value: value.clone() })
}
