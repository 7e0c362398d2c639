//! Generated requests, responses and streams that Gemini can express, there and back: nothing is lost.
//!
//! The generator is a fixed sequence: a failure names its seed and repeats.

use edgeway_core::chat::{
    Accumulator, ChatRequest, ChatResponse, Choice, Effort, Finish, FinishReason, FunctionTool, HostedTool, LogProbs, Media,
    MediaKind, MediaSource, Message, Opaque, OutputFormat, Part, Reasoning, ReasoningConfig, Role, Sampling, Signature, Text,
    TokenLogProb, Tool, ToolCall, ToolChoice, ToolResult, Usage, Warnings, replay,
};
use edgeway_core::dialect::{Dialect, DialectId, Frame, Reply, RequestHead, StreamForm, Target, gemini::Gemini};
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use http::HeaderMap;
use serde_json::{Value, json};

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

    fn some<T>(&mut self, least: u64, most: u64, mut make: impl FnMut(&mut Self, u64) -> T) -> Vec<T> {
        let count = least + self.roll(most - least + 1);
        (0..count).map(|index| make(self, index)).collect()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize].clone()
    }

    fn text(&mut self) -> String {
        let words = [
            "a",
            "Übung",
            "🌍\u{200d}x",
            "\"quoted\\\"",
            "line\nbreak\t",
            "\u{2028}\u{7f}\u{1}",
            " ",
            "</script>",
            "data: {}\r\n\r\n",
        ];
        self.some(1, 4, |dice, _| dice.pick(&words)).concat()
    }

    fn word(&mut self) -> String {
        self.pick(&["alpha", "beta_2", "get.weather", "x-y"]).to_owned()
    }

    fn object(&mut self) -> Value {
        let number = self.pick(&[json!(1), json!(-0.5), json!(1e300), json!(u64::MAX), json!(null), json!([{}, [], ""])]);
        json!({"k": self.text(), "n": number, "deep": {"z": [1, {"y": self.word()}]}})
    }

    fn signature(&mut self) -> Option<Signature> {
        self.maybe(|dice| Signature { dialect: DialectId::Gemini, data: dice.pick(&["c2ln", "CsQB+/8=", "CsQB-_8="]).to_owned() })
    }

    fn media(&mut self) -> Media {
        let (kind, mime) = self.pick(&[
            (MediaKind::Image, "image/png"),
            (MediaKind::Audio, "audio/wav"),
            (MediaKind::Video, "video/mp4"),
            (MediaKind::Document, "application/pdf"),
        ]);
        let mime = mime.to_owned();
        let source = match self.roll(3) {
            0 => MediaSource::Base64 { mime, data: self.pick(&["AA==", "+/8=", "iVBORw0K"]).to_owned() },
            1 => MediaSource::Url { mime: Some(mime), url: "https://files.example/a?b=c&d=%20".into() },
            _ => MediaSource::File { dialect: DialectId::Gemini, id: "gs://bucket/x".into(), mime: Some(mime) },
        };
        let mut media =
            Media { kind, source, name: None, detail: None, cache: None, signature: self.signature(), extra: Default::default() };
        if self.roll(3) == 0 {
            media.extra.insert(DialectId::Gemini, "videoMetadata", json!({"fps": 2}));
        }
        media
    }

    fn call(&mut self, id: String) -> Part {
        let (name, arguments) = (self.word(), self.object().to_string());
        Part::ToolCall(ToolCall { id, name, arguments, signature: self.signature(), ..ToolCall::default() })
    }

    /// What a model says. No two texts or thoughts in a row of which the first is not signed: those are one.
    fn said(&mut self, ids: &mut Vec<String>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for _ in 0..1 + self.roll(5) {
            let part = match self.roll(5) {
                0 => Part::Text(Text { text: self.text(), signature: self.signature(), ..Text::default() }),
                1 => Part::Reasoning(Reasoning { text: self.text(), redacted: false, signature: self.signature() }),
                2 => Part::Media(self.media()),
                3 => Part::Opaque(Opaque {
                    dialect: DialectId::Gemini,
                    value: json!({"executableCode": {"language": "PYTHON", "code": self.text()}}),
                }),
                _ => {
                    ids.push(format!("id{}", ids.len()));
                    self.call(ids.last().expect("just pushed").clone())
                }
            };
            let mergeable = |part: &Part| matches!(part, Part::Text(_) | Part::Reasoning(_));
            if !(mergeable(&part) && parts.last().is_some_and(mergeable)) {
                parts.push(part);
            }
        }
        parts
    }

    fn result(&mut self, call: &ToolCall) -> Part {
        let text = match self.roll(3) {
            0 => self.object().to_string(),
            1 => self.text(),
            _ => String::new(),
        };
        let is_error = !text.is_empty() && !text.starts_with('{') && self.roll(2) == 0;
        let mut content: Vec<Part> = (!text.is_empty()).then(|| Part::text(text)).into_iter().collect();
        if self.roll(3) == 0 {
            let source = MediaSource::Base64 { mime: "image/png".into(), data: "AAAA".into() };
            content.push(Part::Media(Media {
                kind: MediaKind::Image,
                source,
                name: None,
                detail: None,
                cache: None,
                signature: None,
                extra: Default::default(),
            }));
        }
        Part::ToolResult(ToolResult {
            call_id: call.id.clone(),
            name: Some(call.name.clone()),
            content,
            is_error,
            ..ToolResult::default()
        })
    }

    fn messages(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        if self.roll(2) == 0 {
            messages.push(Message::new(Role::System, self.some(1, 2, |dice, _| Part::text(dice.text()))));
        }
        let mut ids = Vec::new();
        for _ in 0..1 + self.roll(3) {
            let user = self.some(1, 3, |dice, _| match dice.roll(3) {
                0 => Part::Media(dice.media()),
                _ => Part::text(dice.text()),
            });
            messages.push(Message::new(Role::User, user));
            let said = self.said(&mut ids);
            let calls: Vec<ToolCall> =
                said.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call.clone()) } else { None }).collect();
            messages.push(Message::new(Role::Assistant, said));
            if !calls.is_empty() {
                messages.push(Message::new(Role::Tool, calls.iter().map(|call| self.result(call)).collect()));
            }
        }
        messages.push(Message::new(Role::User, vec![Part::text("go on")]));
        messages
    }

    fn tools(&mut self) -> Vec<Tool> {
        let mut tools: Vec<Tool> = self.some(1, 3, |dice, index| {
            Tool::Function(FunctionTool {
                name: format!("f{index}"),
                description: dice.maybe(Self::text),
                parameters: dice.maybe(|dice| {
                    json!({"type": "object", "properties": {"a": {"type": ["string", "null"], "description": dice.text()}},
                        "required": ["a"], "additionalProperties": false, "$defs": {"x": {"const": 1}}})
                }),
                ..FunctionTool::default()
            })
        });
        if self.roll(3) == 0 {
            let value = json!({"googleSearch": {"timeRangeFilter": {}}});
            tools.push(Tool::Hosted(HostedTool { dialect: DialectId::Gemini, kind: "googleSearch".into(), value }));
        }
        tools
    }

    fn request(&mut self) -> ChatRequest {
        let names = || vec!["f0".to_owned(), "f1".to_owned()];
        let mut request = ChatRequest {
            model: "gemini-3-flash-preview".into(),
            messages: self.messages(),
            output: match self.roll(3) {
                0 => OutputFormat::Json,
                1 => OutputFormat::JsonSchema {
                    name: "response".into(),
                    description: None,
                    schema: json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}),
                    strict: None,
                },
                _ => OutputFormat::Text,
            },
            reasoning: self.maybe(|dice| ReasoningConfig {
                include_thoughts: Some(dice.roll(2) == 0),
                effort: dice.maybe(|dice| dice.pick(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High])),
                ..ReasoningConfig::default()
            }),
            sampling: Sampling {
                temperature: self.maybe(|dice| dice.pick(&[0.0, 0.7, 2.0])),
                top_p: self.maybe(|_| 0.95),
                top_k: self.maybe(|_| 40),
                frequency_penalty: self.maybe(|_| -0.5),
                presence_penalty: self.maybe(|_| 1.5),
                seed: self.maybe(|dice| dice.pick(&[-1, 0, i64::from(i32::MAX)])),
            },
            max_tokens: self.maybe(|_| 1000),
            stop: self.some(0, 2, |dice, _| dice.text()),
            candidates: self.maybe(|_| 2),
            logprobs: self.maybe(|dice| LogProbs { top: dice.maybe(|_| 5) }),
            service_tier: self.maybe(|dice| dice.pick(&["flex", "priority", "standard"]).to_owned()),
            stream: self.roll(2) == 0,
            stream_usage: true,
            ..ChatRequest::default()
        };
        if self.roll(2) == 0 {
            request.tools = self.tools();
            request.tool_choice = self.maybe(|dice| {
                dice.pick(&[
                    ToolChoice::Auto,
                    ToolChoice::None,
                    ToolChoice::Required,
                    ToolChoice::Function("f0".into()),
                    ToolChoice::Allowed { names: names(), required: true },
                    ToolChoice::Allowed { names: names(), required: false },
                ])
            });
        }
        if self.roll(2) == 0 {
            request.metadata.insert("team".into(), "a-1_b".into());
            for field in ["safetySettings", "cachedContent", "generationConfig.speechConfig", "toolConfig.retrievalConfig"] {
                request.extra.insert(DialectId::Gemini, field, self.object());
            }
        }
        request
    }

    fn response(&mut self) -> ChatResponse {
        let mut ids = Vec::new();
        let choices = self.some(1, 2, |dice, index| {
            let parts = dice.said(&mut ids);
            let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            let (finish, raw) = match dice.roll(4) {
                0 => (Finish::Length, "MAX_TOKENS"),
                1 => (Finish::ContentFilter, "SPII"),
                2 => (Finish::Other, "LANGUAGE"),
                _ => (if has_calls { Finish::ToolCalls } else { Finish::Stop }, "STOP"),
            };
            let token = |dice: &mut Self, top| TokenLogProb { token: dice.text(), logprob: -0.25, bytes: None, top };
            let mut choice = Choice { index: index as u32, parts, finish: FinishReason::new(finish, raw), ..Choice::default() };
            choice.logprobs = dice.some(0, 2, |dice, _| {
                let top = dice.some(0, 2, |dice, _| token(dice, Vec::new()));
                token(dice, top)
            });
            if dice.roll(2) == 0 {
                choice.extra.insert(DialectId::Gemini, "groundingMetadata", dice.object());
            }
            choice
        });
        let mut response = ChatResponse {
            id: self.word(),
            model: "gemini-3-flash-preview".into(),
            created: self.maybe(|dice| dice.roll(4_000_000_000)),
            choices,
            usage: self.maybe(|dice| Usage {
                input: dice.roll(1000),
                cache_read: dice.roll(1000),
                audio_input: dice.roll(10),
                output: dice.roll(1000),
                reasoning: dice.roll(1000),
                audio_output: dice.roll(10),
                ..Usage::default()
            }),
            ..ChatResponse::default()
        };
        if self.roll(3) == 0 {
            response.extra.insert(DialectId::Gemini, "modelStatus", json!({"modelStage": "STABLE"}));
        }
        response
    }
}

