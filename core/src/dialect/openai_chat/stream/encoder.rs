//! Events to chunks.
//!
//! | event | chunk |
//! |---|---|
//! | a choice's first | `delta.role` |
//! | text, reasoning, refusal | `delta.content`, `delta.reasoning_content`, `delta.refusal` |
//! | a tool call | held until its first arguments or its end; then `index`, id, name and those arguments |
//! | a caller's only call, where it knows no other form | `delta.function_call` |
//! | `Finish` | an empty delta with `finish_reason` |
//! | `Usage` | kept; before the end one chunk without choices, for a caller who asked |
//! | `End` | `[DONE]` |
//! | `Error` | an `error` frame, and nothing after it |
//!
//! A call's id is sent once, so all that rides in it must be known by then: the signed reasoning
//! before the call, and the call's own signature, which its decoder gives before its arguments.
//!
//! Invariant: `[DONE]` is written for `End` only; indices of tool calls are sent in rising order.

use std::borrow::Cow;

use serde_json::Value;

use super::super::response::{
    encode_audio, encode_finish, encode_images, encode_logprobs, foreign_signature, response_id, tier_word,
};
use super::super::{DIALECT, error, tool, usage};
use crate::chat::carry::{self, Carried};
use crate::chat::{ChatEvent, Delta, Media, MediaKind, PartHead, Reasoning, ResponseHead, Signature, Usage};
use crate::dialect::{Reply, StreamEncoder};
use crate::wire::json_writer::Object;
use crate::wire::sse;

/// Most bytes of one piece of signed reasoning that ride in an id.
const MOST_CARRIED: usize = 1 << 20;

/// Encodes one stream.
#[derive(Debug)]
pub(crate) struct Encoder {
    reply: Reply,
    /// Every chunk up to `"choices":[`.
    prefix: Vec<u8>,
    usage: Option<Usage>,
    choices: Vec<Choice>,
    /// Fields of the response that wait for the next chunk that may hold them.
    fields: Vec<(String, Value)>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Choice {
    index: u32,
    calls: u32,
    parts: Vec<(u32, Open)>,
    /// Signed reasoning since the last call.
    carried: Vec<Reasoning>,
    fields: Vec<(String, Value)>,
    /// The call that was sent as `function_call`, whole or in part.
    function: bool,
    refused: bool,
    spoke: bool,
}

#[derive(Debug)]
enum Open {
    Text,
    Refusal,
    /// What may have to be carried; `None` once it has grown beyond that, because a part of it proves nothing.
    Reasoning(Option<Reasoning>),
    Held(Call),
    Call(u32),
    Function,
    Done,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    signature: Option<Signature>,
    fields: Vec<(String, Value)>,
}

impl Encoder {
    pub(crate) fn new(reply: Reply) -> Self {
        let mut encoder = Self { reply, prefix: Vec::new(), usage: None, choices: Vec::new(), fields: Vec::new(), ended: false };
        encoder.start(&ResponseHead::default());
        encoder
    }

    fn start(&mut self, head: &ResponseHead) {
        let reply = &self.reply;
        self.prefix.clear();
        let mut object = Object::begin(&mut self.prefix);
        object.field("id", &*response_id(&head.id, reply));
        object.field("object", "chat.completion.chunk");
        object.field("created", &head.created.unwrap_or(reply.created));
        object.field("model", if head.model.is_empty() { &reply.model } else { &head.model });
        object.some("service_tier", &tier_word(head.service_tier.as_deref()));
        object.some("system_fingerprint", &head.extra.field(DIALECT, "system_fingerprint"));
        drop(object.array("choices"));
        drop(object);
        // The chunk's choices and its end follow.
        self.prefix.truncate(self.prefix.len() - 2);
        let rest = head.extra.fields(DIALECT).filter(|(key, _)| *key != "system_fingerprint");
        self.fields = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    }

