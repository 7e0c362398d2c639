//! What Gemini's codecs promise, one behaviour a test.

use edgeway_core::ErrorKind;
use edgeway_core::chat::{
    Accumulator, ChatEvent, ChatRequest, ChatResponse, Choice, Delta, Finish, FinishReason, FunctionTool, HostedTool, Media,
    MediaKind, MediaSource, Message, Part, PartHead, Reasoning, ResponseHead, Role, Signature, Tool, ToolCall, ToolChoice,
    ToolResult, Usage, Warnings, carry,
};
use edgeway_core::dialect::{Dialect, DialectId, Fault, Frame, Reply, RequestHead, StreamForm, Target, gemini::Gemini};
use edgeway_core::error::{Error, Result};
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use http::HeaderMap;
use serde_json::{Value, json};

fn decode(body: &Value) -> Result<ChatRequest> {
    decode_bytes(body.to_string().as_bytes())
}

fn decode_bytes(body: &[u8]) -> Result<ChatRequest> {
    let headers = HeaderMap::new();
    Gemini.decode_request(RequestHead { model: Some("gemini-2.5-flash"), stream: None, headers: &headers }, body)
}

fn encode(request: &ChatRequest, model: &str) -> Result<(Value, String)> {
    let mut warnings = Warnings::default();
    let target = Target { provider: "gemini", model, quirks: &Quirks::NONE, limits: ModelLimits::default() };
    let encoded = Gemini.encode_request(request, target, &mut warnings)?;
    Ok((serde_json::from_slice(&encoded.body).expect("JSON"), warnings.header()))
}

fn request(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".into(), messages, ..ChatRequest::default() }
}

fn says(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolCall::default() })
}

fn answer(call_id: &str, content: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call_id: call_id.into(), content, ..ToolResult::default() })
}

fn media(kind: MediaKind, source: MediaSource) -> Part {
    Part::Media(Media { kind, source, name: None, detail: None, cache: None, signature: None, extra: Default::default() })
}

fn claude(data: &str) -> Option<Signature> {
    Some(Signature { dialect: DialectId::AnthropicMessages, data: data.into() })
}

fn reply(form: StreamForm) -> Reply {
    Reply { id: "req-1".into(), model: "claude".into(), form, ..Reply::default() }
}

fn stream(events: &[ChatEvent], form: StreamForm) -> String {
    let mut encoder = Gemini.stream_encoder(reply(form));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    String::from_utf8(out).expect("UTF-8")
}

fn chunks(sse: &str) -> Vec<Value> {
    assert!(sse.is_empty() || sse.ends_with("\r\n\r\n"));
    let frames = sse.split("\r\n\r\n").filter(|frame| !frame.is_empty());
    frames.map(|frame| serde_json::from_str(frame.strip_prefix("data: ").expect("SSE")).expect("JSON")).collect()
}

fn listen(frames: &[Value]) -> Vec<ChatEvent> {
    let mut decoder = Gemini.stream_decoder();
    let mut events = Vec::new();
    for frame in frames {
        let _ = decoder.frame(Frame { event: "", data: frame.to_string().as_bytes() }, &mut events);
    }
    decoder.finish(&mut events);
    events
}

// Requests that are refused.

