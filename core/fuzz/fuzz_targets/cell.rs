//! Cells: any state and any commands, at any time. Nothing panics, nothing grows without bound, nothing has two encodings.
#![no_main]

use bytes::Bytes;
use edgeway_core::cell::pack::Pack;
use edgeway_core::cell::{allowance, chain, concurrency, directory, object, pointer};
use edgeway_core::ports::{CellStep, Timestamp, find_step};
use libfuzzer_sys::fuzz_target;

/// A program's name, the most bytes that its states have, and what re-encodes them.
const PROGRAMS: [(&str, usize, fn(&[u8]) -> Option<Bytes>); 6] = [
    ("edgeway-allowance", 80_000, again::<allowance::State>),
    ("edgeway-concurrency", 24_000, again::<concurrency::State>),
    ("edgeway-pointer", 115_000, again::<pointer::State>),
    ("edgeway-object", 66_000, again::<object::State>),
    ("edgeway-directory", 66_000, again::<directory::State>),
    ("edgeway-chain", 105_000, again::<chain::State>),
];

fn again<S: Pack>(state: &[u8]) -> Option<Bytes> {
    S::from_bytes(state).ok().map(|state| state.to_bytes())
}

/// Takes a piece whose length comes before it in one byte, where 255 is all that is left.
fn piece<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = input.split_first()?;
    let length = if *length == u8::MAX { rest.len() } else { usize::from(*length).min(rest.len()) };
    let (piece, rest) = rest.split_at(length);
    *input = rest;
    Some(piece)
}

fn run(step: &dyn CellStep, most: usize, encode: fn(&[u8]) -> Option<Bytes>, mut input: &[u8]) {
    // An empty first piece begins with no state, another one is a state.
    let mut state = piece(&mut input).filter(|state| !state.is_empty()).map(Bytes::copy_from_slice);
    let mut now = 1_790_000_000_000_000_u64;
    while let Some((time, command)) = piece(&mut input).zip(piece(&mut input)) {
        for byte in time {
            now = now.rotate_left(u32::from(*byte >> 6) * 8).wrapping_add(u64::from(*byte & 63) << 14);
        }
        let next = step.step(state.as_deref(), command, Timestamp(now));
        assert_eq!(format!("{next:?}"), format!("{:?}", step.step(state.as_deref(), command, Timestamp(now))));
        let Ok(next) = next else { continue };
        if let Some(state) = &next.state {
            assert_eq!(encode(state).as_ref(), Some(state));
            assert!(state.len() <= most, "{} bytes", state.len());
        }
        state = next.state;
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((program, input)) = input.split_first() else { return };
    let (name, most, encode) = PROGRAMS[usize::from(*program) % PROGRAMS.len()];
    run(find_step(name).expect("it ships"), most, encode, input);
});
