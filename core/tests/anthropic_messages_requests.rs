//! Requests of the Anthropic dialect, one behaviour a test: what is refused, what is repaired, what is warned of.

mod anthropic;
mod golden;

use anthropic::{encode_request, request};
use edgeway_core::ErrorKind;
use edgeway_core::chat::carry::{Carried, tag, wrap_id};
use edgeway_core::chat::{
    ChatRequest, Extra, FunctionTool, HostedTool, LogProbs, Media, MediaKind, MediaSource, Message, OutputFormat, Part,
    Reasoning, Role, Signature, Text, Tool, ToolCall, ToolChoice, ToolResult, Warnings,
};
use edgeway_core::dialect::DialectId;
use serde_json::{Value, json};

const OLD: &str = "claude-sonnet-4-5";

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

fn chat(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".into(), messages, max_tokens: Some(64), ..ChatRequest::default() }
}

/// Encodes for `model`: the body, and the warnings' header.
fn sent_to(model: &str, request: &ChatRequest) -> (Value, String) {
    let mut warnings = Warnings::default();
    let encoded = encode_request(request, model, &mut warnings).expect("a request that can be sent");
    (serde_json::from_slice(&encoded.body).expect("JSON"), warnings.header())
}

fn sent(request: &ChatRequest) -> (Value, String) {
    sent_to(OLD, request)
}

/// The error of a request that cannot be sent.
fn refusal(model: &str, request: &ChatRequest) -> (ErrorKind, Option<String>, String) {
    let error = encode_request(request, model, &mut Warnings::default()).expect_err("a refusal");
    (error.kind, error.param, error.message)
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "f".into(), arguments: arguments.into(), ..ToolCall::default() }
}

fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call_id: id.into(), content: vec![Part::text(text)], ..ToolResult::default() })
}

fn function() -> Tool {
    Tool::Function(FunctionTool { name: "f".into(), parameters: Some(json!({"type": "object"})), ..FunctionTool::default() })
}

