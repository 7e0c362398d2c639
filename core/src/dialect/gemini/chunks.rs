//! Encodes streams: a chunk a delta.
//!
//! Calls are held until they are whole, because their arguments are an object. The last chunk holds
//! finish reasons, usage and what was gathered of extra fields; like every chunk it has a candidate
//! with a part, because chat clients forget a turn that has a chunk without.
//!
//! Framed as server-sent events, or as one JSON array that is valid at every end, errors included.
//!
//! Invariant: what is held does not grow with the length of the answer, except for one call's arguments.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::content::{self, Reader};
use super::response::{self, PROMPT_FEEDBACK};
use super::wire::{self, Candidate, GenerateContentResponse, Int, Str};
use super::{error, time, usage};
use crate::chat::{
    ChatEvent, Delta, FinishReason, Part, PartHead, Reasoning, ResponseHead, TokenLogProb, ToolCall, Usage, Warnings,
};
use crate::dialect::{DialectId, Reply, StreamEncoder, StreamForm};
use crate::error::Error;

const GEMINI: DialectId = DialectId::Gemini;

/// Encodes a stream.
#[derive(Debug)]
pub(super) struct Encoder {
    reply: Reply,
    /// What follows the candidates in every chunk.
    suffix: Vec<u8>,
    began: bool,
    choices: BTreeMap<u32, Said>,
    usage: Option<Usage>,
    extra: Map<String, Value>,
}

/// What is held of a choice.
#[derive(Debug, Default)]
struct Said {
    spoke: bool,
    open: BTreeMap<u32, Building>,
    logprobs: Vec<TokenLogProb>,
    extra: Map<String, Value>,
    finish: Option<FinishReason>,
    malformed: Option<String>,
}

/// A part that is being streamed.
#[derive(Debug)]
enum Building {
    Text,
    Thought { redacted: bool },
    Call(Box<ToolCall>),
}

impl Encoder {
    pub(super) fn new(reply: Reply) -> Self {
        let mut encoder =
            Self { reply, suffix: Vec::new(), began: false, choices: BTreeMap::new(), usage: None, extra: Map::new() };
        encoder.suffix(&ResponseHead::default());
        encoder
    }

    fn suffix(&mut self, head: &ResponseHead) {
        let wire = GenerateContentResponse {
            model_version: Some(Str::from(if head.model.is_empty() { &self.reply.model } else { &head.model })),
            create_time: head.created.map(|created| time::rfc3339(created).into()),
            response_id: Some(Str::from(if head.id.is_empty() { &self.reply.id } else { &head.id })),
            ..Default::default()
        };
        let json = serde_json::to_vec(&wire).expect("messages serialise");
        self.suffix.clear();
        self.suffix.push(b',');
        self.suffix.extend_from_slice(&json[1..]);
    }

    /// Writes a chunk with one part, whose fields `part` writes.
    fn chunk(&mut self, choice: u32, out: &mut Vec<u8>, part: impl FnOnce(&mut Vec<u8>)) {
        open_frame(self.reply.form, &mut self.began, out);
        let said = self.choices.entry(choice).or_default();
        said.spoke = true;
        out.extend_from_slice(b"{\"candidates\":[{\"content\":{\"parts\":[");
        part(out);
        out.extend_from_slice(b"],\"role\":\"model\"},\"index\":");
        json(&choice, out);
        if !said.logprobs.is_empty() {
            out.extend_from_slice(b",\"logprobsResult\":");
            json(&response::encode_logprobs(&std::mem::take(&mut said.logprobs)), out);
        }
        out.extend_from_slice(b"}]");
        out.extend_from_slice(&self.suffix);
        close_frame(self.reply.form, out);
    }

    fn text(&mut self, choice: u32, text: &str, thought: bool, signature: Option<&str>, out: &mut Vec<u8>) {
        self.chunk(choice, out, |out| {
            out.extend_from_slice(b"{\"text\":");
            json(text, out);
            if thought {
                out.extend_from_slice(b",\"thought\":true");
            }
            if let Some(signature) = signature {
                out.extend_from_slice(b",\"thoughtSignature\":");
                json(signature, out);
            }
            out.push(b'}');
        });
    }

    /// Writes a part that came whole.
    fn whole(&mut self, choice: u32, part: &Part, out: &mut Vec<u8>) {
        match content::encode(part, &"", Reader::Caller, &mut Warnings::default()) {
            Ok(Some(part)) => self.chunk(choice, out, |out| json(&part, out)),
            Ok(None) => {}
            Err(error) => self.choices.entry(choice).or_default().malformed = Some(error.message),
        }
    }

    fn start(&mut self, choice: u32, part: u32, head: &PartHead, out: &mut Vec<u8>) {
        let building = match head {
            PartHead::Text | PartHead::Refusal => Building::Text,
            PartHead::Reasoning { redacted } => Building::Thought { redacted: *redacted },
            PartHead::ToolCall { id, name } => {
                Building::Call(Box::new(ToolCall { id: id.clone(), name: name.clone(), ..ToolCall::default() }))
            }
            PartHead::Media(media) => return self.whole(choice, &Part::Media((**media).clone()), out),
            PartHead::Opaque(opaque) => return self.whole(choice, &Part::Opaque(opaque.clone()), out),
        };
        self.choices.entry(choice).or_default().open.insert(part, building);
    }

