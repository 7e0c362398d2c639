//! Randomness from the runtime's `crypto`.

use edgeway_core::ports::Entropy;
use worker::wasm_bindgen::prelude::*;

/// Most bytes that `crypto.getRandomValues` gives at once.
const MOST: usize = 65_536;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn random_values(buffer: &mut [u8]);
}

/// The runtime's random number generator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuntimeEntropy;

impl Entropy for RuntimeEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.chunks_mut(MOST).for_each(random_values);
    }
}
