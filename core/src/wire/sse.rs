//! Server-sent events, incrementally. Bytes in, events out; knows nothing of JSON or models.
//!
//! Follows the WHATWG HTML standard, section 9.2.6, with these decisions:
//!
//! | input | what happens |
//! |---|---|
//! | LF, CR LF, CR in any mix, also cut between CR and LF | each ends a line |
//! | a byte order mark before the first line | skipped |
//! | comments, blocks without `data` | [`Block::Silent`]: no event, but their place is told |
//! | several `data` lines | joined with LF |
//! | `id`, `retry`, unknown fields | ignored: a gateway never reconnects |
//! | a last event without its blank line | [`Framer::finish`] gives it; the caller decides |
//! | a block above the cap | [`Block::Oversized`], its bytes are not kept |
//!
//! Every block comes with its end in the chunk, so that a caller can pass or leave out exactly its
//! bytes. An event that lies in one chunk is borrowed from it.
//!
//! Invariant: how the input is cut into chunks never changes the events (see `tests`).

use std::ops::Range;

use memchr::{memchr_iter, memchr2};

/// The largest block that is kept, in bytes: a base64 image fits, a runaway stream does not.
pub const MAX_BLOCK: usize = 16 << 20;

/// Memory that an idle framer may keep for the next cut event.
const KEEP: usize = 64 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// An event: what a dialect decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event's name; `""` when it has none, U+FFFD when it is not UTF-8.
    pub name: &'a str,
    /// Its data lines, joined with LF.
    pub data: &'a [u8],
}

/// What lies between two blank lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// An event.
    Event(Event<'a>),
    /// Comments or fields without `data`: a keep-alive.
    Silent,
    /// A block above the cap. Its content is lost.
    Oversized,
    /// The LF of a CR LF whose CR ended the previous chunk and the previous block. Belongs to that block.
    LineFeed,
}

/// Cuts a byte stream into events.
#[derive(Debug)]
pub struct Framer {
    /// The part of the block under way that came in earlier chunks. Empty: no block is under way.
    tail: Vec<u8>,
    /// How far the block under way has been read.
    scan: Scan,
    /// Data of several lines, joined.
    joined: Vec<u8>,
    /// The last byte was the CR of a line end: an LF that follows belongs to it.
    after_cr: bool,
    /// The block under way is above the cap.
    oversized: bool,
    cap: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::with_cap(MAX_BLOCK)
    }
}

impl Framer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A framer with its own cap on a block's bytes.
    pub fn with_cap(cap: usize) -> Self {
        let scan = Scan { first: true, ..Scan::default() };
        Self { tail: Vec::new(), scan, joined: Vec::new(), after_cr: false, oversized: false, cap }
    }

    /// Reads a chunk. `each` gets every block that it completes, and where in `chunk` the block
    /// ends; the next block begins there.
    pub fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Block<'_>, usize)) {
        let Some(&first) = chunk.first() else { return };
        let mut at = 0;
        if std::mem::take(&mut self.after_cr) && first == b'\n' {
            at = 1;
            if self.tail.is_empty() {
                each(Block::LineFeed, at);
            } else {
                self.tail.push(b'\n');
                self.scan.skip(1);
            }
        }
        while at < chunk.len() {
            if self.tail.is_empty() {
                let block = &chunk[at..];
                let Some(end) = self.scan.block_end(block) else {
                    self.after_cr = block.last() == Some(&b'\r');
                    self.tail.extend_from_slice(block);
                    self.cap_tail();
                    return;
                };
                let end = at + end;
                self.after_cr = end == chunk.len() && chunk[end - 1] == b'\r';
                let content = match self.scan.size() > self.cap {
                    true => Block::Oversized,
                    false => self.scan.content(&block[..self.scan.line], &mut self.joined),
                };
                each(content, end);
                at = end;
            } else {
                at = self.grow_tail(chunk, at);
                let end = self.scan.block_end(&self.tail);
                self.after_cr = at == chunk.len() && chunk[at - 1] == b'\r';
                self.cap_tail();
                if end.is_none() {
                    continue;
                }
                let content = match std::mem::take(&mut self.oversized) {
                    true => Block::Oversized,
                    false => self.scan.content(&self.tail, &mut self.joined),
                };
                each(content, at);
                self.tail.clear();
                self.tail.shrink_to(KEEP);
            }
            self.joined.shrink_to(KEEP);
            self.scan = Scan::default();
        }
    }

    /// The stream ended. Gives the event that was under way, if it had any data: its last line, or
    /// only the blank line after it, is missing.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        if self.tail.is_empty() || self.oversized {
            return None;
        }
        self.scan.line(&self.tail, self.tail.len());
        match self.scan.content(&self.tail, &mut self.joined) {
            Block::Event(event) => Some(event),
            _ => None,
        }
    }

    /// Moves the rest of the line that begins or goes on at `at` into the tail; gives where it ends.
    fn grow_tail(&mut self, chunk: &[u8], at: usize) -> usize {
        let end = match memchr2(b'\n', b'\r', &chunk[at..]) {
            Some(eol) if chunk[at + eol] == b'\r' && chunk.get(at + eol + 1) == Some(&b'\n') => at + eol + 2,
            Some(eol) => at + eol + 1,
            None => chunk.len(),
        };
        self.tail.extend_from_slice(&chunk[at..end]);
        end
    }

    /// Forgets the bytes of a tail above the cap: what is left is a comment with the same line state.
    fn cap_tail(&mut self) {
        // A block's size is what lies before its blank line, so that cuts at its end do not matter.
        self.oversized |= self.tail.len().min(self.scan.size()) > self.cap;
        if self.oversized {
            let stub: &[u8] = if self.scan.line < self.tail.len() { b":" } else { b":\n" };
            self.tail = stub.to_vec();
            self.scan = Scan { line: if stub.len() == 1 { 0 } else { 2 }, at: stub.len(), ..Scan::default() };
        }
    }
}

