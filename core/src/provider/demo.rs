//! The built-in model `demo/echo`: an honest stand-in that needs no key, for newcomers and tests.
//!
//! It knows nothing and says so: its text begins with its own name, and its answers carry the
//! `system_fingerprint` of [`FINGERPRINT`]. The same request gives the same answer.
//!
//! | asked for | it answers |
//! |---|---|
//! | text | `demo/echo: ` and the last user message, with a note on each medium in it |
//! | a tool, by `tool_choice` or by a word like "call get_weather" (see [`calls`]) | a call with arguments that fit the schema |
//! | after tool results | what the tools answered, and what the user added; no further call, so that loops end |
//! | JSON | `{"model", "echo"}`; with a schema, a value that fits it (see [`schema`]) |
//! | reasoning | one sentence of it first, unless it is to be hidden |
//! | `n`, `stop`, `max_tokens`, `logprobs` | what they say; at most [`MAX_CHOICES`] answers of [`MAX_TOKENS`] tokens |
//!
//! A token is a piece as it is streamed: a word with the white space after it, or up to eight bytes
//! of JSON. Input is counted in words, a medium as one. Nothing is ever refused.
//!
//! Invariant: [`answer`] is a pure function, bounded in time and memory whatever the request.

mod calls;
mod schema;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use crate::chat::{
    ChatEvent, ChatRequest, Delta, Effort, Extra, Finish, FinishReason, Media, MediaKind, MediaSource, OutputFormat, Part,
    PartHead, ResponseHead, Role, TokenLogProb, ToolResult, Usage,
};
use crate::dialect::DialectId;
use calls::Call;

/// The model's name.
pub const MODEL: &str = "demo/echo";
/// What its answers carry as OpenAI's `system_fingerprint`.
pub const FINGERPRINT: &str = "edgeway_demo_not_a_model";
/// Most tokens of one answer.
pub const MAX_TOKENS: u64 = 4096;
/// Most answers to one request.
pub const MAX_CHOICES: u32 = 8;

/// Most bytes of the user's text that are read; more is as good as cut off by `max_tokens`.
const MAX_TEXT: usize = 64 << 10;
/// Most tool results, media of a message and stop texts that are looked at.
const MAX_RESULTS: usize = 64;
const MAX_MEDIA: usize = 64;
const MAX_STOPS: usize = 256;
const THOUGHT: &str = "This is the demo model, so there is nothing to think about but an echo.";

/// The stream of events that answers `request`; `id` names the response and makes its tool calls' ids unique.
pub fn answer(request: &ChatRequest, id: &str, now_seconds: u64) -> Vec<ChatEvent> {
    let mut extra = Extra::default();
    extra.insert(DialectId::OpenAiChat, "system_fingerprint", FINGERPRINT.into());
    let head = ResponseHead { id: id.to_owned(), model: MODEL.to_owned(), created: Some(now_seconds), service_tier: None, extra };
    let mut usage = Usage { input: input_words(request), ..Usage::default() };
    let mut events = vec![ChatEvent::Start(head), ChatEvent::Usage(usage)];

    let turn = Turn::of(request);
    let choices = request.candidates.unwrap_or(1).clamp(1, MAX_CHOICES);
    for choice in 0..choices {
        let mut writer = Writer { request, events: &mut events, usage: &mut usage, choice, parts: 0, left: budget(request) };
        let finish = writer.write(&turn.answer(request, id, choice, choices));
        events.push(ChatEvent::Finish { choice, finish });
    }
    events.push(ChatEvent::Usage(usage));
    events.push(ChatEvent::End);
    events
}

fn budget(request: &ChatRequest) -> u64 {
    request.max_tokens.unwrap_or(MAX_TOKENS).min(MAX_TOKENS)
}

/// What the model is to react to.
#[derive(Default)]
struct Turn<'a> {
    text: String,
    media: Vec<&'a Media>,
    results: Vec<&'a ToolResult>,
}

enum Answer {
    Text(String),
    Json(Value),
    Calls(Vec<Call>),
}

impl<'a> Turn<'a> {
    /// What came after the assistant's last message; of several user messages the last.
    fn of(request: &'a ChatRequest) -> Self {
        let mut turn = Self::default();
        let new = request.messages.iter().rev().take_while(|message| message.role != Role::Assistant);
        let mut user = None;
        for message in new {
            match message.role {
                Role::User => user = user.or(Some(message)),
                Role::Tool => turn.results.extend(message.parts.iter().rev().filter_map(|part| match part {
                    Part::ToolResult(result) => Some(result),
                    _ => None,
                })),
                _ => {}
            }
        }
        turn.results.reverse();
        turn.results.truncate(MAX_RESULTS);
        let parts = user.map_or(&[][..], |message| &message.parts);
        turn.text = text_of(parts);
        turn.media = media_of(parts).collect();
        turn
    }

