//! Answers of the Anthropic dialect, whole and streamed, one behaviour a test.

mod anthropic;
mod golden;

use anthropic::{accumulate, check_grammar, decode, encode, frames, reply, request};
use edgeway_core::chat::carry::untag;
use edgeway_core::chat::{
    ChatEvent, ChatResponse, Choice, Delta, Extra, Finish, FinishReason, Media, MediaKind, MediaSource, Part, PartHead,
    Reasoning, Refusal, ResponseHead, Signature, ToolCall, Usage, Warnings, replay,
};
use edgeway_core::dialect::{Dialect, DialectId, Fault, Frame, anthropic_messages::AnthropicMessages};
use edgeway_core::{Error, ErrorKind};
use serde_json::{Value, json};

fn start() -> ChatEvent {
    ChatEvent::Start(ResponseHead { id: "r".into(), model: "gpt".into(), ..ResponseHead::default() })
}

fn call(part: u32, id: &str) -> ChatEvent {
    ChatEvent::PartStart { choice: 0, part, head: PartHead::ToolCall { id: id.into(), name: "f".into() } }
}

fn text(part: u32, text: &str) -> ChatEvent {
    ChatEvent::PartDelta { choice: 0, part, delta: Delta::Text(text.into()) }
}

fn end(part: u32) -> ChatEvent {
    ChatEvent::PartEnd { choice: 0, part }
}

fn finish(unified: Finish, raw: &str) -> ChatEvent {
    ChatEvent::Finish { choice: 0, finish: FinishReason::new(unified, raw) }
}

fn gemini(data: &str) -> Signature {
    Signature { dialect: DialectId::Gemini, data: data.into() }
}

fn answer(parts: Vec<Part>, finish: FinishReason) -> ChatResponse {
    ChatResponse { model: "gpt".into(), choices: vec![Choice { parts, finish, ..Choice::default() }], ..ChatResponse::default() }
}

fn whole(response: &ChatResponse) -> (Value, String) {
    let mut warnings = Warnings::default();
    let body = AnthropicMessages.encode_response(response, &reply(), &mut warnings);
    (serde_json::from_slice(&body).expect("JSON"), warnings.header())
}

fn frame(data: &Value) -> Result<Vec<ChatEvent>, Fault> {
    let mut events = Vec::new();
    let data = data.to_string();
    AnthropicMessages.stream_decoder().frame(Frame { event: "", data: data.as_bytes() }, &mut events).map(|()| events)
}

#[test]
fn parallel_calls_that_overlap_are_written_one_after_the_other() {
    let events = [
        start(),
        ChatEvent::PartStart { choice: 0, part: 0, head: PartHead::Text },
        call(1, "a"),
        text(1, "{\"x\""),
        text(0, "Let me "),
        call(2, "b"),
        text(2, "{\"y\""),
        text(1, ":1}"),
        text(0, "look."),
        text(2, ":2}"),
        end(2),
        end(0),
        end(1),
        ChatEvent::PartStart { choice: 0, part: 3, head: PartHead::Text },
        text(3, "Done."),
        end(3),
        finish(Finish::ToolCalls, "tool_calls"),
        ChatEvent::Usage(Usage { input: 7, output: 9, ..Usage::default() }),
        ChatEvent::End,
    ];
    let encoded = encode(&events);
    check_grammar(&encoded);
    let response = accumulate(decode(&encoded));
    let call = |id: &str, arguments: &str| {
        Part::ToolCall(ToolCall { id: id.into(), name: "f".into(), arguments: arguments.into(), ..ToolCall::default() })
    };
    let parts = vec![Part::text("Let me look."), call("a", "{\"x\":1}"), call("b", "{\"y\":2}"), Part::text("Done.")];
    assert_eq!(response.choices[0].parts, parts);
    assert_eq!(response.usage, Some(Usage { input: 7, output: 9, ..Usage::default() }));
    assert_eq!(response.choices[0].finish.raw, "tool_use");
}

