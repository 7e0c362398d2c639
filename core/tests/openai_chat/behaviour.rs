//! What the codec promises beyond shapes, one behaviour a test: what has no field here, opaque state, and each quirk.

use edgeway_core::ErrorKind;
use edgeway_core::chat::{
    CacheControl, ChatRequest, ChatResponse, Choice, Effort, Finish, FinishReason, FunctionTool, HostedTool, LogProbs, Media,
    MediaKind, MediaSource, Message, Opaque, OutputFormat, Part, Reasoning, ReasoningConfig, Role, Signature, Text, Tool,
    ToolCall, ToolChoice, ToolResult, Warnings,
};
use edgeway_core::dialect::openai_chat::OpenAiChat;
use edgeway_core::dialect::{Dialect, DialectId};
use edgeway_core::error::Error;
use edgeway_core::provider::{MaxTokensField, Quirks};
use serde_json::{Value, json};

use super::{OPENAI, decode_request, encode_request, reply};

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".into(), messages, ..ChatRequest::default() }
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

fn sent(request: &ChatRequest, quirks: &Quirks) -> (Value, String) {
    let (body, warnings) = encode_request(request, "provider-x", quirks).expect("it can be sent");
    (serde_json::from_slice(&body).expect("JSON"), warnings)
}

fn refused(request: &ChatRequest) -> Error {
    encode_request(request, "provider-x", &OPENAI).expect_err("it cannot be sent")
}

fn media(kind: MediaKind, source: MediaSource) -> Media {
    Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Default::default() }
}

fn base64(mime: &str, data: &str) -> MediaSource {
    MediaSource::Base64 { mime: mime.into(), data: data.into() }
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: "{}".into(), ..ToolCall::default() }
}

fn result(call_id: &str, content: Vec<Part>) -> ToolResult {
    ToolResult { call_id: call_id.into(), content, ..ToolResult::default() }
}

fn signature(dialect: DialectId, data: &str) -> Option<Signature> {
    Some(Signature { dialect, data: data.into() })
}

#[test]
fn several_results_of_one_message_become_several_messages() {
    let request = request(vec![
        user("go"),
        Message::new(Role::Assistant, vec![Part::ToolCall(call("a", "f")), Part::ToolCall(call("b", "g"))]),
        Message::new(
            Role::Tool,
            vec![Part::ToolResult(result("a", vec![Part::text("1")])), Part::ToolResult(result("b", vec![Part::text("2")]))],
        ),
    ]);
    let (body, warnings) = sent(&request, &OPENAI);
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "a", "content": "1"}));
    assert_eq!(body["messages"][3], json!({"role": "tool", "tool_call_id": "b", "content": "2"}));
    assert_eq!(warnings, "");
}

