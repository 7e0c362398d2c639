//! What is known of models: their limits and who owns their bare names; what a request costs.

pub mod catalog;
mod price;

use std::sync::Arc;

use crate::provider::Provider;

pub use catalog::limits;
pub(crate) use price::sum;
pub use price::{Price, Rates, Tier, Unit, UnitPrice};

/// A model's limits, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelLimits {
    /// Input and output together, in tokens.
    pub context: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u64>,
}

/// What `model` costs at `provider`, by the catalog; `None` when nobody knows.
///
/// What requests are charged is [`Target::price`](crate::config::Target::price), where the configuration has its say.
pub fn price(provider: &Provider, model: &str) -> Option<Arc<Price>> {
    let name = provider.name.as_ref();
    if free(name) { Some(Arc::new(Price::FREE)) } else { catalog::price(name, model).map(Arc::new) }
}

/// Whether a provider is a server of the operator's own, where models cost no money. A local proxy is none of them.
fn free(provider: &str) -> bool {
    let local = |row: &Provider| row.local && row.name != "litellm" || row.speaks.is_empty();
    crate::provider::catalog::find(provider).is_some_and(local)
}