#[test]
fn a_malformed_request_is_refused_with_the_path_of_what_is_wrong() {
    let user = |parts: Value| json!({"contents": [{"role": "user", "parts": parts}]});
    for (body, path) in [
        (json!({}), "contents"),
        (json!({"contents": "hi"}), "contents"),
        (json!({"contents": [{"role": "system", "parts": []}]}), "contents[0].role"),
        (user(json!([{"text": "a"}, {"text": 1}])), "contents[0].parts[1].text"),
        (user(json!([{"text": "a", "inlineData": {}}])), "contents[0].parts[0]"),
        (user(json!([{"inlineData": {"data": "AA=="}}])), "contents[0].parts[0].inlineData.mimeType"),
        (user(json!([{"inline_data": {"mime_type": "image/png"}}])), "contents[0].parts[0].inlineData.data"),
        (user(json!([{"fileData": {}}])), "contents[0].parts[0].fileData.fileUri"),
        (user(json!([{"functionCall": {"name": "f"}}])), "contents[0].parts[0].functionCall"),
        (user(json!([{"functionResponse": {"response": {}}}])), "contents[0].parts[0].functionResponse.name"),
        (user(json!([{"functionResponse": {"name": "f", "response": [1]}}])), "contents[0].parts[0].functionResponse.response"),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]}),
            "contents[0].parts[0].functionCall.name",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": "{}"}}]}]}),
            "contents[0].parts[0].functionCall.args",
        ),
        (json!({"contents": [], "generationConfig": {"temperature": "hot"}}), "generationConfig.temperature"),
        (json!({"contents": [], "generationConfig": {"maxOutputTokens": -1}}), "generationConfig.maxOutputTokens"),
        (
            json!({"contents": [], "generationConfig": {"thinkingConfig": {"thinkingLevel": "deep"}}}),
            "generationConfig.thinkingConfig",
        ),
        (
            json!({"contents": [], "generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}}),
            "generationConfig.thinkingConfig",
        ),
        (
            json!({"contents": [], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            json!({"contents": [], "tools": [{"functionDeclarations": [{"description": "?"}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
    ] {
        let error = decode(&body).expect_err(path);
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some(path)), "{body}");
    }
}

#[test]
fn what_is_not_a_request_is_refused_and_nothing_panics() {
    let deep = format!("{{\"contents\":[{{\"parts\":[{{\"x\":{}1{}}}]}}]}}", "[".repeat(5000), "]".repeat(5000));
    let bodies: [&[u8]; 9] = [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{\"contents\":[]}{}",
        b"{\"contents\":[],\"contents\":[]}",
        b"{\"contents\":[],\"system_instruction\":\"a\",\"systemInstruction\":\"b\"}",
        b"{\"contents\":[{\"parts\":[{\"text\":\"\xff\"}]}]}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let error = decode_bytes(body).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error:?}");
        assert!(error.message.ends_with('.'), "{error:?}");
    }
}

#[test]
fn a_request_needs_a_model_from_the_path_or_the_body() {
    let headers = HeaderMap::new();
    let head = RequestHead { model: None, stream: None, headers: &headers };
    let error = Gemini.decode_request(head, b"{\"contents\":[]}").expect_err("no model");
    assert_eq!(error.param.as_deref(), Some("model"));
    let request = Gemini.decode_request(head, b"{\"model\":\"models/x\",\"contents\":[]}").expect("a model");
    assert_eq!((request.model.as_str(), request.stream, request.stream_usage), ("x", false, true));
}

// The conversation.

#[test]
fn results_without_ids_find_their_calls_by_name_and_order() {
    let request = decode(&json!({"contents": [
        {"role": "model", "parts": [{"functionCall": {"name": "a.b"}}, {"functionCall": {"name": "c"}}, {"functionCall": {"name": "a.b"}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "a.b", "response": {"result": "1"}}},
            {"functionResponse": {"name": "a.b", "response": {"result": "2"}}},
            {"functionResponse": {"name": "c", "response": {"result": "3"}}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "a.b"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "a.b", "response": {"result": "4"}}}]},
    ]}))
    .expect("a request");
    let ids = |role: Role| -> Vec<&str> {
        let parts = request.messages.iter().filter(|message| message.role == role).flat_map(|message| &message.parts);
        parts
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(call.id.as_str()),
                Part::ToolResult(result) => Some(result.call_id.as_str()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(ids(Role::Assistant), ["call_a_b_0", "call_c_1", "call_a_b_2", "call_a_b_3"]);
    assert_eq!(ids(Role::Tool), ["call_a_b_0", "call_a_b_2", "call_c_1", "call_a_b_3"]);
}

#[test]
fn a_content_that_mixes_results_and_text_becomes_both_messages() {
    let request = decode(&json!({"contents": [
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"parts": [{"functionResponse": {"name": "f", "response": {"a": [1, 2]}}}, {"text": "and?"}]},
    ]}))
    .expect("a request");
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::Assistant, Role::Tool, Role::User]);
    let Part::ToolResult(result) = &request.messages[1].parts[0] else { panic!("a result") };
    assert_eq!(result.content, [Part::text("{\"a\":[1,2]}")]);
}

#[test]
fn a_result_goes_with_its_functions_name_and_all_of_a_turn_share_a_content() {
    let (body, warnings) = encode(
        &request(vec![
            says(Role::User, "go"),
            Message::new(Role::Assistant, vec![call("c1", "f", ""), call("c2", "g", " {\"n\": 1.0} ")]),
            Message::new(Role::Tool, vec![answer("c2", vec![Part::text("sunny"), Part::text("warm")])]),
            Message::new(Role::Tool, vec![answer("c1", vec![Part::text("{\"t\": 2.50}")])]),
            says(Role::User, "and?"),
        ]),
        "gemini-2.5-flash",
    )
    .expect("a body");
    assert_eq!(
        body["contents"],
        json!([
            {"parts": [{"text": "go"}], "role": "user"},
            {"parts": [
                {"functionCall": {"id": "c1", "name": "f", "args": {}}},
                {"functionCall": {"id": "c2", "name": "g", "args": {"n": 1.0}}}], "role": "model"},
            {"parts": [
                {"functionResponse": {"id": "c2", "name": "g", "response": {"result": "sunny\nwarm"}}},
                {"functionResponse": {"id": "c1", "name": "f", "response": {"t": 2.5}}}], "role": "user"},
            {"parts": [{"text": "and?"}], "role": "user"},
        ])
    );
    assert_eq!(warnings, "");
}

#[test]
fn a_failed_tool_says_error_and_keeps_its_object() {
    let failed = |text: &str| {
        let result = ToolResult {
            call_id: "c".into(),
            name: Some("f".into()),
            content: vec![Part::text(text)],
            is_error: true,
            ..ToolResult::default()
        };
        let (body, _) = encode(&request(vec![Message::new(Role::Tool, vec![Part::ToolResult(result)])]), "m").expect("a body");
        body["contents"][0]["parts"][0]["functionResponse"]["response"].clone()
    };
    assert_eq!(failed("no city"), json!({"error": "no city"}));
    assert_eq!(failed("{\"code\":5}"), json!({"error": {"code": 5}}));
}

#[test]
fn a_result_without_its_call_is_refused() {
    let error = encode(&request(vec![Message::new(Role::Tool, vec![answer("c9", vec![])])]), "m").expect_err("no call");
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("messages[0].tool_call_id")));
}

#[test]
fn arguments_that_are_no_object_are_refused_not_coerced() {
    for arguments in ["{\"a\":", "[1]", "null", "text"] {
        let messages = vec![Message::new(Role::Assistant, vec![Part::text("x"), call("c", "f", arguments)])];
        let error = encode(&request(messages), "m").expect_err(arguments);
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("messages[0].content[1].arguments")));
    }
}

