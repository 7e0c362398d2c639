//! Reads usage and state from a streamed body that passes untouched: caller and provider speak the
//! same dialect.
//!
//! | what arrives | what the caller gets |
//! |---|---|
//! | complete events | the same bytes, the same memory if no event is cut |
//! | the beginning of an event | nothing until its end, or until it has grown to [`HOLD`] |
//! | a frame of usage that the gateway asked for and the caller did not | nothing |
//! | the end of transport after the protocol's end, or after a finish reason | what was held |
//! | any other end of transport | the dialect's terminal error event instead of what was held |
//!
//! The beginning of an event is held because no client can use it, and half an event before the
//! error event would make clients report bad JSON instead of the error.
//!
//! Invariant: what is delivered is what arrived, byte for byte, but for hidden frames and an error at
//! the end; how the input is cut changes neither (see `tests`).

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::driver::by;
use super::relay::{Progress, Relay, TransportEnd};
use super::{Dialect, DialectId, Frame, Reply, StreamForm, StreamSniffer};
use crate::chat::Usage;
use crate::error::{Error, ErrorKind};
use crate::wire::json_array::{Item, Splitter};
use crate::wire::sse::{Block, Framer};

/// How much of an incomplete event is held back.
pub const HOLD: usize = 64 << 10;

/// A stream that passes untouched.
pub struct Meter {
    framing: Framing,
    /// The incomplete event at the end of what arrived.
    held: Vec<u8>,
    /// The incomplete event grew above [`HOLD`]: its beginning has been passed.
    leaked: bool,
    /// Something has been passed.
    began: bool,
    gauge: Gauge,
    dialect: &'static dyn Dialect,
    reply: Reply,
}

impl Meter {
    /// A meter for one stream of `dialect` in the form that `reply` names. `hide_usage`: the gateway
    /// asked for usage and the caller did not.
    pub fn new(dialect: DialectId, reply: Reply, hide_usage: bool, provider: &str) -> Self {
        let dialect = dialect.codec();
        Self::over(dialect.stream_sniffer(), dialect, reply, hide_usage, provider)
    }

    fn over(
        sniffer: Box<dyn StreamSniffer>,
        dialect: &'static dyn Dialect,
        reply: Reply,
        hide_usage: bool,
        provider: &str,
    ) -> Self {
        let framing = match reply.form {
            StreamForm::Sse => Framing::Sse(Framer::new()),
            StreamForm::JsonArray => Framing::JsonArray(Splitter::new()),
        };
        let provider = provider.to_owned();
        let gauge = Gauge { sniffer, hide_usage, provider, finished: false, hidden: false, progress: Progress::default() };
        Self { framing, held: Vec::new(), leaked: false, began: false, gauge, dialect, reply }
    }

    /// Passes `chunk` up to `end`, where its last complete event ends, without the `hidden` ranges.
    fn pass(&mut self, chunk: &Bytes, end: usize, hidden: &[Range<usize>]) -> Bytes {
        if hidden.first().is_some_and(|range| range.start == 0) {
            self.held.clear();
        }
        let same_event = end == 0;
        let waiting = chunk.len() - end + if same_event { self.held.len() } else { 0 };
        self.leaked = waiting > HOLD || (same_event && self.leaked);
        let end = if self.leaked { chunk.len() } else { end };
        let passed = if end == 0 {
            Bytes::new()
        } else if self.held.is_empty() && hidden.is_empty() {
            chunk.slice(..end)
        } else {
            let (mut out, mut from) = (std::mem::take(&mut self.held), 0);
            for range in hidden {
                out.extend_from_slice(&chunk[from..range.start]);
                from = range.end;
            }
            out.extend_from_slice(&chunk[from..end]);
            out.into()
        };
        self.held.extend_from_slice(&chunk[end..]);
        self.began |= !passed.is_empty();
        passed
    }

    /// Whether the provider said all that it had to say, given that the transport ended cleanly or not.
    fn complete(&self, clean: bool) -> bool {
        let Gauge { progress, finished, .. } = &self.gauge;
        // A reset is not an end, even after a finish reason: usage may be missing. An array's end is its bracket.
        let implied = clean && *finished && self.reply.form == StreamForm::Sse;
        progress.ended || progress.error.is_some() || implied
    }
}

impl Relay for Meter {
    fn feed(&mut self, chunk: Bytes) -> Bytes {
        let Self { framing, gauge, leaked, .. } = self;
        let (mut last, mut hidden, mut leaked) = (0, Vec::new(), *leaked);
        framing.feed(&chunk, |seen, end| {
            let start = std::mem::replace(&mut last, end);
            // What has begun to pass cannot be hidden any more.
            let pass = std::mem::take(&mut leaked);
            if gauge.look(seen) && !pass {
                hidden.push(start..end);
            }
        });
        self.pass(&chunk, last, &hidden)
    }