#[test]
fn what_is_open_streams_at_once() {
    let mut encoder = AnthropicMessages.stream_encoder(reply());
    let mut out = Vec::new();
    for event in [start(), call(0, "a"), text(0, "{\"x\":"), call(1, "b"), text(1, "{"), text(0, "1}")] {
        encoder.event(&event, &mut out);
    }
    let written = String::from_utf8(out).unwrap();
    assert!(written.contains(r#""partial_json":"{\"x\":""#) && written.contains(r#""partial_json":"1}""#), "{written}");
    assert!(!written.contains("\"b\""), "the second call waits");
}

#[test]
fn parts_that_never_end_are_closed_with_the_stream() {
    let encoded = encode(&[start(), call(0, "a"), call(1, "b"), text(1, "{}"), ChatEvent::End, text(1, "late"), ChatEvent::End]);
    check_grammar(&encoded);
    assert_eq!(accumulate(decode(&encoded)).choices[0].parts.len(), 2);
}

#[test]
fn other_answers_and_log_probabilities_have_no_place() {
    let second = |event: ChatEvent| match event {
        ChatEvent::PartStart { part, head, .. } => ChatEvent::PartStart { choice: 1, part, head },
        ChatEvent::PartDelta { part, delta, .. } => ChatEvent::PartDelta { choice: 1, part, delta },
        other => other,
    };
    let events = [
        start(),
        second(call(0, "a")),
        second(text(0, "{}")),
        ChatEvent::LogProbs { choice: 0, tokens: Vec::new() },
        ChatEvent::End,
    ];
    let encoded = encode(&events);
    check_grammar(&encoded);
    assert_eq!(frames(&encoded).len(), 3);
}

#[test]
fn another_providers_signatures_ride_to_the_client_and_back() {
    let reasoning = Part::Reasoning(Reasoning { text: "hm".into(), redacted: false, signature: Some(gemini("dGhvdWdodA==")) });
    let unsigned = Part::Reasoning(Reasoning { text: "plain".into(), ..Reasoning::default() });
    let call = Part::ToolCall(ToolCall {
        id: "c1".into(),
        name: "f".into(),
        arguments: "{\"x\":1}".into(),
        signature: Some(gemini("Y2FsbA==")),
        ..ToolCall::default()
    });
    let parts = vec![reasoning, unsigned, call];
    let response = answer(parts.clone(), FinishReason::new(Finish::ToolCalls, "STOP"));
    let streamed = encode(&replay(&response));
    check_grammar(&streamed);
    let content = |blocks: &Value| {
        let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": blocks}]});
        request(body.to_string().as_bytes()).expect("a client's next turn").messages[0].parts.clone()
    };
    let (body, warnings) = whole(&response);
    assert_eq!((content(&body["content"]), warnings.as_str()), (parts.clone(), ""));
    // What an SDK collects from the stream is the same content.
    let collected = accumulate(decode(&streamed));
    let (body, _) = whole(&collected);
    assert_eq!(content(&body["content"]), parts);
    let Part::Reasoning(first) = &collected.choices[0].parts[0] else { panic!("thinking first") };
    let data = &first.signature.as_ref().expect("signed").data;
    assert_eq!(untag(data, DialectId::AnthropicMessages), gemini("dGhvdWdodA=="));
}

#[test]
fn redacted_thinking_without_its_data_is_no_block() {
    let head = PartHead::Reasoning { redacted: true };
    let encoded = encode(&[start(), ChatEvent::PartStart { choice: 0, part: 0, head }, end(0), ChatEvent::End]);
    check_grammar(&encoded);
    assert_eq!(frames(&encoded).len(), 3);
}

#[test]
fn a_refusal_is_text_that_stopped_for_refusal() {
    let response = answer(vec![Part::Refusal(Refusal { text: "No.".into() })], FinishReason::new(Finish::Stop, "stop"));
    let (body, _) = whole(&response);
    assert_eq!((&body["content"][0]["text"], &body["stop_reason"]), (&json!("No."), &json!("refusal")));
    let streamed = accumulate(decode(&encode(&replay(&response))));
    assert_eq!(streamed.choices[0].finish.unified, Finish::ContentFilter);
}

#[test]
fn finish_reasons_of_others_get_anthropics_words() {
    let reason =
        |unified, raw: &str| whole(&answer(vec![Part::text("x")], FinishReason::new(unified, raw))).0["stop_reason"].clone();
    assert_eq!(reason(Finish::Stop, "stop"), "end_turn");
    assert_eq!(reason(Finish::Length, "MAX_TOKENS"), "max_tokens");
    assert_eq!(reason(Finish::ToolCalls, "tool_calls"), "tool_use");
    assert_eq!(reason(Finish::ContentFilter, "SAFETY"), "refusal");
    assert_eq!(reason(Finish::Error, "MALFORMED_FUNCTION_CALL"), "end_turn");
    assert_eq!(reason(Finish::Length, "model_context_window_exceeded"), "model_context_window_exceeded");
    let met = FinishReason { stop_sequence: Some("END".into()), ..FinishReason::new(Finish::Stop, "stop") };
    let (body, _) = whole(&answer(vec![Part::text("x")], met));
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
    let called =
        answer(vec![Part::ToolCall(ToolCall { id: "a".into(), ..ToolCall::default() })], FinishReason::new(Finish::Stop, "stop"));
    assert_eq!(whole(&called).0["stop_reason"], "tool_use");
}

#[test]
fn an_answer_without_an_id_gets_one_from_the_request() {
    let (body, _) = whole(&answer(Vec::new(), FinishReason::default()));
    assert_eq!((&body["id"], &body["model"]), (&json!("msg_ew-1"), &json!("gpt")));
    let encoded = encode(&[ChatEvent::Start(ResponseHead::default()), ChatEvent::End]);
    let message: Value = serde_json::from_str(&frames(&encoded)[0].data).unwrap();
    assert_eq!((&message["message"]["id"], &message["message"]["model"]), (&json!("msg_ew-1"), &json!("alias")));
}

#[test]
fn content_that_has_no_place_is_named() {
    let source = MediaSource::Base64 { mime: "image/png".into(), data: "AAAA".into() };
    let media =
        Media { kind: MediaKind::Image, source, name: None, detail: None, cache: None, signature: None, extra: Extra::default() };
    let mut response = answer(vec![Part::Media(media)], FinishReason::default());
    response.choices.push(Choice { index: 1, ..Choice::default() });
    let (body, warnings) = whole(&response);
    assert_eq!(body["content"], json!([]));
    assert!(warnings.contains("dropped;at=\"choices\"") && warnings.contains("dropped;at=\"content\""), "{warnings}");
    let broken = ToolCall { id: "a".into(), name: "f".into(), arguments: "{\"x\":".into(), ..ToolCall::default() };
    let (body, warnings) = whole(&answer(vec![Part::ToolCall(broken)], FinishReason::new(Finish::Length, "length")));
    assert_eq!(body["content"][0]["input"], json!({"arguments": "{\"x\":"}));
    assert!(warnings.starts_with("approximated;at=\"content.input\""), "{warnings}");
}

#[test]
fn what_is_no_message_is_the_providers_fault() {
    for body in [&b"<html>"[..], b"{}", b"[]", b"{\"content\":7}", b"{\"content\":[{\"type\":\"text\"}]}", b"\xff"] {
        let error = AnthropicMessages.decode_response(body).expect_err("no message");
        assert_eq!(error.kind, ErrorKind::UpstreamInvalid);
        assert!(error.source.is_some());
        assert_eq!(AnthropicMessages.usage(body), None);
    }
}

#[test]
fn unknown_events_are_told_from_corrupt_ones() {
    assert!(matches!(frame(&json!({"type": "message_pause"})), Err(Fault::Unknown)));
    assert!(matches!(frame(&json!({"kind": "x"})), Err(Fault::Corrupt(_))));
    let orphan = json!({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}});
    assert!(matches!(frame(&orphan), Err(Fault::Corrupt(_))));
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    let mut feed = |event: &str, data: &[u8]| decoder.frame(Frame { event, data }, &mut events);
    assert!(matches!(feed("content_block_delta", b"{\"index\":0,\"delta\":{\"type\":\"te"), Err(Fault::Corrupt(_))));
    assert!(matches!(feed("message_start", b"{\"type\":\"message_start\"}"), Err(Fault::Corrupt(_))));
    assert!(feed("content_block_start", b"{\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}").is_ok());
    assert!(matches!(
        feed("content_block_start", b"{\"index\":0,\"content_block\":{\"type\":\"text\"}}"),
        Err(Fault::Corrupt(_))
    ));
    assert!(matches!(feed("content_block_delta", b"{\"index\":0,\"delta\":{\"type\":\"later_delta\"}}"), Err(Fault::Unknown)));
    assert!(feed("content_block_delta", b"{\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}").is_ok());
    assert!(feed("message_stop", b"{}").is_ok());
    assert!(feed("message_stop", b"{}").is_ok(), "nothing follows the end, and nothing is made of it");
    assert_eq!(accumulate(events).choices[0].parts, [Part::text("x")]);
}

#[test]
fn what_waits_for_its_turn_is_capped() {
    let mut encoder = AnthropicMessages.stream_encoder(reply());
    let mut out = Vec::new();
    let chunk = "x".repeat(1 << 20);
    [start(), call(0, "a"), call(1, "b")].iter().for_each(|event| encoder.event(event, &mut out));
    (0..40).for_each(|_| encoder.event(&text(1, &chunk), &mut out));
    encoder.event(&ChatEvent::End, &mut out);
    let events = frames(&out);
    assert_eq!(events.last().map(|event| event.name.as_str()), Some("error"));
    assert_eq!(events.iter().filter(|event| event.name == "error").count(), 1);
    assert!(out.len() < 1000, "nothing of it was written");
}

#[test]
fn open_blocks_and_their_input_are_capped() {
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    let mut feed = |data: Value| decoder.frame(Frame { event: "", data: data.to_string().as_bytes() }, &mut events);
    let block = |index: u32, kind: &str| json!({"type": "content_block_start", "index": index, "content_block": {"type": kind, "text": ""}});
    assert!(feed(block(0, "server_tool_use")).is_ok());
    let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "x".repeat(1 << 20)}});
    assert!((0..16).all(|_| feed(delta.clone()).is_ok()));
    assert!(matches!(feed(delta), Err(Fault::Corrupt(_))));
    assert!((1..64).all(|index| feed(block(index, "text")).is_ok()));
    assert!(matches!(feed(block(64, "text")), Err(Fault::Corrupt(_))));
}

