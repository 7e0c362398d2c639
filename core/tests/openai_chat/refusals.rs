//! Bad input: refused with the path of the fault and a sentence that says what to send.

use edgeway_core::ErrorKind;
use edgeway_core::chat::{Finish, Part};
use edgeway_core::dialect::Dialect;
use edgeway_core::dialect::openai_chat::OpenAiChat;

use super::{DIALECT, decode_request, golden};

#[test]
fn bad_requests_are_refused_with_the_path_of_the_fault() {
    let with = |fields: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#);
    let message = |message: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{message}]}}"#);
    let part = |part: &str| message(&format!(r#"{{"role":"user","content":[{part}]}}"#));
    let cases = [
        (r#"{"messages":[{"role":"user","content":"x"}]}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
        (r#"{"model":7,"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"m","messages":"hi"}"#.to_owned(), "messages"),
        (with(r#""temperature":"NaN""#), "temperature"),
        (with(r#""temperature":-0.1"#), "temperature"),
        (with(r#""top_p":2"#), "top_p"),
        (with(r#""top_k":"many""#), "top_k"),
        (with(r#""presence_penalty":9"#), "presence_penalty"),
        (with(r#""max_tokens":-1"#), "max_tokens"),
        (with(r#""max_tokens":1.5"#), "max_tokens"),
        (with(r#""max_completion_tokens":0"#), "max_completion_tokens"),
        (with(r#""max_tokens":1e300"#), "max_tokens"),
        (with(r#""n":0"#), "n"),
        (with(r#""n":1000"#), "n"),
        (with(r#""seed":1e99"#), "seed"),
        (with(r#""logprobs":1"#), "logprobs"),
        (with(r#""top_logprobs":3"#), "top_logprobs"),
        (with(r#""stop":[1]"#), "stop[0]"),
        (with(r#""stop":{}"#), "stop"),
        (with(r#""stream":"yes""#), "stream"),
        (with(r#""stream_options":{"include_usage":1}"#), "stream_options.include_usage"),
        (with(r#""metadata":{"a":1}"#), "metadata.a"),
        (with(r#""reasoning_effort":"ultra""#), "reasoning_effort"),
        (with(r#""reasoning":{"effort":1}"#), "reasoning.effort"),
        (with(r#""response_format":"json""#), "response_format"),
        (with(r#""response_format":{"type":"xml"}"#), "response_format.type"),
        (with(r#""response_format":{"type":"json_schema"}"#), "response_format.json_schema"),
        (with(r#""response_format":{"type":"json_schema","json_schema":{"schema":{}}}"#), "response_format.json_schema.name"),
        (
            with(r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":"s"}}"#),
            "response_format.json_schema.schema",
        ),
        (with(r#""tools":{}"#), "tools"),
        (with(r#""tools":[{"type":"function"}]"#), "tools[0].function"),
        (with(r#""tools":[{"function":{}}]"#), "tools[0].function.name"),
        (with(r#""tools":[{"name":"f"}]"#), "tools[0].type"),
        (with(r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#), "tools[0].function.parameters"),
        (with(r#""tool_choice":"maybe""#), "tool_choice"),
        (with(r#""tool_choice":{"type":"function"}"#), "tool_choice.function.name"),
        (with(r#""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}}"#), "tool_choice.allowed_tools.tools"),
        (with(r#""parallel_tool_calls":"no""#), "parallel_tool_calls"),
        (message("3"), "messages[1]"),
        (message(r#"{"content":"x"}"#), "messages[1].role"),
        (message(r#"{"role":"robot","content":"x"}"#), "messages[1].role"),
        (message(r#"{"role":"user"}"#), "messages[1].content"),
        (message(r#"{"role":"user","content":null}"#), "messages[1].content"),
        (message(r#"{"role":"user","content":5}"#), "messages[1].content"),
        (message(r#"{"role":"tool","content":"x"}"#), "messages[1].tool_call_id"),
        (message(r#"{"role":"tool","tool_call_id":"c"}"#), "messages[1].content"),
        (message(r#"{"role":"function","content":"x"}"#), "messages[1].name"),
        (
            message(r#"{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f"}}]}"#),
            "messages[1].tool_calls[0].id",
        ),
        (message(r#"{"role":"assistant","tool_calls":[{"id":"c"}]}"#), "messages[1].tool_calls[0].function"),
        (
            message(r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"arguments":"{}"}}]}"#),
            "messages[1].tool_calls[0].function.name",
        ),
        (
            message(r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":7}}]}"#),
            "messages[1].tool_calls[0].function.arguments",
        ),
        (part("\"text\""), "messages[1].content[0]"),
        (part("{}"), "messages[1].content[0].type"),
        (part(r#"{"type":"text"}"#), "messages[1].content[0].text"),
        (part(r#"{"type":"image_url"}"#), "messages[1].content[0].image_url"),
        (part(r#"{"type":"image_url","image_url":{}}"#), "messages[1].content[0].image_url.url"),
        (part(r#"{"type":"image_url","image_url":{"url":"cat.png"}}"#), "messages[1].content[0].image_url.url"),
        (part(r#"{"type":"image_url","image_url":{"url":"data:image/png,raw"}}"#), "messages[1].content[0].image_url.url"),
        (part(r#"{"type":"input_audio","input_audio":{"data":"AAAA"}}"#), "messages[1].content[0].input_audio.format"),
        (part(r#"{"type":"file","file":{}}"#), "messages[1].content[0].file.file_data"),
        (
            part(r#"{"type":"file","file":{"file_id":"f","file_data":"data:application/pdf;base64,AA"}}"#),
            "messages[1].content[0].file",
        ),
        (part(r#"{"type":"text","text":"x","cache_control":"ephemeral"}"#), "messages[1].content[0].cache_control"),
    ];
    for (body, path) in cases {
        let error = decode_request(body.as_bytes()).expect_err(&body);
        assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some(path)), "{body}: {error:?}");
        assert!(error.message.starts_with(&format!("`{path}` ")) && error.message.ends_with('.'), "{}", error.message);
    }
    for body in ["", "[]", "null", "{", "{\"model\":\"m\",\"model\":\"n\",\"messages\":[]}", "\u{feff}{}"] {
        assert_eq!(decode_request(body.as_bytes()).expect_err(body).kind, ErrorKind::InvalidRequest, "{body}");
    }
    assert!(decode_request(b"{\"model\":\"\xff\"}").is_err());
}

#[test]
fn nulls_are_what_they_stand_for_absence() {
    let plain = decode_request(br#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#).unwrap();
    let nulls = r#"{"model":"m","messages":[{"role":"user","content":"x","name":null}],"temperature":null,"tools":null,"tool_choice":null,
        "stop":null,"n":null,"stream":null,"stream_options":null,"response_format":null,"user":null,"logit_bias":null,"seed":null}"#;
    assert_eq!(decode_request(nulls.as_bytes()).unwrap(), plain);
}

#[test]
fn a_response_that_is_none_is_the_providers_fault() {
    for body in ["", "{}", "[]", "{\"choices\":{}}", "{\"choices\":[3]}", "<html>"] {
        let error = OpenAiChat.decode_response(body.as_bytes()).expect_err(body);
        assert_eq!(error.kind, ErrorKind::UpstreamInvalid, "{body}");
    }
    let error = OpenAiChat.decode_response(br#"{"error":{"message":"No capacity","code":429},"user_id":"x"}"#).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::RateLimited, "No capacity"));
}

#[test]
fn a_stop_after_a_call_waits_for_its_result() {
    let body = golden::fixture(DIALECT, "gemini_compatible.response.json");
    let response = OpenAiChat.decode_response(&body).unwrap();
    assert_eq!(response.choices[0].finish.unified, Finish::ToolCalls);
    assert!(response.choices[0].parts.iter().all(|part| matches!(part, Part::ToolCall(_))));
}
