//! A provider's events to chat events.
//!
//! | event | what it becomes |
//! |---|---|
//! | `message_start` | `Start`, and `Usage` for what the input took |
//! | `content_block_start`, `_delta`, `_stop` | a part's start, deltas and end |
//! | a block without a canonical name | one opaque part at its stop, whole, its input JSON put together |
//! | `message_delta` | `Extra`, `Finish` once, `Usage` with all counters so far |
//! | `message_stop` | `End` |
//! | `error` | `Error` |
//! | `ping` | nothing |
//! | anything else | [`Fault::Unknown`] |
//!
//! Invariant: blocks are matched by their own index, parts are numbered in the order of their starts.

use serde_json::{Map, Value};

use super::super::block::{self, Members, Origin, find, members};
use super::super::response::{finish, head};
use super::super::usage::{self, Counters};
use super::super::wire::{BlockDelta, BlockStop, DeltaFields, EventKind};
use super::super::{ME, error};
use crate::chat::{ChatEvent, Delta, Extra, Opaque, Part, PartHead, Signature};
use crate::dialect::{Fault, Frame, StreamDecoder};
use crate::wire::json::{At, Json};

/// Events that are known by name, but for the content delta.
const EVENTS: [&str; 7] =
    ["content_block_start", "content_block_stop", "message_start", "message_delta", "message_stop", "ping", "error"];

/// Most blocks that may be open at once. The API opens one; a few more are a server's own way.
const MAX_OPEN: usize = 64;

/// Most bytes of input JSON that are put together for an opaque block.
const MAX_INPUT: usize = 16 << 20;

/// The decoder.
#[derive(Default)]
pub(in super::super) struct Decoder {
    open: Vec<OpenBlock>,
    parts: u32,
    counters: Counters,
    usage_rest: Map<String, Value>,
    started: bool,
    finished: bool,
    ended: bool,
}

struct OpenBlock {
    index: u32,
    state: BlockState,
}

enum BlockState {
    /// A part under way.
    Part(u32),
    /// A call under way; `input` came with its start and counts unless deltas follow.
    Call { part: u32, input: Option<String> },
    /// A block without a canonical name, collected.
    Opaque { fields: Map<String, Value>, input: String },
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        if self.ended {
            return Ok(());
        }
        match frame.event {
            "content_block_delta" => self.delta(frame.data, events),
            "" => {
                let kind: EventKind<'_> = parse(frame.data)?;
                match kind.kind.as_ref() {
                    "content_block_delta" => self.delta(frame.data, events),
                    other => self.other(other, frame.data, events),
                }
            }
            other => self.other(other, frame.data, events),
        }
    }

    fn finish(&mut self, events: &mut Vec<ChatEvent>) {
        // The stop reason was given: only `message_stop` is missing, and that says nothing more.
        if self.finished && !self.ended {
            self.end(events);
        }
    }
}

