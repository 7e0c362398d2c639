//! A provider's whole response to a canonical one.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::usage::WireUsage;
use super::super::wire::{WireLogProbs, WireToken};
use super::super::{DIALECT, error, message, part, tool};
use super::{Answer, decode_finish};
use crate::chat::{ChatResponse, Choice, MediaKind, MediaSource, Opaque, Part, Reasoning, Refusal, TokenLogProb, ToolCall};
use crate::error::{Error, ErrorKind, Result};
use crate::wire::json::{At, Json};

/// Decodes a whole response. An `error` under a success status is that error (OpenRouter).
pub(in super::super) fn decode(body: &[u8]) -> Result<ChatResponse> {
    let invalid = |source: &dyn std::fmt::Display| {
        Error::new(ErrorKind::UpstreamInvalid, "The provider's answer could not be understood.").source(source)
    };
    let json = Json::read(body).map_err(|error| invalid(&error))?;
    if let Some(problem) = json.get("error").filter(|problem| !problem.is_null()) {
        return Err(error::decode_in_band(&problem.clone().into()));
    }
    decode_response(json).map_err(|error| invalid(&error))
}

fn decode_response(json: Json<'_>) -> Result<ChatResponse> {
    let mut response = ChatResponse::default();
    let mut found = false;
    for (key, value) in json.object(At::Root)? {
        let at = At::Root.field(&key);
        match &*key {
            "object" => {}
            "id" => response.id = value.as_str().unwrap_or_default().to_owned(),
            "model" => response.model = value.as_str().unwrap_or_default().to_owned(),
            "created" => response.created = value.as_u64().filter(|created| *created > 0),
            "service_tier" => response.service_tier = value.as_str().map(str::to_owned),
            "usage" => response.usage = WireUsage::deserialize(Value::from(value)).ok().map(WireUsage::buckets),
            "choices" => {
                let choices = value.array(at)?.into_iter().enumerate();
                response.choices =
                    choices.map(|(index, choice)| decode_choice(choice, index, at.item(index))).collect::<Result<_>>()?;
                found = true;
            }
            _ => response.extra.insert(DIALECT, key, value.into()),
        }
    }
    for choice in &mut response.choices {
        let calls = choice.parts.iter_mut().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
        for (nth, call) in calls.enumerate().filter(|(_, call)| call.id.is_empty()) {
            call.id = invented_id(&response.id, choice.index, nth);
        }
    }
    if found { Ok(response) } else { Err(At::Root.field("choices").missing("the answers")) }
}

/// An id for a call that came without: the response's makes it unlike those of other turns.
pub(in super::super) fn invented_id(response: &str, choice: u32, nth: usize) -> String {
    let response: String = response.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("call_{response}_{choice}_{nth}")
}

fn decode_choice(json: Json<'_>, index: usize, at: At<'_>) -> Result<Choice> {
    let mut choice = Choice { index: index as u32, ..Choice::default() };
    let (mut word, mut native, mut stop) = (String::new(), None, None);
    for (key, value) in json.object(at)? {
        let at = at.field(&key);
        match &*key {
            "index" => choice.index = value.as_u64().and_then(|index| index.try_into().ok()).unwrap_or(choice.index),
            "message" => decode_message(value, at, &mut choice)?,
            "finish_reason" => word = value.as_str().unwrap_or_default().to_owned(),
            "native_finish_reason" => native = value.as_str().map(str::to_owned),
            "stop_reason" => stop = value.as_str().map(str::to_owned),
            "logprobs" => {
                let value = Value::from(value);
                choice.logprobs = WireLogProbs::deserialize(&value).map(tokens).unwrap_or_default();
            }
            _ => choice.extra.insert(DIALECT, key, value.into()),
        }
    }
    let has = |kind: fn(&Part) -> bool| choice.parts.iter().any(kind);
    let answer = if has(|part| matches!(part, Part::ToolCall(_))) {
        Answer::Calls
    } else if has(|part| matches!(part, Part::Refusal(_))) {
        Answer::Refusal
    } else {
        Answer::Text
    };
    choice.finish = decode_finish(&word, native.as_deref(), stop, answer);
    Ok(choice)
}