    fn answer(&self, request: &ChatRequest, id: &str, choice: u32, choices: u32) -> Answer {
        let calls = if self.results.is_empty() { calls::wanted(request, &self.text, id, choice) } else { Vec::new() };
        if !calls.is_empty() {
            return Answer::Calls(calls);
        }
        match &request.output {
            OutputFormat::JsonSchema { schema, .. } => Answer::Json(schema::example(schema, &quoted(&self.text))),
            OutputFormat::Json => Answer::Json(json!({"model": MODEL, "echo": self.echo(request)})),
            OutputFormat::Text if choices == 1 => Answer::Text(format!("{MODEL}: {}", self.echo(request))),
            OutputFormat::Text => Answer::Text(format!("{MODEL} {} of {choices}: {}", choice + 1, self.echo(request))),
        }
    }

    fn echo(&self, request: &ChatRequest) -> String {
        let results = self.results.iter().map(|result| {
            let name = result.name.as_deref().or_else(|| called(request, &result.call_id)).unwrap_or("a tool");
            let verb = if result.is_error { "failed" } else { "answered" };
            let notes = media_of(&result.content).map(note);
            let said: Vec<_> = [text_of(&result.content)].into_iter().chain(notes).filter(|text| !text.is_empty()).collect();
            format!("{name} {verb}: {}", said.join(" "))
        });
        let user = (!self.text.is_empty()).then(|| self.text.clone());
        let said: Vec<_> = results.chain(user).chain(self.media.iter().map(|medium| note(medium))).collect();
        if said.is_empty() { "(there is nothing to echo)".to_owned() } else { said.join("\n") }
    }
}

/// The name under which the model called a tool earlier.
fn called<'a>(request: &'a ChatRequest, call_id: &str) -> Option<&'a str> {
    request.messages.iter().flat_map(|message| &message.parts).find_map(|part| match part {
        Part::ToolCall(call) if call.id == call_id => Some(call.name.as_str()),
        _ => None,
    })
}

/// The text of some parts, cut to what is read.
fn text_of(parts: &[Part]) -> String {
    let mut all = String::new();
    for part in parts {
        if let Part::Text(part) = part {
            if !all.is_empty() {
                all.push('\n');
            }
            let mut end = part.text.len().min(MAX_TEXT.saturating_sub(all.len()));
            while !part.text.is_char_boundary(end) {
                end -= 1;
            }
            all.push_str(&part.text[..end]);
        }
    }
    all
}

fn media_of(parts: &[Part]) -> impl Iterator<Item = &Media> {
    let media = parts.iter().filter_map(|part| match part {
        Part::Media(medium) => Some(medium),
        _ => None,
    });
    media.take(MAX_MEDIA)
}

/// What it says of a medium that it cannot see: kind, type and size.
fn note(medium: &Media) -> String {
    let kind = match medium.kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    };
    match &medium.source {
        MediaSource::Base64 { mime, data } => {
            let padding = data.bytes().rev().take(2).filter(|byte| *byte == b'=').count();
            format!("[{kind} {mime}, {} bytes]", (data.len() / 4 * 3).saturating_sub(padding))
        }
        MediaSource::Url { url, .. } => format!("[{kind} at {}]", url.chars().take(200).collect::<String>()),
        MediaSource::Text { text } => format!("[{kind} of text, {} bytes]", text.len()),
        MediaSource::File { id, .. } => format!("[{kind} in file {}]", id.chars().take(200).collect::<String>()),
    }
}

/// The words in double quotes, straight or curly.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['"', '\u{201c}', '\u{201d}']) {
        let inside = &rest[open..];
        let inside = &inside[inside.chars().next().map_or(0, char::len_utf8)..];
        let Some(close) = inside.find(['"', '\u{201c}', '\u{201d}']) else { break };
        found.push(&inside[..close]);
        let after = &inside[close..];
        rest = &after[after.chars().next().map_or(0, char::len_utf8)..];
    }
    found
}

