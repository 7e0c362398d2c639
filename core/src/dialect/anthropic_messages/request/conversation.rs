//! A request's messages: roles, blocks, and what the API refuses.
//!
//! | canonical | here |
//! |---|---|
//! | system and developer messages | the `system` field, in their order; `moved` when one stood after another message |
//! | the same in the conversation, for models that take it | a `system` message behind the user's, where the API wants it: what was sent before stays as it was |
//! | neighbouring tool and user messages | one user message, tool results first |
//! | neighbouring assistant messages | one assistant message |
//! | no user message at the front | a user message is filled in |
//! | blank text blocks, messages without blocks | left out: the API refuses them |
//! | a last assistant message (prefill) | without trailing white space; `Unsupported` for models that take none |
//! | reasoning that Claude signed | `thinking` or `redacted_thinking`, unchanged |
//! | reasoning that somebody else signed | left out, with a warning; unsigned reasoning without one |
//! | tool call ids with other characters than `[A-Za-z0-9_-]` | rewritten, the same in call and result |

use std::borrow::Cow;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::super::ME;
use super::super::generation::Generation;
use super::super::wire::{self, Block, Cache, Fields};
use crate::chat::{
    Extra, Media, MediaKind, Message, Part, PartAt, Reasoning, Role, Text, ToolCall, ToolResult, WarningCode, Warnings,
};
use crate::dialect::Target;
use crate::error::{Error, Result};

/// What stands in for a user message that the API wants and the caller did not send.
const FILLER: &str = "Continue.";

/// Encoded messages, and what the parameters need to know of them.
pub(super) struct Conversation<'a> {
    /// The `system` blocks.
    pub(super) system: Vec<Block<'a>>,
    /// The messages.
    pub(super) messages: Vec<wire::Message<'a>>,
    /// Whether the last message is the beginning of the answer.
    pub(super) prefill: bool,
    /// Whether tool results follow an assistant turn that does not begin with its thinking.
    pub(super) unproven_call: bool,
    /// Names of tools called in earlier turns, in order of their first call.
    pub(super) called: Vec<&'a str>,
}

/// Encodes `messages` for `target`.
pub(super) fn encode<'a>(messages: &'a [Message], target: Target<'_>, warnings: &mut Warnings) -> Result<Conversation<'a>> {
    // Clouds that host Claude do not take instructions in the conversation; Anthropic does.
    let system_turns = Generation::of(target.model).system_turns && target.quirks.beta_headers;
    let mut writer =
        Writer { conversation: Conversation::empty(), results: 0, system_turns, waiting: Vec::new(), target, warnings };
    for (index, message) in messages.iter().enumerate() {
        writer.message(index, message)?;
    }
    writer.finish(messages.len())
}

struct Writer<'a, 't, 'w> {
    conversation: Conversation<'a>,
    target: Target<'t>,
    /// How many tool results open the user message under way.
    results: usize,
    /// Whether instructions may stand in the conversation.
    system_turns: bool,
    /// Instructions that wait for their place behind the user's message.
    waiting: Vec<Block<'a>>,
    warnings: &'w mut Warnings,
}

impl<'a> Conversation<'a> {
    fn empty() -> Self {
        Self { system: Vec::new(), messages: Vec::new(), prefill: false, unproven_call: false, called: Vec::new() }
    }
}

impl<'a> Writer<'a, '_, '_> {
    fn message(&mut self, index: usize, message: &'a Message) -> Result<()> {
        foreign(&message.extra, self.warnings, || format!("messages[{index}]"));
        if message.name.is_some() {
            self.warnings.dropped(format!("messages[{index}].name"), "no field for it");
        }
        match message.role {
            Role::System | Role::Developer => self.system(index, message),
            Role::User | Role::Tool => self.turn("user", index, message),
            Role::Assistant => self.turn("assistant", index, message),
        }
    }

    fn system(&mut self, index: usize, message: &'a Message) -> Result<()> {
        let wait = match self.conversation.messages.last() {
            None => false,
            Some(last) if self.system_turns => {
                if last.role != "user" {
                    self.warnings.push(WarningCode::Moved, format!("messages[{index}]"), "system text goes behind the user's");
                }
                true
            }
            Some(_) => {
                self.warnings.push(WarningCode::Moved, format!("messages[{index}]"), "system text goes first");
                false
            }
        };
        for (part, content) in message.parts.iter().enumerate() {
            let at = PartAt { message: index, part };
            match content {
                Part::Text(part) => {
                    let block = self.text(part, at);
                    if wait { &mut self.waiting } else { &mut self.conversation.system }.extend(block);
                }
                _ => {
                    return Err(Error::unsupported(
                        at.to_string(),
                        "System messages hold only text here; send other content as a user message.",
                    ));
                }
            }
        }
        Ok(())
    }

