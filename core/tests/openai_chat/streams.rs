//! Streams that go wrong or go otherwise, event by event.

use edgeway_core::ErrorKind;
use edgeway_core::chat::{ChatEvent, Delta, Finish, FinishReason, Part, PartHead, ResponseHead, Signature, Usage};
use edgeway_core::dialect::openai_chat::OpenAiChat;
use edgeway_core::dialect::{Dialect, DialectId, Fault, Frame, Reply};
use edgeway_core::error::Error;
use serde_json::{Value, json};

use super::{accumulate, reply};

/// Decodes frames of data; then the transport ends.
fn decode(frames: &[&str]) -> Vec<ChatEvent> {
    let mut decoder = OpenAiChat.stream_decoder();
    let mut events = Vec::new();
    for frame in frames {
        decoder.frame(Frame { event: "", data: frame.as_bytes() }, &mut events).expect(frame);
    }
    decoder.finish(&mut events);
    events
}

/// A chunk of the first choice.
fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c1","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

fn calls(deltas: &[&str]) -> Vec<(String, String, String)> {
    let mut frames: Vec<_> = deltas.iter().map(|call| delta(&format!(r#"{{"tool_calls":[{call}]}}"#))).collect();
    frames.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.into());
    let events = decode(&frames.iter().map(String::as_str).collect::<Vec<_>>());
    check_grammar(&events);
    let (response, _) = accumulate(events).expect("no error");
    let parts = response.choices.into_iter().flat_map(|choice| choice.parts);
    parts
        .filter_map(|part| if let Part::ToolCall(call) = part { Some((call.id, call.name, call.arguments)) } else { None })
        .collect()
}

/// The grammar of [`ChatEvent`].
fn check_grammar(events: &[ChatEvent]) {
    let mut open = std::collections::BTreeSet::new();
    let mut next = std::collections::BTreeMap::new();
    let mut finished = std::collections::BTreeSet::new();
    for (place, event) in events.iter().enumerate() {
        assert_eq!(matches!(event, ChatEvent::Start(_)), place == 0, "{events:#?}");
        match event {
            ChatEvent::PartStart { choice, part, .. } => {
                let expected = next.entry(*choice).or_insert(0);
                assert_eq!(part, expected, "parts count from 0");
                *expected += 1;
                assert!(!finished.contains(choice) && open.insert((*choice, *part)));
            }
            ChatEvent::PartDelta { choice, part, .. } => assert!(open.contains(&(*choice, *part))),
            ChatEvent::PartEnd { choice, part } => assert!(open.remove(&(*choice, *part))),
            ChatEvent::Finish { choice, .. } => {
                assert!(open.iter().all(|(other, _)| other != choice), "a part is open at its finish");
                assert!(finished.insert(*choice), "one finish a choice");
            }
            ChatEvent::End | ChatEvent::Error(_) => assert_eq!(place, events.len() - 1, "nothing follows the end"),
            _ => {}
        }
    }
}

#[test]
fn tool_calls_are_told_apart_however_they_are_numbered() {
    let whole =
        [("a".to_owned(), "f".to_owned(), r#"{"x":1}"#.to_owned()), ("b".to_owned(), "f".to_owned(), r#"{"x":2}"#.to_owned())];
    // OpenAI: the id only in the first chunk.
    assert_eq!(
        calls(&[
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
            r#"{"index":0,"function":{"arguments":"{\"x\":1}"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{\"x\":"}}"#,
            r#"{"index":1,"function":{"arguments":"2}"}}"#,
        ]),
        whole
    );
    // Id and name repeated with every delta.
    assert_eq!(
        calls(&[
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#,
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"1}"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}"#,
        ]),
        whole
    );
    // Whole calls, all with index 0.
    assert_eq!(
        calls(&[
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}"#,
            r#"{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}"#,
        ]),
        whole
    );
    // No index: an id begins a call or continues its own.
    assert_eq!(
        calls(&[
            r#"{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#,
            r#"{"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}"#,
            r#"{"id":"a","function":{"arguments":"1}"}}"#,
        ]),
        whole
    );
    // The id before the name.
    assert_eq!(
        calls(&[
            r#"{"index":0,"id":"a","function":{"name":""}}"#,
            r#"{"index":0,"function":{"name":"f","arguments":"{\"x\":1}"}}"#,
            r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}"#,
        ]),
        whole
    );
    // No ids at all: they are made of the response's.
    let made = calls(&[
        r#"{"index":0,"function":{"name":"f","arguments":"{}"}}"#,
        r#"{"index":0,"function":{"name":"g","arguments":"{}"}}"#,
    ]);
    assert_eq!(made.iter().map(|call| call.0.as_str()).collect::<Vec<_>>(), ["call_c1_0_0", "call_c1_0_1"]);
}

#[test]
fn a_legacy_function_call_is_a_tool_call() {
    let events = decode(&[
        &delta(r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"#),
        &delta(r#"{"function_call":{"arguments":"{\"x\":1}"}}"#),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}"#,
    ]);
    check_grammar(&events);
    let (response, ended) = accumulate(events).unwrap();
    assert!(ended);
    assert_eq!(response.choices[0].finish, FinishReason::new(Finish::ToolCalls, "function_call"));
    assert!(
        matches!(&response.choices[0].parts[..], [Part::ToolCall(call)] if call.name == "f" && call.arguments == "{\"x\":1}")
    );
}

#[test]
fn without_done_only_finished_choices_are_an_end() {
    let text = delta(r#"{"content":"x"}"#);
    let stop = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let other = r#"{"choices":[{"index":1,"delta":{"content":"y"}}]}"#;
    let ends = |frames: &[&str]| matches!(decode(frames).last(), Some(ChatEvent::End));
    assert!(ends(&[&text, stop]));
    assert!(!ends(&[&text]));
    assert!(!ends(&[&text, other, stop]));
    assert!(!ends(&[]));
    assert!(ends(&["[DONE]"]));
    let cut = decode(&[&text, "[DONE]"]);
    check_grammar(&cut);
    assert!(matches!(cut[cut.len() - 3..], [ChatEvent::PartEnd { .. }, ChatEvent::Finish { .. }, ChatEvent::End]));
}

#[test]
fn what_comes_after_a_finish_or_the_end_is_ignored() {
    let stop = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    let events = decode(&[stop, &delta(r#"{"content":"more"}"#), stop, "[DONE]", stop, "{\"error\":{}}"]);
    check_grammar(&events);
    let (response, _) = accumulate(events).unwrap();
    assert_eq!(response.choices[0].parts, [Part::text("x")]);
}

#[test]
fn reasoning_text_and_calls_close_each_other_in_order() {
    let events = decode(&[
        &delta(r#"{"reasoning":"a"}"#),
        &delta(r#"{"content":"b"}"#),
        &delta(r#"{"reasoning_content":"c"}"#),
        &delta(r#"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}"#),
        &delta(r#"{"content":"d"}"#),
        "[DONE]",
    ]);
    check_grammar(&events);
    let (response, _) = accumulate(events).unwrap();
    let kinds: Vec<_> = response.choices[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::Reasoning(part) => ("reasoning", part.text.as_str()),
            Part::Text(part) => ("text", part.text.as_str()),
            Part::ToolCall(part) => ("call", part.name.as_str()),
            _ => ("other", ""),
        })
        .collect();
    assert_eq!(kinds, [("reasoning", "a"), ("text", "b"), ("reasoning", "c"), ("call", "f"), ("text", "d")]);
}

#[test]
fn unknown_and_corrupt_frames_are_told_apart_and_harm_nothing() {
    let mut decoder = OpenAiChat.stream_decoder();
    let mut events = Vec::new();
    let mut frame = |data: &str| decoder.frame(Frame { event: "", data: data.as_bytes() }, &mut events);
    assert!(matches!(frame(r#"{"type":"ping"}"#), Err(Fault::Unknown)));
    for corrupt in
        ["{", "[1", "\"x\"", "7", r#"{"choices":{}}"#, r#"{"choices":[7]}"#, r#"{"choices":[{"delta":{"content":"\ud800"}}]}"#]
    {
        assert!(matches!(frame(corrupt), Err(Fault::Corrupt(_))), "{corrupt}");
    }
    assert!(matches!(frame(r#"{"choices":[{"index":99999999999,"delta":{}}]}"#), Err(Fault::Corrupt(_))));
    assert!(matches!(frame(r#"{"choices":[{"delta":{"audio":{"data":"%%"}}}]}"#), Err(Fault::Corrupt(_))));
    assert!(frame("").is_ok() && frame("  \n").is_ok());
    assert!(frame(&delta(r#"{"content":"fine"}"#)).is_ok());
    assert!(matches!(events.last(), Some(ChatEvent::PartDelta { delta: Delta::Text(text), .. }) if text == "fine"));
}

#[test]
fn an_error_frame_ends_the_stream_with_its_kind() {
    for (event, data, kind) in [
        ("", r#"{"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}}"#, ErrorKind::RateLimited),
        ("error", r#"{"message":"gone","type":"server_error"}"#, ErrorKind::UpstreamUnavailable),
        ("", r#"{"choices":[],"x_groq":{"error":"over capacity"}}"#, ErrorKind::UpstreamUnavailable),
        ("", r#"{"error":"the prompt is too long: context length exceeded"}"#, ErrorKind::ContextLengthExceeded),
    ] {
        let mut decoder = OpenAiChat.stream_decoder();
        let mut events = Vec::new();
        decoder.frame(Frame { event, data: data.as_bytes() }, &mut events).unwrap();
        decoder.finish(&mut events);
        check_grammar(&events);
        assert!(matches!(events.last(), Some(ChatEvent::Error(error)) if error.kind == kind), "{data}: {events:?}");
    }
}

/// The frames that an encoder makes of events.
fn frames(events: &[ChatEvent], usage: bool) -> Vec<Value> {
    let mut encoder = OpenAiChat.stream_encoder(Reply { usage, ..reply() });
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    let text = String::from_utf8(out).expect("UTF-8");
    let frame = |frame: &str| match frame.strip_prefix("data: ").expect("one data line") {
        "[DONE]" => json!("[DONE]"),
        data => serde_json::from_str(data).expect("JSON"),
    };
    assert!(text.is_empty() || text.ends_with("\n\n"));
    text.split_terminator("\n\n").map(frame).collect()
}

fn start() -> ChatEvent {
    ChatEvent::Start(ResponseHead { id: "msg_1".into(), model: "claude".into(), ..ResponseHead::default() })
}

fn part(part: u32, head: PartHead) -> ChatEvent {
    ChatEvent::PartStart { choice: 0, part, head }
}

fn text(part: u32, text: &str) -> ChatEvent {
    ChatEvent::PartDelta { choice: 0, part, delta: Delta::Text(text.into()) }
}

fn end(part: u32) -> ChatEvent {
    ChatEvent::PartEnd { choice: 0, part }
}

fn tool(id: &str) -> PartHead {
    PartHead::ToolCall { id: id.into(), name: "f".into() }
}

#[test]
fn usage_is_shown_only_to_a_caller_who_asked() {
    let events = [
        start(),
        part(0, PartHead::Text),
        text(0, "Hi"),
        end(0),
        ChatEvent::Usage(Usage { input: 1, ..Usage::default() }),
        ChatEvent::Finish { choice: 0, finish: FinishReason::new(Finish::Stop, "end_turn") },
        ChatEvent::Usage(Usage { input: 3, output: 4, ..Usage::default() }),
        ChatEvent::End,
    ];
    let silent = frames(&events, false);
    assert_eq!(silent.len(), 4);
    assert!(silent.iter().all(|frame| frame.get("usage").is_none() && frame["choices"] != json!([])));
    assert_eq!(silent.last(), Some(&json!("[DONE]")));
    let asked = frames(&events, true);
    assert_eq!(asked.len(), 5);
    assert_eq!((&asked[3]["choices"], &asked[3]["usage"]["total_tokens"]), (&json!([]), &json!(7)));
    assert!(asked[..3].iter().all(|frame| frame["usage"].is_null()));
    assert_eq!(asked[2]["choices"][0]["native_finish_reason"], "end_turn");
}

#[test]
fn an_error_is_the_last_frame_and_no_done_follows() {
    let error = Error::new(ErrorKind::UpstreamTimeout, "The provider fell silent.");
    let frames =
        frames(&[start(), part(0, PartHead::Text), text(0, "Hi"), ChatEvent::Error(error.clone()), ChatEvent::End], true);
    let expected = json!({"error": {"message": "The provider fell silent.", "type": "server_error", "param": null, "code": "upstream_timeout"}});
    assert_eq!(frames.last(), Some(&expected));
    let alone = OpenAiChat.encode_stream_error(&error, &reply(), true);
    assert_eq!(String::from_utf8(alone).unwrap(), format!("data: {expected}\n\n"));
}

#[test]
fn overlapping_calls_keep_rising_indices_and_a_silent_one_says_empty_arguments() {
    let events = [
        start(),
        part(0, tool("a")),
        part(1, tool("b")),
        part(2, tool("c")),
        text(1, "{\"x\":"),
        text(0, "{}"),
        text(1, "2}"),
        end(0),
        end(1),
        end(2),
        ChatEvent::Finish { choice: 0, finish: FinishReason::new(Finish::ToolCalls, "tool_calls") },
        ChatEvent::End,
    ];
    let frames = frames(&events, false);
    assert_eq!(frames[0]["choices"][0]["delta"], json!({"role": "assistant", "content": null, "refusal": null}));
    let calls: Vec<_> = frames.iter().filter_map(|frame| frame["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    let firsts: Vec<_> = calls.iter().filter(|call| call.get("id").is_some()).map(|call| (&call["index"], &call["id"])).collect();
    assert_eq!(firsts, [(&json!(0), &json!("b")), (&json!(1), &json!("a")), (&json!(2), &json!("c"))]);
    assert_eq!(calls.iter().find(|call| call["id"] == "c").unwrap()["function"]["arguments"], "{}");
    assert_eq!(calls.iter().find(|call| call.get("id").is_none()).unwrap()["index"], 0);
}

#[test]
fn a_signature_before_the_arguments_rides_in_the_id_of_its_call() {
    let proof = Signature { dialect: DialectId::Gemini, data: "c2ln".into() };
    let events = [
        start(),
        part(0, PartHead::Reasoning { redacted: false }),
        text(0, "Unsigned thoughts are shown, not carried."),
        end(0),
        part(1, tool("fc_1")),
        ChatEvent::PartDelta { choice: 0, part: 1, delta: Delta::Signature(proof.clone()) },
        text(1, "{}"),
        end(1),
    ];
    let frames = frames(&events, false);
    assert_eq!(frames[1]["choices"][0]["delta"], json!({"reasoning_content": "Unsigned thoughts are shown, not carried."}));
    let id = frames[2]["choices"][0]["delta"]["tool_calls"][0]["id"].as_str().unwrap();
    let (id, carried) = edgeway_core::chat::carry::unwrap_id(id);
    assert_eq!((id, carried.signature, carried.reasoning.len()), ("fc_1", Some(proof), 0));
}

#[test]
fn reasoning_beyond_what_an_id_can_carry_is_cut_not_kept_without_end() {
    let mut events = vec![start(), part(0, PartHead::Reasoning { redacted: false })];
    events.extend((0..40).map(|_| text(0, &"x".repeat(64 << 10))));
    let proof = Signature { dialect: DialectId::AnthropicMessages, data: "s".into() };
    events.push(ChatEvent::PartDelta { choice: 0, part: 0, delta: Delta::Signature(proof) });
    events.extend([end(0), part(1, tool("t")), text(1, "{}")]);
    let frames = frames(&events, false);
    let id = frames.last().unwrap()["choices"][0]["delta"]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!(id, "t", "reasoning whose text is not whole proves nothing");
}
