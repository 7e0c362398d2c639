//! Generated values that the protocol can express, there and back; and bytes that nobody would send.
//!
//! The generator is a fixed sequence: a failure names its seed and repeats.

use bytes::Bytes;
use edgeway_core::chat::{
    CacheControl, ChatRequest, ChatResponse, Choice, Effort, Extra, Finish, FinishReason, FunctionTool, HostedTool, LogProbs,
    Media, MediaKind, MediaSource, Message, Opaque, OutputFormat, Part, Reasoning, ReasoningConfig, Refusal, Role, Sampling,
    Signature, Text, TokenLogProb, Tool, ToolCall, ToolChoice, ToolResult, Usage, Warnings, replay,
};
use edgeway_core::dialect::openai_chat::OpenAiChat;
use edgeway_core::dialect::{Dialect, DialectId, Frame};
use edgeway_core::error::Upstream;
use edgeway_core::provider::Quirks;
use serde_json::{Value, json};

use super::{DIALECT, accumulate, decode_request, encode_request, encode_stream, events, golden, reply};

const SEEDS: u64 = 500;
const OWN: DialectId = DialectId::OpenAiChat;

/// A provider that takes everything that the protocol has.
const EVERYTHING: Quirks = Quirks {
    allowed_tools: true,
    cache_control: true,
    top_k: true,
    reasoning_content: true,
    reasoning_details: true,
    ..Quirks::NONE
};

const TEXTS: [&str; 8] =
    ["Hello", " ", "json, please", "\"quoted\" \\ back", "line\nline\t\u{0}", "é 漢字 🦀", "[DONE]", "{\"a\":1}"];