fn input_words(request: &ChatRequest) -> u64 {
    fn words(part: &Part) -> usize {
        let count = |text: &str| text.split_whitespace().count();
        match part {
            Part::Text(part) => count(&part.text),
            Part::Reasoning(part) => count(&part.text),
            Part::Refusal(part) => count(&part.text),
            Part::ToolCall(call) => 1 + count(&call.arguments),
            Part::ToolResult(result) => result.content.iter().map(words).sum(),
            Part::Media(Media { source: MediaSource::Text { text }, .. }) => 1 + count(text),
            Part::Media(_) | Part::Opaque(_) => 1,
        }
    }
    request.messages.iter().flat_map(|message| &message.parts).map(words).sum::<usize>() as u64
}

fn wants_reasoning(request: &ChatRequest) -> bool {
    request.reasoning.as_ref().is_some_and(|wish| {
        let off = wish.effort == Some(Effort::None) || wish.budget_tokens == Some(0) || wish.include_thoughts == Some(false);
        !off && (wish.effort.is_some() || wish.budget_tokens.is_some() || wish.adaptive || wish.include_thoughts == Some(true))
    })
}

/// Writes one choice.
struct Writer<'a> {
    request: &'a ChatRequest,
    events: &'a mut Vec<ChatEvent>,
    usage: &'a mut Usage,
    choice: u32,
    parts: u32,
    left: u64,
}

impl Writer<'_> {
    fn write(&mut self, answer: &Answer) -> FinishReason {
        let length = || FinishReason::new(Finish::Length, "length");
        if wants_reasoning(self.request) && !self.part(PartHead::Reasoning { redacted: false }, words(THOUGHT)) {
            return length();
        }
        let text = match answer {
            Answer::Calls(calls) => {
                for call in calls {
                    let head = PartHead::ToolCall { id: call.id.clone(), name: call.name.clone() };
                    if !self.part(head, json_pieces(&call.arguments)) {
                        return length();
                    }
                }
                return FinishReason::new(Finish::ToolCalls, "tool_calls");
            }
            Answer::Json(value) => value.to_string(),
            Answer::Text(text) => text.clone(),
        };
        let stops = self.request.stop.iter().filter(|stop| !stop.is_empty()).take(MAX_STOPS);
        let stop = stops.filter_map(|stop| Some((text.find(stop.as_str())?, stop))).min_by_key(|(at, _)| *at);
        let text = &text[..stop.map_or(text.len(), |(at, _)| at)];
        let pieces = if matches!(answer, Answer::Json(_)) { json_pieces(text) } else { words(text) };
        if !self.part(PartHead::Text, pieces) {
            return length();
        }
        FinishReason { unified: Finish::Stop, raw: "stop".to_owned(), stop_sequence: stop.map(|(_, stop)| stop.clone()) }
    }

    /// Writes a part, a delta for each piece while tokens are left; says whether it is whole.
    fn part(&mut self, head: PartHead, pieces: Vec<&str>) -> bool {
        let (choice, part) = (self.choice, self.parts);
        let count = match head {
            PartHead::Reasoning { .. } => &mut self.usage.reasoning,
            _ => &mut self.usage.output,
        };
        let logprobs = self.request.logprobs.filter(|_| head == PartHead::Text);
        if self.left == 0 && !pieces.is_empty() {
            return false;
        }
        self.parts += 1;
        self.events.push(ChatEvent::PartStart { choice, part, head });
        let whole = pieces.len() as u64 <= self.left;
        for piece in pieces.into_iter().take(usize::try_from(self.left).unwrap_or(usize::MAX)) {
            self.left -= 1;
            *count += 1;
            self.events.push(ChatEvent::PartDelta { choice, part, delta: Delta::Text(piece.to_owned()) });
            if let Some(wanted) = logprobs {
                // It never hesitates: every word had probability one.
                let bytes = Some(piece.as_bytes().to_vec());
                let certain = TokenLogProb { token: piece.to_owned(), logprob: 0.0, bytes, top: Vec::new() };
                let top = if wanted.top.unwrap_or(0) > 0 { vec![certain.clone()] } else { Vec::new() };
                self.events.push(ChatEvent::LogProbs { choice, tokens: vec![TokenLogProb { top, ..certain }] });
            }
        }
        self.events.push(ChatEvent::PartEnd { choice, part });
        whole
    }
}

/// A text's words, each with the white space around it, so that they join to the text again.
fn words(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut in_gap) = (0, false);
    for (at, c) in text.char_indices() {
        if in_gap && !c.is_whitespace() && !text[start..at].trim().is_empty() {
            pieces.push(&text[start..at]);
            start = at;
        }
        in_gap = c.is_whitespace();
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

/// JSON in pieces of up to eight bytes, at least two of them.
fn json_pieces(text: &str) -> Vec<&str> {
    let size = text.len().div_ceil(2).clamp(1, 8);
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    pieces
}