#[test]
fn what_is_wrong_in_a_body_is_named_with_its_path() {
    let body = |messages: Value| json!({"model": "m", "max_tokens": 1, "messages": messages});
    let with = |field: &str, value: Value| {
        let mut body = body(json!([{"role": "user", "content": "x"}]));
        body[field] = value;
        body
    };
    let block = |block: Value| body(json!([{"role": "user", "content": [block]}]));
    let assistant = |block: Value| body(json!([{"role": "assistant", "content": [block]}]));
    let cases = [
        (json!([]), ""),
        (json!({"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}), "model"),
        (json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}), "max_tokens"),
        (json!({"model": "m", "max_tokens": 1}), "messages"),
        (body(json!([])), "messages"),
        (body(json!("x")), "messages"),
        (body(json!(["x"])), "messages[0]"),
        (body(json!([{"content": "x"}])), "messages[0].role"),
        (body(json!([{"role": "tool", "content": "x"}])), "messages[0].role"),
        (body(json!([{"role": "user"}])), "messages[0].content"),
        (body(json!([{"role": "user", "content": 7}])), "messages[0].content"),
        (body(json!([{"role": "user", "content": "x"}, {"role": "user", "content": [{}]}])), "messages[1].content[0].type"),
        (block(json!({"type": "text"})), "messages[0].content[0].text"),
        (block(json!({"type": "image"})), "messages[0].content[0].source"),
        (block(json!({"type": "image", "source": {"type": "ftp"}})), "messages[0].content[0].source.type"),
        (
            block(
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "data:image/png;base64,AAAA"}}),
            ),
            "messages[0].content[0].source.data",
        ),
        (
            block(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAA"}})),
            "messages[0].content[0].source.data",
        ),
        (
            block(json!({"type": "image", "source": {"type": "base64", "data": "AAAA"}})),
            "messages[0].content[0].source.media_type",
        ),
        (block(json!({"type": "tool_result", "content": "x"})), "messages[0].content[0].tool_use_id"),
        (block(json!({"type": "tool_result", "tool_use_id": "t", "is_error": "no"})), "messages[0].content[0].is_error"),
        (block(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})), "messages[0].content[0]"),
        (block(json!({"type": "thinking", "thinking": "x", "signature": "s"})), "messages[0].content[0]"),
        (assistant(json!({"type": "tool_result", "tool_use_id": "t"})), "messages[0].content[0]"),
        (assistant(json!({"type": "tool_use", "name": "f", "input": {}})), "messages[0].content[0].id"),
        (assistant(json!({"type": "tool_use", "id": "t", "input": {}})), "messages[0].content[0].name"),
        (assistant(json!({"type": "tool_use", "id": "t", "name": "f", "input": "{}"})), "messages[0].content[0].input"),
        (with("system", json!(7)), "system"),
        (with("system", json!([{"type": "image", "source": {"type": "url", "url": "x"}}])), "system[0]"),
        (with("max_tokens", json!(-1)), "max_tokens"),
        (with("max_tokens", json!(1e300)), "max_tokens"),
        (with("max_tokens", json!("64")), "max_tokens"),
        (with("temperature", json!(1.5)), "temperature"),
        (with("top_p", json!("0.9")), "top_p"),
        (with("top_k", json!(-3)), "top_k"),
        (with("stream", json!("yes")), "stream"),
        (with("stop_sequences", json!(["a", 7])), "stop_sequences[1]"),
        (with("tools", json!([{"name": "f"}])), "tools[0].input_schema"),
        (with("tools", json!([{"input_schema": {}}])), "tools[0].name"),
        (with("tools", json!([{"name": "f", "input_schema": "x"}])), "tools[0].input_schema"),
        (with("tool_choice", json!({"type": "some"})), "tool_choice.type"),
        (with("tool_choice", json!({"type": "tool"})), "tool_choice.name"),
        (with("thinking", json!({})), "thinking.type"),
        (with("thinking", json!({"type": "enabled"})), "thinking.budget_tokens"),
        (with("thinking", json!({"type": "enabled", "budget_tokens": 10})), "thinking.budget_tokens"),
        (with("output_config", json!({"effort": "huge"})), "output_config.effort"),
        (with("output_config", json!({"format": {"type": "json_schema"}})), "output_config.format.schema"),
        (with("output_format", json!({"type": "grammar"})), "output_format.type"),
        (with("metadata", json!({"user_id": 7})), "metadata.user_id"),
    ];
    for (body, path) in cases {
        let error = request(body.to_string().as_bytes()).expect_err(path);
        assert_eq!((error.kind, error.param.as_deref().unwrap_or("")), (ErrorKind::InvalidRequest, path), "{body}");
        assert!(error.message.len() > 20, "{}", error.message);
    }
    for body in ["", "{", "{\"model\":\"m\",\"model\":\"m\"}", "\u{feff}{}"] {
        assert_eq!(request(body.as_bytes()).expect_err(body).kind, ErrorKind::InvalidRequest);
    }
    assert_eq!(request(b"{\"model\":\"\xff\"}").expect_err("no UTF-8").kind, ErrorKind::InvalidRequest);
}

#[test]
fn tool_results_become_a_tool_message_before_the_users_words() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"}, {"type": "tool_result", "tool_use_id": "b"},
        {"type": "text", "text": "and now?"}]}]});
    let messages = request(body.to_string().as_bytes()).unwrap().messages;
    let shapes: Vec<_> = messages.iter().map(|message| (message.role, message.parts.len())).collect();
    assert_eq!(shapes, [(Role::Tool, 2), (Role::User, 1)]);
}

