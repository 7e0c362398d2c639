//! Chunks to events.
//!
//! What compatible providers do differently, and what is made of it:
//!
//! | seen | taken as |
//! |---|---|
//! | a tool call without `index`, or whole calls that all say `index: 0` | told apart by id, or by name where there is no id |
//! | a call without id | an id made of the response's |
//! | a call whose id comes before its name | held until the name is there |
//! | `finish_reason` again, or content after it | ignored |
//! | usage in the last content chunk, in every chunk, under `x_groq` | the last one counts |
//! | no `[DONE]` | an end if every choice gave a reason, else a truncated stream |
//! | a first chunk without id, model and choices (Azure) | its fields go to the start that follows |
//!
//! A text part ends when another kind begins; tool calls stay open until their choice is finished,
//! because they may be interleaved. What only comes whole (audio, custom calls) is held until then,
//! at most 32 MiB.
//!
//! Invariant: events keep [`ChatEvent`]'s grammar whatever the provider sends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::response::{self, Answer, AudioAnswer};
use super::super::wire::{AudioDelta, Chunk, ChunkChoice, ChunkDelta, Content, ToolCallDelta};
use super::super::{DIALECT, error, message, tool};
use crate::chat::{ChatEvent, Delta, Opaque, Part, PartHead, ResponseHead, Signature, Usage};
use crate::dialect::{Fault, Frame, StreamDecoder};

/// Decodes one stream.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    head: ResponseHead,
    started: bool,
    ended: bool,
    choices: Vec<Choice>,
    usage: Option<Usage>,
    held: usize,
}

const MOST_CHOICES: usize = 128;
const MOST_CALLS: usize = 512;
const MOST_HELD: usize = 32 << 20;

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let data = frame.data.trim_ascii();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.end(events);
            return Ok(());
        }
        let mut chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|error| Fault::Corrupt(error.to_string()))?;
        let groq = chunk.x_groq.take().unwrap_or_default();
        if let Some(problem) = chunk.error.take().or(groq.error) {
            self.fail(&problem, events);
            return Ok(());
        }
        if frame.event == "error" {
            let problem = serde_json::from_slice(data).unwrap_or(Value::Null);
            self.fail(&problem, events);
            return Ok(());
        }
        let usage = chunk.usage.or(groq.usage);
        let choices = chunk.choices.take();
        if choices.is_none() && usage.is_none() && chunk.prompt_filter_results.is_none() {
            return Err(Fault::Unknown);
        }
        self.start(&mut chunk, choices.as_ref().is_some_and(|choices| !choices.is_empty()) || usage.is_some(), events);
        let mut fault = Ok(());
        for choice in choices.into_iter().flatten() {
            fault = self.choice(choice, events).and(fault);
        }
        if let Some(usage) = usage.map(|usage| usage.buckets()).filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            events.push(ChatEvent::Usage(usage));
        }
        fault
    }

    fn finish(&mut self, events: &mut Vec<ChatEvent>) {
        if !self.ended && !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finished) {
            self.end(events);
        }
    }
}

impl Decoder {
    /// Gathers what the stream says of itself, and starts with the first chunk that says more.
    fn start(&mut self, chunk: &mut Chunk<'_>, substance: bool, events: &mut Vec<ChatEvent>) {
        let fields = [
            ("prompt_filter_results", chunk.prompt_filter_results.take()),
            ("citations", chunk.citations.take()),
            ("search_results", chunk.search_results.take()),
        ];
        if self.started {
            for (field, value) in fields {
                // Perplexity repeats its list in every chunk.
                let Some(value) = value.filter(|value| self.head.extra.field(DIALECT, field) != Some(value)) else { continue };
                self.head.extra.insert(DIALECT, field, value.clone());
                events.push(ChatEvent::Extra { choice: None, dialect: DIALECT, field: field.to_owned(), value });
            }
            return;
        }
        let head = &mut self.head;
        let fill = |field: &mut String, text: &str| {
            if field.is_empty() {
                text.clone_into(field);
            }
        };
        fill(&mut head.id, &chunk.id);
        fill(&mut head.model, &chunk.model);
        head.created = head.created.or(Some(chunk.created.0).filter(|created| *created > 0));
        head.service_tier = head.service_tier.take().or((!chunk.service_tier.is_empty()).then(|| chunk.service_tier.to_string()));
        if !chunk.system_fingerprint.is_empty() {
            head.extra.insert(DIALECT, "system_fingerprint", Value::from(&*chunk.system_fingerprint));
        }
        for (field, value) in fields {
            if let Some(value) = value {
                head.extra.insert(DIALECT, field, value);
            }
        }
        if substance {
            self.begin(events);
        }
    }