/// How far a block has been read. Offsets count from the block's start, so that they hold in a chunk
/// as well as in the tail.
#[derive(Debug, Default)]
struct Scan {
    /// Where the line under way begins.
    line: usize,
    /// Where reading goes on.
    at: usize,
    /// The blank line was met.
    ended: bool,
    name: Range<usize>,
    /// The first data line's value.
    data: Option<Range<usize>>,
    /// There are more data lines than one.
    several: bool,
    /// This is the stream's first block: a byte order mark may stand before it.
    first: bool,
}

impl Scan {
    /// Reads on in `block`; gives the end of its blank line, if that is there.
    fn block_end(&mut self, block: &[u8]) -> Option<usize> {
        while let Some(eol) = memchr2(b'\n', b'\r', &block[self.at..]) {
            let end = self.at + eol;
            let next = if block[end] == b'\r' && block.get(end + 1) == Some(&b'\n') { end + 2 } else { end + 1 };
            self.ended = end == self.line;
            if self.ended {
                return Some(next);
            }
            self.line(block, end);
            (self.line, self.at) = (next, next);
        }
        self.at = block.len();
        None
    }

    /// Steps over bytes that end a line already read.
    fn skip(&mut self, bytes: usize) {
        self.line += bytes;
        self.at += bytes;
    }

    /// The block's bytes so far, without its blank line.
    fn size(&self) -> usize {
        if self.ended { self.line } else { usize::MAX }
    }

    /// Takes the line under way, which ends at `end`.
    fn line(&mut self, block: &[u8], end: usize) {
        let mut start = self.line;
        if self.first && start == 0 && block[..end].starts_with(BOM) {
            start = BOM.len();
        }
        let line = &block[start..end];
        if let Some(after) = value(line, b"data") {
            self.several = self.data.is_some();
            self.data.get_or_insert(start + after..end);
        } else if let Some(after) = value(line, b"event") {
            self.name = start + after..end;
        }
    }

    /// What the block says, now that it is complete.
    fn content<'a>(&self, block: &'a [u8], joined: &'a mut Vec<u8>) -> Block<'a> {
        let Some(data) = self.data.clone() else { return Block::Silent };
        let name = std::str::from_utf8(&block[self.name.clone()]).unwrap_or("\u{FFFD}");
        if !self.several {
            return Block::Event(Event { name, data: &block[data] });
        }
        joined.clear();
        joined.extend_from_slice(&block[data.clone()]);
        for line in block[data.end..].split(|byte| matches!(byte, b'\n' | b'\r')) {
            if let Some(after) = value(line, b"data") {
                joined.push(b'\n');
                joined.extend_from_slice(&line[after..]);
            }
        }
        Block::Event(Event { name, data: joined })
    }
}

/// Where the value of `field` begins, if `line` is that field: after the colon and one space.
fn value(line: &[u8], field: &[u8]) -> Option<usize> {
    match line.strip_prefix(field)? {
        [] => Some(field.len()),
        [b':', b' ', ..] => Some(field.len() + 2),
        [b':', ..] => Some(field.len() + 1),
        _ => None,
    }
}