    fn finish(&mut self, end: TransportEnd) -> Bytes {
        let broken = match end {
            TransportEnd::Clean => None,
            TransportEnd::Broken(error) => Some(error),
        };
        if let (None, Framing::Sse(framer)) = (&broken, &mut self.framing)
            && let Some(event) = framer.finish()
        {
            let hide = self.gauge.look(Seen::Frame(Frame { event: event.name, data: event.data }));
            if hide && !self.leaked {
                self.held.clear();
            }
        }
        self.gauge.progress.usage = self.gauge.sniffer.usage();
        let held = std::mem::take(&mut self.held);
        if self.complete(broken.is_none()) {
            self.gauge.progress.ended |= self.gauge.progress.error.is_none();
            return held.into();
        }
        let cut = || Error::new(ErrorKind::UpstreamInvalid, "The provider's stream ended before its answer was complete.");
        let error = by(&self.gauge.provider, broken.unwrap_or_else(cut));
        let mut out = Vec::new();
        if self.leaked && self.reply.form == StreamForm::Sse {
            out.extend_from_slice(b"\n\n");
        }
        out.extend(self.dialect.encode_stream_error(&error, &self.reply, self.began));
        self.gauge.progress.error = Some(error);
        out.into()
    }

    fn progress(&self) -> &Progress {
        &self.gauge.progress
    }

    fn usage(&self) -> Option<Usage> {
        self.gauge.sniffer.usage()
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("progress", self.progress()).finish_non_exhaustive()
    }
}

/// What a frame or the bytes between frames tell, whatever the framing.
enum Seen<'a> {
    Frame(Frame<'a>),
    /// Nothing for the sniffer: comments, keep-alives.
    Nothing,
    /// An event too large to look into, or what is not of the framing.
    Unreadable,
    /// The rest of the line end of the event before.
    LineFeed,
    /// The end of an array.
    Closed,
}

enum Framing {
    Sse(Framer),
    JsonArray(Splitter),
}

impl Framing {
    fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Seen<'_>, usize)) {
        match self {
            Self::Sse(framer) => framer.feed(chunk, |block, end| {
                let seen = match block {
                    Block::Event(event) => Seen::Frame(Frame { event: event.name, data: event.data }),
                    Block::Silent => Seen::Nothing,
                    Block::Oversized => Seen::Unreadable,
                    Block::LineFeed => Seen::LineFeed,
                };
                each(seen, end);
            }),
            Self::JsonArray(splitter) => splitter.feed(chunk, |item, end| {
                let seen = match item {
                    Item::Element(data) => Seen::Frame(Frame { event: "", data }),
                    Item::Oversized => Seen::Unreadable,
                    Item::Closed => Seen::Closed,
                    Item::Malformed => Seen::Unreadable,
                    Item::Rest => Seen::Nothing,
                };
                each(seen, end);
            }),
        }
    }
}

/// Looks at frames and keeps what they tell.
struct Gauge {
    sniffer: Box<dyn StreamSniffer>,
    hide_usage: bool,
    provider: String,
    /// A finish reason was given.
    finished: bool,
    /// The last frame was one to hide.
    hidden: bool,
    progress: Progress,
}