    /// A chunk of one choice. `fill` writes its delta, `tail` what follows it.
    fn chunk(&self, index: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>), tail: Tail<'_>) {
        sse::open(out, "");
        out.extend_from_slice(&self.prefix);
        let mut choice = Object::begin(out);
        choice.field("index", &index);
        fill(&mut choice.object("delta"));
        match tail {
            Tail::None => {
                choice.field("logprobs", &());
                choice.field("finish_reason", &());
            }
            Tail::LogProbs(tokens, refused) => {
                encode_logprobs(&mut choice, tokens, refused);
                choice.field("finish_reason", &());
            }
            Tail::Finish(finish, fields) => {
                choice.field("logprobs", &());
                encode_finish(&mut choice, finish, &self.reply);
                fields.iter().filter(|(key, _)| key != "message").for_each(|(key, value)| choice.field(key, value));
            }
        }
        drop(choice);
        out.push(b']');
    }

    /// Ends a chunk, with the response's waiting fields where they were not yet sent.
    fn close(&mut self, fields: bool, out: &mut Vec<u8>) {
        let mut chunk = Object::resume(out);
        if self.reply.usage {
            chunk.field("usage", &());
        }
        if fields {
            self.fields.drain(..).for_each(|(key, value)| chunk.field(&key, &value));
        }
        drop(chunk);
        sse::close(out);
    }

    fn delta(&mut self, index: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        self.chunk(index, out, fill, Tail::None);
        self.close(false, out);
    }

