//! Who there is: tenants, their teams, applications and users, the keys they hold, the roles that say what a key may do.
//!
//! | file | what it holds |
//! |---|---|
//! | `name.rs` | names that operators choose, ids that the gateway makes |
//! | `permission.rs` | what can be allowed |
//! | `caller.rs` | whoever sent a request, as every later step sees it |
//! | `access.rs` | which models, routes and addresses a key is good for |
//!
//! Invariant: an object is looked up by its tenant and its id together, so nobody reaches another tenant's.

mod access;
mod caller;
mod name;
mod permission;

pub use access::{Access, Network};
pub use caller::{Caller, Proof, Share};
pub use name::Name;
pub use permission::{Permission, Permissions};
