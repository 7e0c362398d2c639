//! Runs one dialect's decoder and another's encoder over a streamed body.
//!
//! Owns the policy for everything that a stream can do wrong, so that codecs need none:
//!
//! | what arrives | what the caller gets | recorded as |
//! |---|---|---|
//! | an event that the decoder does not know | nothing | `skipped` |
//! | an event that is not of the protocol's shape | nothing | `skipped` |
//! | half of a surrogate pair in a text | the text around it, and U+FFFD | |
//! | [`MAX_CORRUPT`] of those in a row | the terminal error event | `error`, `UpstreamInvalid` |
//! | an event above the framer's cap | the terminal error event: content is lost | `error`, `UpstreamInvalid` |
//! | the provider's own error event | the same error in the caller's dialect | `error` |
//! | a clean end of transport whose protocol end was implied | that end | `ended` |
//! | a clean end of transport before the protocol's end | the terminal error event | `error`, `UpstreamInvalid` |
//! | a broken transport before the protocol's end | the terminal error event | `error`, the transport's |
//! | anything after the end or an error | nothing | |
//!
//! A last event without its blank line counts, if the transport ended cleanly and it can be decoded.
//!
//! Invariant: the caller's stream ends in the provider's end or in exactly one error event; an end is
//! never invented.

use std::fmt;

use bytes::Bytes;

use super::relay::{Progress, Relay, TransportEnd};
use super::{DialectId, Fault, Frame, Reply, StreamDecoder, StreamEncoder};
use crate::chat::{self, ChatEvent, ChatResponse, Delta, PartHead};
use crate::error::{Error, ErrorKind};
use crate::wire::json_string::mended;
use crate::wire::sse::{Block, Event, Framer};

/// How many corrupt events in a row are taken for a provider that speaks something else.
pub const MAX_CORRUPT: u32 = 8;

/// A stream translated from one dialect to another.
pub struct Driver {
    framer: Framer,
    translation: Translation,
}

impl Driver {
    /// A driver for one stream: `provider` sends server-sent events of dialect `from`, the caller
    /// gets `to` in the form that `reply` names.
    pub fn new(from: DialectId, to: DialectId, reply: Reply, provider: &str) -> Self {
        Self::over(from.codec().stream_decoder(), to.codec().stream_encoder(reply), provider)
    }

    fn over(decoder: Box<dyn StreamDecoder>, encoder: Box<dyn StreamEncoder>, provider: &str) -> Self {
        let translation = Translation {
            decoder,
            encoder,
            provider: provider.to_owned(),
            events: Vec::new(),
            corrupt: 0,
            understood: false,
            progress: Progress::default(),
        };
        Self { framer: Framer::new(), translation }
    }
}

impl Relay for Driver {
    fn feed(&mut self, chunk: Bytes) -> Bytes {
        let Self { framer, translation } = self;
        let mut out = Vec::new();
        if !translation.done() {
            framer.feed(&chunk, |block, _| translation.block(block, &mut out));
        }
        out.into()
    }

    fn finish(&mut self, end: TransportEnd) -> Bytes {
        let Self { framer, translation } = self;
        let mut out = Vec::new();
        if translation.done() {
            return Bytes::new();
        }
        match end {
            TransportEnd::Clean => {
                if let Some(event) = framer.finish() {
                    translation.event(event, &mut out);
                }
                translation.end(&mut out);
            }
            TransportEnd::Broken(error) => translation.fail(error, &mut out),
        }
        out.into()
    }

    fn progress(&self) -> &Progress {
        &self.translation.progress
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("progress", self.progress()).finish_non_exhaustive()
    }
}

/// A response that came whole, as the stream that the caller of dialect `to` asked for: all of its
/// bytes, and the progress at its end.
pub fn replay(response: &ChatResponse, to: DialectId, reply: Reply) -> (Bytes, Progress) {
    let mut encoder = to.codec().stream_encoder(reply);
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    for event in chat::replay(response) {
        note(&event, &mut progress);
        encoder.event(&event, &mut out);
    }
    (out.into(), progress)
}