#[test]
fn system_text_goes_first_wherever_it_stood() {
    let (body, warnings) = encode(
        &request(vec![says(Role::System, "a"), says(Role::Developer, "b"), says(Role::User, "hi"), says(Role::System, "c")]),
        "m",
    )
    .expect("a body");
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}));
    assert_eq!(body["contents"].as_array().map(Vec::len), Some(1));
    assert_eq!(warnings, r#"moved;at="messages[3]";why="system text goes first""#);
}

#[test]
fn system_text_alone_goes_as_the_users_and_nothing_is_refused() {
    let (body, _) = encode(&request(vec![says(Role::System, "Write a haiku.")]), "m").expect("a body");
    assert_eq!(body["contents"], json!([{"parts": [{"text": "Write a haiku."}], "role": "user"}]));
    assert!(body.get("systemInstruction").is_none());
    let empty = request(vec![says(Role::User, ""), Message::new(Role::Assistant, vec![])]);
    assert_eq!(encode(&empty, "m").expect_err("nothing to send").param.as_deref(), Some("messages"));
}

// Signatures.

#[test]
fn gemini_3_gets_the_sentinel_on_the_first_unsigned_call_of_the_current_turn() {
    let own = Signature { dialect: DialectId::Gemini, data: "c2ln".into() };
    let mut signed = ToolCall { id: "c4".into(), name: "f".into(), arguments: "{}".into(), ..ToolCall::default() };
    signed.signature = Some(own);
    let messages = vec![
        says(Role::User, "one"),
        Message::new(Role::Assistant, vec![call("c1", "f", "{}")]),
        Message::new(Role::Tool, vec![answer("c1", vec![])]),
        says(Role::Assistant, "done"),
        says(Role::User, "two"),
        Message::new(Role::Assistant, vec![Part::text("both"), call("c2", "f", "{}"), call("c3", "f", "{}")]),
        Message::new(Role::Tool, vec![answer("c2", vec![]), answer("c3", vec![])]),
        says(Role::User, "hurry"),
        Message::new(Role::Assistant, vec![Part::ToolCall(signed)]),
        Message::new(Role::Tool, vec![answer("c4", vec![])]),
    ];
    let signatures = |model: &str| {
        let (body, warnings) = encode(&request(messages.clone()), model).expect("a body");
        let contents = body["contents"].as_array().expect("contents").clone();
        let parts = contents.iter().flat_map(|content| content["parts"].as_array().expect("parts").clone());
        let calls = parts.filter(|part| part.get("functionCall").is_some());
        let signatures: Vec<_> = calls.map(|call| call["thoughtSignature"].as_str().map(str::to_owned)).collect();
        (signatures, warnings)
    };
    let sentinel = Some("skip_thought_signature_validator".to_owned());
    let (signed, warnings) = signatures("gemini-3-pro-preview");
    assert_eq!(signed, [None, sentinel, None, Some("c2ln".into())]);
    assert!(warnings.starts_with(r#"filled;at="messages[5].tool_calls[0]""#), "{warnings}");
    let (signed, warnings) = signatures("gemini-2.5-pro");
    assert_eq!((signed, warnings.as_str()), (vec![None, None, None, Some("c2ln".into())], ""));
}

#[test]
fn reasoning_of_another_provider_is_dropped_by_name_and_unsigned_thoughts_stay() {
    let thought = |signature| Part::Reasoning(Reasoning { text: "hm".into(), redacted: false, signature });
    let messages =
        vec![says(Role::User, "a"), Message::new(Role::Assistant, vec![thought(claude("Eq=")), thought(None), Part::text("b")])];
    let (body, warnings) = encode(&request(messages), "gemini-2.5-flash").expect("a body");
    assert_eq!(body["contents"][1]["parts"], json!([{"text": "hm", "thought": true}, {"text": "b"}]));
    assert_eq!(warnings, r#"dropped;at="messages[1].content[0]";why="reasoning of another provider""#);
}

#[test]
fn claudes_thinking_comes_back_from_a_gemini_client_whole_or_streamed() {
    let parts = vec![
        Part::Reasoning(Reasoning { text: "Think ".into(), redacted: false, signature: claude("??>>~~/+=") }),
        Part::Reasoning(Reasoning { text: String::new(), redacted: true, signature: claude("encrypted") }),
        Part::Reasoning(Reasoning { text: String::new(), redacted: false, signature: claude("omitted") }),
        Part::text("I will look."),
        call("toolu_1", "f", "{\"a\":1}"),
    ];
    let choice = Choice { parts: parts.clone(), finish: FinishReason::new(Finish::ToolCalls, "tool_use"), ..Choice::default() };
    let response = ChatResponse { id: "msg".into(), choices: vec![choice], ..ChatResponse::default() };

    let mut warnings = Warnings::default();
    let whole: Value =
        serde_json::from_slice(&Gemini.encode_response(&response, &reply(StreamForm::Sse), &mut warnings)).expect("JSON");
    assert!(warnings.is_empty());
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    let history = json!({"contents": [whole["candidates"][0]["content"]]});
    assert_eq!(decode(&history).expect("a request").messages, [Message::new(Role::Assistant, parts.clone())]);

    // A chat client keeps every chunk's content, and Python's writes base64 in the other alphabet.
    let chunks = chunks(&stream(&edgeway_core::chat::replay(&response), StreamForm::Sse));
    let contents: Vec<Value> = chunks.iter().map(|chunk| chunk["candidates"][0]["content"].clone()).collect();
    let url_safe = json!({ "contents": contents }).to_string().replace("+", "-");
    let again = decode_bytes(url_safe.as_bytes()).expect("a request");
    assert_eq!(again.messages, [Message::new(Role::Assistant, parts)]);
}

#[test]
fn state_in_a_calls_id_is_taken_out_of_call_and_result() {
    let reasoning = Reasoning { text: "hm".into(), redacted: false, signature: claude("Eq=") };
    let carried = carry::Carried { reasoning: vec![reasoning.clone()], signature: None };
    let id = carry::wrap_id("toolu_1", &carried);
    let request = decode(&json!({"contents": [
        {"role": "model", "parts": [{"functionCall": {"id": id, "name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": id, "name": "f", "response": {}}}]},
    ]}))
    .expect("a request");
    assert_eq!(request.messages[0].parts, [Part::Reasoning(reasoning), call("toolu_1", "f", "{}")]);
    let Part::ToolResult(result) = &request.messages[1].parts[0] else { panic!("a result") };
    assert_eq!(result.call_id, "toolu_1");
}

// Media.

#[test]
fn media_go_as_this_family_takes_them() {
    let url = |url: &str, mime: Option<&str>| MediaSource::Url { url: url.into(), mime: mime.map(str::to_owned) };
    let sent = |kind, source, model: &str| {
        encode(&request(vec![Message::new(Role::User, vec![media(kind, source)])]), model)
            .map(|(body, warnings)| (body["contents"][0]["parts"][0].clone(), warnings))
    };
    let (part, warnings) =
        sent(MediaKind::Image, url("https://e.example/a/cat.PNG?x=.gif", None), "gemini-2.5-flash").expect("a part");
    assert_eq!(
        (part, warnings.as_str()),
        (json!({"fileData": {"mimeType": "image/png", "fileUri": "https://e.example/a/cat.PNG?x=.gif"}}), "")
    );
    let (part, warnings) = sent(MediaKind::Image, url("https://e.example/cat", None), "gemini-2.5-flash").expect("a part");
    assert_eq!(part["fileData"]["mimeType"], "image/jpeg");
    assert!(warnings.starts_with("filled;"), "{warnings}");
    let (part, _) = sent(MediaKind::Document, MediaSource::Text { text: "plän".into() }, "m").expect("a part");
    assert_eq!(part, json!({"inlineData": {"mimeType": "text/plain", "data": "cGzDpG4="}}));
    let (part, _) = sent(MediaKind::Video, url("https://youtu.be/9hE5", None), "gemini-2.0-flash").expect("a part");
    assert_eq!(part, json!({"fileData": {"fileUri": "https://youtu.be/9hE5"}}));

    let error = sent(MediaKind::Image, url("https://e.example/cat.png", None), "gemini-2.0-flash").expect_err("2.0 cannot fetch");
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("messages[0].content[0]")));
    let file = MediaSource::File { dialect: DialectId::OpenAiChat, id: "file-1".into(), mime: None };
    assert_eq!(sent(MediaKind::Document, file, "m").expect_err("not Google's file").kind, ErrorKind::Unsupported);
}

#[test]
fn a_results_image_goes_inside_for_gemini_3_and_behind_for_others() {
    let image = media(MediaKind::Image, MediaSource::Base64 { mime: "image/png".into(), data: "iVBO".into() });
    let messages = vec![
        says(Role::User, "look"),
        Message::new(Role::Assistant, vec![call("c1", "f", "{}"), call("c2", "f", "{}")]),
        Message::new(Role::Tool, vec![answer("c1", vec![image.clone()]), answer("c2", vec![Part::text("ok")])]),
    ];
    let blob = json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}});
    let (body, _) = encode(&request(messages.clone()), "gemini-3-flash-preview").expect("a body");
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["parts"], json!([blob]));
    let (body, warnings) = encode(&request(messages), "gemini-2.5-flash").expect("a body");
    let parts = body["contents"][2]["parts"].as_array().expect("parts");
    assert!(parts[0].get("functionResponse").is_some() && parts[1].get("functionResponse").is_some());
    assert_eq!(parts[2], blob);
    assert_eq!(warnings, r#"moved;at="messages[2].content[0]";why="media follow the results""#);
}

