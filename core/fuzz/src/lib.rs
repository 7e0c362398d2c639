//! What the fuzz targets share: cutting inputs into chunks, and mutating JSON as JSON.
//!
//! Invariant: everything here depends on the input alone, so that a crash can be repeated.

pub mod mutate;
pub mod reference;

use bytes::Bytes;
use edgeway_core::dialect::relay::{Relay, TransportEnd};

/// `input` in chunks of pseudo-random sizes, small ones often, empty ones sometimes. Different for each `round`.
pub fn chunks(input: &[u8], round: u64) -> Vec<&[u8]> {
    let mut seed = input.iter().fold(round ^ 0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    });
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

/// What a relay delivers for `chunks`, and how far it came, for comparison.
pub fn relayed<'a>(mut relay: impl Relay, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, String) {
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&relay.feed(Bytes::copy_from_slice(chunk)));
    }
    out.extend_from_slice(&relay.finish(TransportEnd::Clean));
    (out, format!("{:?}", relay.progress()))
}