/// The codecs of one stream, and what became of it so far.
struct Translation {
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    provider: String,
    /// Events of the frame under way; kept for its memory.
    events: Vec<ChatEvent>,
    /// Corrupt events since the last good one.
    corrupt: u32,
    /// Some event was decoded.
    understood: bool,
    progress: Progress,
}

impl Translation {
    /// Whether nothing more may be passed.
    fn done(&self) -> bool {
        self.progress.ended || self.progress.error.is_some()
    }

    fn block(&mut self, block: Block<'_>, out: &mut Vec<u8>) {
        match block {
            Block::Event(event) => self.event(event, out),
            Block::Oversized => {
                self.fail(Error::new(ErrorKind::UpstreamInvalid, "The provider sent an event too large to translate."), out)
            }
            Block::Silent | Block::LineFeed => {}
        }
    }

    fn event(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.done() {
            return;
        }
        let data = mended(event.data);
        let decoded = self.decoder.frame(Frame { event: event.name, data: &data }, &mut self.events);
        self.pass(out);
        match decoded {
            Ok(()) => (self.corrupt, self.understood) = (0, true),
            Err(Fault::Unknown) => self.progress.skipped += 1,
            Err(Fault::Corrupt(why)) => {
                self.progress.skipped += 1;
                self.corrupt += 1;
                if self.corrupt == MAX_CORRUPT {
                    self.fail(not_understood().source(why), out);
                }
            }
        }
    }

    /// The transport ended cleanly.
    fn end(&mut self, out: &mut Vec<u8>) {
        if !self.done() {
            self.decoder.finish(&mut self.events);
            self.pass(out);
        }
        let error = match self.understood || self.progress.skipped == 0 {
            true => Error::new(ErrorKind::UpstreamInvalid, "The provider's stream ended before its answer was complete."),
            false => not_understood(),
        };
        self.fail(error, out);
    }

    /// Encodes what was decoded.
    fn pass(&mut self, out: &mut Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                _ if self.done() => {}
                ChatEvent::Error(error) => self.fail(error, out),
                event => {
                    note(&event, &mut self.progress);
                    self.encoder.event(&event, out);
                }
            }
        }
        self.events = events;
    }

    /// Ends the caller's stream with an error event, unless it has ended.
    fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        if !self.done() {
            let event = ChatEvent::Error(by(&self.provider, error));
            self.encoder.event(&event, out);
            note(&event, &mut self.progress);
        }
    }
}

/// Names the provider in an error of its stream.
pub(super) fn by(provider: &str, mut error: Error) -> Error {
    let upstream = error.upstream.get_or_insert_default();
    if upstream.provider.is_empty() {
        provider.clone_into(&mut upstream.provider);
    }
    error
}

fn not_understood() -> Error {
    Error::new(ErrorKind::UpstreamInvalid, "The provider's stream could not be understood.")
}