#[test]
fn what_rides_through_an_anthropic_client_comes_back_to_its_maker() {
    let signature = Signature { dialect: DialectId::Gemini, data: "CsQBAdHtim9".into() };
    let id = wrap_id("call_1", &Carried { reasoning: Vec::new(), signature: Some(signature.clone()) });
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": tag(&signature, DialectId::AnthropicMessages)},
            {"type": "thinking", "thinking": "unsigned", "signature": ""},
            {"type": "tool_use", "id": id, "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "1"}]}]});
    let messages = request(body.to_string().as_bytes()).unwrap().messages;
    let reasoning = |text: &str, signature| Part::Reasoning(Reasoning { text: text.into(), redacted: false, signature });
    assert_eq!(messages[0].parts[0], reasoning("hm", Some(signature.clone())));
    assert_eq!(messages[0].parts[1], reasoning("unsigned", None));
    assert_eq!(messages[0].parts[2], Part::ToolCall(ToolCall { signature: Some(signature), ..call("call_1", "{}") }));
    assert!(matches!(&messages[1].parts[0], Part::ToolResult(result) if result.call_id == "call_1"));
}

#[test]
fn system_text_goes_first_and_says_so_only_when_it_had_to_move() {
    let system = |role, text: &str| Message::new(role, vec![Part::text(text)]);
    let request = chat(vec![system(Role::System, "one"), system(Role::Developer, "two"), user("hi")]);
    let (body, warnings) = sent(&request);
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    assert_eq!(warnings, "");
    let (body, warnings) = sent(&chat(vec![user("hi"), system(Role::Developer, "late")]));
    assert_eq!((body["system"].as_str(), body["messages"].as_array().unwrap().len()), (Some("late"), 1));
    assert!(warnings.starts_with("moved;at=\"messages[1]\""), "{warnings}");
}

#[test]
fn neighbours_become_one_turn_with_tool_results_first() {
    let request = chat(vec![
        user("go"),
        Message::new(Role::Assistant, vec![Part::text("One moment.")]),
        Message::new(Role::Assistant, vec![Part::ToolCall(call("a", "{\"x\":1}")), Part::ToolCall(call("b", ""))]),
        user("while you wait"),
        Message::new(Role::Tool, vec![result("a", "1")]),
        Message::new(Role::Tool, vec![result("b", "2")]),
    ]);
    let (body, _) = sent(&ChatRequest { tools: vec![function()], ..request });
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": "2"},
                {"type": "text", "text": "while you wait"}]}
        ])
    );
}

#[test]
fn a_conversation_begins_with_the_user() {
    let (body, warnings) = sent(&chat(vec![Message::new(Role::Assistant, vec![Part::text("Hello!")]), user("hi")]));
    assert_eq!((body["messages"][0]["role"].as_str(), body["messages"].as_array().unwrap().len()), (Some("user"), 3));
    assert!(warnings.starts_with("filled;at=\"messages[0]\""), "{warnings}");
    let (body, warnings) = sent(&chat(vec![Message::new(Role::System, vec![Part::text("Say hi.")])]));
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert!(warnings.starts_with("filled;at=\"messages\""), "{warnings}");
}

#[test]
fn blank_text_is_left_out() {
    let parts = vec![Part::text(""), Part::text(" \n"), Part::text("hi")];
    let messages = vec![Message::new(Role::User, parts), Message::new(Role::Assistant, vec![Part::text("")]), user("more")];
    let (body, warnings) = sent(&chat(messages));
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "more"}]}])
    );
    assert_eq!(warnings, "");
}

#[test]
fn a_begun_answer_loses_its_trailing_space_or_is_refused() {
    let request = chat(vec![user("Count."), Message::new(Role::Assistant, vec![Part::text("One, two, ")])]);
    let (body, warnings) = sent(&request);
    assert_eq!(body["messages"][1]["content"], "One, two,");
    assert!(warnings.starts_with("approximated;at=\"messages[1]\""), "{warnings}");
    let (kind, param, message) = refusal("claude-opus-4-6", &request);
    assert_eq!((kind, param.as_deref()), (ErrorKind::Unsupported, Some("messages[1]")));
    assert!(message.contains("end the conversation with a user message"), "{message}");
}

