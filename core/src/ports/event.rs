//! Where records go.

use async_trait::async_trait;

use crate::error::Result;
use crate::exchange::Record;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request ended.
    Request(Box<Record>),
}

/// Appends events.
///
/// Contract: at least once, in no particular order; returns when the event is as durable as the
/// platform makes it. Never blocks the response: only `after` work calls it.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Appends one.
    async fn append(&self, event: Event) -> Result<()>;
}
