//! WASI's random bytes.

use edgeway_core::ports::Entropy;
use spin_sdk::wasip3::random::random;

/// The machine's randomness. Nothing is kept between calls, so an instance that was copied repeats nothing.
pub(crate) struct WasiEntropy;

impl Entropy for WasiEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut filled = 0;
        while filled < buffer.len() {
            // A host may give fewer bytes than asked for, never none.
            let bytes = random::get_random_bytes((buffer.len() - filled) as u64);
            let here = bytes.len().min(buffer.len() - filled);
            buffer[filled..filled + here].copy_from_slice(&bytes[..here]);
            filled += here;
        }
    }

    fn u64(&self) -> u64 {
        random::get_random_u64()
    }
}
