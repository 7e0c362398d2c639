//! Chat events to the events that an Anthropic client reads.
//!
//! ```text
//! message_start ( content_block_start content_block_delta* content_block_stop )* message_delta message_stop
//! ```
//!
//! One block is open at a time. Parts that overlap (OpenAI streams parallel calls so) wait, with what
//! has come for them, until the block before them is closed. `message_delta` waits for `End`, because
//! its usage may come after the finish reason. `input_tokens` in `message_start` is 0 unless the
//! provider said it first; the last word is in `message_delta`.
//!
//! What waits is capped at [`MAX_WAITING`] bytes: a provider that keeps one part open and goes on with
//! another for ever ends in an error event.
//!
//! Invariant: the output keeps this grammar whatever events come (see the checker in the golden tests).

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::super::response::{call_id, message_id, stop_reason};
use super::super::usage::Written;
use super::super::{ME, error};
use crate::chat::carry::tag;
use crate::chat::{ChatEvent, Delta, FinishReason, PartHead, ResponseHead, Signature, Usage};
use crate::dialect::{Reply, StreamEncoder};
use crate::error::{Error, ErrorKind};

/// Most bytes that may wait for the block before them to close.
const MAX_WAITING: usize = 16 << 20;

/// What a waiting part costs beside its text.
const WAITING_PART: usize = 256;

/// Fields of a message that a stream gives at its end.
const AT_THE_END: [&str; 3] = ["usage", "stop_details", "container"];

/// The encoder.
pub(in super::super) struct Encoder {
    reply: Reply,
    started: bool,
    done: bool,
    /// Index of the next block.
    index: u32,
    current: Option<Current>,
    waiting: VecDeque<Waiting>,
    /// Bytes that wait, about.
    waiting_bytes: usize,
    usage: Usage,
    finish: FinishReason,
    calls: bool,
    refused: bool,
    /// What this dialect's provider said of the message, for `message_delta`.
    fields: Map<String, Value>,
}

/// The part whose turn it is.
struct Current {
    part: u32,
    state: State,
}

enum State {
    /// Its block is open; deltas of text are of this kind.
    Open(Kind),
    /// A call whose block waits for its arguments, because what comes before them stands in its start.
    Call(Call),
    /// Redacted thinking, whose block waits for its data.
    Redacted,
    /// A part without a place in this protocol.
    Hidden,
}

/// A call whose block is not open yet.
struct Call {
    id: String,
    name: String,
    /// Rides in the id if it is another provider's.
    signature: Option<Signature>,
    /// Fields of the block that an Anthropic provider gave.
    fields: Map<String, Value>,
}

/// How text deltas of a block are written: the bytes before and after the JSON string.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Thinking,
    Input,
    /// Complete at its start.
    Whole,
}

/// A part whose turn has not come.
struct Waiting {
    part: u32,
    head: PartHead,
    deltas: Vec<Delta>,
    ended: bool,
}

impl Encoder {
    pub(in super::super) fn new(reply: Reply) -> Self {
        Self {
            reply,
            started: false,
            done: false,
            index: 0,
            current: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            usage: Usage::default(),
            finish: FinishReason::default(),
            calls: false,
            refused: false,
            fields: Map::new(),
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match event {
            ChatEvent::PartDelta { choice: 0, part, delta } => self.delta(*part, delta, out),
            ChatEvent::Start(head) => self.start(head, out),
            ChatEvent::PartStart { choice: 0, part, head } => self.part_start(*part, head, out),
            ChatEvent::PartEnd { choice: 0, part } => self.part_end(*part, out),
            ChatEvent::Finish { choice: 0, finish } => self.finish = finish.clone(),
            ChatEvent::Usage(usage) => self.usage = *usage,
            ChatEvent::Extra { dialect, field, value, .. } if *dialect == ME => {
                drop(self.fields.insert(field.clone(), value.clone()))
            }
            ChatEvent::End => self.end(out),
            ChatEvent::Error(error) => {
                self.done = true;
                error::encode_event(error, &self.reply.id, out);
            }
            // Other choices, log probabilities and other dialects' fields have no place here.
            _ => {}
        }
    }
}

impl Encoder {
    fn start(&mut self, head: &ResponseHead, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let model = if head.model.is_empty() { &self.reply.model } else { &head.model };
        out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":");
        json(&message_id(&head.id, &self.reply), out);
        out.extend_from_slice(b",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
        json(model, out);
        out.extend_from_slice(b",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
        json(&Written::new(&self.usage, head.service_tier.as_deref(), None), out);
        for (field, value) in head.extra.fields(ME) {
            if AT_THE_END.contains(&field.as_str()) {
                self.fields.insert(field.clone(), value.clone());
                continue;
            }
            out.push(b',');
            json(field, out);
            out.push(b':');
            json(value, out);
        }
        out.extend_from_slice(b"}}\n\n");
    }

    fn part_start(&mut self, part: u32, head: &PartHead, out: &mut Vec<u8>) {
        if self.current.is_some() {
            if self.may_wait(WAITING_PART, out) {
                self.waiting.push_back(Waiting { part, head: head.clone(), deltas: Vec::new(), ended: false });
            }
        } else {
            self.open(part, head, out);
        }
    }

    fn delta(&mut self, part: u32, delta: &Delta, out: &mut Vec<u8>) {
        match &self.current {
            Some(current) if current.part == part => self.write(delta, out),
            _ => {
                let cost = if let Delta::Text(text) = delta { text.len() } else { WAITING_PART };
                if !self.may_wait(cost, out) {
                    return;
                }
                if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.part == part) {
                    waiting.take(delta);
                }
            }
        }
    }

