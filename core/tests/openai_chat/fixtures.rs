//! Recorded shapes: golden files, and streams against whole answers.
#![allow(clippy::disallowed_methods, reason = "fixtures are files")]

use std::fmt::Write;

use edgeway_core::chat::{ChatEvent, Warnings};
use edgeway_core::dialect::openai_chat::OpenAiChat;
use edgeway_core::dialect::{Dialect, Frame};
use edgeway_core::provider::{MaxTokensField, Quirks};
use edgeway_core::wire::sse::{Block, Framer};

use super::{DIALECT, accumulate, decode_request, encode_request, encode_stream, events, golden, reply};

const OPENAI: Quirks =
    Quirks { max_tokens: MaxTokensField::MaxCompletionTokens, allowed_tools: true, beta_headers: true, ..Quirks::NONE };

/// Takes what others lack (OpenRouter does).
const ROUTER: Quirks = Quirks { top_k: true, cache_control: true, reasoning_details: true, ..Quirks::NONE };

/// Lacks what others take.
const OLD: Quirks = Quirks {
    no_stream_options: true,
    no_developer_role: true,
    no_json_schema: true,
    no_strict_tools: true,
    no_parallel_tool_calls: true,
    tool_choice_any: true,
    short_tool_ids: true,
    no_reasoning_effort: true,
    no_seed: true,
    no_logprobs: true,
    text_as_string: true,
    reasoning_content: true,
    ..Quirks::NONE
};

#[test]
fn requests_become_canonical_and_go_back() {
    for fixture in golden::fixtures(DIALECT, "request.json") {
        let request = decode_request(&fixture.bytes).unwrap_or_else(|error| panic!("{}: {error:?}", fixture.name));
        let mut report = format!("{request:#?}\n");
        for (name, quirks) in [("openai", &OPENAI), ("a router", &ROUTER), ("an old server", &OLD)] {
            let _ = writeln!(report, "\n--- to {name}");
            match encode_request(&request, name, quirks) {
                Ok((encoded, warnings)) => {
                    let _ = writeln!(report, "{}\n--- warnings: {}", golden::pretty(&encoded), warnings);
                }
                Err(error) => {
                    let _ = writeln!(report, "{error:?}");
                }
            }
        }
        golden::check(&fixture, &report);
    }
}

#[test]
fn responses_become_canonical_and_go_back() {
    for fixture in golden::fixtures(DIALECT, "response.json") {
        let response = OpenAiChat.decode_response(&fixture.bytes).unwrap_or_else(|error| panic!("{}: {error:?}", fixture.name));
        let mut warnings = Warnings::default();
        let encoded = OpenAiChat.encode_response(&response, &reply(), &mut warnings);
        let again = OpenAiChat.decode_response(&encoded).expect("what is encoded decodes");
        assert_eq!(again, response, "{}", fixture.name);
        assert_eq!(OpenAiChat.usage(&fixture.bytes), response.usage, "{}", fixture.name);
        golden::check(
            &fixture,
            &format!("{response:#?}\n\n--- back\n{}\n--- warnings: {}", golden::pretty(&encoded), warnings.header()),
        );
    }
}

#[test]
fn streams_become_events_and_go_back() {
    for fixture in golden::fixtures(DIALECT, "sse") {
        let events = events(&fixture.bytes);
        let mut report = String::new();
        events.iter().for_each(|event| writeln!(report, "{event:?}").expect("a string grows"));
        let encoded = encode_stream(&events);
        let _ = write!(report, "\n--- back\n{}", String::from_utf8_lossy(&encoded));
        golden::check(&fixture, &report);

        let (again, events) = (accumulate(super::events(&encoded)), accumulate(events));
        match (events, again) {
            (Ok(answer), Ok(again)) => assert_eq!(again, answer, "{}", fixture.name),
            (Err(error), Err(again)) => assert_eq!(again.message, error.message, "{}", fixture.name),
            (answer, again) => panic!("{}: {answer:?} but {again:?}", fixture.name),
        }
    }
}

#[test]
fn a_stream_and_a_response_of_the_same_name_are_the_same_answer() {
    let mut pairs = 0;
    for fixture in golden::fixtures(DIALECT, "sse") {
        let path = golden::folder(DIALECT).join(format!("{}.response.json", fixture.name));
        let Ok(whole) = std::fs::read(path) else { continue };
        let whole = OpenAiChat.decode_response(&whole).expect("a recorded response decodes");
        let (streamed, ended) = accumulate(events(&fixture.bytes)).expect("a recorded stream succeeds");
        assert!(ended, "{}", fixture.name);
        assert_eq!(streamed, whole, "{}", fixture.name);
        pairs += 1;
    }
    assert!(pairs >= 12, "{pairs} pairs");
}

#[test]
fn the_sniffer_tells_the_same_as_the_decoder() {
    for fixture in golden::fixtures(DIALECT, "sse") {
        let mut sniffer = OpenAiChat.stream_sniffer();
        let (mut end, mut finished, mut content, mut error) = (false, false, false, None);
        let mut framer = Framer::new();
        framer.feed(&fixture.bytes, |block, _| {
            if let Block::Event(event) = block {
                let sniffed = sniffer.frame(Frame { event: event.name, data: event.data });
                end |= sniffed.end;
                finished |= sniffed.finished;
                content |= sniffed.content;
                error = error.take().or(sniffed.error);
            }
        });
        match accumulate(events(&fixture.bytes)) {
            Ok((answer, ended)) => {
                assert_eq!(sniffer.usage(), answer.usage, "{}", fixture.name);
                assert!(ended && (end || finished), "{}", fixture.name);
                assert_eq!(content, answer.choices.iter().any(|choice| !choice.parts.is_empty()), "{}", fixture.name);
            }
            Err(failure) => assert_eq!(error.map(|error| error.message), Some(failure.message), "{}", fixture.name),
        }
    }
}

#[test]
fn a_truncated_stream_never_ends() {
    for fixture in golden::fixtures(DIALECT, "sse") {
        let text = String::from_utf8(fixture.bytes).unwrap();
        let frames: Vec<_> = text.split_inclusive("\n\n").collect();
        let finish = frames
            .iter()
            .position(|frame| {
                ["stop", "tool_calls", "length", "content_filter", "error"]
                    .iter()
                    .any(|word| frame.contains(&format!("\"finish_reason\":\"{word}\"")))
            })
            .unwrap();
        for cut in 0..finish {
            let events = events(frames[..cut].concat().as_bytes());
            assert!(!events.iter().any(|event| matches!(event, ChatEvent::End)), "{} cut at {cut}", fixture.name);
        }
    }
}
