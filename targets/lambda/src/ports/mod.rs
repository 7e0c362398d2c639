//! What core asks of a platform, on Lambda.
//!
//! | port | what it is here |
//! |---|---|
//! | HTTP client, clock, entropy, secrets | the native server's own; [`http`] minds the freezes, [`deadline`] the function's time limit |
//! | key-value store, cells | [`table`]: one DynamoDB table, in [`kv`] and [`cells`] |
//! | large objects | [`blobs`]: an S3 bucket |
//! | events | [`log`]: standard output, and [`queue`]: SQS |
//!
//! What happens when a store is away: its error, after three tries within a second where trying again is safe, goes to whoever
//! asked, and its policy decides. A record's line is in the log before the queue is asked.

pub mod aws;
pub mod blobs;
mod call;
pub mod cells;
pub mod deadline;
pub mod http;
pub mod kv;
pub mod log;
pub mod queue;
pub mod table;