#[test]
fn images_of_tool_results_move_behind_all_results_and_name_their_call() {
    let image = Part::Media(media(MediaKind::Image, base64("image/png", "AAAA")));
    let request = request(vec![
        user("look"),
        Message::new(Role::Assistant, vec![Part::ToolCall(call("a", "camera")), Part::ToolCall(call("b", "clock"))]),
        Message::new(Role::Tool, vec![Part::ToolResult(result("a", vec![image]))]),
        Message::new(Role::Tool, vec![Part::ToolResult(result("b", vec![Part::text("noon")]))]),
        user("so?"),
    ]);
    let (body, warnings) = sent(&request, &OPENAI);
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user", "user"]);
    assert_eq!(messages[2]["content"], "The result is in the next user message.");
    assert_eq!(
        messages[4]["content"],
        json!([
            {"type": "text", "text": "The result of camera (call a):"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        ])
    );
    assert_eq!(warnings, r#"moved;at="messages[2].content";why="media of a tool's result go to the next user message""#);
}

#[test]
fn a_failed_tool_keeps_its_words_and_the_lost_flag_is_named() {
    let failed = ToolResult { is_error: true, ..result("a", vec![Part::text("exit code 1")]) };
    let silent = ToolResult { is_error: true, ..result("b", vec![]) };
    let request = request(vec![user("go"), Message::new(Role::Tool, vec![Part::ToolResult(failed), Part::ToolResult(silent)])]);
    let (body, warnings) = sent(&request, &OPENAI);
    assert_eq!(body["messages"][1]["content"], "exit code 1");
    assert_eq!(body["messages"][2]["content"], "The tool failed and gave no reason.");
    assert!(warnings.contains(r#"approximated;at="messages[1].is_error""#), "{warnings}");
}

#[test]
fn what_would_change_the_meaning_is_refused_with_its_place() {
    let with = |part: Part| request(vec![Message::new(Role::User, vec![Part::text("x"), part])]);
    let url = MediaSource::Url { mime: None, url: "https://example.com/a.pdf".into() };
    let file = MediaSource::File { dialect: DialectId::Gemini, id: "files/1".into(), mime: None };
    let block = Opaque { dialect: DialectId::AnthropicMessages, value: json!({"type": "search_result"}) };
    for part in [Part::Media(media(MediaKind::Document, url)), Part::Media(media(MediaKind::Image, file)), Part::Opaque(block)] {
        let error = refused(&with(part));
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("messages[0].content[1]")), "{error:?}");
        assert!(error.message.contains("provider-x"), "{}", error.message);
    }
    let mut hosted = request(vec![user("x")]);
    hosted.tools = vec![Tool::Hosted(HostedTool {
        dialect: DialectId::AnthropicMessages,
        kind: "web_search_20250305".into(),
        value: json!({"type": "web_search_20250305"}),
    })];
    let error = refused(&hosted);
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[0]")));
    let mut forced = request(vec![user("x")]);
    forced.tool_choice = Some(ToolChoice::Required);
    assert_eq!(refused(&forced).param.as_deref(), Some("tool_choice"));
}

#[test]
fn documents_that_are_text_are_sent_as_text() {
    let text = Media { name: Some("notes.md".into()), ..media(MediaKind::Document, MediaSource::Text { text: "Hi".into() }) };
    let encoded = media(MediaKind::Document, base64("text/plain", "SGk="));
    let message = Message::new(Role::User, vec![Part::Media(text), Part::Media(encoded)]);
    let (body, warnings) = sent(&request(vec![message]), &OPENAI);
    let parts = json!([{"type": "text", "text": "notes.md\n\nHi"}, {"type": "text", "text": "Hi"}]);
    assert_eq!(body["messages"][0]["content"], parts);
    assert!(warnings.contains(r#"approximated;at="messages[0].content[0]""#), "{warnings}");
}

#[test]
fn what_a_model_of_another_protocol_left_behind_is_named_when_it_is_lost() {
    let mut text = Text { text: "Cited.".into(), ..Text::default() };
    text.extra.insert(DialectId::AnthropicMessages, "citations", json!([{"type": "char_location"}]));
    let assistant = Message::new(
        Role::Assistant,
        vec![
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                redacted: false,
                signature: signature(DialectId::AnthropicMessages, "s"),
            }),
            Part::Reasoning(Reasoning { text: "plain".into(), ..Reasoning::default() }),
            Part::Text(text),
            Part::Opaque(Opaque { dialect: DialectId::AnthropicMessages, value: json!({"type": "server_tool_use"}) }),
            Part::ToolCall(ToolCall { signature: signature(DialectId::Gemini, "g"), ..call("a", "f") }),
        ],
    );
    let mut request = request(vec![user("x"), assistant]);
    request.extra.insert(DialectId::Gemini, "safetySettings", json!([{"category": "HARM_CATEGORY_HARASSMENT"}]));
    request.sampling.top_k = Some(5);
    let (body, warnings) = sent(&request, &OPENAI);
    assert_eq!(body["messages"][1]["content"], "Cited.");
    assert!(body["messages"][1].get("reasoning_content").is_none());
    for at in [
        r#"messages[1].content[0]";why="signed by anthropic_messages"#,
        r#"messages[1].citations"#,
        r#"messages[1].content[3]"#,
        "safetySettings",
        "top_k",
    ] {
        assert!(warnings.contains(at), "{at} in {warnings}");
    }
    assert!(!warnings.contains("signed by gemini"), "the call itself goes: {warnings}");
}

#[test]
fn a_json_answer_is_asked_for_in_words_when_no_message_does() {
    let mut request = request(vec![Message::new(Role::System, vec![Part::text("Be brief.")]), user("List two colours.")]);
    request.output = OutputFormat::Json;
    let (body, warnings) = sent(&request, &OPENAI);
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    assert_eq!(body["messages"][1], json!({"role": "system", "content": "Answer with one JSON object, and with nothing else."}));
    assert!(warnings.starts_with("filled;"), "{warnings}");
    request.messages.push(user("As json."));
    assert_eq!(sent(&request, &OPENAI).0["messages"].as_array().unwrap().len(), 3);
}

/// A conversation whose second turn has to bring back what Claude or Gemini signed in the first.
#[test]
fn signed_reasoning_and_signatures_ride_in_call_ids_and_come_back() {
    let thinking = |text: &str, data: &str| Reasoning {
        text: text.into(),
        redacted: false,
        signature: signature(DialectId::AnthropicMessages, data),
    };
    let redacted = Reasoning { redacted: true, ..thinking("", "xyz") };
    let response = ChatResponse {
        id: "msg_1".into(),
        model: "claude".into(),
        choices: vec![Choice {
            parts: vec![
                Part::Reasoning(thinking("First.", "s1")),
                Part::Reasoning(redacted.clone()),
                Part::text("I call."),
                Part::ToolCall(call("toolu_1", "f")),
                Part::Reasoning(thinking("Then.", "s2")),
                Part::ToolCall(ToolCall { signature: signature(DialectId::Gemini, "g"), ..call("toolu_2", "g") }),
            ],
            finish: FinishReason::new(Finish::ToolCalls, "tool_use"),
            ..Choice::default()
        }],
        ..ChatResponse::default()
    };
    let mut warnings = Warnings::default();
    let whole: Value = serde_json::from_slice(&OpenAiChat.encode_response(&response, &reply(), &mut warnings)).unwrap();
    assert!(warnings.is_empty());
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["reasoning_content"], "First.Then.");

    // Streamed, the ids are the same.
    let stream = super::encode_stream(&edgeway_core::chat::replay(&response));
    let stream = String::from_utf8(stream).unwrap();
    for call in message["tool_calls"].as_array().unwrap() {
        assert!(stream.contains(call["id"].as_str().unwrap()), "{stream}");
    }

    // The caller returns the message as it is, with results.
    let ids: Vec<_> = message["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
    let body = json!({"model": "claude", "messages": [
        {"role": "user", "content": "go"},
        message,
        {"role": "tool", "tool_call_id": ids[0], "content": "1"},
        {"role": "tool", "tool_call_id": ids[1], "content": "2"},
    ]});
    let request = decode_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        request.messages[1].parts,
        [
            Part::Reasoning(thinking("First.", "s1")),
            Part::Reasoning(redacted),
            Part::text("I call."),
            Part::ToolCall(call("toolu_1", "f")),
            Part::Reasoning(thinking("Then.", "s2")),
            Part::ToolCall(ToolCall { signature: signature(DialectId::Gemini, "g"), ..call("toolu_2", "g") }),
        ]
    );
    let Part::ToolResult(answer) = &request.messages[2].parts[0] else { panic!() };
    assert_eq!(answer.call_id, "toolu_1");

    // Sent on to a provider of this dialect, nothing of another's is in it.
    let (sent, _) = sent(&request, &OPENAI);
    assert!(!sent.to_string().contains("_ew1_"));
    assert_eq!(sent["messages"][2]["tool_call_id"], "toolu_1");
}

#[test]
fn thinking_switched_off_is_left_to_models_that_may_not_think_at_all() {
    let mut request = request(vec![user("x")]);
    let mut effort = |config: ReasoningConfig| {
        request.reasoning = Some(config);
        let (body, warnings) = sent(&request, &OPENAI);
        (body.get("reasoning_effort").and_then(Value::as_str).map(str::to_owned), warnings.contains("approximated"))
    };
    let budget = |budget_tokens| ReasoningConfig { budget_tokens: Some(budget_tokens), ..ReasoningConfig::default() };
    assert_eq!(effort(budget(0)), (None, true));
    assert_eq!(effort(budget(1_024)), (Some("low".into()), true));
    assert_eq!(effort(budget(8_000)), (Some("medium".into()), true));
    assert_eq!(effort(budget(64_000)), (Some("high".into()), true));
    assert_eq!(effort(ReasoningConfig { effort: Some(Effort::Max), ..budget(9) }), (Some("max".into()), false));
    assert_eq!(effort(ReasoningConfig { adaptive: true, ..ReasoningConfig::default() }), (None, false));
    assert_eq!(
        effort(ReasoningConfig { effort: Some(Effort::None), ..ReasoningConfig::default() }),
        (Some("none".into()), false)
    );
}

/// Everything that some quirk touches.
fn rich() -> ChatRequest {
    let function = |name: &str| Tool::Function(FunctionTool { name: name.into(), strict: Some(true), ..FunctionTool::default() });
    ChatRequest {
        messages: vec![
            Message::new(Role::Developer, vec![Part::text("One."), Part::text("Two.")]),
            Message::new(
                Role::User,
                vec![Part::Text(Text {
                    text: "Hi".into(),
                    cache: Some(CacheControl { ttl: Some("1h".into()) }),
                    ..Text::default()
                })],
            ),
            Message::new(
                Role::Assistant,
                vec![
                    Part::Reasoning(Reasoning {
                        text: "Hm.".into(),
                        redacted: false,
                        signature: signature(DialectId::OpenAiChat, "[{\"type\":\"reasoning.text\"}]"),
                    }),
                    Part::ToolCall(call("call_1", "f")),
                ],
            ),
            Message::new(Role::Tool, vec![Part::ToolResult(result("call_1", vec![Part::text("1")]))]),
        ],
        tools: vec![function("f"), function("g")],
        tool_choice: Some(ToolChoice::Allowed { names: vec!["g".into()], required: true }),
        parallel_tool_calls: Some(false),
        output: OutputFormat::JsonSchema {
            name: "r".into(),
            description: None,
            schema: json!({"type": "object"}),
            strict: Some(true),
        },
        reasoning: Some(ReasoningConfig { effort: Some(Effort::High), ..ReasoningConfig::default() }),
        sampling: edgeway_core::chat::Sampling { top_k: Some(40), seed: Some(7), ..Default::default() },
        max_tokens: Some(100),
        candidates: Some(1),
        logprobs: Some(LogProbs { top: Some(2) }),
        stream: true,
        ..ChatRequest::default()
    }
}

#[test]
fn each_quirk_changes_its_field_and_says_so_when_something_is_lost() {
    /// A quirk, the place it changes, what is there without and with it, and the warning's begin.
    type Case = (Quirks, &'static str, Value, Value, &'static str);
    let none = Quirks::NONE;
    let absent = Value::Null;
    #[rustfmt::skip]
    let cases: Vec<Case> = vec![
        (Quirks { max_tokens: MaxTokensField::MaxCompletionTokens, ..none }, "/max_completion_tokens", absent.clone(), json!(100), ""),
        (Quirks { max_tokens: MaxTokensField::MaxCompletionTokens, ..none }, "/max_tokens", json!(100), absent.clone(), ""),
        (Quirks { no_stream_options: true, ..none }, "/stream_options", json!({"include_usage": true}), absent.clone(), ""),
        (Quirks { no_developer_role: true, ..none }, "/messages/0/role", json!("developer"), json!("system"), ""),
        (Quirks { no_json_schema: true, ..none }, "/response_format/type", json!("json_schema"), json!("json_object"), "approximated;at=\"response_format\""),
        (Quirks { no_strict_tools: true, ..none }, "/tools/0/function/strict", json!(true), absent.clone(), "dropped;at=\"tools[1].strict\""),
        (Quirks { no_parallel_tool_calls: true, ..none }, "/parallel_tool_calls", json!(false), absent.clone(), "dropped;at=\"parallel_tool_calls\""),
        (Quirks { tool_choice_any: true, ..none }, "/tool_choice", json!("required"), json!("any"), ""),
        (Quirks { allowed_tools: true, ..none }, "/tool_choice/type", absent.clone(), json!("allowed_tools"), ""),
        (Quirks { allowed_tools: true, ..none }, "/tools/1/function/name", absent.clone(), json!("g"), ""),
        (Quirks { no_reasoning_effort: true, ..none }, "/reasoning_effort", json!("high"), absent.clone(), "dropped;at=\"reasoning_effort\""),
        (Quirks { no_seed: true, ..none }, "/seed", json!(7), absent.clone(), "dropped;at=\"seed\""),
        (Quirks { random_seed: true, ..none }, "/random_seed", absent.clone(), json!(7), ""),
        (Quirks { no_candidates: true, ..none }, "/n", json!(1), absent.clone(), ""),
        (Quirks { no_logprobs: true, ..none }, "/logprobs", json!(true), absent.clone(), "dropped;at=\"logprobs\""),
        (Quirks { text_as_string: true, ..none }, "/messages/0/content", json!([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]), json!("One.\nTwo."), ""),
        (Quirks { reasoning_content: true, ..none }, "/messages/2/reasoning_content", absent.clone(), json!("Hm."), ""),
        (Quirks { reasoning_details: true, ..none }, "/messages/2/reasoning_details", absent.clone(), json!([{"type": "reasoning.text"}]), ""),
        (Quirks { top_k: true, ..none }, "/top_k", absent.clone(), json!(40), ""),
        (Quirks { cache_control: true, ..none }, "/messages/1/content", json!("Hi"), json!([{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]), ""),
    ];
    let (plain, _) = sent(&rich(), &none);
    for (quirks, place, without, with, warning) in cases {
        let (body, warnings) = sent(&rich(), &quirks);
        assert_eq!(plain.pointer(place).cloned().unwrap_or_default(), without, "{place} without");
        assert_eq!(body.pointer(place).cloned().unwrap_or_default(), with, "{place} with");
        assert!(warnings.contains(warning), "{place}: {warnings}");
    }
    let (schema, _) = sent(&rich(), &Quirks { no_json_schema: true, ..none });
    let instruction = schema["messages"][1]["content"].as_str().unwrap();
    assert!(instruction.ends_with("\n{\"type\":\"object\"}"), "{instruction}");
    let (short, _) = sent(&rich(), &Quirks { short_tool_ids: true, ..none });
    let id = short["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    assert_eq!(short["messages"][3]["tool_call_id"], id);
    let several = ChatRequest { candidates: Some(2), ..rich() };
    let error = encode_request(&several, "provider-x", &Quirks { no_candidates: true, ..none }).unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("n")));
}

#[test]
fn upstream_usage_is_always_asked_for_and_the_callers_wish_is_kept() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}"#;
    let request = decode_request(body).unwrap();
    assert!(request.stream && !request.stream_usage);
    assert_eq!(sent(&request, &OPENAI).0["stream_options"], json!({"include_usage": true}));
}