/// Xorshift.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % sides
    }

    fn luck(&mut self) -> bool {
        self.roll(2) == 0
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.luck().then(|| make(self))
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize].clone()
    }

    fn text(&mut self) -> String {
        self.pick(&TEXTS).to_owned()
    }

    fn name(&mut self) -> String {
        self.pick(&["f", "get_weather", "a-b_c9"]).to_owned()
    }

    fn many<T>(&mut self, least: u64, most: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.roll(most - least + 1);
        (0..count).map(|_| make(self)).collect()
    }

    fn cache(&mut self) -> Option<CacheControl> {
        (self.roll(6) == 0).then(|| CacheControl { ttl: self.maybe(|_| "1h".to_owned()) })
    }

    fn extra(&mut self, key: &str) -> Extra {
        let mut extra = Extra::default();
        if self.roll(5) == 0 {
            extra.insert(OWN, key, self.pick(&[json!(1.5), json!({"deep": [true, null]}), json!("x")]));
        }
        extra
    }

    fn text_part(&mut self) -> Text {
        Text { text: self.text(), cache: self.cache(), signature: None, extra: self.extra("x_note") }
    }

    fn media(&mut self) -> Media {
        let base64 = |mime: &str| MediaSource::Base64 { mime: mime.into(), data: "AAAA/+8=".into() };
        let url = |url: &str| MediaSource::Url { mime: None, url: url.into() };
        let (kind, source, name) = match self.roll(8) {
            0 => (MediaKind::Image, base64("image/png"), None),
            1 => (MediaKind::Image, url("https://example.com/é.jpg"), None),
            2 => (MediaKind::Audio, base64("audio/wav"), None),
            3 => (MediaKind::Audio, base64("audio/mpeg"), None),
            4 => (MediaKind::Document, base64("application/pdf"), Some("a \"b\".pdf".to_owned())),
            5 => (MediaKind::Document, MediaSource::File { dialect: OWN, id: "file-1".into(), mime: None }, None),
            6 => (MediaKind::Video, url("gs://bucket/film.mp4"), None),
            _ => (MediaKind::Audio, url("https://example.com/a.ogg"), None),
        };
        let detail = (kind == MediaKind::Image).then(|| self.maybe(|dice| dice.pick(&["low", "high"]).to_owned())).flatten();
        let mut extra = self.extra("x_part");
        if self.roll(5) == 0 {
            let inner = match (kind, &source) {
                (MediaKind::Image, _) => "image_url",
                (MediaKind::Audio, MediaSource::Base64 { .. }) => "input_audio",
                (MediaKind::Audio, _) => "audio_url",
                (MediaKind::Video, _) => "video_url",
                (MediaKind::Document, _) => "file",
            };
            extra.insert(OWN, inner, json!({"x_inner": 1}));
        }
        Media { kind, source, name, detail, cache: self.cache(), signature: None, extra }
    }

    fn details(&mut self) -> Signature {
        let details = json!([{"type": "reasoning.text", "text": "t", "index": 0, "signature": "EqQ="}]);
        Signature { dialect: OWN, data: details.to_string() }
    }

    fn reasoning(&mut self) -> Reasoning {
        Reasoning { text: self.text(), redacted: false, signature: self.maybe(Self::details) }
    }

    fn call(&mut self, id: String) -> ToolCall {
        let arguments = self.pick(&["{}", "{\"a\": 1}", "not json", "[1,2]"]).to_owned();
        ToolCall { id, name: self.name(), arguments, signature: None, cache: None, extra: self.extra("extra_content") }
    }

    fn custom(&mut self, id: &str) -> Part {
        let value = json!({"id": id, "type": "custom", "custom": {"name": "sh", "input": self.text()}});
        Part::Opaque(Opaque { dialect: OWN, value })
    }

    fn message(&mut self, role: Role, parts: Vec<Part>) -> Message {
        let name = (role != Role::Tool).then(|| self.maybe(|_| "ada".to_owned())).flatten();
        let extra = if role == Role::Tool { Extra::default() } else { self.extra("x_message") };
        Message { role, parts, name, extra }
    }

    fn user(&mut self) -> Message {
        let parts = self.many(1, 3, |dice| match dice.roll(4) {
            0 => Part::Media(dice.media()),
            1 if dice.luck() => {
                Part::Opaque(Opaque { dialect: OWN, value: json!({"type": "document_url", "document_url": "x"}) })
            }
            _ => Part::Text(dice.text_part()),
        });
        self.message(Role::User, parts)
    }

    /// An assistant's turn and the results of its calls.
    fn turn(&mut self, number: usize) -> Vec<Message> {
        let mut parts = Vec::new();
        parts.extend(self.maybe(|dice| Part::Reasoning(dice.reasoning())));
        parts.extend(self.maybe(|dice| Part::Text(dice.text_part())));
        parts.extend((self.roll(4) == 0).then(|| Part::Refusal(Refusal { text: self.text() })));
        let ids: Vec<_> = (0..self.roll(4)).map(|call| format!("call_{number}_{call}")).collect();
        parts.extend(ids.iter().map(|id| Part::ToolCall(self.call(id.clone()))));
        let custom = self.maybe(|_| format!("custom_{number}"));
        parts.extend(custom.as_ref().map(|id| self.custom(id)));
        let mut messages = vec![self.message(Role::Assistant, parts)];
        for call_id in ids.into_iter().chain(custom) {
            let mut content = self.many(1, 2, |dice| Part::Text(Text { cache: None, ..dice.text_part() }));
            if self.roll(8) == 0 {
                content = vec![Part::text("")];
            }
            let result =
                ToolResult { call_id, name: self.maybe(Self::name), content, cache: self.cache(), ..ToolResult::default() };
            messages.push(self.message(Role::Tool, vec![Part::ToolResult(result)]));
        }
        messages
    }

    fn tool(&mut self) -> Tool {
        if self.roll(5) == 0 {
            let value = json!({"type": "custom", "custom": {"name": "sh", "description": self.text()}});
            return Tool::Hosted(HostedTool { dialect: OWN, kind: "custom".into(), value });
        }
        let mut extra = self.extra("x_tool");
        if self.roll(5) == 0 {
            extra.insert(OWN, "function", json!({"x_function": [1]}));
        }
        Tool::Function(FunctionTool {
            name: self.name(),
            description: self.maybe(Self::text),
            parameters: self.maybe(|_| json!({"type": "object", "properties": {"zeta": {}, "alpha": {"type": "string"}}})),
            strict: self.maybe(Self::luck),
            cache: self.cache(),
            extra,
        })
    }

    fn request(&mut self) -> ChatRequest {
        let mut messages = self.many(0, 2, |dice| {
            let role = dice.pick(&[Role::System, Role::Developer]);
            let parts = dice.many(1, 2, |dice| Part::Text(dice.text_part()));
            dice.message(role, parts)
        });
        for number in 0..1 + self.roll(2) as usize {
            messages.push(self.user());
            messages.extend(self.turn(number));
        }
        messages.insert(0, Message::new(Role::User, vec![Part::text("Answer as json.")]));
        let tools = self.many(0, 3, Self::tool);
        let (mut tool_choice, mut parallel_tool_calls) = (None, None);
        if !tools.is_empty() {
            parallel_tool_calls = self.maybe(Self::luck);
            tool_choice = self.maybe(|dice| match dice.roll(6) {
                0 => ToolChoice::Auto,
                1 => ToolChoice::None,
                2 => ToolChoice::Required,
                3 => ToolChoice::Function("sh".into()),
                4 => ToolChoice::Function(dice.name()),
                _ => ToolChoice::Allowed { names: vec![dice.name(), "sh".into()], required: dice.luck() },
            });
        }
        let number = |dice: &mut Dice| dice.roll(10) as f64 / 10.0;
        let stream = self.luck();
        let mut extra = self.extra("logit_bias");
        if stream && self.luck() {
            extra.insert(OWN, "stream_options", json!({"include_obfuscation": false}));
        }
        ChatRequest {
            model: "the-model".into(),
            messages,
            places: Default::default(),
            tools,
            tool_choice,
            parallel_tool_calls,
            output: match self.roll(3) {
                0 => OutputFormat::Text,
                1 => OutputFormat::Json,
                _ => OutputFormat::JsonSchema {
                    name: "answer".into(),
                    description: self.maybe(Self::text),
                    schema: json!({"type": "object", "required": ["b", "a"]}),
                    strict: self.maybe(Self::luck),
                },
            },
            reasoning: self.maybe(|dice| {
                let effort = dice.pick(&[
                    Effort::None,
                    Effort::Minimal,
                    Effort::Low,
                    Effort::Medium,
                    Effort::High,
                    Effort::XHigh,
                    Effort::Max,
                ]);
                ReasoningConfig { effort: Some(effort), ..ReasoningConfig::default() }
            }),
            sampling: Sampling {
                temperature: self.maybe(number),
                top_p: self.maybe(number),
                top_k: self.maybe(|dice| 1 + dice.roll(100)),
                frequency_penalty: self.maybe(number),
                presence_penalty: self.maybe(|dice| -number(dice)),
                seed: self.maybe(|dice| dice.roll(1000) as i64 - 500),
            },
            max_tokens: self.maybe(|dice| 1 + dice.roll(100_000)),
            stop: self.many(0, 3, Self::text),
            candidates: self.maybe(|dice| 1 + dice.roll(5) as u32),
            logprobs: self.maybe(|dice| LogProbs { top: dice.maybe(|dice| dice.roll(21) as u32) }),
            user: self.maybe(Self::text),
            metadata: self.many(0, 2, |dice| (dice.name(), dice.text())).into_iter().collect(),
            service_tier: self.maybe(|_| "flex".to_owned()),
            stream,
            stream_usage: stream,
            extra,
        }
    }

    fn token(&mut self, alternatives: bool) -> TokenLogProb {
        TokenLogProb {
            token: self.text(),
            logprob: -(self.roll(1000) as f64) / 64.0,
            bytes: self.maybe(|dice| dice.many(0, 4, |dice| dice.roll(256) as u8)),
            top: if alternatives { self.many(0, 2, |dice| dice.token(false)) } else { Vec::new() },
        }
    }

    fn choice(&mut self, index: u32) -> Choice {
        let mut parts = Vec::new();
        parts.extend(self.maybe(|dice| Part::Reasoning(dice.reasoning())));
        parts.extend(self.maybe(|dice| {
            let mut text = Text { text: dice.text(), ..Text::default() };
            if dice.roll(4) == 0 {
                text.extra.insert(OWN, "annotations", json!([{"type": "url_citation"}, {"type": "url_citation", "n": 2}]));
            }
            Part::Text(text)
        }));
        parts.extend((self.roll(4) == 0).then(|| Part::Refusal(Refusal { text: self.text() })));
        if self.roll(4) == 0 {
            let source = self.pick(&[
                MediaSource::Base64 { mime: "image/webp".into(), data: "UklG".into() },
                MediaSource::Url { mime: None, url: "https://example.com/made.png".into() },
            ]);
            parts.push(Part::Media(bare(MediaKind::Image, source)));
        }
        let calls: Vec<_> = (0..self.roll(4)).map(|call| Part::ToolCall(self.call(format!("call_{index}_{call}")))).collect();
        let called = !calls.is_empty();
        parts.extend(calls);
        if !called && self.roll(6) == 0 {
            let mut audio = bare(MediaKind::Audio, MediaSource::Base64 { mime: "audio/pcm".into(), data: "AAEC".into() });
            for (key, value) in [("id", json!("audio_1")), ("transcript", json!("Hi")), ("expires_at", json!(7))] {
                audio.extra.insert(OWN, key, value);
            }
            parts.push(Part::Media(audio));
        }
        if self.roll(6) == 0 {
            parts.push(self.custom("custom_1"));
        }
        let finish = match self.roll(3) {
            _ if called => FinishReason::new(Finish::ToolCalls, self.pick(&["tool_calls", "tool_use"])),
            0 if parts.iter().any(|part| matches!(part, Part::Refusal(_))) => FinishReason::new(Finish::ContentFilter, "stop"),
            0 => FinishReason { stop_sequence: Some("END".into()), ..FinishReason::new(Finish::Stop, "stop") },
            1 => FinishReason::new(Finish::Length, self.pick(&["length", "MAX_TOKENS"])),
            _ => FinishReason::new(Finish::ContentFilter, "content_filter"),
        };
        let mut extra = Extra::default();
        if self.roll(4) == 0 {
            extra.insert(OWN, "content_filter_results", json!({"hate": {"filtered": false}}));
        }
        let logprobs = if self.luck() { self.many(1, 3, |dice| dice.token(true)) } else { Vec::new() };
        Choice { index, parts, finish, logprobs, extra }
    }

    fn response(&mut self) -> ChatResponse {
        let bucket = |dice: &mut Dice| dice.roll(5000);
        let mut extra = Extra::default();
        if self.luck() {
            extra.insert(OWN, "system_fingerprint", json!("fp_1"));
        }
        if self.roll(4) == 0 {
            extra.insert(OWN, "citations", json!(["https://example.com"]));
        }
        ChatResponse {
            id: "chatcmpl-1".into(),
            model: "m-1".into(),
            created: Some(1 + self.roll(2_000_000_000)),
            choices: (0..1 + self.roll(3) as u32).map(|index| self.choice(index)).collect(),
            usage: self.maybe(|dice| Usage {
                input: bucket(dice),
                cache_read: bucket(dice),
                cache_write_5m: bucket(dice),
                cache_write_1h: 0,
                audio_input: bucket(dice),
                output: bucket(dice),
                reasoning: bucket(dice),
                audio_output: bucket(dice),
            }),
            service_tier: self.maybe(|_| "default".to_owned()),
            extra,
        }
    }
}