    /// Counts what waits; too much of it ends the stream.
    fn may_wait(&mut self, cost: usize, out: &mut Vec<u8>) -> bool {
        self.waiting_bytes += cost;
        if self.waiting_bytes <= MAX_WAITING {
            return true;
        }
        self.done = true;
        self.waiting.clear();
        let error = Error::new(ErrorKind::UpstreamInvalid, "The provider's answer is too far out of order.");
        error::encode_event(&error, &self.reply.id, out);
        false
    }

    fn part_end(&mut self, part: u32, out: &mut Vec<u8>) {
        match &self.current {
            Some(current) if current.part == part => {
                self.close(out);
                self.advance(out);
            }
            _ => {
                if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.part == part) {
                    waiting.ended = true;
                }
            }
        }
    }

    /// Gives waiting parts their turn, up to the first that is still under way.
    fn advance(&mut self, out: &mut Vec<u8>) {
        while self.current.is_none() {
            let Some(next) = self.waiting.pop_front() else { break };
            self.open(next.part, &next.head, out);
            next.deltas.iter().for_each(|delta| self.write(delta, out));
            if next.ended {
                self.close(out);
            }
        }
        if self.waiting.is_empty() {
            self.waiting_bytes = 0;
        }
    }

    /// Makes `part` the current one, and opens its block if all is known that its start says.
    fn open(&mut self, part: u32, head: &PartHead, out: &mut Vec<u8>) {
        self.start(&ResponseHead::default(), out);
        let state = match head {
            PartHead::Text => self.open_block(b"{\"type\":\"text\",\"text\":\"\"}", Kind::Text, out),
            PartHead::Refusal => {
                self.refused = true;
                self.open_block(b"{\"type\":\"text\",\"text\":\"\"}", Kind::Text, out)
            }
            PartHead::Reasoning { redacted: false } => {
                self.open_block(b"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}", Kind::Thinking, out)
            }
            PartHead::Reasoning { redacted: true } => State::Redacted,
            PartHead::ToolCall { id, name } => {
                State::Call(Call { id: id.clone(), name: name.clone(), signature: None, fields: Map::new() })
            }
            PartHead::Opaque(opaque) if opaque.dialect == ME => {
                let block = serde_json::to_vec(&opaque.value).unwrap_or_default();
                self.open_block(&block, Kind::Whole, out)
            }
            PartHead::Opaque(_) | PartHead::Media(_) => State::Hidden,
        };
        self.current = Some(Current { part, state });
    }

    fn open_block(&mut self, block: &[u8], kind: Kind, out: &mut Vec<u8>) -> State {
        out.extend_from_slice(b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":");
        number(self.index, out);
        out.extend_from_slice(b",\"content_block\":");
        out.extend_from_slice(block);
        out.extend_from_slice(b"}\n\n");
        State::Open(kind)
    }

    fn open_call(&mut self, call: Call, out: &mut Vec<u8>) -> State {
        self.calls = true;
        let mut block = Vec::with_capacity(128);
        block.extend_from_slice(b"{\"type\":\"tool_use\",\"id\":");
        json(&call_id(&call.id, call.signature.as_ref()), &mut block);
        block.extend_from_slice(b",\"name\":");
        json(&call.name, &mut block);
        block.extend_from_slice(b",\"input\":{}");
        if !call.fields.contains_key("caller") {
            block.extend_from_slice(b",\"caller\":{\"type\":\"direct\"}");
        }
        members(&call.fields, &mut block);
        block.push(b'}');
        self.open_block(&block, Kind::Input, out)
    }