    fn begin(&mut self, events: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            events.push(ChatEvent::Start(self.head.clone()));
        }
    }

    fn fail(&mut self, problem: &Value, events: &mut Vec<ChatEvent>) {
        self.begin(events);
        self.ended = true;
        events.push(ChatEvent::Error(error::decode_in_band(problem)));
    }

    fn end(&mut self, events: &mut Vec<ChatEvent>) {
        self.begin(events);
        self.ended = true;
        for choice in self.choices.iter_mut().filter(|choice| !choice.finished) {
            choice.close(events);
            // Some providers give no reason; the end stands for it.
            let finish = response::decode_finish("", None, None, choice.answer());
            events.push(ChatEvent::Finish { choice: choice.index, finish });
        }
        events.push(ChatEvent::End);
    }

    fn choice(&mut self, wire: ChunkChoice<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let index = u32::try_from(wire.index.0).map_err(|_| Fault::Corrupt("a choice's index is too large".to_owned()))?;
        let known = self.choices.iter().position(|choice| choice.index == index);
        let at = match known {
            Some(at) => at,
            None if self.choices.len() >= MOST_CHOICES => return Err(Fault::Corrupt("too many choices".to_owned())),
            None => {
                self.choices.push(Choice { index, ..Choice::default() });
                self.choices.len() - 1
            }
        };
        let choice = &mut self.choices[at];
        if choice.finished {
            return Ok(());
        }
        let mut fault = Ok(());
        if let Some(delta) = wire.delta {
            fault = choice.delta(delta, &self.head.id, &mut self.held, events);
        }
        let tokens = wire.logprobs.map(response::tokens).unwrap_or_default();
        if !tokens.is_empty() {
            events.push(ChatEvent::LogProbs { choice: index, tokens });
        }
        if let Some(value) =
            wire.content_filter_results.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()))
        {
            let field = "content_filter_results".to_owned();
            events.push(ChatEvent::Extra { choice: Some(index), dialect: DIALECT, field, value });
        }
        if !wire.finish_reason.is_empty() {
            choice.close(events);
            choice.finished = true;
            let stop = (!wire.stop_reason.is_empty()).then(|| wire.stop_reason.to_string());
            let finish = response::decode_finish(&wire.finish_reason, Some(&wire.native_finish_reason), stop, choice.answer());
            events.push(ChatEvent::Finish { choice: index, finish });
        }
        fault
    }
}

/// What is known of a choice.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    parts: u32,
    prose: Option<(Prose, u32)>,
    calls: Vec<Call>,
    audio: Option<(AudioAnswer, Vec<u8>)>,
    details: Vec<Value>,
    refused: bool,
    finished: bool,
}

/// Parts of which one is open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prose {
    Text,
    Reasoning,
    Refusal,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    /// Its part, once it has started.
    part: Option<u32>,
    /// A custom tool's input, which only comes whole.
    custom: Option<String>,
}

