//! Limits and budgets: how often, and for how much.
//!
//! | file | what it holds |
//! |---|---|
//! | `spec.rs` | what an operator writes: `60/minute`, `20usd/month` |

mod spec;

pub use spec::{Away, Budget, Limits, Mode, Rate, Span, Unit, UnknownPrice};