fn decode_message(json: Json<'_>, at: At<'_>, choice: &mut Choice) -> Result<()> {
    let (mut reasoning, mut details) = (String::new(), None);
    let (mut content, mut refusal, mut annotations) = (Vec::new(), None, None);
    let (mut images, mut audio, mut calls) = (Vec::new(), None, Vec::new());
    let mut unknown = Map::new();
    for (key, value) in json.object(at)? {
        let at = at.field(&key);
        match &*key {
            "role" => {}
            "content" => content = decode_content(value, at, &mut reasoning)?,
            "reasoning_content" | "reasoning" if reasoning.is_empty() => reasoning.push_str(value.as_str().unwrap_or_default()),
            "reasoning_content" | "reasoning" => {}
            "reasoning_details" => details = Some(Value::from(value)),
            "refusal" => refusal = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned),
            "annotations" => annotations = Some(Value::from(value)),
            "tool_calls" => {
                for (index, call) in value.array(at)?.into_iter().enumerate() {
                    calls.push(decode_call(call, at.item(index))?);
                }
            }
            "function_call" => calls.push(decode_call(Json::Object(vec![("function".into(), value)]), at)?),
            "audio" => audio = AudioAnswer::deserialize(Value::from(value)).ok().and_then(AudioAnswer::media),
            "images" => images.extend(value.array(at)?.into_iter().filter_map(|image| decode_image(image.into()))),
            _ => drop(unknown.insert(key.into_owned(), value.into())),
        }
    }
    match details {
        Some(Value::Array(details)) if !details.is_empty() => {
            choice.parts.push(Part::Reasoning(message::detailed(reasoning, details)));
        }
        _ if !reasoning.is_empty() => choice.parts.push(Part::Reasoning(Reasoning { text: reasoning, ..Reasoning::default() })),
        _ => {}
    }
    match (annotations, content.iter_mut().find_map(|part| if let Part::Text(text) = part { Some(text) } else { None })) {
        (Some(Value::Array(none)), _) if none.is_empty() => {}
        (Some(annotations), Some(text)) => text.extra.insert(DIALECT, "annotations", annotations),
        (Some(annotations), None) => drop(unknown.insert("annotations".to_owned(), annotations)),
        (None, _) => {}
    }
    choice.parts.append(&mut content);
    choice.parts.extend(refusal.map(|text| Part::Refusal(Refusal { text })));
    choice.parts.append(&mut images);
    choice.parts.extend(audio);
    choice.parts.append(&mut calls);
    if !unknown.is_empty() {
        choice.extra.insert(DIALECT, "message", Value::Object(unknown));
    }
    Ok(())
}

/// `content`: text, or Mistral's chunks, whose thinking is appended to `reasoning`.
fn decode_content(content: Json<'_>, at: At<'_>, reasoning: &mut String) -> Result<Vec<Part>> {
    match content {
        Json::String(text) if text.is_empty() => Ok(Vec::new()),
        Json::String(text) => Ok(vec![Part::text(text)]),
        Json::Array(chunks) => {
            let mut text = String::new();
            let mut parts = Vec::new();
            for chunk in chunks {
                split_chunk(chunk.into(), &mut text, reasoning, &mut parts);
            }
            if !text.is_empty() {
                parts.insert(0, Part::text(text));
            }
            Ok(parts)
        }
        other => Err(at.wrong(&other, "a string")),
    }
}

/// Sorts one of Mistral's content chunks.
pub(in super::super) fn split_chunk(chunk: Value, text: &mut String, reasoning: &mut String, others: &mut Vec<Part>) {
    match chunk.get("type").and_then(Value::as_str) {
        Some("text") => text.push_str(chunk["text"].as_str().unwrap_or_default()),
        Some("thinking") => match &chunk["thinking"] {
            Value::String(thought) => reasoning.push_str(thought),
            Value::Array(thoughts) => {
                thoughts.iter().filter_map(|thought| thought["text"].as_str()).for_each(|t| reasoning.push_str(t))
            }
            _ => {}
        },
        Some("image_url") => others.extend(decode_image(chunk)),
        _ => others.push(Part::Opaque(Opaque { dialect: DIALECT, value: chunk })),
    }
}

