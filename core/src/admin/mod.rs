//! Administration: what an operator, or a tenant's administrator, can ask of a running gateway, and change.
//!
//! One desk for two doors: the HTTP endpoints at `/admin/v1` (every target has them, see [`crate::endpoint`]), and a
//! command line that has the gateway's stores at hand and no gateway. Both ask with a request and get an [`Answer`].
//!
//! | file | what it holds |
//! |---|---|
//! | `route.rs` | the table: every endpoint, what it needs, whose it is |
//! | `asked.rs` | how a request is read |
//! | `answer.rs` | what comes back |
//! | `problem.rs` | what went wrong, as RFC 9457 has it |
//! | `desk.rs` | who asks, and whether they may |
//! | `resource.rs`, `kind.rs` | what can be done with any kind of object, and what knows their types |
//! | `grant.rs` | that nobody grants what they do not hold |
//! | `tenants.rs`, `teams.rs`, `applications.rs`, `users.rs`, `roles.rs`, `keys.rs` | the kinds of objects |
//! | `once.rs` | that a request which is sent again happens once |
//! | `bootstrap.rs` | the first owner, and the operator's own keys |
//! | `standings.rs` | how limits and budgets stand |
//! | `record.rs` | what goes on record before it is done |
//! | `audit.rs` | the audit trail |
//! | `config.rs` | the stored configuration |
//! | `whoami.rs` | who is asking |
//! | `openapi.rs` | the API's document |
//! | `usage.rs`, `prices.rs` | what requests took, and what models cost |
//!
//! Invariants: no answer holds a secret but that of a key in the moment in which it is made; a change is acknowledged after
//! it is on record; nobody who has not seen the current version replaces it; no tenant's administrator sees another tenant's
//! objects, nor whether there are any.

mod answer;
mod applications;
mod asked;
mod audit;
mod bootstrap;
mod config;
mod desk;
mod grant;
mod keys;
mod kind;
mod once;
mod openapi;
mod prices;
mod problem;
pub(crate) mod record;
mod resource;
mod roles;
mod route;
mod standings;
mod teams;
mod tenants;
mod usage;
mod users;
mod whoami;

pub use answer::{Answer, Content};
pub(crate) use asked::Asked;
pub(crate) use desk::Desk;
pub use problem::Problem;
pub(crate) use route::routes;
pub use route::{Reach, Route};
