//! `contents` and messages, both ways.
//!
//! | contents | messages |
//! |---|---|
//! | `systemInstruction` | one [`Role::System`] message, first |
//! | role `user`, or none | [`Role::User`] |
//! | `functionResponse` parts of a content | [`Role::Tool`], in the order of the parts |
//! | role `model`; several in a row are one turn (chat clients keep a stream's chunks so) | [`Role::Assistant`] |
//!
//! Calls of older models have no id. A decoded one is `call_<name>_<n>`, `n` counting the
//! conversation's calls; a response without id answers the oldest open call of its name. Encoded,
//! responses get their function's name from the call they answer, and those of one turn share a content.
//!
//! Gemini 3 refuses calls of the current turn that it did not sign. Where a step came from another
//! provider, its first call gets the documented sentinel instead, with a warning. So do the steps of
//! earlier turns: what was sent of them once is sent so again, or a cached prefix would not be met.

use std::collections::HashMap;

use super::content::{self, Flaw, Reader, UNSIGNED};
use super::family::Family;
use super::wire::{self, Content, Str};
use crate::chat::{Message, Part, PartAt, Places, Role, WarningCode, Warnings, carry};
use crate::dialect::DialectId;
use crate::error::{Error, Result};

/// Calls met so far, to name those without id and to find the one that a result answers.
#[derive(Default)]
struct Calls {
    met: usize,
    /// Name and id of calls without a result, oldest first.
    open: Vec<(String, String)>,
}

impl Calls {
    /// Settles which call a result answers.
    fn answer(&mut self, id: String, name: &str) -> String {
        let found = if id.is_empty() {
            self.open.iter().position(|(open, _)| open == name)
        } else {
            self.open.iter().position(|(_, open)| *open == id)
        };
        match found {
            Some(at) => self.open.remove(at).1,
            None if id.is_empty() => content::invented_id(name, self.met),
            None => id,
        }
    }
}

/// Decodes the conversation, and notes where its messages stand.
pub(super) fn decode(instruction: Option<Content<'_>>, contents: Vec<Content<'_>>) -> Result<(Vec<Message>, Places)> {
    let mut messages: Vec<Message> = Vec::with_capacity(contents.len() + 1);
    let mut places = Places::default();
    if let Some(instruction) = instruction {
        let parts = plain_parts(instruction, "systemInstruction")?;
        if !parts.is_empty() {
            messages.push(Message::new(Role::System, parts));
            places.push("systemInstruction", "parts", 0);
        }
    }
    let mut calls = Calls::default();
    let mut after_model = false;
    for (index, mut content) in contents.into_iter().enumerate() {
        let rest = std::mem::take(&mut content.rest);
        let at = format!("contents[{index}]");
        let is_model = match content.role.as_deref() {
            None | Some("" | "user" | "function") => false,
            Some("model") => true,
            Some(other) => {
                return Err(Error::invalid(format!("{at}.role"), format!("Unknown role `{other}`; use `user` or `model`.")));
            }
        };
        if is_model {
            if !after_model {
                messages.push(Message::new(Role::Assistant, Vec::new()));
            }
            let turn = messages.last_mut().expect("pushed above, or by the content before");
            model_parts(content, &at, &mut calls, &mut turn.parts)?;
        } else {
            user_parts(content, &at, &mut calls, &mut messages)?;
        }
        after_model = is_model;
        let mut first = 0;
        for message in &messages[places.len()..] {
            places.push(at.clone(), "parts", first);
            first += message.parts.len();
        }
        if let Some(message) = messages.last_mut() {
            message.extra.extend(DialectId::Gemini, rest);
        }
    }
    Ok((messages, places))
}

fn plain_parts(content: Content<'_>, at: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (index, part) in content.parts.into_iter().flatten().enumerate() {
        let part = content::decode(part, &mut |name| content::invented_id(name, index)).map_err(flaw(at, index))?;
        content::join(&mut parts, part, false);
    }
    Ok(parts)
}

