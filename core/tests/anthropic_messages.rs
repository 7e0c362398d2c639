//! Anthropic's codecs against recorded shapes: what a fixture decodes to, and what it becomes again.
//!
//! Sources of the fixtures are in `fixtures/anthropic_messages/README.md`. Generated values are in
//! `anthropic_messages_round_trip.rs`, single behaviours in `anthropic_messages_behaviour.rs`.

mod anthropic;
mod golden;

use anthropic::{accumulate, check_grammar, decode, encode, frames, reply, whole};
use edgeway_core::chat::{ChatEvent, Warnings, replay};
use edgeway_core::dialect::relay::{Relay, TransportEnd};
use edgeway_core::dialect::{Dialect, DialectId, anthropic_messages::AnthropicMessages, driver::Driver};

const FOLDER: &str = "anthropic_messages";

#[test]
fn requests_decode_and_encode_as_written_down() {
    for fixture in golden::fixtures(FOLDER, "request.json") {
        let request = anthropic::request(&fixture.bytes).expect(&fixture.name);
        let mut warnings = Warnings::default();
        let encoded = anthropic::encode_request(&request, &request.model, &mut warnings).expect(&fixture.name);
        let headers = encoded.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("ASCII")));
        let text = format!(
            "{request:#?}\n\n{}{}\n\nwarnings: {}",
            headers.collect::<String>(),
            golden::pretty(&encoded.body),
            warnings.header()
        );
        golden::check(&fixture, &text);
    }
}

#[test]
fn responses_decode_and_encode_as_written_down() {
    for fixture in golden::fixtures(FOLDER, "response.json") {
        let response = AnthropicMessages.decode_response(&fixture.bytes).expect(&fixture.name);
        let mut warnings = Warnings::default();
        let encoded = AnthropicMessages.encode_response(&response, &reply(), &mut warnings);
        assert!(warnings.is_empty(), "{}: {}", fixture.name, warnings.header());
        golden::check(&fixture, &format!("{response:#?}\n\n{}", golden::pretty(&encoded)));
        let again = AnthropicMessages.decode_response(&encoded).expect("what is sent can be read");
        assert_eq!(again, response, "{}", fixture.name);
    }
}

#[test]
fn a_stream_accumulates_to_its_whole_twin() {
    for fixture in golden::fixtures(FOLDER, "sse") {
        assert_eq!(accumulate(decode(&fixture.bytes)), whole(&fixture.name), "{}", fixture.name);
    }
}

#[test]
fn streams_are_encoded_as_written_down_and_accumulate_the_same_again() {
    for fixture in golden::fixtures(FOLDER, "sse") {
        let encoded = encode(&decode(&fixture.bytes));
        check_grammar(&encoded);
        golden::check(&fixture, std::str::from_utf8(&encoded).expect("UTF-8"));
        assert_eq!(accumulate(decode(&encoded)), whole(&fixture.name), "{}", fixture.name);
    }
}

#[test]
fn a_whole_answer_streams_to_the_same_answer() {
    for fixture in golden::fixtures(FOLDER, "response.json") {
        let response = AnthropicMessages.decode_response(&fixture.bytes).expect(&fixture.name);
        let encoded = encode(&replay(&response));
        check_grammar(&encoded);
        assert_eq!(accumulate(decode(&encoded)), response, "{}", fixture.name);
    }
}

#[test]
fn how_a_stream_is_cut_changes_nothing() {
    let driver = || Driver::new(DialectId::AnthropicMessages, DialectId::AnthropicMessages, reply(), "anthropic");
    for fixture in golden::fixtures(FOLDER, "sse") {
        let uncut = encode(&decode(&fixture.bytes));
        for cut in 0..fixture.bytes.len() {
            let mut driver = driver();
            let (before, after) = fixture.bytes.split_at(cut);
            let mut out = driver.feed(before.to_vec().into()).to_vec();
            out.extend_from_slice(&driver.feed(after.to_vec().into()));
            out.extend_from_slice(&driver.finish(TransportEnd::Clean));
            assert!(out == uncut, "{} cut at {cut}", fixture.name);
        }
    }
}

