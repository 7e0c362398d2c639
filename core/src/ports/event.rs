//! Where records go.

use async_trait::async_trait;

use crate::error::Result;
use crate::exchange::{Notice, Record};

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request ended.
    Request(Box<Record>),
    /// Something happened to the gateway itself.
    Notice(Box<Notice>),
}

/// Appends events.
///
/// Contract: at least once, in no particular order. The append of a notice returns when it is as durable as the platform
/// makes it, for a change by an administrator is acknowledged after that. The append of a request may return as soon as
/// nothing but the end of the process can keep it from becoming so. Never blocks the response of a caller: only `after`
/// work appends requests.
/// [`usage::line::event`](crate::usage::line::event) renders any of them.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Appends one.
    async fn append(&self, event: Event) -> Result<()>;
}
