//! Randomness from the operating system.
//!
//! Not buffered: a buffer would repeat after a fork or a restored snapshot, which the port forbids, and
//! one call a request costs a fraction of a microsecond.

use edgeway_core::ports::Entropy;

/// The system's random number generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // The only failures are a kernel without the call and a sandbox that forbids it: both are there
        // from the start, where `ready` finds them.
        getrandom::fill(buffer).expect("the system's random number generator was there at the start");
    }
}

/// Whether the system gives random numbers. Asked once at the start.
pub fn ready() -> Result<(), String> {
    getrandom::fill(&mut [0; 8]).map_err(|error| format!("the system gives no random numbers: {error}"))
}