/// Begins an event: what is appended to `out` until [`close`] is its data, in one line.
pub fn open(out: &mut Vec<u8>, name: &str) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
}

/// Ends an event that [`open`] began.
pub fn close(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n\n");
}

/// Appends an event whose data may hold line feeds.
pub fn write(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    open(out, name);
    let mut start = 0;
    for eol in memchr_iter(b'\n', data) {
        out.extend_from_slice(&data[start..=eol]);
        out.extend_from_slice(b"data: ");
        start = eol + 1;
    }
    out.extend_from_slice(&data[start..]);
    close(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Named = (String, Vec<u8>);

    /// What a caller sees, with the bytes of each block put together from the chunks.
    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        events: Vec<Named>,
        blocks: Vec<Vec<u8>>,
        oversized: usize,
        rest: Option<Named>,
    }

    fn see<'a>(framer: &mut Framer, chunks: impl IntoIterator<Item = &'a [u8]>) -> Seen {
        let (mut seen, mut open) = (Seen::default(), Vec::new());
        for chunk in chunks {
            let mut start = 0;
            framer.feed(chunk, |block, end| {
                open.extend_from_slice(&chunk[start..end]);
                start = end;
                if block == Block::LineFeed {
                    seen.blocks.last_mut().expect("a block came before").append(&mut open);
                    return;
                }
                seen.blocks.push(std::mem::take(&mut open));
                match block {
                    Block::Event(event) => seen.events.push((event.name.to_owned(), event.data.to_owned())),
                    Block::Oversized => seen.oversized += 1,
                    Block::Silent | Block::LineFeed => {}
                }
            });
            open.extend_from_slice(&chunk[start..]);
        }
        seen.rest = framer.finish().map(|event| (event.name.to_owned(), event.data.to_owned()));
        seen.blocks.push(open);
        seen
    }

    fn whole(input: &[u8]) -> Seen {
        see(&mut Framer::new(), [input])
    }

    fn events(input: &str) -> Vec<(String, String)> {
        let text = |(name, data): Named| (name, String::from_utf8(data).unwrap());
        whole(input.as_bytes()).events.into_iter().map(text).collect()
    }

    fn data(input: &str) -> Vec<String> {
        events(input).into_iter().map(|(_, data)| data).collect()
    }

    /// The standard's own algorithm, byte by byte, with events as (name, data).
    fn reference(input: &[u8]) -> (Vec<Named>, Option<Named>) {
        let input = input.strip_prefix(BOM).unwrap_or(input);
        let mut lines = vec![Vec::new()];
        let mut bytes = input.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' => {
                    bytes.next_if_eq(&b'\n');
                    lines.push(Vec::new());
                }
                b'\n' => lines.push(Vec::new()),
                byte => lines.last_mut().unwrap().push(byte),
            }
        }
        let last = lines.pop().unwrap();
        let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), None::<Vec<u8>>);
        let take = |line: &[u8], name: &mut Vec<u8>, data: &mut Option<Vec<u8>>| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value).to_vec();
            match &line[..colon] {
                b"event" => *name = value,
                b"data" => match data {
                    Some(data) => data.extend([b"\n".to_vec(), value].concat()),
                    None => *data = Some(value),
                },
                _ => {}
            }
        };
        let text = |name: Vec<u8>| String::from_utf8(name).unwrap_or("\u{FFFD}".into());
        for line in lines {
            if line.is_empty() {
                let name = text(std::mem::take(&mut name));
                events.extend(data.take().map(|data| (name, data)));
            } else {
                take(&line, &mut name, &mut data);
            }
        }
        take(&last, &mut name, &mut data);
        (events, data.map(|data| (text(name), data)))
    }

    /// A small generator of numbers, so that a failure can be repeated.
    fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
        move |below| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        }
    }

    #[test]
    fn any_line_end_ends_a_line_in_any_mix() {
        for end in ["\n", "\r\n", "\r"] {
            let input = format!("event: a{end}data: 1{end}{end}data: 2{end}data:3{end}{end}");
            assert_eq!(events(&input), [("a".into(), "1".into()), (String::new(), "2\n3".into())]);
        }
        assert_eq!(data("data: 1\r\n\ndata: 2\n\r\ndata: 3\r\rdata: 4\n\r"), ["1", "2", "3", "4"]);
    }

    #[test]
    fn comments_pings_and_unknown_fields_are_no_events() {
        assert_eq!(data(": hi\n\n:\n\nid: 7\nretry: 10\n\nevent: ping\n\nfoo\ndata\ndatax: 1\n\n"), [""]);
        assert_eq!(events("event: a\nevent: b\ndata:  two spaces \n\n"), [("b".into(), " two spaces ".into())]);
        assert_eq!(whole(b": hi\n\n\n").blocks, [&b": hi\n\n"[..], b"\n", b""]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        assert_eq!(data("\u{FEFF}data: 1\n\n\u{FEFF}data: 2\n\n"), ["1"]);
    }

    #[test]
    fn a_last_event_without_its_blank_line_is_told_apart() {
        let seen = whole(b"data: 1\n\nevent: x\ndata: 2");
        assert_eq!((seen.events.len(), seen.rest), (1, Some(("x".into(), b"2".to_vec()))));
        assert_eq!(whole(b"data: 1\n\n: bye\n").rest, None);
        assert_eq!(whole(b"data: [DONE]\n").rest, Some((String::new(), b"[DONE]".to_vec())));
    }

    #[test]
    fn an_event_in_one_chunk_is_borrowed_from_it() {
        let chunk = b"data: 1\n\n".to_vec();
        Framer::new().feed(&chunk, |block, _| {
            let Block::Event(event) = block else { panic!("an event") };
            assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()));
        });
    }

    #[test]
    fn a_block_above_the_cap_is_skipped_without_keeping_it() {
        let long = format!("data: 1\n\ndata: {}\ndata: x\r\n\r\ndata: 2\n\n", "x".repeat(100));
        for size in 1..long.len() {
            let mut framer = Framer::with_cap(64);
            let seen = see(&mut framer, long.as_bytes().chunks(size));
            assert_eq!((seen.events.len(), seen.oversized), (2, 1), "chunks of {size}");
            assert_eq!(seen.blocks.concat(), long.as_bytes());
        }
        let mut framer = Framer::with_cap(64);
        framer.feed(b"data: ", |_, _| {});
        (0..10_000).for_each(|_| framer.feed(&[b'x'; 100], |_, _| {}));
        assert!(framer.tail.capacity() < 1000);
        assert_eq!(framer.finish(), None);
    }

    #[test]
    fn the_cap_does_not_depend_on_cuts() {
        for length in 50..70 {
            let input = format!("data: {}\r\n\r\ndata: 2\n\n", "x".repeat(length));
            let at_once = see(&mut Framer::with_cap(64), [input.as_bytes()]);
            for cut in 0..=input.len() {
                let (a, b) = input.as_bytes().split_at(cut);
                assert_eq!(see(&mut Framer::with_cap(64), [a, b]), at_once, "length {length}, cut at {cut}");
            }
        }
    }

    #[test]
    fn split_invariance() {
        const PIECES: [&[u8]; 20] = [
            b"data: ",
            b"data:",
            b"data",
            b"event: ",
            b"event",
            b":",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\r\n\r\n",
            b"x",
            b"id: 1",
            "é€😀".as_bytes(),
            b"\xFF",
            b"{\"a\":1}",
            BOM,
            b"\0",
            b"retry",
        ];
        let mut next = numbers(7);
        for round in 0..3000 {
            let input: Vec<u8> = (0..next(24)).flat_map(|_| PIECES[next(PIECES.len())]).copied().collect();
            let at_once = whole(&input);
            let (events, rest) = reference(&input);
            assert_eq!((&at_once.events, &at_once.rest), (&events, &rest), "{round}: {:?}", input.escape_ascii().to_string());
            assert_eq!(at_once.blocks.concat(), input);
            for cut in 0..=input.len() {
                let (a, b) = input.split_at(cut);
                assert_eq!(see(&mut Framer::new(), [a, b]), at_once, "cut at {cut}: {}", input.escape_ascii());
            }
            let size = 1 + next(3);
            assert_eq!(see(&mut Framer::new(), input.chunks(size)), at_once, "chunks of {size}: {}", input.escape_ascii());
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut out = Vec::new();
        write(&mut out, "", b"{}");
        write(&mut out, "message_stop", b"two\nlines\n");
        assert_eq!(out, b"data: {}\n\nevent: message_stop\ndata: two\ndata: lines\ndata: \n\n");
        let seen = whole(&out);
        assert_eq!(seen.events, [(String::new(), b"{}".to_vec()), ("message_stop".into(), b"two\nlines\n".to_vec())]);
    }
}
