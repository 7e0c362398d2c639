//! What Gemini promises of requests, one behaviour a test.

use edgeway_core::ErrorKind;
use edgeway_core::chat::{
    FunctionTool, HostedTool, MediaKind, MediaSource, Message, Part, Reasoning, Role, Signature, Tool, ToolCall, ToolChoice,
    ToolResult, carry,
};
use edgeway_core::dialect::{Dialect, DialectId, RequestHead, gemini::Gemini};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::support::*;

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
fn gemini_3_gets_the_sentinel_on_the_first_unsigned_call_of_every_step() {
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
    assert_eq!(signed, [sentinel.clone(), sentinel, None, Some("c2ln".into())]);
    assert_eq!(warnings, r#"filled;at="messages[5].tool_calls[0]";why="thoughtSignature: the call came from elsewhere""#);
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