fn decode_call(call: Json<'_>, at: At<'_>) -> Result<Part> {
    if call.get("type").and_then(Json::as_str) == Some("custom") {
        return Ok(Part::Opaque(Opaque { dialect: DIALECT, value: call.into() }));
    }
    let mut decoded = ToolCall::default();
    for (key, value) in call.object(at)? {
        let at = at.field(&key);
        match &*key {
            "type" | "index" => {}
            // Mistral's `null` is a word.
            "id" => decoded.id = value.as_str().filter(|id| *id != "null").unwrap_or_default().to_owned(),
            "function" => {
                for (key, value) in value.object(at)? {
                    match (&*key, value) {
                        ("name", Json::String(name)) => decoded.name = name.into_owned(),
                        ("arguments", Json::String(text)) => decoded.arguments = text.into_owned(),
                        ("arguments", object @ Json::Object(_)) => decoded.arguments = Value::from(object).to_string(),
                        _ => {}
                    }
                }
            }
            tool::EXTRA_CONTENT => {
                let value = Value::from(value);
                match tool::signature(&value) {
                    Some(signature) => decoded.signature = Some(signature),
                    None => decoded.extra.insert(DIALECT, key, value),
                }
            }
            _ => decoded.extra.insert(DIALECT, key, value.into()),
        }
    }
    Ok(Part::ToolCall(decoded))
}

/// An image that a model made: `{"type": "image_url", "image_url": {"url"}}`.
pub(in super::super) fn decode_image(image: Value) -> Option<Part> {
    let url = image.get("image_url")?;
    let url = url.as_str().or_else(|| url.get("url")?.as_str())?;
    let source = part::data_url(url).unwrap_or_else(|| MediaSource::Url { mime: None, url: url.to_owned() });
    Some(Part::Media(part::bare(MediaKind::Image, source)))
}

/// A spoken answer: `message.audio`, or what a stream's `delta.audio` adds up to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct AudioAnswer {
    pub(in super::super) id: Option<String>,
    pub(in super::super) data: String,
    pub(in super::super) transcript: Option<String>,
    pub(in super::super) expires_at: Option<u64>,
}

impl AudioAnswer {
    /// The medium. The protocol does not name its type; the first bytes do, except for raw PCM.
    pub(in super::super) fn media(self) -> Option<Part> {
        const BEGINNINGS: [(&str, &str); 5] = [
            ("UklGR", "audio/wav"),
            ("SUQz", "audio/mpeg"),
            ("//", "audio/mpeg"),
            ("ZkxhQ", "audio/flac"),
            ("T2dnU", "audio/ogg"),
        ];
        let mime = BEGINNINGS.iter().find(|(start, _)| self.data.starts_with(start)).map_or("audio/pcm", |(_, mime)| mime);
        if self.data.is_empty() {
            return None;
        }
        let mut media = part::bare(MediaKind::Audio, MediaSource::Base64 { mime: mime.to_owned(), data: self.data });
        let fields = [
            ("id", self.id.map(Value::from)),
            ("transcript", self.transcript.map(Value::from)),
            ("expires_at", self.expires_at.map(Value::from)),
        ];
        fields
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .for_each(|(key, value)| media.extra.insert(DIALECT, key, value));
        Some(Part::Media(media))
    }
}

/// The tokens of a choice or chunk: of its text, or of its refusal.
pub(in super::super) fn tokens(wire: WireLogProbs<'_>) -> Vec<TokenLogProb> {
    fn token(wire: WireToken<'_>) -> TokenLogProb {
        TokenLogProb {
            token: wire.token.0.into_owned(),
            logprob: wire.logprob.unwrap_or_default(),
            bytes: wire.bytes,
            top: wire.top_logprobs.into_iter().flatten().map(token).collect(),
        }
    }
    wire.content.into_iter().chain(wire.refusal).flatten().map(token).collect()
}