// Tools and other fields.

#[test]
fn tool_choice_becomes_mode_and_names() {
    let tool = Tool::Function(FunctionTool { name: "f".into(), ..FunctionTool::default() });
    let names = || vec!["f".to_owned(), "g".to_owned()];
    for (choice, config) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (ToolChoice::Function("f".into()), json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        (ToolChoice::Allowed { names: names(), required: true }, json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]})),
        (
            ToolChoice::Allowed { names: names(), required: false },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]}),
        ),
    ] {
        let mut request = request(vec![says(Role::User, "hi")]);
        request.tool_choice = Some(choice.clone());
        let (body, warnings) = encode(&request, "m").expect("a body");
        assert!(body.get("toolConfig").is_none(), "Gemini refuses it without functions");
        assert_eq!(warnings.is_empty(), matches!(choice, ToolChoice::Auto | ToolChoice::None));
        request.tools.push(tool.clone());
        let (body, _) = encode(&request, "m").expect("a body");
        assert_eq!(body["toolConfig"]["functionCallingConfig"], config);
    }
}

#[test]
fn what_gemini_cannot_carry_is_named() {
    let mut request = request(vec![says(Role::User, "hi")]);
    request.extra.insert(DialectId::OpenAiChat, "logit_bias", json!({"1": 2}));
    request.parallel_tool_calls = Some(false);
    request.user = Some("u1".into());
    request.service_tier = Some("scale".into());
    request.sampling.seed = Some(1 << 40);
    request.metadata.insert("User-Id".into(), "7".into());
    request.metadata.insert("team".into(), "a-1".into());
    let (body, warnings) = encode(&request, "gemini-2.5-flash").expect("a body");
    for at in ["logit_bias", "parallel_tool_calls", "user", "service_tier", "seed", "metadata.User-Id"] {
        assert!(warnings.contains(&format!("dropped;at=\"{at}\"")), "{at}: {warnings}");
    }
    assert_eq!(body, json!({"contents": [{"parts": [{"text": "hi"}], "role": "user"}], "labels": {"team": "a-1"}}));
}