impl Decoder {
    fn other(&mut self, kind: &str, data: &[u8], events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        match kind {
            "content_block_start" => self.block_start(data, events),
            "content_block_stop" => {
                let stop: BlockStop = parse(data)?;
                let at = self.position(stop.index)?;
                self.close(at, events);
                Ok(())
            }
            "message_start" => self.message_start(data, events),
            "message_delta" => self.message_delta(data, events),
            "message_stop" => {
                self.end(events);
                Ok(())
            }
            "ping" => Ok(()),
            "error" => {
                self.ended = true;
                events.push(ChatEvent::Error(error::decode_event(data)));
                Ok(())
            }
            // A name that says nothing (`message`): the data says it.
            _ => match parse::<EventKind<'_>>(data) {
                Ok(inner) if inner.kind == "content_block_delta" => self.delta(data, events),
                Ok(inner) if inner.kind != kind && EVENTS.contains(&inner.kind.as_ref()) => self.other(&inner.kind, data, events),
                _ => Err(Fault::Unknown),
            },
        }
    }

    fn message_start(&mut self, data: &[u8], events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let mut fields = object(data)?;
        let message = match fields.iter().position(|(key, _)| key == "message") {
            Some(index) => members(fields.swap_remove(index).1, At::Root).map_err(corrupt)?,
            None => return Err(Fault::Corrupt("message_start has no message".into())),
        };
        if self.started {
            return Err(Fault::Corrupt("a second message_start".into()));
        }
        self.started = true;
        let mut message = head(message);
        drop(finish(&mut message.end));
        events.push(ChatEvent::Start(message.head));
        events.extend(message.end.into_iter().map(|(field, value)| message_extra(&field, value)));
        if let Some(counters) = message.counters {
            self.counters = counters;
            self.usage_rest = message.usage_rest;
            events.push(ChatEvent::Usage(self.counters.usage()));
        }
        Ok(())
    }

    fn block_start(&mut self, data: &[u8], events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let fields = object(data)?;
        let mut index = None;
        let mut block = None;
        for (key, value) in fields {
            match key.as_ref() {
                "index" => index = value.as_u64().and_then(|index| u32::try_from(index).ok()),
                "content_block" => block = Some(value),
                _ => {}
            }
        }
        let (Some(index), Some(block)) = (index, block) else {
            return Err(Fault::Corrupt("content_block_start has no index or block".into()));
        };
        if self.position(index).is_ok() || self.open.len() >= MAX_OPEN {
            return Err(Fault::Corrupt(format!("block {index} is open already, or too many are")));
        }
        self.require_start(events);
        let kind = block.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
        let state = match kind.as_str() {
            // A call's id may be missing where a server is only compatible.
            "tool_use" => self.call_start(members(block, At::Root).map_err(corrupt)?, events),
            "text" | "thinking" | "redacted_thinking" => {
                let mut parts = Vec::with_capacity(1);
                block::read(with_text(block, &kind), Origin::Provider, At::Root, &mut parts).map_err(corrupt)?;
                let part = self.next_part();
                parts.into_iter().for_each(|content| begin(part, content, events));
                BlockState::Part(part)
            }
            _ => match Value::from(block) {
                Value::Object(fields) => BlockState::Opaque { fields, input: String::new() },
                _ => return Err(Fault::Corrupt("a block that is no object".into())),
            },
        };
        self.open.push(OpenBlock { index, state });
        Ok(())
    }

    fn call_start(&mut self, fields: Members<'_>, events: &mut Vec<ChatEvent>) -> BlockState {
        let part = self.next_part();
        let text = |key| match find(&fields, key) {
            Some(Json::String(text)) => text.to_string(),
            _ => String::new(),
        };
        let (mut id, name) = (text("id"), text("name"));
        if id.is_empty() {
            id = format!("toolu_{part}");
        }
        let input = match find(&fields, "input") {
            Some(input @ Json::Object(fields)) if !fields.is_empty() => Some(block::to_text(input)),
            _ => None,
        };
        events.push(ChatEvent::PartStart { choice: 0, part, head: PartHead::ToolCall { id, name } });
        for (key, value) in fields {
            match key.as_ref() {
                "type" | "id" | "name" | "input" => {}
                "caller" if value.get("type").and_then(Json::as_str) == Some("direct") => {}
                _ if value.is_null() => {}
                _ => events.push(extra(part, &key, Value::from(value))),
            }
        }
        BlockState::Call { part, input }
    }

    fn delta(&mut self, data: &[u8], events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let BlockDelta { index, delta } = parse(data)?;
        let at = self.position(index)?;
        let part = match &mut self.open[at].state {
            BlockState::Part(part) => *part,
            BlockState::Call { part, input } => {
                *input = None;
                *part
            }
            BlockState::Opaque { fields, input } => return opaque_delta(fields, input, delta, data),
        };
        let DeltaFields { kind, text, thinking, partial_json, signature, citation } = delta;
        let text = match kind.as_ref() {
            "text_delta" => text,
            "thinking_delta" => thinking,
            "input_json_delta" => partial_json,
            _ => None,
        };
        let delta = match (text, kind.as_ref(), signature, citation) {
            (Some(text), ..) if text.is_empty() => return Ok(()),
            (Some(text), ..) => Delta::Text(text),
            (_, "signature_delta", Some(data), _) if data.is_empty() => return Ok(()),
            (_, "signature_delta", Some(data), _) => Delta::Signature(Signature { dialect: ME, data }),
            (_, "citations_delta", _, Some(citation)) => {
                Delta::Extra { dialect: ME, field: "citations".into(), value: Value::Array(vec![citation]) }
            }
            _ => return Err(Fault::Unknown),
        };
        events.push(ChatEvent::PartDelta { choice: 0, part, delta });
        Ok(())
    }

    fn message_delta(&mut self, data: &[u8], events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
        let mut end = Map::new();
        self.require_start(events);
        for (key, value) in object(data)? {
            match key.as_ref() {
                "delta" => {
                    end = value.object(At::Root).map_err(corrupt)?.map(|(key, value)| (key.into_owned(), value.into())).collect()
                }
                "usage" => {
                    let (counters, _, rest) = usage::read(&Value::from(value));
                    self.counters.merge(counters);
                    self.usage_rest.extend(rest);
                }
                // Fields beside them (`context_management`) are the message's.
                "type" => {}
                _ if value.is_null() => {}
                _ => events.push(message_extra(&key, Value::from(value))),
            }
        }
        let finish = finish(&mut end);
        for (key, value) in end.into_iter().filter(|(_, value)| !value.is_null()) {
            events.push(message_extra(&key, value));
        }
        if !finish.raw.is_empty() && !self.finished {
            while !self.open.is_empty() {
                self.close(0, events);
            }
            self.finished = true;
            events.push(ChatEvent::Finish { choice: 0, finish });
        }
        events.push(ChatEvent::Usage(self.counters.usage()));
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<ChatEvent>) {
        self.require_start(events);
        while !self.open.is_empty() {
            self.close(0, events);
        }
        if !std::mem::replace(&mut self.finished, true) {
            // It gave no reason; the end stands for it.
            events.push(ChatEvent::Finish { choice: 0, finish: finish(&mut Map::new()) });
        }
        if !self.usage_rest.is_empty() {
            let rest = std::mem::take(&mut self.usage_rest);
            events.push(message_extra("usage", Value::Object(rest)));
        }
        events.push(ChatEvent::End);
        self.ended = true;
    }

    fn close(&mut self, at: usize, events: &mut Vec<ChatEvent>) {
        let part = match self.open.remove(at).state {
            BlockState::Part(part) => part,
            BlockState::Call { part, input } => {
                if let Some(input) = input {
                    events.push(ChatEvent::PartDelta { choice: 0, part, delta: Delta::Text(input) });
                }
                part
            }
            BlockState::Opaque { mut fields, input } => {
                if let Ok(input) = serde_json::from_str(&input) {
                    fields.insert("input".into(), input);
                }
                let part = self.next_part();
                let head = PartHead::Opaque(Opaque { dialect: ME, value: Value::Object(fields) });
                events.push(ChatEvent::PartStart { choice: 0, part, head });
                part
            }
        };
        events.push(ChatEvent::PartEnd { choice: 0, part });
    }

    /// A stream whose `message_start` was lost still keeps the grammar.
    fn require_start(&mut self, events: &mut Vec<ChatEvent>) {
        if !self.started {
            self.started = true;
            events.push(ChatEvent::Start(crate::chat::ResponseHead::default()));
        }
    }

    fn next_part(&mut self) -> u32 {
        self.parts += 1;
        self.parts - 1
    }

    fn position(&self, index: u32) -> Result<usize, Fault> {
        let found = self.open.iter().position(|block| block.index == index);
        found.ok_or_else(|| Fault::Corrupt(format!("block {index} is not open")))
    }
}

