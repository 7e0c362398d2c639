//! Core's ports over Spin's interfaces.
//!
//! | port | over |
//! |---|---|
//! | `HttpClient` | `wasi:http` |
//! | `KvStore` | Spin's key-value store |
//! | `CellStore`, `BlobStore` | Spin's SQLite database |
//! | `EventSink` | standard output, which Spin keeps as the component's log |
//! | `SecretStore` | Spin's variables |
//! | `Clock`, `Entropy` | WASI |

pub(crate) mod blobs;
pub(crate) mod cells;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod entropy;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod kv;
pub(crate) mod secrets;