impl Gauge {
    /// Takes note; tells whether to hide the bytes.
    fn look(&mut self, seen: Seen<'_>) -> bool {
        let progress = &mut self.progress;
        self.hidden = match seen {
            Seen::LineFeed => return self.hidden,
            Seen::Nothing => false,
            Seen::Unreadable => {
                // Too much for anything but content.
                progress.skipped += 1;
                progress.content = true;
                false
            }
            Seen::Closed => {
                progress.ended = true;
                false
            }
            Seen::Frame(frame) => {
                let sniffed = self.sniffer.frame(frame);
                progress.content |= sniffed.content;
                progress.content_bytes += sniffed.content_bytes;
                progress.ended |= sniffed.end;
                self.finished |= sniffed.finished;
                if let (None, Some(error)) = (&progress.error, sniffed.error) {
                    progress.error = Some(by(&self.provider, error));
                }
                sniffed.usage_only && self.hide_usage
            }
        };
        self.hidden
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sniffed;
    use super::*;

    /// A protocol of words: `say hello`, `stop`, `usage 3`, `end`, `fail`; in an array they are JSON strings.
    #[derive(Default)]
    struct Words(Option<Usage>);

    impl StreamSniffer for Words {
        fn frame(&mut self, frame: Frame<'_>) -> Sniffed {
            let data = String::from_utf8_lossy(frame.data);
            let (word, rest) = data.trim_matches('"').split_once(' ').unwrap_or((data.trim_matches('"'), ""));
            if word == "usage" {
                self.0 = Some(Usage { output: rest.parse().unwrap_or(0), ..Usage::default() });
            }
            Sniffed {
                content: word == "say",
                content_bytes: if word == "say" { rest.len() } else { 0 },
                end: word == "end",
                finished: word == "stop",
                error: (word == "fail").then(|| Error::new(ErrorKind::UpstreamOverloaded, "busy")),
                usage_only: word == "usage",
            }
        }

        fn usage(&self) -> Option<Usage> {
            self.0
        }
    }

    const CODEC: &dyn Dialect = &crate::dialect::openai_chat::OpenAiChat;

    fn meter(form: StreamForm, hide_usage: bool) -> Meter {
        Meter::over(Box::new(Words::default()), CODEC, Reply { form, ..Reply::default() }, hide_usage, "acme")
    }

    fn run<'a>(mut meter: Meter, chunks: impl IntoIterator<Item = &'a [u8]>, end: TransportEnd) -> (Vec<u8>, Progress) {
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend_from_slice(&meter.feed(Bytes::copy_from_slice(chunk)));
            assert!(meter.held.len() <= HOLD);
        }
        out.extend_from_slice(&meter.finish(end));
        (out, meter.progress().clone())
    }

    fn reset() -> TransportEnd {
        TransportEnd::Broken(Error::new(ErrorKind::UpstreamUnavailable, "reset"))
    }

    fn error_frame(progress: &Progress, form: StreamForm, began: bool) -> Vec<u8> {
        let error = progress.error.as_ref().expect("the stream was cut");
        assert_eq!(error.upstream.as_ref().map(|upstream| upstream.provider.as_str()), Some("acme"));
        CODEC.encode_stream_error(error, &Reply { form, ..Reply::default() }, began)
    }

    #[test]
    fn whole_events_pass_as_the_same_memory() {
        let mut meter = meter(StreamForm::Sse, true);
        for text in ["data: say a\n\n: ping\n\n", "data: say b\r\n\r\n", "data: end\n\n"] {
            let chunk = Bytes::from_static(text.as_bytes());
            let passed = meter.feed(chunk.clone());
            assert_eq!((passed.as_ptr(), passed.len()), (chunk.as_ptr(), chunk.len()));
        }
        assert!(meter.finish(TransportEnd::Clean).is_empty());
        let progress = meter.progress();
        assert!(progress.content && progress.ended && progress.error.is_none());
        assert_eq!(progress.content_bytes, 2);
    }

    #[test]
    fn everything_but_the_hidden_frame_passes_byte_for_byte_however_it_is_cut() {
        const FRAMES: [&str; 12] = [
            "data: say a\n\n",
            "data: say é\r\n\r\n",
            "data:say 😀\r\r",
            ": ping\n\n",
            "event: x\ndata: say\n\n",
            "\n",
            "\r\n",
            "id: 7\n\n",
            "data: usage 3\n\n",
            "data: usage 4\r\n\r\n",
            "data: usage 5\r\r",
            ": c\rdata: usage 6\r\n\n",
        ];
        let mut seed = 3_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..300 {
            // A CR and a frame that begins with LF would make one line end of two.
            let mut frames: Vec<&str> = Vec::new();
            for _ in 0..next(8) {
                let frame = FRAMES[next(FRAMES.len())];
                if !(frame.starts_with('\n') && frames.last().is_some_and(|last| last.ends_with('\r'))) {
                    frames.push(frame);
                }
            }
            frames.push("data: end\n\n");
            let input = frames.concat();
            for hide in [false, true] {
                let shown: String = frames.iter().filter(|frame| !(hide && frame.contains("usage"))).copied().collect();
                let usage = run(meter(StreamForm::Sse, hide), [input.as_bytes()], TransportEnd::Clean).1.usage;
                let check = |chunks: &[&[u8]]| {
                    let (out, progress) = run(meter(StreamForm::Sse, hide), chunks.iter().copied(), TransportEnd::Clean);
                    assert_eq!(out.escape_ascii().to_string(), shown.as_bytes().escape_ascii().to_string(), "{chunks:?}");
                    assert!(progress.ended && progress.error.is_none());
                    assert_eq!(progress.usage, usage);
                };
                for cut in 0..=input.len() {
                    let (a, b) = input.as_bytes().split_at(cut);
                    check(&[a, b]);
                }
                check(&input.as_bytes().chunks(1 + next(4)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_event_too_large_to_hold_passes_as_it_comes() {
        let input = format!("data: say {}\n\ndata: usage 3\n\ndata: end\n\n", "x".repeat(3 * HOLD));
        let expected = input.replace("data: usage 3\n\n", "");
        for size in [1000, HOLD, HOLD + 1, 2 * HOLD, input.len()] {
            let (out, progress) = run(meter(StreamForm::Sse, true), input.as_bytes().chunks(size), TransportEnd::Clean);
            assert!(out == expected.as_bytes(), "chunks of {size}");
            assert_eq!(progress.content_bytes, 3 * HOLD);
        }
    }

    #[test]
    fn a_cut_stream_ends_in_an_error_after_its_last_whole_event() {
        let whole = "data: say a\n\n";
        for end in [TransportEnd::Clean, reset()] {
            let (out, progress) = run(meter(StreamForm::Sse, false), [whole.as_bytes(), b"data: sa"], end);
            assert_eq!(out, [whole.as_bytes(), &error_frame(&progress, StreamForm::Sse, true)].concat());
            assert!(!progress.ended);
        }
        let (out, progress) = run(meter(StreamForm::Sse, false), [], TransportEnd::Clean);
        assert_eq!(out, error_frame(&progress, StreamForm::Sse, false));
        // What has begun to pass is ended first.
        let long = format!("data: say {}", "x".repeat(2 * HOLD));
        let (out, progress) = run(meter(StreamForm::Sse, false), [long.as_bytes()], reset());
        assert_eq!(out, [long.as_bytes(), b"\n\n", &error_frame(&progress, StreamForm::Sse, true)].concat());
    }

    #[test]
    fn a_finish_reason_and_a_clean_end_are_an_end() {
        for input in ["data: say a\n\ndata: stop\n\n", "data: say a\n\ndata: end", "data: stop\r\n\r\n: bye"] {
            let (out, progress) = run(meter(StreamForm::Sse, true), [input.as_bytes()], TransportEnd::Clean);
            assert_eq!((out, progress.error.is_none(), progress.ended), (input.as_bytes().to_vec(), true, true));
        }
        let (out, _) = run(meter(StreamForm::Sse, true), [&b"data: stop\n\ndata: usage 3"[..]], TransportEnd::Clean);
        assert_eq!(out, b"data: stop\n\n");
        let (_, progress) = run(meter(StreamForm::Sse, true), [&b"data: stop\n\n"[..]], reset());
        assert!(progress.error.is_some());
    }

    #[test]
    fn usage_can_be_asked_for_before_the_end() {
        let mut meter = meter(StreamForm::Sse, true);
        meter.feed(Bytes::from_static(b"data: say a\n\ndata: usage 3\n\n"));
        assert_eq!(meter.usage().map(|usage| usage.output), Some(3));
    }

    #[test]
    fn the_providers_own_error_passes_and_nothing_is_added() {
        let input = b"data: say a\n\ndata: fail\n\n";
        for end in [TransportEnd::Clean, reset()] {
            let (out, progress) = run(meter(StreamForm::Sse, false), [&input[..]], end);
            assert_eq!(out, input);
            assert_eq!(progress.error.map(|error| error.kind), Some(ErrorKind::UpstreamOverloaded));
        }
    }

    #[test]
    fn an_array_passes_byte_for_byte_and_its_end_is_its_bracket() {
        let input = "[\"say a\"\r\n,\n\"say b]\" , \"usage 3\"\n]\n";
        for cut in 0..=input.len() {
            let (a, b) = input.as_bytes().split_at(cut);
            let (out, progress) = run(meter(StreamForm::JsonArray, false), [a, b], TransportEnd::Clean);
            assert_eq!(out, input.as_bytes());
            assert!(progress.ended && progress.error.is_none());
            assert_eq!((progress.content_bytes, progress.usage.map(|usage| usage.output)), (3, Some(3)));
        }
        for cut in 0..input.len() - 2 {
            let (out, progress) = run(meter(StreamForm::JsonArray, false), [&input.as_bytes()[..cut]], TransportEnd::Clean);
            let passed = match cut {
                0..8 => "",
                8..20 => "[\"say a\"",
                20..32 => "[\"say a\"\r\n,\n\"say b]\"",
                _ => "[\"say a\"\r\n,\n\"say b]\" , \"usage 3\"",
            };
            let expected = [passed.as_bytes(), &error_frame(&progress, StreamForm::JsonArray, !passed.is_empty())].concat();
            assert_eq!(out, expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_array_passes_and_is_an_error() {
        let (out, progress) = run(meter(StreamForm::JsonArray, false), [&b"<html>"[..], b"x"], TransportEnd::Clean);
        assert!(out.starts_with(b"<html>x"));
        assert_eq!((progress.skipped, progress.ended, progress.error.is_some()), (1, false, true));
    }
}