#[test]
fn reasons_without_a_word_here_are_stops_that_name_the_original() {
    for (unified, raw, word) in [
        (Finish::Pause, "pause_turn", "stop"),
        (Finish::Error, "MALFORMED_FUNCTION_CALL", "stop"),
        (Finish::ContentFilter, "SAFETY", "content_filter"),
        (Finish::Length, "max_tokens", "length"),
    ] {
        let choice = Choice { finish: FinishReason::new(unified, raw), ..Choice::default() };
        let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
        let mut warnings = Warnings::default();
        let body: Value = serde_json::from_slice(&OpenAiChat.encode_response(&response, &reply(), &mut warnings)).unwrap();
        assert_eq!(body["choices"][0]["finish_reason"], word);
        assert_eq!(body["choices"][0]["native_finish_reason"], raw);
        assert_eq!(body["choices"][0]["message"]["content"], "");
        assert_eq!(!warnings.is_empty(), word == "stop", "{raw}");
        assert_eq!(
            (&body["id"], &body["model"], &body["created"]),
            (&json!("chatcmpl-req_1"), &json!("alias"), &json!(1_700_000_000))
        );
    }
}

#[test]
fn a_caller_of_functions_gets_one_function_call_and_the_loss_of_its_signature_is_said() {
    let asked = br#"{"model":"m","messages":[{"role":"user","content":"go"}],"functions":[{"name":"f"}]}"#;
    let request = decode_request(asked).expect("legacy functions");
    assert_eq!(request.parallel_tool_calls, Some(false));
    let mut reply = reply();
    OpenAiChat.form(&request, &mut reply);
    assert!(reply.function_call);
    // The mark is not sent on, and tools beside functions are what the caller knows.
    assert_eq!(sent(&request, &OPENAI).0.pointer("/functions.only"), None);
    let both = br#"{"model":"m","messages":[{"role":"user","content":"go"}],"functions":[{"name":"f"}],"tools":[{"type":"function","function":{"name":"g"}}]}"#;
    let mut both_reply = super::reply();
    OpenAiChat.form(&decode_request(both).expect("both"), &mut both_reply);
    assert!(!both_reply.function_call);

    let signed = ToolCall { signature: signature(DialectId::Gemini, "c2ln"), ..call("a", "f") };
    let parts = vec![Part::ToolCall(signed), Part::ToolCall(call("b", "g"))];
    let finish = FinishReason { unified: Finish::ToolCalls, raw: "STOP".into(), stop_sequence: None };
    let response = ChatResponse { choices: vec![Choice { parts, finish, ..Choice::default() }], ..ChatResponse::default() };
    let mut warnings = Warnings::default();
    let body: Value = serde_json::from_slice(&OpenAiChat.encode_response(&response, &reply, &mut warnings)).expect("JSON");
    let message = &body["choices"][0]["message"];
    assert_eq!(message["function_call"], json!({"name": "f", "arguments": "{}"}));
    // What it did not expect is not hidden from it.
    assert_eq!(message["tool_calls"], json!([{"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]));
    assert_eq!(body["choices"][0]["finish_reason"], "function_call");
    assert!(warnings.header().starts_with("dropped;at=\"choices[0].message.function_call\""), "{}", warnings.header());

    let mut encoder = OpenAiChat.stream_encoder(reply);
    let mut out = Vec::new();
    edgeway_core::chat::replay(&response).iter().for_each(|event| encoder.event(event, &mut out));
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(text.contains(r#""delta":{"function_call":{"name":"f","arguments":"{}"}}"#), "{text}");
    assert!(text.contains(r#""tool_calls":[{"index":0,"id":"b""#) && !text.contains("_ew1_"), "{text}");
    assert!(text.contains(r#""finish_reason":"function_call""#), "{text}");
}

#[test]
fn a_thought_signature_of_googles_compatible_endpoint_is_the_calls_signature() {
    let extra = json!({"google": {"thought_signature": "c2ln"}});
    let asked = json!({"model": "m", "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"extra_content": extra, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"other": 1}}},
        ]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]});
    let request = decode_request(asked.to_string().as_bytes()).expect("a request");
    let Part::ToolCall(call) = &request.messages[1].parts[0] else { panic!("a call") };
    let data = call.signature.as_ref().map(|signature| (signature.dialect, serde_json::from_str(&signature.data).expect("JSON")));
    assert_eq!(data, Some((DialectId::OpenAiChat, extra.clone())));
    let (body, warnings) = sent(&request, &OPENAI);
    let calls = &body["messages"][1]["tool_calls"];
    assert_eq!((&calls[0]["extra_content"], &calls[1]["extra_content"]), (&extra, &json!({"google": {"other": 1}})));
    assert_eq!(warnings, "");
}
