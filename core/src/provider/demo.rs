//! The built-in demo model.

use crate::chat::{ChatEvent, ChatRequest};

/// Answers a request.
pub fn answer(_request: &ChatRequest, _id: &str, _now_seconds: u64) -> Vec<ChatEvent> {
    vec![ChatEvent::End]
}