#[test]
fn a_hosted_tool_of_another_provider_is_refused() {
    let mut request = request(vec![says(Role::User, "hi")]);
    let value = json!({"type": "web_search_20250305"});
    request.tools.push(Tool::Hosted(HostedTool {
        dialect: DialectId::AnthropicMessages,
        kind: "web_search_20250305".into(),
        value,
    }));
    let error = encode(&request, "m").expect_err("not Google's tool");
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[0]")));
}

// Responses.

#[test]
fn finish_reasons_of_others_get_the_nearest_name_and_keep_theirs_in_the_message() {
    for (finish, raw, name, message) in [
        (Finish::Stop, "end_turn", "STOP", None),
        (Finish::ToolCalls, "tool_calls", "STOP", None),
        (Finish::Length, "max_tokens", "MAX_TOKENS", None),
        (Finish::ContentFilter, "refusal", "SAFETY", None),
        (Finish::ContentFilter, "RECITATION", "RECITATION", None),
        (Finish::Pause, "pause_turn", "OTHER", Some("pause_turn")),
        (Finish::Error, "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL", None),
        (Finish::Other, "LANGUAGE", "LANGUAGE", None),
        (Finish::Other, "novelty", "OTHER", Some("novelty")),
    ] {
        let choice = Choice { parts: vec![Part::text("x")], finish: FinishReason::new(finish, raw), ..Choice::default() };
        let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
        let body = Gemini.encode_response(&response, &reply(StreamForm::Sse), &mut Warnings::default());
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["candidates"][0]["finishReason"], name, "{raw}");
        assert_eq!(body["candidates"][0].get("finishMessage").and_then(Value::as_str), message, "{raw}");
        let last = chunks(&stream(&edgeway_core::chat::replay(&response), StreamForm::Sse)).pop().expect("a chunk");
        assert_eq!(
            (&last["candidates"][0]["finishReason"], last["candidates"][0].get("finishMessage")),
            (&body["candidates"][0]["finishReason"], body["candidates"][0].get("finishMessage"))
        );
    }
}

