//! From a requested model to the targets that may serve it.

mod plan;

pub(crate) use plan::matches;
pub use plan::{Candidate, Plan, plan, visible_models};