fn model_parts(content: Content<'_>, at: &str, calls: &mut Calls, parts: &mut Vec<Part>) -> Result<()> {
    for (index, part) in content.parts.into_iter().flatten().enumerate() {
        let mut part = content::decode(part, &mut |name| content::invented_id(name, calls.met)).map_err(flaw(at, index))?;
        if let Part::ToolCall(call) = &mut part {
            calls.met += 1;
            // The state of another caller's protocol may ride in the id.
            let (id, carried) = carry::unwrap_id(&call.id);
            call.id = id.to_owned();
            if call.signature.is_none() {
                call.signature = carried.signature;
            }
            for reasoning in carried.reasoning {
                content::join(parts, Part::Reasoning(reasoning), false);
            }
            calls.open.push((call.name.clone(), call.id.clone()));
        }
        content::join(parts, part, index == 0);
    }
    Ok(())
}

fn user_parts(content: Content<'_>, at: &str, calls: &mut Calls, messages: &mut Vec<Message>) -> Result<()> {
    let first = messages.len();
    for (index, mut part) in content.parts.into_iter().flatten().enumerate() {
        let (role, part) = match part.function_response.take() {
            Some(response) => {
                let mut result = content::decode_result(*response, part.rest).map_err(flaw(at, index))?;
                let id = carry::unwrap_id(&result.call_id).0.to_owned();
                result.call_id = calls.answer(id, result.name.as_deref().unwrap_or_default());
                (Role::Tool, Part::ToolResult(result))
            }
            None => {
                let part = content::decode(part, &mut |name| content::invented_id(name, index)).map_err(flaw(at, index))?;
                if matches!(part, Part::ToolCall(_)) {
                    let why = "a function call is the model's; give the content the role `model`";
                    return Err(flaw(at, index)(Flaw { at: ".functionCall", why }));
                }
                (Role::User, part)
            }
        };
        match messages[first..].last_mut() {
            Some(message) if message.role == role => message.parts.push(part),
            _ => messages.push(Message::new(role, vec![part])),
        }
    }
    if messages.len() == first {
        messages.push(Message::new(Role::User, Vec::new()));
    }
    Ok(())
}

fn flaw(at: &str, index: usize) -> impl FnOnce(Flaw) -> Error + '_ {
    move |flaw| Error::invalid(format!("{at}.parts[{index}]{}", flaw.at), format!("Malformed part: {}.", flaw.why))
}

/// The conversation as Gemini takes it: the system instruction, and the contents.
pub(super) type Encoded<'a> = (Option<Content<'a>>, Vec<Content<'a>>);

/// Encodes the conversation for a model of `family`.
pub(super) fn encode<'a>(messages: &'a [Message], family: Family, warnings: &mut Warnings) -> Result<Encoded<'a>> {
    let mut system = Vec::new();
    let mut contents: Vec<Content<'a>> = Vec::with_capacity(messages.len());
    let mut names: HashMap<&str, &str> = HashMap::new();
    let turn = turn_start(messages);
    let mut results: Option<Results<'a>> = None;
    for (index, message) in messages.iter().enumerate() {
        note_losses(message, index, warnings);
        if message.role != Role::Tool {
            flush(&mut results, &mut contents);
        }
        match message.role {
            Role::System | Role::Developer => {
                if !contents.is_empty() {
                    warnings.push(WarningCode::Moved, format!("messages[{index}]"), "system text goes first");
                }
                system_parts(message, index, family, warnings, &mut system)?;
            }
            Role::User => push(&mut contents, "user", message, parts(message, index, family, warnings)?),
            Role::Assistant => {
                let calls =
                    message.parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
                names.extend(calls.map(|call| (call.id.as_str(), call.name.as_str())));
                let mut parts = parts(message, index, family, warnings)?;
                if family.signed_calls && sign(&mut parts) && index > turn {
                    warnings.push(
                        WarningCode::Filled,
                        format!("messages[{index}].tool_calls[0]"),
                        "thoughtSignature: the call came from elsewhere",
                    );
                }
                push(&mut contents, "model", message, parts);
            }
            Role::Tool => results.get_or_insert_default().add(message, index, &names, family, warnings)?,
        }
    }
    flush(&mut results, &mut contents);
    if contents.is_empty() && !system.is_empty() {
        warnings.push(WarningCode::Moved, "messages", "Gemini wants a user's turn; system text alone goes as one");
        contents.push(Content { parts: Some(std::mem::take(&mut system)), role: Some("user".into()), ..Content::default() });
    }
    if contents.is_empty() {
        return Err(Error::invalid("messages", "The conversation is empty; Gemini needs at least one message with content."));
    }
    let system = (!system.is_empty()).then(|| Content { parts: Some(system), ..Content::default() });
    Ok((system, contents))
}