#[test]
fn arguments_that_are_no_object_are_the_callers_mistake() {
    for (arguments, index) in [("{\"a\":", 0), ("[1]", 0), ("{} {}", 0), ("nonsense", 0)] {
        let parts = vec![Part::text("x"), Part::ToolCall(call("a", arguments))];
        let request =
            chat(vec![user("go"), Message::new(Role::Assistant, parts), Message::new(Role::Tool, vec![result("a", "")])]);
        let (kind, param, _) = refusal(OLD, &request);
        let path = format!("messages[1].tool_calls[{index}].function.arguments");
        assert_eq!((kind, param), (ErrorKind::InvalidRequest, Some(path)), "{arguments}");
    }
    let big = "{\"n\":123456789012345678901234567890,\"x\":1.0}";
    let request = chat(vec![
        user("go"),
        Message::new(Role::Assistant, vec![Part::ToolCall(call("a", big))]),
        Message::new(Role::Tool, vec![result("a", "1")]),
    ]);
    let encoded = encode_request(&request, OLD, &mut Warnings::default()).unwrap();
    assert!(String::from_utf8_lossy(&encoded.body).contains(big), "numbers keep their spelling");
}

#[test]
fn ids_that_the_api_refuses_are_rewritten_alike_in_call_and_result() {
    let request = chat(vec![
        user("go"),
        Message::new(Role::Assistant, vec![Part::ToolCall(call("call.1:ü", "")), Part::ToolCall(call("call_1__", ""))]),
        Message::new(Role::Tool, vec![result("call.1:ü", "1"), result("call_1__", "2")]),
    ]);
    let (body, _) = sent(&request);
    let id =
        |message: usize, block: usize, key: &str| body["messages"][message]["content"][block][key].as_str().unwrap().to_owned();
    assert_eq!((id(1, 0, "id"), id(1, 1, "id")), (id(2, 0, "tool_use_id"), id(2, 1, "tool_use_id")));
    assert_ne!(id(1, 0, "id"), id(1, 1, "id"));
    assert!(id(1, 0, "id").bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
    assert_eq!(id(1, 1, "id"), "call_1__");
}

#[test]
fn only_claudes_own_reasoning_goes_back() {
    let signed = |dialect, redacted| {
        let signature = Some(Signature { dialect, data: "EqQB".into() });
        Part::Reasoning(Reasoning { text: if redacted { "" } else { "hm" }.into(), redacted, signature })
    };
    let parts = vec![
        signed(DialectId::AnthropicMessages, false),
        signed(DialectId::AnthropicMessages, true),
        signed(DialectId::Gemini, false),
        Part::Reasoning(Reasoning { text: "unsigned".into(), ..Reasoning::default() }),
        Part::text("Hi."),
    ];
    let (body, warnings) = sent(&chat(vec![user("go"), Message::new(Role::Assistant, parts), user("on")]));
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "EqQB"},
            {"type": "text", "text": "Hi."}
        ])
    );
    assert_eq!(warnings, "dropped;at=\"messages[1].content[2]\";why=\"reasoning signed by gemini\"");
}

#[test]
fn tools_are_repaired_and_what_cannot_be_sent_is_refused() {
    let tool =
        |parameters| Tool::Function(FunctionTool { name: "f".into(), parameters, strict: Some(true), ..FunctionTool::default() });
    let request = ChatRequest { tools: vec![tool(None), tool(Some(json!({"properties": {}})))], ..chat(vec![user("hi")]) };
    let (body, warnings) = sent_to("claude-sonnet-4", &request);
    assert_eq!(body["tools"][0], json!({"name": "f", "input_schema": {"type": "object", "properties": {}}}));
    assert_eq!(body["tools"][1]["input_schema"]["type"], "object");
    assert!(warnings.contains("dropped;at=\"tools[0].strict\""), "{warnings}");
    let (body, warnings) = sent(&request);
    assert_eq!((&body["tools"][0]["strict"], warnings.as_str()), (&json!(true), ""));
    assert_eq!(body["tools"][0]["input_schema"]["additionalProperties"], false);

    let hosted = HostedTool { dialect: DialectId::Gemini, kind: "googleSearch".into(), value: json!({"googleSearch": {}}) };
    let (kind, param, message) = refusal(OLD, &ChatRequest { tools: vec![Tool::Hosted(hosted)], ..chat(vec![user("hi")]) });
    assert_eq!((kind, param.as_deref()), (ErrorKind::Unsupported, Some("tools[0]")));
    assert!(message.contains("googleSearch") && message.contains("anthropic"), "{message}");
}

