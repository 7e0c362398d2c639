//! Server-sent events: the same events however the bytes are cut, and no byte lost.
#![no_main]

use edgeway_core::wire::sse::{self, Block, Framer};
use libfuzzer_sys::fuzz_target;

type Events = Vec<(String, Vec<u8>)>;

/// Events, blocks without an event, and the bytes of all blocks.
fn frames(mut framer: Framer, chunks: &[&[u8]]) -> (Events, usize, Vec<u8>) {
    let (mut events, mut others, mut bytes) = (Vec::new(), 0, Vec::new());
    for chunk in chunks {
        let mut start = 0;
        framer.feed(chunk, |block, end| {
            bytes.extend_from_slice(&chunk[start..end]);
            start = end;
            match block {
                Block::Event(event) => events.push((event.name.to_owned(), event.data.to_owned())),
                Block::Silent | Block::Oversized => others += 1,
                Block::LineFeed => {}
            }
        });
        bytes.extend_from_slice(&chunk[start..]);
    }
    events.extend(framer.finish().map(|event| (event.name.to_owned(), event.data.to_owned())));
    (events, others, bytes)
}

fuzz_target!(|input: &[u8]| {
    for cap in [usize::MAX, 48] {
        let whole = frames(Framer::with_cap(cap), &[input]);
        assert_eq!(whole, frames(Framer::with_cap(cap), &edgeway_fuzz::chunks(input, 0)));
        assert_eq!(whole.2, input);
    }
    // What is written is read again. A CR in data would end its line.
    if !input.contains(&b'\r') {
        let mut out = Vec::new();
        sse::write(&mut out, "name", input);
        assert_eq!(frames(Framer::new(), &[&out]).0, [("name".to_owned(), input.to_owned())]);
    }
});
