//! Rules that every dialect's stream codecs keep, shown on streams that broke one of them once.

use bytes::Bytes;
use edgeway_core::chat::ChatEvent;
use edgeway_core::dialect::driver::{self, Driver};
use edgeway_core::dialect::relay::{Relay, TransportEnd};
use edgeway_core::dialect::{DialectId, Frame, Reply};
use edgeway_core::wire::sse::{Block, Framer};
use edgeway_core::wire::strict;

fn reply() -> Reply {
    Reply { id: "req_1".into(), model: "acme/m".into(), created: 1_760_000_000, usage: true, ..Reply::default() }
}

#[test]
fn a_whole_answer_is_replayed_with_every_field_once() {
    let answer =
        br#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"Hi"}],
        "stop_reason":"refusal","stop_details":{"type":"refusal"},"container":{"id":"c"},
        "usage":{"input_tokens":3,"output_tokens":4,"server_tool_use":{"web_search_requests":1}}}"#;
    let dialect = DialectId::AnthropicMessages;
    let response = dialect.codec().decode_response(answer).expect("an answer");
    let (out, progress) = driver::replay(&response, dialect, reply());
    assert!(progress.ended);
    let mut last = serde_json::Value::Null;
    Framer::new().feed(&out, |block, _| {
        let Block::Event(event) = block else { return };
        strict::object(event.data).unwrap_or_else(|refusal| panic!("{refusal:?} in {}", event.data.escape_ascii()));
        if event.name == "message_delta" {
            last = serde_json::from_slice(event.data).expect("JSON");
        }
    });
    assert_eq!(last["usage"]["server_tool_use"]["web_search_requests"], 1);
    assert_eq!((&last["delta"]["container"]["id"], &last["delta"]["stop_details"]["type"]), (&"c".into(), &"refusal".into()));
}

#[test]
fn an_end_without_a_finish_reason_still_finishes_every_choice() {
    let openai = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"},\
                  \"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";
    let claude = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-x\",\"content\":[]}}\n\n\
                  data: {\"type\":\"message_stop\"}\n\n";
    for (from, input, finished) in [(DialectId::OpenAiChat, openai, 2), (DialectId::AnthropicMessages, claude, 1)] {
        let (mut decoder, mut events) = (from.codec().stream_decoder(), Vec::new());
        Framer::new().feed(input.as_bytes(), |block, _| {
            if let Block::Event(event) = block {
                decoder.frame(Frame { event: event.name, data: event.data }, &mut events).expect("an event");
            }
        });
        let finishes = events.iter().filter(|event| matches!(event, ChatEvent::Finish { .. })).count();
        assert_eq!((finishes, matches!(events.last(), Some(ChatEvent::End))), (finished, true), "{from:?}");
        let mut driver = Driver::new(from, DialectId::Gemini, reply(), "acme");
        driver.feed(Bytes::from_static(input.as_bytes()));
        driver.finish(TransportEnd::Clean);
        assert!(driver.progress().ended, "{from:?}");
    }
}

#[test]
fn a_field_that_a_call_gives_twice_is_passed_once() {
    let call =
        r#"{"index":0,"id":"c","function":{"name":"f","arguments":""},"extra_content":{"google":{"thought_signature":"c2ln"}}}"#;
    let chunk = format!("data: {{\"id\":\"r\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n");
    let mut driver = Driver::new(DialectId::OpenAiChat, DialectId::OpenAiChat, reply(), "acme");
    let mut out = driver.feed(format!("{chunk}{chunk}data: [DONE]\n\n").into()).to_vec();
    out.extend_from_slice(&driver.finish(TransportEnd::Clean));
    Framer::new().feed(&out, |block, _| match block {
        Block::Event(event) if event.data != b"[DONE]" => {
            strict::object(event.data).unwrap_or_else(|refusal| panic!("{refusal:?} in {}", event.data.escape_ascii()));
        }
        _ => {}
    });
    assert!(driver.progress().ended);
}