    /// Writes a delta of the current part.
    fn write(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let Some(Current { part, state }) = self.current.take() else { return };
        let state = match (state, delta) {
            (State::Open(kind), Delta::Text(text)) => {
                self.text(kind, text, out);
                State::Open(kind)
            }
            (State::Call(call), Delta::Text(text)) => {
                let state = self.open_call(call, out);
                self.text(Kind::Input, text, out);
                state
            }
            (State::Call(call), Delta::Signature(signature)) => State::Call(Call { signature: Some(signature.clone()), ..call }),
            (State::Call(mut call), Delta::Extra { dialect, field, value }) => {
                if *dialect == ME {
                    call.fields.insert(field.clone(), value.clone());
                }
                State::Call(call)
            }
            (State::Open(Kind::Thinking), Delta::Signature(signature)) => {
                self.block_delta(b"{\"type\":\"signature_delta\",\"signature\":", &tag(signature, ME), out);
                State::Open(Kind::Thinking)
            }
            (State::Open(Kind::Text), Delta::Extra { dialect, field, value }) if *dialect == ME && field == "citations" => {
                for citation in value.as_array().into_iter().flatten() {
                    self.block_delta(b"{\"type\":\"citations_delta\",\"citation\":", citation, out);
                }
                State::Open(Kind::Text)
            }
            (State::Redacted, Delta::Signature(signature)) => {
                let mut block = b"{\"type\":\"redacted_thinking\",\"data\":".to_vec();
                json(&tag(signature, ME), &mut block);
                block.push(b'}');
                self.open_block(&block, Kind::Whole, out)
            }
            (state, _) => state,
        };
        self.current = Some(Current { part, state });
    }

    fn text(&self, kind: Kind, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let before: &[u8] = match kind {
            Kind::Text => b"{\"type\":\"text_delta\",\"text\":",
            Kind::Thinking => b"{\"type\":\"thinking_delta\",\"thinking\":",
            Kind::Input => b"{\"type\":\"input_json_delta\",\"partial_json\":",
            Kind::Whole => return,
        };
        self.block_delta(before, text, out);
    }

    fn block_delta<T: serde::Serialize + ?Sized>(&self, before: &[u8], value: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        number(self.index, out);
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(before);
        json(value, out);
        out.extend_from_slice(b"}}\n\n");
    }

    /// Ends the current part, and its block if it has one.
    fn close(&mut self, out: &mut Vec<u8>) {
        let state = match self.current.take() {
            Some(Current { state: State::Call(call), .. }) => self.open_call(call, out),
            Some(current) => current.state,
            None => return,
        };
        if let State::Open(_) = state {
            out.extend_from_slice(b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":");
            number(self.index, out);
            out.extend_from_slice(b"}\n\n");
            self.index += 1;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.done = true;
        self.start(&ResponseHead::default(), out);
        // A decoder ends its parts; one that did not still gives its caller whole blocks.
        self.close(out);
        for waiting in &mut self.waiting {
            waiting.ended = true;
        }
        self.advance(out);
        out.extend_from_slice(b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":");
        json(stop_reason(&self.finish, self.calls, self.refused), out);
        out.extend_from_slice(b",\"stop_sequence\":");
        json(&self.finish.stop_sequence, out);
        let rest = self.fields.remove("usage");
        for field in ["stop_details", "container"] {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(b"\":");
            json(&self.fields.remove(field), out);
        }
        out.extend_from_slice(b"},\"usage\":");
        json(&Written::new(&self.usage, None, rest.as_ref()), out);
        members(&self.fields, out);
        out.extend_from_slice(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}

impl Waiting {
    /// Keeps a delta; text grows the last one, so that waiting costs no more than its text.
    fn take(&mut self, delta: &Delta) {
        match (self.deltas.last_mut(), delta) {
            (Some(Delta::Text(text)), Delta::Text(more)) => text.push_str(more),
            // What stands in the start of a call's block has to come before its arguments.
            (_, Delta::Signature(_) | Delta::Extra { .. }) if matches!(self.head, PartHead::ToolCall { .. }) => {
                self.deltas.insert(0, delta.clone());
            }
            _ => self.deltas.push(delta.clone()),
        }
    }
}

fn json<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("strings, numbers and JSON serialise into memory");
}

/// Appends more members of an object that has some already.
fn members(fields: &Map<String, Value>, out: &mut Vec<u8>) {
    for (field, value) in fields {
        out.push(b',');
        json(field, out);
        out.push(b':');
        json(value, out);
    }
}

fn number(value: u32, out: &mut Vec<u8>) {
    json(&value, out);
}