    fn turn(&mut self, role: &'static str, index: usize, message: &'a Message) -> Result<()> {
        if role == "user" && !self.waiting.is_empty() && self.conversation.messages.last().is_some_and(|last| last.role == role) {
            self.warnings.push(WarningCode::Moved, format!("messages[{index}]"), "the user's text goes before the system's");
        }
        let mut calls = 0;
        for (part, content) in message.parts.iter().enumerate() {
            let at = PartAt { message: index, part };
            match content {
                Part::ToolResult(result) => {
                    let block = self.tool_result(result, at)?;
                    self.place(role, &message.extra, block, true);
                }
                Part::ToolCall(call) => {
                    let block = self.tool_call(call, index, calls)?;
                    calls += 1;
                    self.place(role, &message.extra, block, false);
                }
                other => {
                    if let Some(block) = self.block(other, role, at)? {
                        self.place(role, &message.extra, block, false);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives waiting instructions their place: behind the user's message and before the model's, or in
    /// front of all where there is no such place.
    fn settle(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let content = std::mem::take(&mut self.waiting);
        match self.conversation.messages.last() {
            Some(last) if last.role == "user" => {
                self.conversation.messages.push(wire::Message { role: "system", content, extra: None });
            }
            _ => self.conversation.system.extend(content),
        }
    }

    /// Appends a block to the message under way, or begins one.
    fn place(&mut self, role: &'static str, extra: &'a Extra, block: Block<'a>, result: bool) {
        if role == "assistant" {
            self.settle();
        }
        if self.conversation.messages.last().is_none_or(|last| last.role != role) {
            if self.conversation.messages.is_empty() && role == "assistant" {
                self.warnings.push(WarningCode::Filled, "messages[0]", "the first message must be the user's");
                self.conversation.messages.push(filler());
            }
            let extra = (!extra.is_empty()).then(|| Fields::of(extra));
            self.conversation.messages.push(wire::Message { role, content: Vec::new(), extra });
            self.results = 0;
        }
        let last = self.conversation.messages.last_mut().expect("a message was just made sure of");
        if result {
            last.content.insert(self.results, block);
            self.results += 1;
        } else {
            last.content.push(block);
        }
    }

    /// Encodes a part that stands alike in messages and in tool results.
    fn block(&mut self, part: &'a Part, role: &'static str, at: PartAt) -> Result<Option<Block<'a>>> {
        Ok(match part {
            Part::Text(text) => self.text(text, at),
            Part::Refusal(refusal) => (!refusal.text.trim().is_empty()).then(|| Block::text(refusal.text.as_str())),
            Part::Reasoning(reasoning) => self.reasoning(reasoning, at),
            Part::Media(_) if role == "assistant" => {
                return Err(Error::unsupported(
                    at.to_string(),
                    "Assistant messages hold no images or files here; send them in a user message.",
                ));
            }
            Part::Media(media) => Some(self.media(media, at)?),
            Part::Opaque(opaque) if opaque.dialect == ME => Some(Block::Opaque(&opaque.value)),
            Part::Opaque(opaque) => {
                self.warnings.dropped(at.to_string(), format!("only {} understands this block", opaque.dialect.name()));
                None
            }
            Part::ToolCall(_) | Part::ToolResult(_) => None,
        })
    }

    fn text(&mut self, text: &'a Text, at: PartAt) -> Option<Block<'a>> {
        foreign(&text.extra, self.warnings, || at.to_string());
        if text.text.trim().is_empty() {
            return None;
        }
        let extra = (!text.extra.is_empty()).then(|| Fields::of(&text.extra));
        Some(Block::Text { text: text.text.as_str().into(), cache_control: text.cache.as_ref().map(Cache), extra })
    }

    fn reasoning(&mut self, reasoning: &'a Reasoning, at: PartAt) -> Option<Block<'a>> {
        match &reasoning.signature {
            Some(signature) if signature.dialect == ME && reasoning.redacted => {
                Some(Block::RedactedThinking { data: signature.data.as_str().into() })
            }
            Some(signature) if signature.dialect == ME => {
                Some(Block::Thinking { thinking: &reasoning.text, signature: signature.data.as_str().into() })
            }
            Some(signature) => {
                self.warnings.dropped(at.to_string(), format!("reasoning signed by {}", signature.dialect.name()));
                None
            }
            None => None,
        }
    }

    fn tool_call(&mut self, call: &'a ToolCall, message: usize, index: usize) -> Result<Block<'a>> {
        foreign(&call.extra, self.warnings, || format!("messages[{message}].tool_calls[{index}]"));
        if !self.conversation.called.contains(&call.name.as_str()) {
            self.conversation.called.push(&call.name);
        }
        let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
        let input = serde_json::from_str::<&RawValue>(arguments).ok().filter(|raw| raw.get().starts_with('{'));
        let input = input.ok_or_else(|| {
            let at = format!("messages[{message}].tool_calls[{index}].function.arguments");
            let message = format!("`{at}` must be a JSON object; send back what the model wrote, or `{{}}`.");
            Error::invalid(at, message)
        })?;
        let (cache_control, extra) = (call.cache.as_ref().map(Cache), Fields::of(&call.extra));
        Ok(Block::ToolUse {
            id: clean_id(&call.id),
            name: &call.name,
            input: Cow::Borrowed(input),
            caller: None,
            cache_control,
            extra,
        })
    }

    fn tool_result(&mut self, result: &'a ToolResult, at: PartAt) -> Result<Block<'a>> {
        foreign(&result.extra, self.warnings, || at.to_string());
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            content.extend(self.block(part, "user", at)?);
        }
        Ok(Block::ToolResult {
            tool_use_id: clean_id(&result.call_id),
            content,
            is_error: result.is_error,
            cache_control: result.cache.as_ref().map(Cache),
            extra: Fields::of(&result.extra),
        })
    }

    fn media(&mut self, media: &'a Media, at: PartAt) -> Result<Block<'a>> {
        foreign(&media.extra, self.warnings, || at.to_string());
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.warnings.dropped(format!("{at}.detail"), "no choice of resolution");
        }
        let source = super::media::source(media, self.target.provider, &at)?;
        let cache_control = media.cache.as_ref().map(Cache);
        let extra = Fields { extra: &media.extra, but: &["source"] };
        match media.kind {
            MediaKind::Image => Ok(Block::Image { source, cache_control, extra }),
            _ => Ok(Block::Document { source, title: media.name.as_deref(), cache_control, extra }),
        }
    }

    fn finish(mut self, count: usize) -> Result<Conversation<'a>> {
        self.settle();
        if self.conversation.messages.is_empty() {
            self.warnings.push(WarningCode::Filled, "messages", "at least one user message is needed");
            self.conversation.messages.push(filler());
        }
        let last = self.conversation.messages.last_mut().expect("made sure of above");
        if last.role == "assistant" && last.content.iter().all(|block| !matches!(block, Block::Opaque(_))) {
            if !Generation::of(self.target.model).prefill {
                let message = format!(
                    "`{}` does not continue an assistant message; end the conversation with a user message.",
                    self.target.model
                );
                return Err(Error::unsupported(format!("messages[{}]", count - 1), message));
            }
            self.conversation.prefill = true;
            if let Some(Block::Text { text, .. }) = last.content.last_mut() {
                let length = text.trim_end().len();
                if length < text.len() {
                    *text = Cow::Owned(text[..length].to_owned());
                    self.warnings.push(
                        WarningCode::Approximated,
                        format!("messages[{}]", count - 1),
                        "trailing white space is refused",
                    );
                }
            }
        }
        self.conversation.unproven_call = match self.conversation.messages.as_slice() {
            [.., assistant, user] => {
                matches!(user.content.first(), Some(Block::ToolResult { .. }))
                    && !matches!(assistant.content.first(), Some(Block::Thinking { .. } | Block::RedactedThinking { .. }))
            }
            _ => false,
        };
        Ok(self.conversation)
    }
}

fn filler() -> wire::Message<'static> {
    wire::Message { role: "user", content: vec![Block::text(FILLER)], extra: None }
}

/// Warns of the fields of `extra` that are another dialect's.
pub(super) fn foreign(extra: &Extra, warnings: &mut Warnings, at: impl Fn() -> String) {
    for (owner, field) in extra.foreign_to(ME) {
        let prefix = at();
        let path = if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") };
        warnings.dropped(path, format!("only {} has it", owner.name()));
    }
}

/// An id as the API takes it. One that has to be rewritten ends in a hash, so that two never become one.
fn clean_id(id: &str) -> Cow<'_, str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(allowed) {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    let clean: String = id.chars().take(40).map(|c| if allowed(c) { c } else { '_' }).collect();
    Cow::Owned(format!("{clean}_{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]))
}
