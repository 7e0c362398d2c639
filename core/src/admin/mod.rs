//! Administration: what an operator can ask of a running gateway, and change.
//!
//! One desk for two doors: the HTTP endpoints at `/admin/v1` (every target has them, see [`crate::endpoint`]), and a
//! command line that has the gateway's stores at hand and no gateway. Both ask with an [`Ask`] and get an [`Answer`].
//!
//! | file | what it holds |
//! |---|---|
//! | `ask.rs` | what can be asked, and how it is read from a request |
//! | `desk.rs` | what is done |
//! | `problem.rs` | what went wrong, as RFC 9457 has it |
//!
//! Invariants: no answer holds a secret; a change is acknowledged after its notice is appended; nobody who has not seen
//! the current version replaces it.

mod ask;
mod desk;
mod problem;

pub use ask::{Action, Ask};
pub use desk::Answer;
pub(crate) use desk::Desk;
pub use problem::Problem;