#[test]
fn sniffing_tells_what_decoding_tells() {
    for fixture in golden::fixtures(FOLDER, "sse") {
        let whole = whole(&fixture.name);
        let mut sniffer = AnthropicMessages.stream_sniffer();
        let sniffed: Vec<_> = frames(&fixture.bytes).iter().map(|frame| sniffer.frame(frame.as_frame())).collect();
        assert_eq!(sniffer.usage(), whole.usage, "{}", fixture.name);
        let count = sniffed.len();
        assert!(sniffed[count - 1].end && sniffed[..count - 1].iter().all(|frame| !frame.end), "{}", fixture.name);
        assert!(sniffed[count - 2].finished && sniffed[..count - 2].iter().all(|frame| !frame.finished), "{}", fixture.name);
        assert!(sniffed.iter().all(|frame| frame.error.is_none() && !frame.usage_only), "{}", fixture.name);
        assert!(!sniffed[0].content, "{}: message_start is lifecycle", fixture.name);
        assert!(sniffed.iter().any(|frame| frame.content), "{}", fixture.name);
    }
    for fixture in golden::fixtures(FOLDER, "response.json") {
        let response = AnthropicMessages.decode_response(&fixture.bytes).expect(&fixture.name);
        assert_eq!(AnthropicMessages.usage(&fixture.bytes), response.usage, "{}", fixture.name);
    }
}

#[test]
fn a_cut_stream_never_says_that_it_ended() {
    for fixture in golden::fixtures(FOLDER, "sse") {
        let frames = frames(&fixture.bytes);
        let events = anthropic::decode_frames(&frames[..frames.len() - 2]);
        assert!(!events.iter().any(|event| matches!(event, ChatEvent::End | ChatEvent::Finish { .. })), "{}", fixture.name);
        // Only `message_stop` is missing: the stop reason was given, so the end is implied.
        let events = anthropic::decode_frames(&frames[..frames.len() - 1]);
        assert_eq!(accumulate(events), whole(&fixture.name), "{}", fixture.name);
    }
}

#[test]
fn an_error_event_ends_the_stream_in_the_same_error() {
    for fixture in golden::fixtures(FOLDER, "sse_error") {
        let events = decode(&fixture.bytes);
        let encoded = encode(&events);
        golden::check(&fixture, std::str::from_utf8(&encoded).expect("UTF-8"));
        let Some(ChatEvent::Error(error)) = events.last() else { panic!("{}: {events:?}", fixture.name) };
        let mut sniffer = AnthropicMessages.stream_sniffer();
        let sniffed = frames(&fixture.bytes).iter().map(|frame| sniffer.frame(frame.as_frame())).last().expect("frames");
        assert_eq!(sniffed.error.map(|error| error.kind), Some(error.kind), "{}", fixture.name);
    }
}

/// Bytes with one of them changed, many times over: what is left is refused or understood, never a panic.
#[test]
fn damaged_bodies_and_frames_are_refused_or_understood() {
    let damaged = |bytes: &[u8]| {
        let places: Vec<usize> = (0..bytes.len()).step_by(3).collect();
        let bytes = bytes.to_vec();
        places.into_iter().flat_map(move |at| {
            let bytes = bytes.clone();
            [b'0', b'"', b'{', b'n', 0xff].into_iter().map(move |byte| {
                let mut damaged = bytes.clone();
                damaged[at] = byte;
                damaged
            })
        })
    };
    for fixture in golden::fixtures(FOLDER, "request.json") {
        for body in damaged(&fixture.bytes) {
            if let Ok(request) = anthropic::request(&body) {
                let _ = anthropic::encode_request(&request, &request.model, &mut Warnings::default());
            }
        }
    }
    for fixture in golden::fixtures(FOLDER, "response.json") {
        for body in damaged(&fixture.bytes) {
            if let Ok(response) = AnthropicMessages.decode_response(&body) {
                AnthropicMessages.encode_response(&response, &reply(), &mut Warnings::default());
            }
            let _ = AnthropicMessages.usage(&body);
        }
    }
    for fixture in golden::fixtures(FOLDER, "sse") {
        for frame in frames(&fixture.bytes) {
            let mut decoder = AnthropicMessages.stream_decoder();
            let mut sniffer = AnthropicMessages.stream_sniffer();
            let mut events = Vec::new();
            for data in damaged(frame.data.as_bytes()) {
                let frame = edgeway_core::dialect::Frame { event: &frame.name, data: &data };
                let _ = decoder.frame(frame, &mut events);
                let _ = sniffer.frame(frame);
            }
            decoder.finish(&mut events);
            encode(&events);
        }
    }
}