    /// The choice's state; its first mention says the role. `content` is null unless text comes first or nothing does,
    /// so that an answer of calls alone adds up to a message without content.
    fn choice(&mut self, index: u32, text: bool, out: &mut Vec<u8>) -> usize {
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return at;
        }
        self.choices.push(Choice { index, ..Choice::default() });
        let role = |delta: &mut Object<'_>| {
            delta.field("role", "assistant");
            delta.field("content", &text.then_some(""));
            delta.field("refusal", &());
        };
        self.chunk(index, out, role, Tail::None);
        self.close(true, out);
        self.choices.len() - 1
    }

    fn part_start(&mut self, index: u32, part: u32, head: &PartHead, out: &mut Vec<u8>) {
        let at = self.choice(index, matches!(head, PartHead::Text), out);
        let open = match head {
            PartHead::Text => Open::Text,
            PartHead::Refusal => Open::Refusal,
            PartHead::Reasoning { redacted } => Open::Reasoning(Some(Reasoning { redacted: *redacted, ..Reasoning::default() })),
            PartHead::ToolCall { id, name } => Open::Held(Call { id: id.clone(), name: name.clone(), ..Call::default() }),
            PartHead::Media(media) => {
                self.media(index, media, out);
                Open::Done
            }
            PartHead::Opaque(opaque) if opaque.dialect == DIALECT && opaque.value["type"] == "custom" => {
                let call = self.choices[at].calls;
                self.choices[at].calls += 1;
                self.delta(index, out, |delta| {
                    let mut calls = delta.array("tool_calls");
                    let mut object = calls.object();
                    object.field("index", &call);
                    opaque.value.as_object().into_iter().flatten().for_each(|(key, value)| object.field(key, value));
                });
                Open::Done
            }
            PartHead::Opaque(_) => Open::Done,
        };
        self.choices[at].parts.push((part, open));
    }

    fn media(&mut self, index: u32, media: &Media, out: &mut Vec<u8>) {
        let reply = self.reply.clone();
        match media.kind {
            MediaKind::Image => self.delta(index, out, |delta| encode_images(delta, &[media])),
            MediaKind::Audio => self.delta(index, out, |delta| encode_audio(delta, media, &reply)),
            MediaKind::Video | MediaKind::Document => {}
        }
    }

    fn part_delta(&mut self, index: u32, part: u32, delta: &Delta, out: &mut Vec<u8>) {
        let at = self.choice(index, true, out);
        let choice = &mut self.choices[at];
        let Some((_, open)) = choice.parts.iter_mut().find(|(number, _)| *number == part) else { return };
        match (open, delta) {
            (_, Delta::Text(text)) if text.is_empty() => {}
            (Open::Text, Delta::Text(text)) => {
                choice.spoke = true;
                self.delta(index, out, |delta| delta.field("content", text));
            }
            (Open::Refusal, Delta::Text(text)) => {
                choice.refused = true;
                self.delta(index, out, |delta| delta.field("refusal", text));
            }
            (Open::Reasoning(reasoning), Delta::Text(text)) => {
                *reasoning = reasoning.take().filter(|kept| kept.text.len() + text.len() <= MOST_CARRIED);
                if let Some(kept) = reasoning {
                    kept.text.push_str(text);
                }
                self.delta(index, out, |delta| delta.field("reasoning_content", text));
            }
            (Open::Reasoning(Some(reasoning)), Delta::Signature(signature)) => reasoning.signature = Some(signature.clone()),
            (Open::Held(call), Delta::Signature(signature)) => call.signature = Some(signature.clone()),
            (Open::Held(call), Delta::Extra { dialect, field, value }) if *dialect == DIALECT => {
                // The last one counts: a key may not stand twice.
                call.fields.retain(|(name, _)| name != field);
                call.fields.push((field.clone(), value.clone()));
            }
            (Open::Held(_), Delta::Text(text)) => self.release(at, part, text, out),
            (Open::Call(number), Delta::Text(text)) => {
                let number = *number;
                self.delta(index, out, |delta| {
                    let mut calls = delta.array("tool_calls");
                    let mut call = calls.object();
                    call.field("index", &number);
                    call.object("function").field("arguments", text);
                });
            }
            (Open::Function, Delta::Text(text)) => {
                self.delta(index, out, |delta| delta.object("function_call").field("arguments", text));
            }
            (Open::Call(number), Delta::Extra { dialect, field, value }) if *dialect == DIALECT => {
                let number = *number;
                self.delta(index, out, |delta| {
                    let mut calls = delta.array("tool_calls");
                    let mut call = calls.object();
                    call.field("index", &number);
                    call.field(field, value);
                });
            }
            (Open::Text, Delta::Extra { dialect, field, value }) if *dialect == DIALECT && field == "annotations" => {
                self.delta(index, out, |delta| delta.field(field, value));
            }
            _ => {}
        }
    }

    /// Sends the first chunk of a held call.
    fn release(&mut self, at: usize, part: u32, arguments: &str, out: &mut Vec<u8>) {
        let choice = &mut self.choices[at];
        let Some((_, open)) = choice.parts.iter_mut().find(|(number, _)| *number == part) else { return };
        let index = choice.index;
        if self.reply.function_call && !std::mem::replace(&mut choice.function, true) {
            let Open::Held(call) = std::mem::replace(open, Open::Function) else { return };
            choice.carried.clear();
            return self.delta(index, out, |delta| {
                let mut function = delta.object("function_call");
                function.field("name", &call.name);
                function.field("arguments", arguments);
            });
        }
        let Open::Held(call) = std::mem::replace(open, Open::Call(choice.calls)) else { return };
        let number = choice.calls;
        choice.calls += 1;
        let signature = foreign_signature(&call.signature);
        let carried = Carried { reasoning: std::mem::take(&mut choice.carried), signature };
        let id = match carried.is_empty() {
            true => Cow::Borrowed(call.id.as_str()),
            false => Cow::Owned(carry::wrap_id(&call.id, &carried)),
        };
        self.delta(index, out, |delta| {
            let mut calls = delta.array("tool_calls");
            let mut object = calls.object();
            object.field("index", &number);
            object.field("id", &id);
            object.field("type", "function");
            let mut function = object.object("function");
            function.field("name", &call.name);
            function.field("arguments", arguments);
            drop(function);
            object.some(tool::EXTRA_CONTENT, &tool::extra_content(&call.signature));
            call.fields.iter().for_each(|(key, value)| object.field(key, value));
        });
    }

    fn part_end(&mut self, index: u32, part: u32, out: &mut Vec<u8>) {
        let at = self.choice(index, true, out);
        let Some(place) = self.choices[at].parts.iter().position(|(number, _)| *number == part) else { return };
        if matches!(self.choices[at].parts[place].1, Open::Held(_)) {
            // A call without arguments: `{}`, because clients parse the text.
            self.release(at, part, "{}", out);
        }
        let (_, open) = self.choices[at].parts.swap_remove(place);
        let Open::Reasoning(Some(reasoning)) = open else { return };
        match &reasoning.signature {
            Some(signature) if signature.dialect == DIALECT => {
                if let Ok(details) = serde_json::from_str::<Value>(&signature.data) {
                    self.delta(index, out, |delta| delta.field("reasoning_details", &details));
                }
            }
            Some(_) => self.choices[at].carried.push(reasoning),
            None => {}
        }
    }

    fn finish(&mut self, index: u32, finish: &crate::chat::FinishReason, out: &mut Vec<u8>) {
        let at = self.choice(index, true, out);
        let fields = std::mem::take(&mut self.choices[at].fields);
        let message = fields.iter().find(|(key, _)| key == "message").and_then(|(_, value)| value.as_object());
        let fill = |delta: &mut Object<'_>| message.into_iter().flatten().for_each(|(key, value)| delta.field(key, value));
        self.chunk(index, out, fill, Tail::Finish(finish, &fields));
        self.close(true, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let (true, Some(usage)) = (self.reply.usage, &self.usage) {
            sse::open(out, "");
            out.extend_from_slice(&self.prefix);
            out.push(b']');
            usage::encode(&mut Object::resume(out), usage);
            sse::close(out);
        }
        sse::write(out, "", b"[DONE]");
    }
}

