//! Counting tokens before a call.

/// Counts tokens as a model would.
///
/// Contract: pure, no I/O, at most linear in the text. Optional: where a platform has none, a byte counts as a token,
/// see [`policy::estimate`](crate::policy::estimate).
pub trait TokenCounter: Send + Sync {
    /// How many tokens `text` is to `model`; `None` when its tokenizer is not known.
    fn count(&self, model: &str, text: &str) -> Option<u64>;
}