/// A start's block always has its text field, but servers that are only compatible leave it out.
fn with_text<'a>(block: Json<'a>, kind: &str) -> Json<'a> {
    match block {
        Json::Object(mut fields) if kind == "text" && find(&fields, "text").is_none() => {
            fields.push(("text".into(), Json::String("".into())));
            Json::Object(fields)
        }
        other => other,
    }
}

/// The events of a block's start, with whatever it already holds.
fn begin(part: u32, content: Part, events: &mut Vec<ChatEvent>) {
    let (head, text, signature, extra) = match content {
        Part::Text(text) => (PartHead::Text, text.text, None, text.extra),
        Part::Reasoning(reasoning) => {
            (PartHead::Reasoning { redacted: reasoning.redacted }, reasoning.text, reasoning.signature, Extra::default())
        }
        _ => return,
    };
    let delta = |delta| ChatEvent::PartDelta { choice: 0, part, delta };
    events.push(ChatEvent::PartStart { choice: 0, part, head });
    if !text.is_empty() {
        events.push(delta(Delta::Text(text)));
    }
    events.extend(signature.map(|signature| delta(Delta::Signature(signature))));
    for (field, value) in extra.fields(ME).filter(|(_, value)| !value.as_array().is_some_and(Vec::is_empty)) {
        events.push(delta(Delta::Extra { dialect: ME, field: field.clone(), value: value.clone() }));
    }
}

fn opaque_delta(fields: &mut Map<String, Value>, input: &mut String, delta: DeltaFields<'_>, data: &[u8]) -> Result<(), Fault> {
    if let Some(json) = delta.partial_json {
        if input.len() + json.len() > MAX_INPUT {
            return Err(Fault::Corrupt("more input than a block may have".into()));
        }
        input.push_str(&json);
        return Ok(());
    }
    // A delta of a later kind: its strings grow the block's, its other values replace them.
    let mut whole: Value = parse(data)?;
    let Value::Object(changes) = whole["delta"].take() else { return Err(Fault::Unknown) };
    for (key, value) in changes.into_iter().filter(|(key, _)| key != "type") {
        match (fields.get_mut(&key), value) {
            (Some(Value::String(text)), Value::String(more)) => text.push_str(&more),
            (_, value) => drop(fields.insert(key, value)),
        }
    }
    Ok(())
}

fn extra(part: u32, field: &str, value: Value) -> ChatEvent {
    ChatEvent::PartDelta { choice: 0, part, delta: Delta::Extra { dialect: ME, field: field.to_owned(), value } }
}

fn message_extra(field: &str, value: Value) -> ChatEvent {
    ChatEvent::Extra { choice: None, dialect: ME, field: field.to_owned(), value }
}

fn parse<'a, T: serde::Deserialize<'a>>(data: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(data).map_err(corrupt)
}

fn object(data: &[u8]) -> Result<Members<'_>, Fault> {
    members(Json::read(data).map_err(corrupt)?, At::Root).map_err(corrupt)
}

fn corrupt(cause: impl std::fmt::Display) -> Fault {
    Fault::Corrupt(cause.to_string())
}