impl Choice {
    fn delta(
        &mut self,
        delta: ChunkDelta<'_>,
        response: &str,
        held: &mut usize,
        events: &mut Vec<ChatEvent>,
    ) -> Result<(), Fault> {
        let reasoning = if delta.reasoning_content.is_empty() { delta.reasoning } else { delta.reasoning_content };
        if !reasoning.is_empty() {
            self.say(Prose::Reasoning, reasoning.0.into_owned(), events);
        }
        if let Some(details) = delta.reasoning_details.filter(|details| !details.is_empty()) {
            hold(held, details.iter().map(|detail| detail.to_string().len()).sum())?;
            self.open(Prose::Reasoning, events);
            message::merge_details(&mut self.details, details);
        }
        match delta.content {
            Content::None => {}
            Content::Text(text) => self.say(Prose::Text, text.into_owned(), events),
            Content::Parts(chunks) => {
                for chunk in chunks {
                    let (mut text, mut thoughts, mut others) = (String::new(), String::new(), Vec::new());
                    response::split_chunk(chunk, &mut text, &mut thoughts, &mut others);
                    self.say(Prose::Reasoning, thoughts, events);
                    self.say(Prose::Text, text, events);
                    others.into_iter().for_each(|part| self.whole(part, events));
                }
            }
        }
        self.say(Prose::Refusal, delta.refusal.0.into_owned(), events);
        if let Some(annotations) = delta.annotations.filter(|list| list.as_array().is_some_and(|list| !list.is_empty())) {
            self.annotate(annotations, events);
        }
        for image in delta.images.into_iter().flatten() {
            if let Some(image) = response::decode_image(image) {
                self.whole(image, events);
            }
        }
        if let Some(audio) = delta.audio {
            self.listen(audio, held)?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call, response, held, events)?;
        }
        match delta.function_call {
            Some(function) => {
                let call =
                    ToolCallDelta { index: Some(Default::default()), function: Some(function), ..ToolCallDelta::default() };
                self.call(call, response, held, events)
            }
            None => Ok(()),
        }
    }

    fn answer(&self) -> Answer {
        if self.calls.iter().any(|call| call.part.is_some()) {
            Answer::Calls
        } else if self.refused {
            Answer::Refusal
        } else {
            Answer::Text
        }
    }

    fn next(&mut self) -> u32 {
        self.parts += 1;
        self.parts - 1
    }

    fn open(&mut self, kind: Prose, events: &mut Vec<ChatEvent>) -> u32 {
        match self.prose {
            Some((open, part)) if open == kind => part,
            _ => {
                self.fall_silent(events);
                self.refused |= kind == Prose::Refusal;
                let part = self.next();
                let head = match kind {
                    Prose::Text => PartHead::Text,
                    Prose::Reasoning => PartHead::Reasoning { redacted: false },
                    Prose::Refusal => PartHead::Refusal,
                };
                events.push(ChatEvent::PartStart { choice: self.index, part, head });
                self.prose = Some((kind, part));
                part
            }
        }
    }

    fn say(&mut self, kind: Prose, text: String, events: &mut Vec<ChatEvent>) {
        if !text.is_empty() {
            let part = self.open(kind, events);
            events.push(ChatEvent::PartDelta { choice: self.index, part, delta: Delta::Text(text) });
        }
    }

    /// Ends the text, reasoning or refusal that is open.
    fn fall_silent(&mut self, events: &mut Vec<ChatEvent>) {
        let choice = self.index;
        if let Some((kind, part)) = self.prose.take() {
            if kind == Prose::Reasoning && !self.details.is_empty() {
                let data = Value::Array(std::mem::take(&mut self.details)).to_string();
                let delta = Delta::Signature(Signature { dialect: DIALECT, data });
                events.push(ChatEvent::PartDelta { choice, part, delta });
            }
            events.push(ChatEvent::PartEnd { choice, part });
        }
    }

    /// A part that comes whole.
    fn whole(&mut self, part: Part, events: &mut Vec<ChatEvent>) {
        let head = match part {
            Part::Media(media) => PartHead::Media(Box::new(media)),
            Part::Opaque(opaque) => PartHead::Opaque(opaque),
            _ => return,
        };
        self.fall_silent(events);
        let (choice, part) = (self.index, self.next());
        events.push(ChatEvent::PartStart { choice, part, head });
        events.push(ChatEvent::PartEnd { choice, part });
    }

    fn annotate(&mut self, annotations: Value, events: &mut Vec<ChatEvent>) {
        let (choice, dialect) = (self.index, DIALECT);
        match self.prose {
            Some((Prose::Text, part)) => {
                let delta = Delta::Extra { dialect, field: "annotations".to_owned(), value: annotations };
                events.push(ChatEvent::PartDelta { choice, part, delta });
            }
            _ => {
                let (field, value) = ("message".to_owned(), json!({ "annotations": annotations }));
                events.push(ChatEvent::Extra { choice: Some(choice), dialect, field, value });
            }
        }
    }

    fn listen(&mut self, delta: AudioDelta, held: &mut usize) -> Result<(), Fault> {
        let (answer, sound) = self.audio.get_or_insert_default();
        answer.id = answer.id.take().or(delta.id);
        answer.expires_at = delta.expires_at.or(answer.expires_at);
        if let Some(more) = delta.transcript {
            hold(held, more.len())?;
            answer.transcript.get_or_insert_default().push_str(&more);
        }
        if let Some(data) = delta.data {
            let more = STANDARD.decode(data).map_err(|error| Fault::Corrupt(format!("audio that is not base64: {error}")))?;
            hold(held, more.len())?;
            sound.extend_from_slice(&more);
        }
        Ok(())
    }

    fn call(
        &mut self,
        delta: ToolCallDelta<'_>,
        response: &str,
        held: &mut usize,
        events: &mut Vec<ChatEvent>,
    ) -> Result<(), Fault> {
        let index = delta.index.map(|index| index.0);
        // Mistral's `null` is a word.
        let id = if &*delta.id == "null" { "" } else { &*delta.id };
        let function = delta.function.unwrap_or_default();
        let (name, custom) = match &delta.custom {
            Some(custom) => (&*custom.name, Some(&*custom.input)),
            None => (&*function.name, None),
        };
        let at = match self.known(index, id, name) {
            Some(at) => at,
            None if self.calls.len() >= MOST_CALLS => return Err(Fault::Corrupt("too many tool calls".to_owned())),
            None => {
                let id = match id {
                    "" => response::invented_id(response, self.index, self.calls.len()),
                    id => id.to_owned(),
                };
                self.calls.push(Call { index, id, custom: custom.map(|_| String::new()), ..Call::default() });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at];
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        if let Some(input) = &mut call.custom {
            let more = custom.unwrap_or_default();
            hold(held, more.len())?;
            input.push_str(more);
            return Ok(());
        }
        if call.part.is_none() {
            if call.name.is_empty() {
                return Ok(());
            }
            let head = PartHead::ToolCall { id: call.id.clone(), name: call.name.clone() };
            self.fall_silent(events);
            let part = self.next();
            self.calls[at].part = Some(part);
            events.push(ChatEvent::PartStart { choice: self.index, part, head });
        }
        let (choice, Some(part)) = (self.index, self.calls[at].part) else { return Ok(()) };
        if let Some(value) = delta.extra_content {
            let delta = match tool::signature(&value) {
                Some(signature) => Delta::Signature(signature),
                None => Delta::Extra { dialect: DIALECT, field: tool::EXTRA_CONTENT.to_owned(), value },
            };
            events.push(ChatEvent::PartDelta { choice, part, delta });
        }
        if !function.arguments.0.is_empty() {
            let delta = Delta::Text(function.arguments.0.into_owned());
            events.push(ChatEvent::PartDelta { choice, part, delta });
        }
        Ok(())
    }

    /// The call that a delta belongs to, unless it begins one.
    fn known(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let named = |call: &Call| !name.is_empty() && !call.name.is_empty();
        match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index).filter(|at| {
                let call = &self.calls[*at];
                let another = if id.is_empty() { call.name != name } else { call.id != id };
                !(named(call) && another)
            }),
            None if !id.is_empty() => self.calls.iter().rposition(|call| call.id == id),
            None if !name.is_empty() => None,
            None => self.calls.len().checked_sub(1),
        }
    }

    /// Ends all that is open.
    fn close(&mut self, events: &mut Vec<ChatEvent>) {
        self.fall_silent(events);
        let choice = self.index;
        if let Some((mut answer, sound)) = self.audio.take() {
            answer.data = STANDARD.encode(sound);
            if let Some(audio) = answer.media() {
                self.whole(audio, events);
            }
        }
        for at in 0..self.calls.len() {
            let call = &mut self.calls[at];
            if let Some(part) = call.part {
                events.push(ChatEvent::PartEnd { choice, part });
            } else if let Some(input) = call.custom.take() {
                let value = json!({ "id": call.id, "type": "custom", "custom": { "name": call.name, "input": input } });
                self.whole(Part::Opaque(Opaque { dialect: DIALECT, value }), events);
            }
        }
    }
}

/// Counts bytes that are held back, up to the cap.
fn hold(held: &mut usize, more: usize) -> Result<(), Fault> {
    *held = held.saturating_add(more);
    if *held > MOST_HELD { Err(Fault::Corrupt("more than can be held back".to_owned())) } else { Ok(()) }
}
