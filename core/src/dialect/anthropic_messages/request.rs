//! Requests, both ways.
//!
//! | file | what it holds |
//! |---|---|
//! | `decode.rs` | a caller's body to a [`ChatRequest`](crate::chat::ChatRequest) |
//! | `encode.rs` | a `ChatRequest` to a body: the parameters |
//! | `conversation.rs` | its messages: roles, blocks, what the API refuses |
//! | `media.rs` | its images and documents |
//! | `tools.rs` | its tools and the choice among them |
//! | `reasoning.rs` | effort and budgets, as each generation of Claude takes them |
//! | `schema.rs` | JSON Schema as structured output takes it |

mod conversation;
mod decode;
mod encode;
mod media;
mod reasoning;
mod schema;
mod tools;

pub(super) use decode::decode;
pub(super) use encode::encode;