fn bare(kind: MediaKind, source: MediaSource) -> Media {
    Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Extra::default() }
}

#[test]
fn a_request_that_the_protocol_can_express_comes_back_as_it_was() {
    for seed in 1..=SEEDS {
        let request = Dice::new(seed).request();
        let (body, warnings) =
            encode_request(&request, "x", &EVERYTHING).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(warnings, "", "seed {seed}");
        let again = decode_request(&body).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(again, request, "seed {seed}: {}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn a_response_that_the_protocol_can_express_comes_back_as_it_was() {
    for seed in 1..=SEEDS {
        let response = Dice::new(seed).response();
        let mut warnings = Warnings::default();
        let body = OpenAiChat.encode_response(&response, &reply(), &mut warnings);
        assert!(warnings.is_empty(), "seed {seed}: {}", warnings.header());
        assert_eq!(OpenAiChat.decode_response(&body).unwrap(), response, "seed {seed}: {}", String::from_utf8_lossy(&body));
        assert_eq!(OpenAiChat.usage(&body), response.usage, "seed {seed}");
    }
}

#[test]
fn a_stream_of_such_a_response_adds_up_to_it() {
    for seed in 1..=SEEDS {
        let response = Dice::new(seed).response();
        let stream = encode_stream(&replay(&response));
        let (again, ended) = accumulate(events(&stream)).unwrap();
        assert!(ended, "seed {seed}");
        assert_eq!(again, response, "seed {seed}: {}", String::from_utf8_lossy(&stream));
    }
}

/// Changes a few bytes.
fn damage(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + dice.roll(4) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.roll(bytes.len() as u64) as usize;
        match dice.roll(5) {
            0 => bytes[at] = dice.roll(256) as u8,
            1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, dice.pick(b"\"\\{}[]:,0-eE.ntf\x00\xff")),
            _ => {
                let end = (at + dice.roll(40) as usize).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

#[test]
fn damaged_bytes_are_answered_never_a_panic() {
    let mut dice = Dice::new(9);
    for form in ["request.json", "response.json", "sse"] {
        for fixture in golden::fixtures(DIALECT, form) {
            for _ in 0..60 {
                let bytes = damage(&mut dice, &fixture.bytes);
                if let Ok(request) = decode_request(&bytes) {
                    let encoded = encode_request(&request, "x", &EVERYTHING);
                    assert!(encoded.is_err() || serde_json::from_slice::<Value>(&encoded.unwrap().0).is_ok());
                }
                if let Ok(response) = OpenAiChat.decode_response(&bytes) {
                    let body = OpenAiChat.encode_response(&response, &reply(), &mut Warnings::default());
                    assert!(serde_json::from_slice::<Value>(&body).is_ok());
                    encode_stream(&replay(&response));
                }
                let _ = OpenAiChat.usage(&bytes);
                let upstream = Upstream { status: 400, body: Bytes::from(bytes.clone()), ..Upstream::default() };
                let error = OpenAiChat.decode_error(upstream, &http::HeaderMap::new());
                assert!(serde_json::from_slice::<Value>(&OpenAiChat.encode_error(&error, "r")).is_ok());
                let (mut decoder, mut sniffer) = (OpenAiChat.stream_decoder(), OpenAiChat.stream_sniffer());
                let mut decoded = Vec::new();
                for line in bytes.split(|byte| *byte == b'\n') {
                    let frame = Frame { event: "", data: line.strip_prefix(b"data: ").unwrap_or(line) };
                    let _ = decoder.frame(frame, &mut decoded);
                    sniffer.frame(frame);
                }
                decoder.finish(&mut decoded);
                encode_stream(&decoded);
            }
        }
    }
}
