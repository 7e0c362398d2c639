//! Limits and budgets: how often, and for how much.
//!
//! | file | what it holds |
//! |---|---|
//! | `spec.rs` | what an operator writes: `60/minute`, `20usd/month` |
//! | `rule.rs` | which of them hold for a request, and in which cells they are counted |
//! | `admission.rs` | what one request holds of them |
//! | `limiter.rs` | admission and settlement |
//! | `headers.rs` | what responses say of them |
//! | `leases.rs` | slices from which an instance admits without asking |

mod admission;
mod headers;
mod leases;
mod limiter;
mod rule;
mod spec;

pub use admission::{Admission, Left, Need};
pub use headers::{headers, is_about_limits};
pub use limiter::{Limiter, RENEW, Refused, Settled, Spent};
pub use rule::{Amount, Dimension, Measure, Only, Quota, Rule, Subject, of_budgets, of_limits, quotas};
pub use spec::{Away, Budget, Limits, Mode, Rate, Span, Unit, UnknownPrice};