#[test]
fn tools_that_the_conversation_calls_are_declared() {
    let request = chat(vec![
        user("go"),
        Message::new(Role::Assistant, vec![Part::ToolCall(call("a", ""))]),
        Message::new(Role::Tool, vec![result("a", "1")]),
    ]);
    let (body, warnings) = sent(&request);
    assert_eq!(body["tools"], json!([{"name": "f", "input_schema": {"type": "object"}}]));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    assert!(warnings.starts_with("filled;at=\"tools\""), "{warnings}");
}

#[test]
fn choices_among_tools_have_their_words() {
    let named = |name: &str| Tool::Function(FunctionTool { name: name.into(), ..FunctionTool::default() });
    let request = |choice, parallel| ChatRequest {
        tools: vec![named("f"), named("g"), named("h")],
        tool_choice: choice,
        parallel_tool_calls: parallel,
        ..chat(vec![user("hi")])
    };
    let choice = |choice, parallel| sent(&request(choice, parallel)).0["tool_choice"].clone();
    assert_eq!(choice(None, None), Value::Null);
    assert_eq!(choice(None, Some(false)), json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(choice(Some(ToolChoice::Required), Some(true)), json!({"type": "any", "disable_parallel_tool_use": false}));
    assert_eq!(choice(Some(ToolChoice::Function("g".into())), None), json!({"type": "tool", "name": "g"}));
    assert_eq!(choice(Some(ToolChoice::None), Some(false)), json!({"type": "none"}));
    let allowed =
        |names: &[&str], required| ToolChoice::Allowed { names: names.iter().map(|name| (*name).to_owned()).collect(), required };
    assert_eq!(choice(Some(allowed(&["h"], true)), None), json!({"type": "tool", "name": "h"}));
    let (body, warnings) = sent(&request(Some(allowed(&["f", "h"], true)), None));
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    assert!(warnings.starts_with("approximated;at=\"tool_choice\""), "{warnings}");
    let (body, warnings) = sent_to("claude-opus-5-5", &request(Some(ToolChoice::Required), None));
    assert_eq!(
        (body["tool_choice"].clone(), body["system"].as_str()),
        (json!({"type": "auto"}), Some("Answer by calling one of the tools."))
    );
    assert!(warnings.starts_with("approximated;at=\"tool_choice\""), "{warnings}");
}

#[test]
fn media_that_claude_does_not_take_is_refused_in_a_clear_sentence() {
    let media = |kind, source| {
        Part::Media(Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Extra::default() })
    };
    let base64 = |mime: &str| MediaSource::Base64 { mime: mime.into(), data: "AAAA".into() };
    let file = MediaSource::File { dialect: DialectId::OpenAiChat, id: "file-1".into(), mime: None };
    let cases = [
        (media(MediaKind::Audio, base64("audio/wav")), "no audio"),
        (media(MediaKind::Video, base64("video/mp4")), "no video"),
        (media(MediaKind::Image, base64("image/bmp")), "not image/bmp"),
        (media(MediaKind::Document, base64("application/zip")), "not application/zip"),
        (media(MediaKind::Document, file), "store of openai_chat"),
    ];
    for (part, words) in cases {
        let (kind, param, message) = refusal(OLD, &chat(vec![Message::new(Role::User, vec![part])]));
        assert_eq!((kind, param.as_deref()), (ErrorKind::Unsupported, Some("messages[0].content[0]")));
        assert!(message.contains(words) && message.contains("anthropic"), "{message}");
    }
    let text = media(MediaKind::Document, MediaSource::Base64 { mime: "text/csv".into(), data: "YSxi".into() });
    let jpg = media(MediaKind::Image, base64("image/jpg"));
    let (body, _) = sent(&chat(vec![Message::new(Role::User, vec![text, jpg])]));
    assert_eq!(body["messages"][0]["content"][0]["source"], json!({"type": "text", "media_type": "text/plain", "data": "a,b"}));
    assert_eq!(body["messages"][0]["content"][1]["source"]["media_type"], "image/jpeg");
}

