//! Every recorded stream through every pair of dialects, cut at every byte, and cut short.
//!
//! What the translations say is for the dialects' own suites; here is what holds for all of them.

mod golden;

use bytes::Bytes;
use edgeway_core::dialect::driver::Driver;
use edgeway_core::dialect::meter::Meter;
use edgeway_core::dialect::relay::{Progress, Relay, TransportEnd};
use edgeway_core::dialect::{DialectId, Frame, Reply, StreamForm};
use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::wire::sse::{Block, Framer};
use golden::Fixture;

const FORMS: [StreamForm; 2] = [StreamForm::Sse, StreamForm::JsonArray];

fn reply(form: StreamForm) -> Reply {
    Reply { id: "req_1".into(), model: "acme/m".into(), created: 1_760_000_000, usage: true, form, ..Reply::default() }
}

fn relayed<'a>(mut relay: impl Relay, chunks: impl IntoIterator<Item = &'a [u8]>, end: TransportEnd) -> (Vec<u8>, Progress) {
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&relay.feed(Bytes::copy_from_slice(chunk)));
    }
    out.extend_from_slice(&relay.finish(end));
    (out, relay.progress().clone())
}

/// Compares what a relay makes of `fixture` whole with what it makes of it in pieces: cut at every
/// `step`th byte, and byte by byte.
fn assert_split_invariant<R: Relay>(fixture: &Fixture, what: &str, step: usize, relay: impl Fn() -> R) -> (Vec<u8>, Progress) {
    let input = &fixture.bytes[..];
    let (whole, progress) = relayed(relay(), [input], TransportEnd::Clean);
    let expected = format!("{progress:?}");
    let check = |chunks: &mut dyn Iterator<Item = &[u8]>, cut: usize| {
        let (out, other) = relayed(relay(), chunks, TransportEnd::Clean);
        let same = out == whole && format!("{other:?}") == expected;
        assert!(same, "{} {what} cut at {cut}:\n{}", fixture.name, String::from_utf8_lossy(&out));
    };
    for cut in (0..=input.len()).step_by(step) {
        check(&mut [&input[..cut], &input[cut..]].into_iter(), cut);
    }
    check(&mut input.chunks(1), 1);
    (whole, progress)
}

fn every_pair_is_split_invariant(from: DialectId) {
    for fixture in golden::fixtures(from.name(), "sse") {
        for to in DialectId::ALL {
            let forms = if to == DialectId::Gemini { &FORMS[..] } else { &FORMS[..1] };
            for form in forms {
                let what = format!("{from:?} to {to:?} {form:?}");
                // The caller's framing does not depend on the provider's.
                let step = if *form == StreamForm::Sse { 1 } else { 61 };
                let driver = || Driver::new(from, to, reply(*form), "acme");
                let (out, progress) = assert_split_invariant(&fixture, &what, step, driver);
                assert!(progress.ended != progress.error.is_some(), "{} {what}: {progress:?}", fixture.name);
                if *form == StreamForm::Sse {
                    let (_, again) = relayed(Driver::new(to, to, reply(*form), "again"), [&out[..]], TransportEnd::Clean);
                    assert_eq!((again.ended, again.skipped), (progress.ended, 0), "{} {what} is not understood", fixture.name);
                } else {
                    serde_json::from_slice::<Vec<serde_json::Value>>(&out).expect("an array");
                }
            }
        }
    }
}

#[test]
fn what_openai_streams_is_translated_the_same_however_it_is_cut() {
    every_pair_is_split_invariant(DialectId::OpenAiChat);
}

#[test]
fn what_anthropic_streams_is_translated_the_same_however_it_is_cut() {
    every_pair_is_split_invariant(DialectId::AnthropicMessages);
}

#[test]
fn what_gemini_streams_is_translated_the_same_however_it_is_cut() {
    every_pair_is_split_invariant(DialectId::Gemini);
}