enum Tail<'t> {
    None,
    LogProbs(&'t [crate::chat::TokenLogProb], bool),
    Finish(&'t crate::chat::FinishReason, &'t [(String, Value)]),
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            ChatEvent::Start(head) => self.start(head),
            ChatEvent::PartStart { choice, part, head } => self.part_start(*choice, *part, head, out),
            ChatEvent::PartDelta { choice, part, delta } => self.part_delta(*choice, *part, delta, out),
            ChatEvent::PartEnd { choice, part } => self.part_end(*choice, *part, out),
            ChatEvent::LogProbs { choice, tokens } => {
                let at = self.choice(*choice, true, out);
                let refused = self.choices[at].refused && !self.choices[at].spoke;
                self.chunk(*choice, out, |_| {}, Tail::LogProbs(tokens, refused));
                self.close(false, out);
            }
            ChatEvent::Finish { choice, finish } => self.finish(*choice, finish, out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Extra { dialect, .. } if *dialect != DIALECT => {}
            ChatEvent::Extra { choice: None, field, value, .. } => keep(&mut self.fields, field, value),
            ChatEvent::Extra { choice: Some(choice), field, value, .. } => {
                let at = self.choice(*choice, true, out);
                keep(&mut self.choices[at].fields, field, value);
            }
            ChatEvent::End => {
                self.ended = true;
                self.end(out);
            }
            ChatEvent::Error(problem) => {
                self.ended = true;
                out.extend_from_slice(&error::encode_frame(problem));
            }
        }
    }
}

/// Keeps a field until it can be sent; a later value replaces an earlier one.
fn keep(fields: &mut Vec<(String, Value)>, field: &str, value: &Value) {
    match fields.iter_mut().find(|(key, _)| key == field) {
        Some((_, old)) => value.clone_into(old),
        None => fields.push((field.to_owned(), value.clone())),
    }
}
