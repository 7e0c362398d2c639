//! Who there is: tenants, their teams, applications and users, the keys they hold, the roles that say what a key may do.
//!
//! | file | what it holds |
//! |---|---|
//! | `name.rs` | names that operators choose |
//! | `permission.rs`, `role.rs` | what can be allowed, and to whom |
//! | `tenant.rs`, `team.rs`, `application.rs`, `user.rs` | the objects: a tenant and what it is made of |
//! | `key.rs`, `credential.rs` | virtual keys: what is kept, and the text that their holders have |
//! | `keys.rs` | making, rotating, revoking and removing keys |
//! | `access.rs` | which models, routes and addresses a key is good for |
//! | `bounds.rs` | how large all of these may be |
//! | `caller.rs` | whoever sent a request, as every later step sees it |
//!
//! Invariant: an object is looked up by its tenant and its id together, so nobody reaches another tenant's.

mod access;
mod application;
pub mod bounds;
mod caller;
mod credential;
mod key;
mod keys;
mod name;
mod permission;
pub mod role;
mod team;
mod tenant;
mod user;

pub use access::{Access, Network};
pub use application::Application;
pub use bounds::Wrong;
pub use caller::{Caller, Proof, Share};
pub use credential::{Credential, Seal};
pub use key::{Key, Terms};
pub use keys::{Holder, Issued, Keys};
pub use name::Name;
pub use permission::{Permission, Permissions};
pub use role::Role;
pub use team::Team;
pub use tenant::Tenant;
pub use user::User;