fn reply(form: StreamForm) -> Reply {
    Reply { id: "unused".into(), model: "unused".into(), form, ..Reply::default() }
}

#[test]
fn requests_come_back_as_they_went() {
    for seed in 0..SEEDS {
        let request = Dice(seed).request();
        let mut warnings = Warnings::default();
        let target = Target { provider: "gemini", model: &request.model, quirks: &Quirks::NONE, limits: ModelLimits::default() };
        let encoded = Gemini.encode_request(&request, target, &mut warnings).unwrap_or_else(|error| panic!("{seed}: {error:?}"));
        // The sentinel of unsigned calls is the one thing that is filled in.
        // The sentinel for calls that Gemini did not sign reads as no signature.
        for warning in warnings.iter() {
            assert_eq!(warning.code.name(), "filled", "{seed}: {warning:?}");
        }
        let headers = HeaderMap::new();
        let head = RequestHead { model: Some(&request.model), stream: Some(request.stream), headers: &headers };
        let again = Gemini.decode_request(head, &encoded.body).unwrap_or_else(|error| panic!("{seed}: {error:?}"));
        assert_eq!(again, request, "seed {seed}");
    }
}

#[test]
fn responses_come_back_as_they_went() {
    for seed in 0..SEEDS {
        let response = Dice(seed).response();
        let mut warnings = Warnings::default();
        let body = Gemini.encode_response(&response, &reply(StreamForm::Sse), &mut warnings);
        assert!(warnings.is_empty(), "{seed}: {}", warnings.header());
        assert_eq!(Gemini.decode_response(&body).unwrap_or_else(|error| panic!("{seed}: {error:?}")), response, "seed {seed}");
        assert_eq!(Gemini.usage(&body), response.usage, "seed {seed}");
    }
}

