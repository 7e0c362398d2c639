//! Limits and budgets: how often, and for how much.
//!
//! | file | what it holds |
//! |---|---|
//! | `spec.rs` | what an operator writes: `60/minute`, `20usd/month` |
//! | `rule.rs` | which of them hold for a request, and in which cells they are counted |
//! | `admission.rs` | what one request holds of them |
//! | `limiter.rs` | admission and settlement |
//! | `alert.rs` | who is told that a budget runs out |
//! | `headers.rs` | what responses say of them |
//! | `leases.rs` | slices from which an instance admits without asking |
//! | `refusal.rs` | why a request is not admitted, in the words of its caller |
//! | `standing.rs` | how they stand, top-ups and resets, for the administration |

mod admission;
mod alert;
mod headers;
mod leases;
mod limiter;
mod refusal;
mod rule;
mod spec;
mod standing;

pub use admission::{Admission, Left, Need};
pub use headers::{headers, is_about_limits};
pub use limiter::{Limiter, RENEW, Settled, Spent};
pub use refusal::Refused;
pub use rule::{Amount, Dimension, Measure, Only, Quota, Rule, Subject, quotas, quotas_of};
pub use spec::{Away, Budget, Limits, Mode, Rate, Span, Unit, UnknownPrice};
pub use standing::{Standing, reset, standing, top_up};