/// Where the current turn begins: the last thing that the user said, unless it came along with results.
fn turn_start(messages: &[Message]) -> usize {
    let follows_results = |index: usize| index.checked_sub(1).is_some_and(|before| messages[before].role == Role::Tool);
    (0..messages.len()).rfind(|index| messages[*index].role == Role::User && !follows_results(*index)).unwrap_or(0)
}

fn note_losses(message: &Message, index: usize, warnings: &mut Warnings) {
    if message.name.is_some() {
        warnings.dropped(format!("messages[{index}].name"), "Gemini has no participants' names");
    }
    for (_, field) in message.extra.foreign_to(DialectId::Gemini) {
        warnings.dropped(format!("messages[{index}].{field}"), "Gemini has no such field");
    }
}

fn push<'a>(contents: &mut Vec<Content<'a>>, role: &'static str, message: &Message, parts: Vec<wire::Part<'a>>) {
    // Gemini refuses a content without parts.
    if !parts.is_empty() {
        let rest = message.extra.fields(DialectId::Gemini).map(|(field, value)| (field.clone(), value.clone())).collect();
        contents.push(Content { parts: Some(parts), role: Some(role.into()), rest, ..Content::default() });
    }
}

fn parts<'a>(message: &'a Message, index: usize, family: Family, warnings: &mut Warnings) -> Result<Vec<wire::Part<'a>>> {
    let mut out = Vec::with_capacity(message.parts.len());
    for (part, content) in message.parts.iter().enumerate() {
        out.extend(content::encode(content, &PartAt { message: index, part }, Reader::Provider(family), warnings)?);
    }
    Ok(out)
}

fn system_parts<'a>(
    message: &'a Message,
    index: usize,
    family: Family,
    warnings: &mut Warnings,
    system: &mut Vec<wire::Part<'a>>,
) -> Result<()> {
    for (part, content) in message.parts.iter().enumerate() {
        let at = PartAt { message: index, part };
        if !matches!(content, Part::Text(_)) {
            return Err(Error::unsupported(
                at.to_string(),
                "Gemini takes only text as system instruction; send media in a user's message.",
            ));
        }
        system.extend(content::encode(content, &at, Reader::Provider(family), warnings)?);
    }
    Ok(())
}

/// Gives the first call of a step the sentinel when Gemini did not sign it; whether it did.
fn sign(parts: &mut [wire::Part<'_>]) -> bool {
    match parts.iter_mut().find(|part| part.function_call.is_some()) {
        Some(first) if first.thought_signature.is_none() => {
            first.thought_signature = Some(UNSIGNED.into());
            true
        }
        _ => false,
    }
}

/// The results of one turn, and the media that follow them.
#[derive(Default)]
struct Results<'a> {
    parts: Vec<wire::Part<'a>>,
    after: Vec<wire::Part<'a>>,
}

impl<'a> Results<'a> {
    fn add(
        &mut self,
        message: &'a Message,
        index: usize,
        names: &HashMap<&'a str, &'a str>,
        family: Family,
        warnings: &mut Warnings,
    ) -> Result<()> {
        for (part, content) in message.parts.iter().enumerate() {
            let at = PartAt { message: index, part };
            let Part::ToolResult(result) = content else {
                self.after.extend(content::encode(content, &at, Reader::Provider(family), warnings)?);
                continue;
            };
            let name = result.name.as_deref().or_else(|| names.get(result.call_id.as_str()).copied());
            let name = name.ok_or_else(|| {
                let message = format!(
                    "The tool result answers the call `{}`, but no earlier assistant message holds that call; send the call too.",
                    result.call_id
                );
                Error::invalid(format!("messages[{index}].tool_call_id"), message)
            })?;
            let (part, after) = content::encode_result(result, Str::from(name), &at, family, warnings)?;
            self.parts.push(part);
            self.after.extend(after);
        }
        Ok(())
    }
}

fn flush<'a>(results: &mut Option<Results<'a>>, contents: &mut Vec<Content<'a>>) {
    if let Some(Results { mut parts, after }) = results.take() {
        parts.extend(after);
        if !parts.is_empty() {
            contents.push(Content { parts: Some(parts), role: Some("user".into()), ..Content::default() });
        }
    }
}