#[test]
fn a_call_that_no_object_can_hold_ends_as_a_malformed_call() {
    let choice = Choice {
        parts: vec![Part::text("x"), call("c", "f", "{\"a\":")],
        finish: FinishReason::new(Finish::ToolCalls, "tool_calls"),
        ..Choice::default()
    };
    let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
    let body = Gemini.encode_response(&response, &reply(StreamForm::Sse), &mut Warnings::default());
    let whole: Value = serde_json::from_slice(&body).expect("JSON");
    let chunks = chunks(&stream(&edgeway_core::chat::replay(&response), StreamForm::Sse));
    for candidate in [&whole["candidates"][0], &chunks.last().expect("a chunk")["candidates"][0]] {
        assert_eq!(candidate["finishReason"], "MALFORMED_FUNCTION_CALL");
        assert!(candidate["finishMessage"].as_str().is_some_and(|message| message.contains("`f`")));
    }
    assert!(!body.windows(12).any(|bytes| bytes == b"functionCall"));
}

#[test]
fn an_answer_that_is_none_is_the_providers_fault() {
    for body in
        ["", "<html>", "[]", "{}", "{\"candidates\":5}", "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{}}]}}]}"]
    {
        assert_eq!(Gemini.decode_response(body.as_bytes()).expect_err(body).kind, ErrorKind::UpstreamInvalid, "{body}");
    }
    let error =
        Gemini.decode_response(br#"{"error":{"code":503,"status":"UNAVAILABLE","message":"later"}}"#).expect_err("in band");
    assert_eq!(error.kind, ErrorKind::UpstreamOverloaded);
}

// Streams.

#[test]
fn parallel_calls_whose_arguments_come_in_turns_leave_whole_and_in_the_order_of_their_ends() {
    let delta = |part, text: &str| ChatEvent::PartDelta { choice: 0, part, delta: Delta::Text(text.into()) };
    let start =
        |part, id: &str| ChatEvent::PartStart { choice: 0, part, head: PartHead::ToolCall { id: id.into(), name: "f".into() } };
    let sse = stream(
        &[
            ChatEvent::Start(ResponseHead { id: "msg".into(), model: "claude-x".into(), ..ResponseHead::default() }),
            start(0, "c1"),
            start(1, "c2"),
            delta(0, "{\"a\""),
            delta(1, "{\"b\":"),
            delta(0, ":1}"),
            delta(1, "2}"),
            ChatEvent::PartEnd { choice: 0, part: 0 },
            ChatEvent::PartEnd { choice: 0, part: 1 },
            ChatEvent::Finish { choice: 0, finish: FinishReason::new(Finish::ToolCalls, "tool_calls") },
            ChatEvent::Usage(Usage { input: 3, output: 2, ..Usage::default() }),
            ChatEvent::End,
        ],
        StreamForm::Sse,
    );
    let chunks = chunks(&sse);
    let parts: Vec<&Value> = chunks.iter().map(|chunk| &chunk["candidates"][0]["content"]["parts"][0]).collect();
    assert_eq!(
        parts,
        [
            &json!({"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}}),
            &json!({"functionCall": {"id": "c2", "name": "f", "args": {"b": 2}}}),
            &json!({"text": ""}),
        ]
    );
    assert!(chunks.iter().all(|chunk| chunk["responseId"] == "msg" && chunk["modelVersion"] == "claude-x"));
    assert!(chunks[..2].iter().all(|chunk| chunk.get("usageMetadata").is_none()));
    assert_eq!(chunks[2]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(chunks[2]["usageMetadata"]["totalTokenCount"], 5);
}

#[test]
fn a_json_array_is_valid_at_every_end() {
    let error = Error::new(ErrorKind::UpstreamOverloaded, "busy");
    let events = |count: u32| {
        let mut events = vec![ChatEvent::Start(ResponseHead::default())];
        events.push(ChatEvent::PartStart { choice: 0, part: 0, head: PartHead::Text });
        events.extend((0..count).map(|_| ChatEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text("x".into()) }));
        events
    };
    for count in 0..3 {
        let mut with_error = events(count);
        with_error.push(ChatEvent::Error(error.clone()));
        let mut with_end = events(count);
        with_end.push(ChatEvent::End);
        // The pipeline writes the error itself when the provider's transport broke.
        let mut broken = stream(&events(count), StreamForm::JsonArray).into_bytes();
        broken.extend(Gemini.encode_stream_error(&error, &reply(StreamForm::JsonArray), count > 0));
        let ends = [
            stream(&with_error, StreamForm::JsonArray),
            stream(&with_end, StreamForm::JsonArray),
            String::from_utf8(broken).expect("UTF-8"),
        ];
        for (which, text) in ends.iter().enumerate() {
            let elements: Vec<Value> = serde_json::from_str(text).expect(text);
            assert_eq!(elements.len(), count as usize + 1, "{text}");
            assert_eq!(elements[count as usize].get("error").is_some(), which != 1, "{text}");
        }
    }
}

#[test]
fn an_error_in_a_stream_is_a_frame_of_its_own() {
    let error = Error::new(ErrorKind::RateLimited, "slow down");
    let frames = chunks(&stream(&[ChatEvent::Error(error.clone())], StreamForm::Sse));
    assert_eq!(frames[0]["error"]["code"], 429);
    assert_eq!(frames[0]["error"]["status"], "RESOURCE_EXHAUSTED");
    assert!(Gemini.encode_stream_error(&error, &reply(StreamForm::Sse), true).starts_with(b"data: {\"error\":{\"code\":429"));
}

#[test]
fn a_providers_error_ends_the_stream_in_or_out_of_an_array() {
    let error = json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    let text = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]});
    for frame in [error.clone(), json!([error])] {
        let events = listen(&[text.clone(), frame, text.clone()]);
        let Some(ChatEvent::Error(error)) = events.last() else { panic!("{events:?}") };
        assert_eq!(error.kind, ErrorKind::UpstreamOverloaded);
        let upstream = error.upstream.as_ref().expect("kept");
        assert_eq!((upstream.status, upstream.raw_type.as_deref()), (0, Some("UNAVAILABLE")));
    }
}

