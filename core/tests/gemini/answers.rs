//! What Gemini promises of answers, whole, streamed and passing untouched, one behaviour a test.

use edgeway_core::ErrorKind;
use edgeway_core::chat::{
    Accumulator, ChatEvent, ChatResponse, Choice, Delta, Finish, FinishReason, Message, Part, PartHead, Reasoning, ResponseHead,
    Role, Usage, Warnings, replay,
};
use edgeway_core::dialect::{Dialect, Fault, Frame, StreamForm, gemini::Gemini};
use edgeway_core::error::Error;
use serde_json::{Value, json};

use crate::support::*;

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
    let chunks = chunks(&stream(&replay(&response), StreamForm::Sse));
    let contents: Vec<Value> = chunks.iter().map(|chunk| chunk["candidates"][0]["content"].clone()).collect();
    let url_safe = json!({ "contents": contents }).to_string().replace("+", "-");
    let again = decode_bytes(url_safe.as_bytes()).expect("a request");
    assert_eq!(again.messages, [Message::new(Role::Assistant, parts)]);
}

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
        let last = chunks(&stream(&replay(&response), StreamForm::Sse)).pop().expect("a chunk");
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
    let chunks = chunks(&stream(&replay(&response), StreamForm::Sse));
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
