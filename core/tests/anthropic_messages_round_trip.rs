//! Generated requests, responses and streams that Anthropic Messages can express, there and back: nothing is lost.
//!
//! The generator is a fixed sequence: a failure names its seed and repeats.

mod anthropic;
mod golden;

use anthropic::{accumulate, check_grammar, decode, encode, encode_request, reply, request};
use edgeway_core::chat::{
    CacheControl, ChatRequest, ChatResponse, Choice, Effort, Extra, Finish, FinishReason, FunctionTool, HostedTool, Media,
    MediaKind, MediaSource, Message, Opaque, OutputFormat, Part, Reasoning, ReasoningConfig, Role, Signature, Text, Tool,
    ToolCall, ToolChoice, ToolResult, Usage, Warnings, replay,
};
use edgeway_core::dialect::{Dialect, DialectId, anthropic_messages::AnthropicMessages};
use serde_json::{Value, json};

const ME: DialectId = DialectId::AnthropicMessages;
const SEEDS: u64 = 400;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.roll(2) == 0).then(|| make(self))
    }

    fn some<T>(&mut self, least: u64, most: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.roll(most - least + 1);
        (0..count).map(|_| make(self)).collect()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize].clone()
    }

    fn text(&mut self) -> String {
        let words =
            ["a", "Übung", "🌍\u{200d}x", "\"quoted\\\"", "line\nbreak\t", "\u{2028}\u{7f}\u{1}", " ", "data: {}\r\n\r\n"];
        format!("{}.", self.some(1, 4, |dice| dice.pick(&words)).concat())
    }

    fn id(&mut self) -> String {
        format!("toolu_{}", self.roll(1 << 32))
    }

    fn value(&mut self) -> Value {
        match self.roll(5) {
            0 => json!(self.roll(1000)),
            1 => json!(self.text()),
            2 => json!([true, null, -1.5]),
            3 => json!({"deep": {"er": self.text()}}),
            _ => json!({}),
        }
    }

    fn object(&mut self) -> Value {
        let fields = self.some(0, 3, |dice| (dice.pick(&["x", "ü y", "z\""]).to_owned(), dice.value()));
        Value::Object(fields.into_iter().collect())
    }

    fn extra(&mut self, field: &str) -> Extra {
        let mut extra = Extra::default();
        if let Some(value) = self.maybe(Dice::object) {
            extra.insert(ME, field, value);
        }
        extra
    }

    fn cache(&mut self) -> Option<CacheControl> {
        self.maybe(|dice| CacheControl { ttl: dice.maybe(|dice| dice.pick(&["5m", "1h"]).to_owned()) })
    }

    fn signature(&mut self) -> Signature {
        Signature { dialect: ME, data: format!("EqQB{}==", self.roll(1 << 40)) }
    }

    fn text_part(&mut self) -> Part {
        Part::Text(Text { text: self.text(), cache: self.cache(), signature: None, extra: self.extra("citations") })
    }

    fn media(&mut self) -> Part {
        let image = self.roll(2) == 0;
        let source = match self.roll(4) {
            0 => MediaSource::Base64 {
                mime: if image { "image/png" } else { "application/pdf" }.into(),
                data: "iVBORw0KGgo=".into(),
            },
            1 => MediaSource::Url { mime: None, url: "https://example.com/ä?b=c".into() },
            2 => MediaSource::File { dialect: ME, id: "file_1".into(), mime: None },
            _ if image => MediaSource::Base64 { mime: "image/webp".into(), data: "AAAA".into() },
            _ => MediaSource::Text { text: self.text() },
        };
        Part::Media(Media {
            kind: if image { MediaKind::Image } else { MediaKind::Document },
            source,
            name: if image { None } else { self.maybe(Dice::text) },
            detail: None,
            cache: self.cache(),
            signature: None,
            extra: self.extra(if image { "transformations" } else { "citations" }),
        })
    }

    fn opaque(&mut self) -> Part {
        let kind = self.pick(&["server_tool_use", "web_search_tool_result", "container_upload"]);
        Part::Opaque(Opaque { dialect: ME, value: json!({"type": kind, "id": self.text(), "content": self.value()}) })
    }

    fn thinking(&mut self) -> Part {
        match self.roll(3) {
            0 => Part::Reasoning(Reasoning { text: String::new(), redacted: true, signature: Some(self.signature()) }),
            _ => Part::Reasoning(Reasoning { text: self.text(), redacted: false, signature: Some(self.signature()) }),
        }
    }

    fn call(&mut self) -> Part {
        Part::ToolCall(ToolCall {
            id: self.id(),
            name: self.pick(&["f", "get_weather"]).to_owned(),
            arguments: self.object().to_string(),
            signature: None,
            cache: self.cache(),
            extra: self.extra("caller"),
        })
    }

    fn result(&mut self, call_id: &str) -> Part {
        let content = self.some(0, 2, |dice| if dice.roll(3) == 0 { dice.media() } else { dice.text_part() });
        let (is_error, cache) = (self.roll(3) == 0, self.cache());
        Part::ToolResult(ToolResult {
            call_id: call_id.to_owned(),
            name: None,
            content,
            is_error,
            cache,
            extra: self.extra("toolset_name"),
        })
    }

    fn user(&mut self) -> Message {
        let parts = self.some(1, 3, |dice| if dice.roll(4) == 0 { dice.media() } else { dice.text_part() });
        Message::new(Role::User, parts)
    }

    fn conversation(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        messages.extend(self.maybe(|dice| Message::new(Role::System, dice.some(1, 2, Dice::text_part))));
        messages.push(self.user());
        for _ in 0..self.roll(3) {
            let mut parts = self.some(1, 1, Dice::thinking);
            parts.extend(self.some(0, 1, Dice::text_part));
            parts.extend(self.some(0, 1, Dice::opaque));
            let calls = self.some(0, 2, Dice::call);
            let ids: Vec<String> = calls
                .iter()
                .filter_map(|part| if let Part::ToolCall(call) = part { Some(call.id.clone()) } else { None })
                .collect();
            parts.extend(calls);
            messages.push(Message::new(Role::Assistant, parts));
            if !ids.is_empty() {
                messages.push(Message::new(Role::Tool, ids.iter().map(|id| self.result(id)).collect()));
            }
            if ids.is_empty() || self.roll(2) == 0 {
                messages.push(self.user());
            }
        }
        messages
    }

    fn tools(&mut self) -> Vec<Tool> {
        let function = |dice: &mut Dice, name: &str| {
            Tool::Function(FunctionTool {
                name: name.to_owned(),
                description: dice.maybe(Dice::text),
                parameters: Some(
                    json!({"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": false}),
                ),
                strict: dice.maybe(|dice| dice.roll(2) == 0),
                cache: dice.cache(),
                extra: dice.extra("input_examples"),
            })
        };
        let value = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": self.roll(9)});
        let hosted = Tool::Hosted(HostedTool { dialect: ME, kind: "web_search_20250305".into(), value });
        vec![function(self, "f"), hosted, function(self, "get_weather")]
    }

    fn request(&mut self) -> ChatRequest {
        let adaptive = self.roll(2) == 0;
        let mut request = ChatRequest {
            model: if adaptive { "claude-opus-4-8" } else { "claude-opus-4-5" }.into(),
            messages: self.conversation(),
            tools: self.tools(),
            max_tokens: Some(2048 + self.roll(10_000)),
            stop: self.some(0, 2, Dice::text),
            user: self.maybe(Dice::text),
            service_tier: self.maybe(|dice| dice.pick(&["auto", "standard_only"]).to_owned()),
            stream: self.roll(2) == 0,
            stream_usage: true,
            extra: self.extra("container"),
            ..ChatRequest::default()
        };
        if self.roll(3) == 0 {
            let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false});
            request.output = OutputFormat::JsonSchema { name: "response".into(), description: None, schema, strict: None };
        }
        request.reasoning = self.maybe(|dice| dice.reasoning(adaptive));
        let thinks = request.reasoning.as_ref().is_some_and(|config| config.budget_tokens != Some(0));
        if !adaptive && !thinks {
            match self.roll(3) {
                0 => request.sampling.temperature = Some(self.pick(&[0.0, 0.25, 1.0])),
                1 => request.sampling.top_p = Some(self.pick(&[0.5, 1.0])),
                _ => request.sampling.top_k = Some(self.roll(100)),
            }
        }
        request.tool_choice = self.maybe(|dice| match dice.roll(if thinks { 2 } else { 4 }) {
            0 => ToolChoice::Auto,
            1 => ToolChoice::None,
            2 => ToolChoice::Required,
            _ => ToolChoice::Function("f".into()),
        });
        if !matches!(request.tool_choice, None | Some(ToolChoice::None)) {
            request.parallel_tool_calls = self.maybe(|dice| dice.roll(2) == 0);
        }
        request
    }

    fn reasoning(&mut self, adaptive: bool) -> ReasoningConfig {
        let show = self.roll(2) == 0;
        match (self.roll(3), adaptive) {
            (0, _) => ReasoningConfig { budget_tokens: Some(0), ..ReasoningConfig::default() },
            (_, true) => ReasoningConfig {
                effort: self.maybe(|dice| dice.pick(&[Effort::Low, Effort::High, Effort::XHigh, Effort::Max])),
                adaptive: true,
                include_thoughts: self.maybe(|_| show),
                ..ReasoningConfig::default()
            },
            (_, false) => ReasoningConfig {
                effort: self.maybe(|dice| dice.pick(&[Effort::Low, Effort::Medium, Effort::High])),
                budget_tokens: Some(1024 + self.roll(1000)),
                include_thoughts: Some(show),
                ..ReasoningConfig::default()
            },
        }
    }

    fn response(&mut self) -> ChatResponse {
        let parts = self.some(0, 5, |dice| match dice.roll(5) {
            0 => dice.thinking(),
            1 => dice.opaque(),
            2 => Part::ToolCall(ToolCall { cache: None, ..dice.bare_call() }),
            3 => Part::text(""),
            _ => {
                let mut extra = Extra::default();
                if dice.roll(2) == 0 {
                    extra.insert(ME, "citations", json!([{"type": "char_location", "cited_text": dice.text()}]));
                }
                Part::Text(Text { text: dice.text(), extra, ..Text::default() })
            }
        });
        let finishes = [
            (Finish::Stop, "end_turn"),
            (Finish::Length, "max_tokens"),
            (Finish::Stop, "stop_sequence"),
            (Finish::ToolCalls, "tool_use"),
            (Finish::Pause, "pause_turn"),
            (Finish::ContentFilter, "refusal"),
            (Finish::Length, "model_context_window_exceeded"),
        ];
        let (unified, raw) = self.pick(&finishes);
        let stop_sequence = if raw == "stop_sequence" { Some(self.text()) } else { None };
        let mut extra = self.extra("container");
        if self.roll(2) == 0 {
            extra.insert(ME, "usage", json!({"server_tool_use": {"web_search_requests": 1}}));
        }
        let output = self.roll(1000);
        ChatResponse {
            id: format!("msg_{}", self.roll(1 << 40)),
            model: "claude-opus-4-6".into(),
            created: None,
            choices: vec![Choice {
                parts,
                finish: FinishReason { unified, raw: raw.into(), stop_sequence },
                ..Choice::default()
            }],
            usage: Some(Usage {
                input: self.roll(10_000),
                cache_read: self.roll(3),
                cache_write_5m: self.roll(3),
                cache_write_1h: self.roll(3),
                output,
                reasoning: self.roll(50),
                ..Usage::default()
            }),
            service_tier: self.maybe(|dice| dice.pick(&["standard", "priority"]).to_owned()),
            extra,
        }
    }

    fn bare_call(&mut self) -> ToolCall {
        match self.call() {
            Part::ToolCall(call) => call,
            _ => ToolCall::default(),
        }
    }
}

#[test]
fn requests_come_back_as_they_went() {
    for seed in 0..SEEDS {
        let sent = Dice(seed).request();
        let mut warnings = Warnings::default();
        let encoded = encode_request(&sent, &sent.model, &mut warnings).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(warnings.is_empty(), "seed {seed}: {}", warnings.header());
        let back = request(&encoded.body).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(back, sent, "seed {seed}");
    }
}

#[test]
fn responses_come_back_as_they_went() {
    for seed in 0..SEEDS {
        let sent = Dice(seed).response();
        let mut warnings = Warnings::default();
        let encoded = AnthropicMessages.encode_response(&sent, &reply(), &mut warnings);
        assert!(warnings.is_empty(), "seed {seed}: {}", warnings.header());
        assert_eq!(AnthropicMessages.decode_response(&encoded).expect("a response"), sent, "seed {seed}");
        assert_eq!(AnthropicMessages.usage(&encoded), sent.usage, "seed {seed}");
    }
}

#[test]
fn streams_come_back_as_they_went() {
    for seed in 0..SEEDS {
        let sent = Dice(seed).response();
        let encoded = encode(&replay(&sent));
        check_grammar(&encoded);
        assert_eq!(accumulate(decode(&encoded)), sent, "seed {seed}");
    }
}