#[test]
fn a_corrupt_frame_is_told_and_the_next_one_is_decoded() {
    let mut decoder = Gemini.stream_decoder();
    let mut events = Vec::new();
    let mut frame = |data: &str| decoder.frame(Frame { event: "", data: data.as_bytes() }, &mut events);
    assert!(matches!(frame("{\"candidates\":[{\"con"), Err(Fault::Corrupt(_))));
    assert!(matches!(frame("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{}}]}}]}"), Err(Fault::Corrupt(_))));
    assert!(matches!(frame("{\"keepAlive\":true}"), Err(Fault::Unknown)));
    assert!(frame("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}]}").is_ok());
    decoder.finish(&mut events);
    assert!(matches!(events.last(), Some(ChatEvent::End)));
}

#[test]
fn a_model_that_says_stop_in_every_chunk_is_heard_to_the_end() {
    let chunk =
        |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}]});
    let events = listen(&[chunk("a"), chunk("b"), chunk("c")]);
    let mut accumulator = Accumulator::default();
    events.into_iter().for_each(|event| accumulator.push(event));
    let (response, ended) = accumulator.finish().expect("no error");
    assert!(ended);
    assert_eq!(response.choices[0].parts, [Part::text("abc")]);
    assert_eq!(response.choices[0].finish, FinishReason::new(Finish::Stop, "STOP"));
}

