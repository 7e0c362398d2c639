//! What requests took, and what that cost.
//!
//! | file | what it holds |
//! |---|---|
//! | `money.rs` | amounts of money |
//! | `line.rs` | a request's record as one line |
//! | `log.rs` | where lines are kept |
//! | `query.rs` | which of them are asked for, page by page |
//! | `row.rs` | a line, read |
//! | `group.rs` | rows added up |
//! | `csv.rs` | rows and groups for spreadsheets |

pub mod csv;
mod group;
pub mod line;
mod log;
mod money;
mod query;
mod row;

pub use group::{Group, groups};
pub use log::UsageLog;
pub use money::NanoUsd;
pub use query::{MOST_ROWS, Page, Query, Tenants};
pub use row::{Buckets, Dimension, Row};