/// What an event tells the pipeline.
fn note(event: &ChatEvent, progress: &mut Progress) {
    match event {
        ChatEvent::Start(head) if !head.id.is_empty() => progress.response_id = Some(head.id.clone()),
        ChatEvent::PartStart { head: PartHead::ToolCall { .. } | PartHead::Media(_) | PartHead::Opaque(_), .. } => {
            progress.content = true;
        }
        ChatEvent::PartDelta { delta: Delta::Text(text), .. } if !text.is_empty() => {
            progress.content = true;
            progress.content_bytes += text.len();
        }
        ChatEvent::Finish { choice, finish } if *choice == 0 || progress.finish.is_none() => {
            progress.finish = Some(finish.clone());
        }
        ChatEvent::Usage(usage) => progress.usage = Some(*usage),
        ChatEvent::End => progress.ended = true,
        ChatEvent::Error(error) => progress.error = Some(error.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Finish, FinishReason, ResponseHead, Usage};

    /// A protocol of words: `start r1`, `say hello`, `usage 3`, `stop`, `end`, `fail why`, `junk`; an
    /// event named `new` is one that it does not know.
    #[derive(Default)]
    struct Words {
        stopped: bool,
    }

    impl StreamDecoder for Words {
        fn frame(&mut self, frame: Frame<'_>, events: &mut Vec<ChatEvent>) -> Result<(), Fault> {
            let data = std::str::from_utf8(frame.data).map_err(|error| Fault::Corrupt(error.to_string()))?;
            let (word, rest) = data.split_once(' ').unwrap_or((data, ""));
            match word {
                _ if frame.event == "new" => return Err(Fault::Unknown),
                "start" => events.push(ChatEvent::Start(ResponseHead { id: rest.into(), ..ResponseHead::default() })),
                "say" => events.push(ChatEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text(rest.into()) }),
                "usage" => {
                    events.push(ChatEvent::Usage(Usage { output: rest.parse().unwrap_or(0), ..Usage::default() }));
                }
                "stop" => {
                    self.stopped = true;
                    events.push(ChatEvent::Finish { choice: 0, finish: FinishReason::new(Finish::Stop, "stop") });
                }
                "end" => events.push(ChatEvent::End),
                "fail" => events.push(ChatEvent::Error(Error::new(ErrorKind::UpstreamOverloaded, rest))),
                "ping" => {}
                _ => return Err(Fault::Corrupt(data.into())),
            }
            Ok(())
        }

        fn finish(&mut self, events: &mut Vec<ChatEvent>) {
            if self.stopped {
                events.push(ChatEvent::End);
            }
        }
    }

    /// Writes one letter or text an event.
    struct Letters;

    impl StreamEncoder for Letters {
        fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
            out.extend_from_slice(match event {
                ChatEvent::Start(_) => b"<",
                ChatEvent::PartDelta { delta: Delta::Text(text), .. } => text.as_bytes(),
                ChatEvent::Finish { .. } => b".",
                ChatEvent::End => b">",
                ChatEvent::Error(error) => return out.extend_from_slice(format!("!{}", error.kind.name()).as_bytes()),
                _ => b"",
            });
        }
    }

    fn run(chunks: &[&[u8]], end: TransportEnd) -> (String, Progress) {
        let mut driver = Driver::over(Box::new(Words::default()), Box::new(Letters), "acme");
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend_from_slice(&driver.feed(Bytes::copy_from_slice(chunk)));
        }
        out.extend_from_slice(&driver.finish(end));
        (String::from_utf8_lossy(&out).into_owned(), driver.progress().clone())
    }

    fn clean(input: &str) -> (String, Progress) {
        run(&[input.as_bytes()], TransportEnd::Clean)
    }

    fn broken(input: &str) -> (String, Progress) {
        run(&[input.as_bytes()], TransportEnd::Broken(Error::new(ErrorKind::UpstreamTimeout, "silent for 30 s")))
    }

    /// A stream whose events are `words`.
    fn stream(words: &str) -> String {
        words.split(", ").map(|word| format!("data: {word}\n\n")).collect()
    }

    #[test]
    fn a_whole_stream_is_translated_and_noted() {
        let (out, progress) = clean(&stream("start r1, ping, say he, say llo, stop, usage 3, end"));
        assert_eq!(out, "<hello.>");
        assert!(progress.content && progress.ended && progress.error.is_none());
        assert_eq!((progress.content_bytes, progress.skipped), (5, 0));
        assert_eq!(progress.response_id.as_deref(), Some("r1"));
        assert_eq!(progress.usage.map(|usage| usage.output), Some(3));
        assert_eq!(progress.finish, Some(FinishReason::new(Finish::Stop, "stop")));
    }

    #[test]
    fn content_begins_with_the_first_text_not_with_lifecycle() {
        let mut driver = Driver::over(Box::new(Words::default()), Box::new(Letters), "acme");
        driver.feed(stream("start r1, ping, say ").into());
        assert!(!driver.progress().content);
        driver.feed(stream("say x").into());
        assert!(driver.progress().content);
    }

    #[test]
    fn unknown_and_corrupt_events_are_skipped_and_counted() {
        let input = format!("{}event: new\ndata: say no\n\n{}", stream("start r1, junk"), stream("say x, end"));
        let (out, progress) = clean(&input);
        assert_eq!((out.as_str(), progress.skipped), ("<x>", 2));
    }

    #[test]
    fn eight_corrupt_events_in_a_row_are_an_error_seven_are_not() {
        let junk = |n: usize| vec!["junk"; n].join(", ");
        let (out, progress) = clean(&stream(&format!("start r1, {}, say x, {}, end", junk(7), junk(7))));
        assert_eq!((out.as_str(), progress.skipped), ("<x>", 14));
        let (out, progress) = clean(&stream(&format!("start r1, {}, say x, end", junk(8))));
        assert_eq!((out.as_str(), progress.skipped), ("<!upstream_invalid", 8));
        assert_eq!(progress.error.and_then(|error| error.source).as_deref(), Some("junk"));
    }

    #[test]
    fn a_stream_of_which_nothing_can_be_decoded_is_an_error() {
        let (out, progress) = clean(&stream("junk, junk"));
        assert_eq!(out, "!upstream_invalid");
        assert_eq!(progress.error.map(|error| error.message).as_deref(), Some("The provider's stream could not be understood."));
    }

    #[test]
    fn the_providers_error_ends_the_stream_in_the_callers_dialect() {
        let (out, progress) = clean(&stream("start r1, say x, fail busy, say y, end"));
        assert_eq!(out, "<x!upstream_overloaded");
        let error = progress.error.expect("the provider failed");
        assert_eq!((error.message.as_str(), error.upstream.expect("named").provider.as_str()), ("busy", "acme"));
        assert!(!progress.ended);
    }

    #[test]
    fn a_cut_stream_ends_in_an_error_and_never_in_an_invented_end() {
        for words in ["start r1, say x", "start r1", "start r1, say x, junk"] {
            let (out, progress) = clean(&stream(words));
            assert!(out.ends_with("!upstream_invalid") && !progress.ended, "{words}: {out}");
            let (out, progress) = broken(&stream(words));
            assert!(out.ends_with("!upstream_timeout") && !progress.ended, "{words}: {out}");
        }
        // A reset is not an end, even after a finish reason: usage may be missing.
        assert_eq!(broken(&stream("start r1, say x, stop")).0, "<x.!upstream_timeout");
        assert_eq!(clean("").0, "!upstream_invalid");
    }

    #[test]
    fn an_end_that_the_protocol_implies_is_an_end() {
        assert_eq!(clean(&stream("start r1, say x, stop")).0, "<x.>");
    }

    #[test]
    fn a_last_event_without_its_blank_line_counts_when_the_transport_ended_cleanly() {
        assert_eq!(clean("data: start r1\n\ndata: end").0, "<>");
        assert_eq!(clean("data: start r1\n\ndata: en").0, "<!upstream_invalid");
        assert_eq!(broken("data: start r1\n\ndata: say half").0, "<!upstream_timeout");
    }

    #[test]
    fn nothing_passes_after_the_end() {
        assert_eq!(clean(&stream("start r1, end, say x, fail late, end")).0, "<>");
        let (out, progress) = broken(&stream("start r1, end"));
        assert_eq!((out.as_str(), progress.error.is_none()), ("<>", true));
    }

    #[test]
    fn an_event_too_large_is_an_error_because_content_is_lost() {
        let mut driver = Driver::over(Box::new(Words::default()), Box::new(Letters), "acme");
        driver.framer = Framer::with_cap(64);
        let out = driver.feed(stream(&format!("start r1, say {}, say y", "x".repeat(100))).into());
        assert_eq!(out, "<!upstream_invalid");
    }

    #[test]
    fn how_the_stream_is_cut_does_not_matter() {
        let input = format!("{}: ping\r\n\r\n{}", stream("start r1, junk, say é€"), stream("say 😀, stop, usage 9"));
        let at_once = clean(&input);
        for cut in 0..=input.len() {
            let (a, b) = input.as_bytes().split_at(cut);
            let (out, progress) = run(&[a, b], TransportEnd::Clean);
            assert_eq!((&out, format!("{progress:?}")), (&at_once.0, format!("{:?}", at_once.1)), "cut at {cut}");
        }
    }
}