#[test]
fn a_stream_whose_candidate_never_finished_has_no_end() {
    let events = listen(&[
        json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}),
        json!({"usageMetadata": {"promptTokenCount": 1}}),
    ]);
    assert!(matches!(events.last(), Some(ChatEvent::Usage(_))), "{events:?}");
}

// Bytes that pass untouched.

#[test]
fn sniffing_is_not_misled_by_text_that_looks_like_the_protocol() {
    let mut sniffer = Gemini.stream_sniffer();
    let text = "\"usageMetadata\": {\"promptTokenCount\": 9}, \"finishReason\": \"STOP\", \"error\": {}";
    let frame = json!({"candidates": [{"content": {"parts": [{"text": text}]}}], "usageMetadata": {"promptTokenCount": 2}});
    let sniffed = sniffer.frame(Frame { event: "", data: frame.to_string().as_bytes() });
    assert!(sniffed.content && !sniffed.finished && sniffed.error.is_none());
    assert!(sniffed.content_bytes >= text.len());
    assert_eq!(sniffer.usage(), Some(Usage { input: 2, ..Usage::default() }));
    let called =
        json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"error": "x", "text": ""}}}]}}]});
    let sniffed = sniffer.frame(Frame { event: "", data: called.to_string().as_bytes() });
    assert!(sniffed.content && sniffed.error.is_none());
}

#[test]
fn sniffing_reads_indented_elements_errors_and_cut_frames() {
    let mut sniffer = Gemini.stream_sniffer();
    let element = json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "MAX_TOKENS"}], "usageMetadata": {"totalTokenCount": 3, "candidatesTokenCount": 3}});
    let element = serde_json::to_string_pretty(&element).expect("JSON");
    let sniffed = sniffer.frame(Frame { event: "", data: element.as_bytes() });
    assert!(sniffed.finished && !sniffed.content);
    assert_eq!(sniffer.usage(), Some(Usage { output: 3, ..Usage::default() }));
    let sniffed = sniffer.frame(Frame { event: "", data: br#"[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]"# });
    assert_eq!(sniffed.error.map(|error| error.kind), Some(ErrorKind::RateLimited));
    for cut in 0..element.len() {
        let mut sniffer = Gemini.stream_sniffer();
        if element.is_char_boundary(cut) {
            sniffer.frame(Frame { event: "", data: &element.as_bytes()[..cut] });
            let _ = sniffer.usage();
        }
    }
    assert_eq!(Gemini.usage(b"{\"usageMetadata\":"), None);
}