    fn delta(&mut self, choice: u32, part: u32, delta: &Delta, out: &mut Vec<u8>) {
        let Some(building) = self.choices.get_mut(&choice).and_then(|said| said.open.get_mut(&part)) else { return };
        match (building, delta) {
            (Building::Call(call), Delta::Text(more)) => call.arguments.push_str(more),
            (Building::Call(call), Delta::Signature(signature)) => call.signature = Some(signature.clone()),
            (Building::Call(call), Delta::Extra { dialect, field, value }) => {
                call.extra.insert(*dialect, field.clone(), value.clone());
            }
            (Building::Text, Delta::Text(more)) if !more.is_empty() => self.text(choice, more, false, None, out),
            (Building::Thought { .. }, Delta::Text(more)) if !more.is_empty() => self.text(choice, more, true, None, out),
            (Building::Text, Delta::Signature(signature)) => {
                let signature = Reader::Caller.signature(Some(signature));
                self.text(choice, "", false, signature.as_deref(), out);
            }
            (Building::Thought { redacted }, Delta::Signature(signature)) => {
                let thought = Reasoning { redacted: *redacted, signature: Some(signature.clone()), ..Reasoning::default() };
                let signature = Reader::Caller.thought_signature(&thought);
                self.text(choice, "", true, signature.as_deref(), out);
            }
            (Building::Text, Delta::Extra { dialect: GEMINI, field, value }) => {
                let mut rest = Map::new();
                rest.insert(field.clone(), value.clone());
                let part = wire::Part { text: Some("".into()), rest, ..Default::default() };
                self.chunk(choice, out, |out| json(&part, out));
            }
            _ => {}
        }
    }

    fn end_part(&mut self, choice: u32, part: u32, out: &mut Vec<u8>) {
        let building = self.choices.get_mut(&choice).and_then(|said| said.open.remove(&part));
        if let Some(Building::Call(call)) = building {
            self.whole(choice, &Part::ToolCall(*call), out);
        }
    }

    /// The last chunk.
    fn end(&mut self, out: &mut Vec<u8>) {
        let refused = self.extra.get(PROMPT_FEEDBACK).is_some_and(|feedback| response::blocked(feedback).is_some());
        let refused = refused && self.choices.values().all(|said| !said.spoke);
        let choices = std::mem::take(&mut self.choices);
        let candidates: Vec<_> = choices.iter().map(|(index, said)| said.last(*index)).collect();
        let wire = GenerateContentResponse {
            candidates: (!refused && !candidates.is_empty()).then_some(candidates),
            usage_metadata: self.usage.as_ref().map(usage::encode),
            rest: std::mem::take(&mut self.extra),
            ..Default::default()
        };
        open_frame(self.reply.form, &mut self.began, out);
        json(&wire, out);
        // The suffix begins with the comma and ends with the brace.
        out.pop();
        let comma = usize::from(out.last() == Some(&b'{'));
        out.extend_from_slice(&self.suffix[comma..]);
        close_frame(self.reply.form, out);
        if self.reply.form == StreamForm::JsonArray {
            out.push(b']');
        }
    }
}

impl Said {
    fn last(&self, index: u32) -> Candidate<'_> {
        let mut rest = self.extra.clone();
        let finish = self.finish.as_ref();
        let name =
            finish.map(|finish| if self.malformed.is_some() { "MALFORMED_FUNCTION_CALL" } else { response::finish_name(finish) });
        if let Some(message) = self.malformed.as_deref().or_else(|| response::finish_message(finish?)) {
            rest.entry("finishMessage").or_insert(message.into());
        }
        let part = wire::Part { text: Some("".into()), ..Default::default() };
        Candidate {
            content: Some(wire::Content { parts: Some(vec![part]), role: Some("model".into()), ..Default::default() }),
            finish_reason: name.map(Str::from),
            index: Some(Int(index.into())),
            logprobs_result: (!self.logprobs.is_empty()).then(|| Box::new(response::encode_logprobs(&self.logprobs))),
            rest,
            ..Default::default()
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        match event {
            ChatEvent::Start(head) => {
                self.suffix(head);
                self.extra.extend(head.extra.fields(GEMINI).map(|(field, value)| (field.clone(), value.clone())));
            }
            ChatEvent::PartStart { choice, part, head } => self.start(*choice, *part, head, out),
            ChatEvent::PartDelta { choice, part, delta } => self.delta(*choice, *part, delta, out),
            ChatEvent::PartEnd { choice, part } => self.end_part(*choice, *part, out),
            ChatEvent::LogProbs { choice, tokens } => {
                self.choices.entry(*choice).or_default().logprobs.extend_from_slice(tokens);
            }
            ChatEvent::Finish { choice, finish } => self.choices.entry(*choice).or_default().finish = Some(finish.clone()),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Extra { choice, dialect: GEMINI, field, value } => {
                let extra = match choice {
                    Some(choice) => &mut self.choices.entry(*choice).or_default().extra,
                    None => &mut self.extra,
                };
                extra.insert(field.clone(), value.clone());
            }
            ChatEvent::Extra { .. } => {}
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => write_error(error, &self.reply, &mut self.began, out),
        }
    }
}

/// Writes a stream's terminal error.
pub(super) fn write_error(error: &Error, reply: &Reply, began: &mut bool, out: &mut Vec<u8>) {
    open_frame(reply.form, began, out);
    json(&error::body(error, &reply.id), out);
    close_frame(reply.form, out);
    if reply.form == StreamForm::JsonArray {
        out.push(b']');
    }
}

fn open_frame(form: StreamForm, began: &mut bool, out: &mut Vec<u8>) {
    out.extend_from_slice(match form {
        StreamForm::Sse => b"data: ".as_slice(),
        StreamForm::JsonArray if *began => b",\r\n",
        StreamForm::JsonArray => b"[",
    });
    *began = true;
}

fn close_frame(form: StreamForm, out: &mut Vec<u8>) {
    out.extend_from_slice(match form {
        StreamForm::Sse => b"\r\n\r\n".as_slice(),
        StreamForm::JsonArray => b"\n",
    });
}

fn json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a vector takes every byte, and messages serialise");
}