#[test]
fn streams_come_back_as_they_went() {
    for seed in 0..SEEDS {
        let response = Dice(seed).response();
        for form in [StreamForm::Sse, StreamForm::JsonArray] {
            let mut encoder = Gemini.stream_encoder(reply(form));
            let mut bytes = Vec::new();
            replay(&response).iter().for_each(|event| encoder.event(event, &mut bytes));
            let text = String::from_utf8(bytes).expect("UTF-8");
            let frames: Vec<String> = match form {
                StreamForm::Sse => text.split_terminator("\r\n\r\n").map(|frame| frame["data: ".len()..].to_owned()).collect(),
                StreamForm::JsonArray => {
                    let elements: Vec<Value> = serde_json::from_str(&text).expect("an array");
                    elements.iter().map(Value::to_string).collect()
                }
            };
            let (mut decoder, mut sniffer) = (Gemini.stream_decoder(), Gemini.stream_sniffer());
            let mut events = Vec::new();
            for frame in &frames {
                let frame = Frame { event: "", data: frame.as_bytes() };
                decoder.frame(frame, &mut events).unwrap_or_else(|fault| panic!("{seed}: {fault:?}"));
                sniffer.frame(frame);
            }
            decoder.finish(&mut events);
            let mut accumulator = Accumulator::default();
            events.into_iter().for_each(|event| accumulator.push(event));
            let (again, ended) = accumulator.finish().expect("no error");
            assert!(ended);
            assert_eq!(again, response, "seed {seed} {form:?}");
            assert_eq!(sniffer.usage(), response.usage, "seed {seed} {form:?}");
        }
    }
}