#[test]
fn parameters_without_a_field_are_named() {
    let mut request = chat(vec![user("hi")]);
    request.sampling.seed = Some(7);
    request.sampling.presence_penalty = Some(0.5);
    request.sampling.frequency_penalty = Some(0.0);
    request.logprobs = Some(LogProbs::default());
    request.metadata.insert("team".into(), "a".into());
    request.service_tier = Some("flex".into());
    request.stop = vec!["END".into(), " ".into()];
    request.messages[0].name = Some("ann".into());
    request.extra.insert(DialectId::OpenAiChat, "logit_bias", json!({"1": 1}));
    let mut text = Text { text: "x".into(), ..Text::default() };
    text.extra.insert(DialectId::OpenAiChat, "annotations", json!([{"type": "url_citation"}]));
    request.messages.push(Message::new(Role::User, vec![Part::Text(text)]));
    let (body, warnings) = sent(&request);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    for at in ["seed", "presence_penalty", "logprobs", "metadata", "service_tier", "stop", "messages[0].name", "logit_bias"] {
        assert!(warnings.contains(&format!("dropped;at=\"{at}\"")), "{at}: {warnings}");
    }
    assert!(warnings.contains("dropped;at=\"messages[1].content[0].annotations\""), "{warnings}");
    assert!(!warnings.contains("frequency_penalty"), "{warnings}");
    let (kind, param, _) = refusal(OLD, &ChatRequest { candidates: Some(2), ..chat(vec![user("hi")]) });
    assert_eq!((kind, param.as_deref()), (ErrorKind::Unsupported, Some("n")));
    let tier =
        |tier: &str| sent(&ChatRequest { service_tier: Some(tier.into()), ..chat(vec![user("hi")]) }).0["service_tier"].clone();
    assert_eq!(
        (tier("default"), tier("auto"), tier("standard_only")),
        (json!("standard_only"), json!("auto"), json!("standard_only"))
    );
}

#[test]
fn json_is_asked_for_in_words_where_the_model_has_no_field() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}});
    let output = OutputFormat::JsonSchema { name: "n".into(), description: Some("A number.".into()), schema, strict: Some(true) };
    let request = ChatRequest { output, ..chat(vec![user("hi")]) };
    let (body, warnings) = sent(&request);
    let sent_schema = &body["output_config"]["format"]["schema"];
    assert_eq!((&sent_schema["additionalProperties"], &sent_schema["description"]), (&json!(false), &json!("A number.")));
    assert!(sent_schema["properties"]["n"]["description"].as_str().unwrap().contains("minimum"));
    assert!(warnings.starts_with("approximated;at=\"response_format.json_schema.schema\""), "{warnings}");
    let (body, warnings) = sent_to("claude-sonnet-4", &request);
    assert!(body["system"].as_str().unwrap().contains("\"minimum\":1"), "{body}");
    assert!(warnings.starts_with("approximated;at=\"response_format\""), "{warnings}");
    let (body, warnings) = sent(&ChatRequest { output: OutputFormat::Json, ..chat(vec![user("hi")]) });
    assert!(body["system"].as_str().unwrap().contains("JSON object"), "{body}");
    assert!(warnings.starts_with("approximated;at=\"response_format\""), "{warnings}");
}