/// The stream without the frames that hold nothing but usage.
fn without_usage(dialect: DialectId, input: &[u8]) -> Vec<u8> {
    let mut sniffer = dialect.codec().stream_sniffer();
    let (mut shown, mut start) = (Vec::new(), 0);
    Framer::new().feed(input, |block, end| {
        let hide = match block {
            Block::Event(event) => sniffer.frame(Frame { event: event.name, data: event.data }).usage_only,
            _ => false,
        };
        if !hide {
            shown.extend_from_slice(&input[start..end]);
        }
        start = end;
    });
    shown.extend_from_slice(&input[start..]);
    shown
}

#[test]
fn a_stream_of_the_callers_own_dialect_passes_byte_for_byte_however_it_is_cut() {
    let mut hidden = 0;
    for dialect in DialectId::ALL {
        for fixture in golden::fixtures(dialect.name(), "sse") {
            for hide in [false, true] {
                let what = format!("{dialect:?} hide {hide}");
                let meter = || Meter::new(dialect, reply(StreamForm::Sse), hide, "acme");
                let (out, progress) = assert_split_invariant(&fixture, &what, 1, meter);
                let expected = if hide { without_usage(dialect, &fixture.bytes) } else { fixture.bytes.clone() };
                hidden += fixture.bytes.len() - expected.len();
                if progress.ended {
                    assert!(out == expected, "{} {what}:\n{}", fixture.name, String::from_utf8_lossy(&out));
                } else {
                    assert!(progress.error.is_some() && out.starts_with(&expected), "{} {what}: {progress:?}", fixture.name);
                }
            }
        }
    }
    assert!(hidden > 0, "no fixture has a frame of usage alone");
}

#[test]
fn meter_and_driver_agree_on_what_a_stream_took() {
    for dialect in DialectId::ALL {
        for fixture in golden::fixtures(dialect.name(), "sse") {
            let meter = Meter::new(dialect, reply(StreamForm::Sse), false, "acme");
            let driver = Driver::new(dialect, dialect, reply(StreamForm::Sse), "acme");
            let (_, metered) = relayed(meter, [&fixture.bytes[..]], TransportEnd::Clean);
            let (_, driven) = relayed(driver, [&fixture.bytes[..]], TransportEnd::Clean);
            let facts = |progress: &Progress| (progress.usage, progress.ended, progress.error.as_ref().map(|error| error.kind));
            assert_eq!(facts(&metered), facts(&driven), "{} of {dialect:?}", fixture.name);
            assert!(metered.content || !driven.content, "{} of {dialect:?}: content was not seen", fixture.name);
        }
    }
}

#[test]
fn a_stream_cut_short_ends_in_one_error_that_the_callers_dialect_understands() {
    for from in DialectId::ALL {
        for fixture in golden::fixtures(from.name(), "sse") {
            for cut in (0..fixture.bytes.len()).step_by(23) {
                let cut = &fixture.bytes[..cut];
                for to in DialectId::ALL {
                    let reset = TransportEnd::Broken(Error::new(ErrorKind::UpstreamUnavailable, "The connection was reset."));
                    let (out, progress) = relayed(Driver::new(from, to, reply(StreamForm::Sse), "acme"), [cut], reset);
                    let what = format!("{} {from:?} to {to:?} cut at {}", fixture.name, cut.len());
                    assert!(progress.ended != progress.error.is_some(), "{what}: {progress:?}");
                    let (_, seen) =
                        relayed(Driver::new(to, to, reply(StreamForm::Sse), "again"), [&out[..]], TransportEnd::Clean);
                    assert_eq!((seen.ended, seen.skipped), (progress.ended, 0), "{what}: {}", String::from_utf8_lossy(&out));
                    // An error that was read from the stream, not made because it ended.
                    let read = seen.error.as_ref().is_some_and(|error| !error.message.contains("before its answer was complete"));
                    assert_eq!(read, progress.error.is_some(), "{what}: {seen:?}");
                }
            }
        }
    }
}
