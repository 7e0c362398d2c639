//! What is known of models: their limits and who owns their bare names; what a request costs.

mod catalog;
mod price;

pub use catalog::limits;
pub use price::Price;

/// A model's limits, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelLimits {
    /// Input and output together, in tokens.
    pub context: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u64>,
}
