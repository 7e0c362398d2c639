//! Gemini's codecs against recorded shapes: what a fixture decodes to, and what it becomes again.
//!
//! Sources of the fixtures are in `fixtures/gemini/README.md`. Generated values are in [`round_trip`], single
//! behaviours in [`requests`] and [`answers`].

mod answers;
#[allow(unreachable_pub, reason = "each suite is a crate of its own")]
#[path = "../golden/mod.rs"]
mod golden;
mod requests;
mod round_trip;
mod support;

use edgeway_core::chat::{Accumulator, ChatEvent, ChatResponse, Warnings, replay};
use edgeway_core::dialect::{Dialect, Frame, Reply, RequestHead, StreamForm, Target, gemini::Gemini};
use edgeway_core::model::ModelLimits;
use edgeway_core::provider::Quirks;
use http::HeaderMap;

fn frames(sse: &[u8]) -> Vec<&[u8]> {
    sse.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: ")).map(<[u8]>::trim_ascii_end).collect()
}

fn decode(frames: &[&[u8]]) -> Vec<ChatEvent> {
    let mut decoder = Gemini.stream_decoder();
    let mut events = Vec::new();
    for data in frames {
        decoder.frame(Frame { event: "", data }, &mut events).expect("a chunk");
    }
    decoder.finish(&mut events);
    events
}

fn accumulate(events: Vec<ChatEvent>) -> ChatResponse {
    let mut accumulator = Accumulator::default();
    events.into_iter().for_each(|event| accumulator.push(event));
    let (response, ended) = accumulator.finish().expect("no error");
    assert!(ended, "the stream said that it is done");
    response
}

fn reply(form: StreamForm) -> Reply {
    Reply { id: "ew-1".into(), model: "alias".into(), created: 1_793_882_096, usage: true, form, ..Reply::default() }
}

fn encode(events: &[ChatEvent], form: StreamForm) -> Vec<u8> {
    let mut encoder = Gemini.stream_encoder(reply(form));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

#[test]
fn requests_decode_and_encode_as_written_down() {
    for fixture in golden::fixtures("gemini", "request.json") {
        let headers = HeaderMap::new();
        let head = RequestHead { model: Some("gemini-3-flash-preview"), stream: Some(true), headers: &headers };
        let request = Gemini.decode_request(head, &fixture.bytes).expect(&fixture.name);
        let mut warnings = Warnings::default();
        let target =
            Target { provider: "gemini", model: "gemini-3-flash-preview", quirks: &Quirks::NONE, limits: ModelLimits::default() };
        let encoded = Gemini.encode_request(&request, target, &mut warnings).expect(&fixture.name);
        let again = Gemini.decode_request(head, &encoded.body).expect("what is sent can be read");
        assert_eq!(again.messages.len(), request.messages.len(), "{}", fixture.name);
        let text = format!("{request:#?}\n\n{}\n\n{}", golden::pretty(&encoded.body), warnings.header());
        golden::check(&fixture, &text);
    }
}

#[test]
fn responses_decode_and_encode_as_written_down() {
    for fixture in golden::fixtures("gemini", "response.json") {
        let response = Gemini.decode_response(&fixture.bytes).expect(&fixture.name);
        let mut warnings = Warnings::default();
        let encoded = Gemini.encode_response(&response, &reply(StreamForm::Sse), &mut warnings);
        assert!(warnings.is_empty(), "{}: {}", fixture.name, warnings.header());
        golden::check(&fixture, &format!("{response:#?}\n\n{}", golden::pretty(&encoded)));
        let again = Gemini.decode_response(&encoded).expect("what is sent can be read");
        assert_eq!(again.choices, response.choices, "{}", fixture.name);
        assert_eq!((again.usage, again.extra), (response.usage, response.extra), "{}", fixture.name);
    }
}

#[test]
fn a_stream_accumulates_to_its_whole_twin() {
    for fixture in golden::fixtures("gemini", "sse") {
        let whole = golden::fixture("gemini", &format!("{}.response.json", fixture.name));
        let whole = Gemini.decode_response(&whole).expect(&fixture.name);
        assert_eq!(accumulate(decode(&frames(&fixture.bytes))), whole, "{}", fixture.name);
    }
}

#[test]
fn an_encoded_stream_decodes_to_the_same_response_in_both_framings() {
    for fixture in golden::fixtures("gemini", "response.json") {
        let response = Gemini.decode_response(&fixture.bytes).expect(&fixture.name);
        let events = replay(&response);
        let mut expected = response;
        if expected.id.is_empty() {
            expected.id = "ew-1".into();
        }
        let sse = encode(&events, StreamForm::Sse);
        assert_eq!(accumulate(decode(&frames(&sse))), expected, "{}", fixture.name);

        let array = encode(&events, StreamForm::JsonArray);
        let elements: Vec<serde_json::Value> = serde_json::from_slice(&array).expect("one JSON array");
        let elements: Vec<Vec<u8>> = elements.iter().map(|element| element.to_string().into_bytes()).collect();
        let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
        assert_eq!(accumulate(decode(&elements)), expected, "{}", fixture.name);
    }
}

#[test]
fn streams_are_encoded_as_written_down() {
    for fixture in golden::fixtures("gemini", "sse") {
        let encoded = encode(&decode(&frames(&fixture.bytes)), StreamForm::Sse);
        golden::check(&fixture, &String::from_utf8(encoded).expect("UTF-8").replace("\r\n", "\n"));
    }
}

#[test]
fn sniffing_tells_what_decoding_tells() {
    for fixture in golden::fixtures("gemini", "sse") {
        let frames = frames(&fixture.bytes);
        let whole = accumulate(decode(&frames));
        let mut sniffer = Gemini.stream_sniffer();
        let sniffed: Vec<_> = frames.iter().map(|data| sniffer.frame(Frame { event: "", data })).collect();
        assert_eq!(sniffer.usage(), whole.usage, "{}", fixture.name);
        let (last, before) = sniffed.split_last().expect("frames");
        assert!(last.finished, "{}", fixture.name);
        assert!(fixture.name == "candidates_logprobs" || !before.iter().any(|frame| frame.finished), "{}", fixture.name);
        assert!(sniffed.iter().all(|frame| frame.error.is_none() && !frame.end && !frame.usage_only));
        let has_content = whole.choices.iter().any(|choice| !choice.parts.is_empty());
        assert_eq!(sniffed.iter().any(|frame| frame.content), has_content, "{}", fixture.name);
    }
    for fixture in golden::fixtures("gemini", "response.json") {
        let whole = Gemini.decode_response(&fixture.bytes).expect(&fixture.name);
        assert_eq!(Gemini.usage(&fixture.bytes), whole.usage, "{}", fixture.name);
    }
}

#[test]
fn a_cut_stream_never_says_that_it_ended() {
    for fixture in golden::fixtures("gemini", "sse") {
        let mut frames = frames(&fixture.bytes);
        frames.pop();
        let events = decode(&frames);
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::End | ChatEvent::Finish { .. })), "{}", fixture.name);
    }
}