#[test]
fn an_event_whose_name_says_nothing_is_known_by_its_data() {
    let data = br#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#;
    let frame = Frame { event: "message", data };
    let mut events = Vec::new();
    AnthropicMessages.stream_decoder().frame(frame, &mut events).expect("an event");
    assert!(matches!(events.last(), Some(ChatEvent::PartStart { .. })));
    assert!(AnthropicMessages.stream_sniffer().frame(frame).content);
}

#[test]
fn input_that_came_with_its_start_counts_unless_deltas_follow() {
    let stream = |deltas: &[&str]| {
        let mut decoder = AnthropicMessages.stream_decoder();
        let mut events = Vec::new();
        let block = json!({"type": "tool_use", "id": "", "name": "f", "input": {"x": 1}});
        let mut data = vec![json!({"type": "content_block_start", "index": 0, "content_block": block})];
        data.extend(deltas.iter().map(
            |text| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}),
        ));
        data.push(json!({"type": "content_block_stop", "index": 0}));
        data.push(json!({"type": "message_stop"}));
        for data in data {
            decoder.frame(Frame { event: "", data: data.to_string().as_bytes() }, &mut events).expect("an event");
        }
        match &accumulate(events).choices[0].parts[0] {
            Part::ToolCall(call) => (call.id.clone(), call.arguments.clone()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(stream(&[]), ("toolu_0".to_owned(), "{\"x\":1}".to_owned()));
    assert_eq!(stream(&["{\"y\":", "2}"]).1, "{\"y\":2}");
}

#[test]
fn an_error_is_the_last_that_a_stream_says() {
    let error = Error::new(ErrorKind::UpstreamOverloaded, "Overloaded");
    let encoded = encode(&[start(), ChatEvent::Error(error.clone()), text(0, "late"), ChatEvent::End]);
    let events = frames(&encoded);
    assert_eq!(events.len(), 2);
    let data: Value = serde_json::from_str(&events[1].data).unwrap();
    assert_eq!((events[1].name.as_str(), &data["error"]["type"]), ("error", &json!("overloaded_error")));
    let terminal = AnthropicMessages.encode_stream_error(&error, &reply(), true);
    assert_eq!(frames(&terminal)[0].data, events[1].data);
}

#[test]
fn a_sniffer_counts_what_was_generated() {
    let mut sniffer = AnthropicMessages.stream_sniffer();
    let mut sniff = |event: &str, data: &str| sniffer.frame(Frame { event, data: data.as_bytes() });
    let delta = |field: &str, text: &str| {
        format!("{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"x\",\"{field}\": \"{text}\"}}}}")
    };
    for (field, text, bytes) in
        [("text", "hello", 5), ("thinking", r#"a\"text\":b"#, 11), ("partial_json", r#"{\"x\\"#, 6), ("text", "", 0)]
    {
        let sniffed = sniff("content_block_delta", &delta(field, text));
        assert_eq!((sniffed.content_bytes, sniffed.content), (bytes, bytes > 0), "{field} {text}");
    }
    assert!(!sniff("content_block_delta", &delta("signature", "EqQB")).content);
    let block =
        |kind: &str| format!("{{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"{kind}\"}}}}");
    assert!(sniff("content_block_start", &block("tool_use")).content);
    assert!(!sniff("content_block_start", &block("text")).content);
    assert!(sniff("", "not json").error.is_none());
    assert!(!sniff("message_delta", "{\"delta\":{\"stop_reason\":null},\"usage\":null}").finished);
    assert_eq!(sniffer.usage(), None);
}
