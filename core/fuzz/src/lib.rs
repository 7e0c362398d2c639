//! What the fuzz targets share: cutting inputs into chunks, and mutating JSON as JSON.
//!
//! Invariant: everything here depends on the input alone, so that a crash can be repeated.

pub mod mutate;
pub mod reference;

use bytes::Bytes;
use edgeway_core::chat::{Accumulator, ChatResponse, Choice, Part};
use edgeway_core::dialect::relay::{Progress, Relay, TransportEnd};
use edgeway_core::dialect::{DialectId, Frame};
use edgeway_core::wire::sse::{Block, Framer};

/// `input` in chunks of pseudo-random sizes, small ones often, empty ones sometimes. Different for each `round`.
pub fn chunks(input: &[u8], round: u64) -> Vec<&[u8]> {
    let mut seed =
        input.iter().fold(round ^ 0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
    let (mut chunks, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let most = [3, 16, 64, 512][(seed >> 60) as usize % 4];
        let (chunk, after) = rest.split_at(((seed >> 33) as usize % most).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// What a relay delivers for `chunks`, and how far it came.
pub fn relayed<'a>(mut relay: impl Relay, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Progress) {
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&relay.feed(Bytes::copy_from_slice(chunk)));
    }
    out.extend_from_slice(&relay.finish(TransportEnd::Clean));
    (out, relay.progress().clone())
}

/// Whether two relays delivered the same and came equally far.
pub fn same(a: &(Vec<u8>, Progress), b: &(Vec<u8>, Progress)) -> bool {
    a.0 == b.0 && format!("{:?}", a.1) == format!("{:?}", b.1)
}

/// Whether a response is one that a model could give: other dialects have no words for calls without a
/// name; media and blocks of one dialect pass as they are, whatever they hold.
pub fn sound(response: &ChatResponse) -> bool {
    let parts = |choice: &Choice| {
        choice.parts.iter().all(|part| match part {
            Part::ToolCall(call) => !call.name.is_empty(),
            Part::Opaque(_) | Part::Media(_) => false,
            _ => true,
        })
    };
    !response.choices.is_empty() && response.choices.iter().all(parts)
}

/// What a stream of `dialect` says, as a response; `None` when it fails or is cut short.
pub fn accumulated(dialect: DialectId, stream: &[u8]) -> Option<ChatResponse> {
    let (mut decoder, mut events) = (dialect.codec().stream_decoder(), Vec::new());
    let mut framer = Framer::new();
    framer.feed(stream, |block, _| {
        if let Block::Event(event) = block {
            let _ = decoder.frame(Frame { event: event.name, data: event.data }, &mut events);
        }
    });
    if let Some(event) = framer.finish() {
        let _ = decoder.frame(Frame { event: event.name, data: event.data }, &mut events);
    }
    decoder.finish(&mut events);
    let mut accumulator = Accumulator::default();
    events.into_iter().for_each(|event| accumulator.push(event));
    accumulator.finish().ok().filter(|(_, ended)| *ended).map(|(response, _)| response)
}
