//! From a requested model to the targets that may serve it.

mod plan;

pub use plan::{Candidate, Plan, plan, visible_models};
