//! Nearest neighbours.

use async_trait::async_trait;

use crate::error::Result;

/// A neighbour.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorMatch {
    /// Its id.
    pub id: String,
    /// Cosine similarity, -1 to 1.
    pub score: f32,
}

/// A vector index.
///
/// Contract: vectors of one namespace have one dimension (a wrong one is refused); namespaces never
/// mix; `nearest` returns at most `limit` matches, best first, and may be approximate.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Stores or replaces a vector.
    async fn upsert(&self, namespace: &str, id: &str, vector: &[f32]) -> Result<()>;
    /// The nearest vectors.
    async fn nearest(&self, namespace: &str, vector: &[f32], limit: usize) -> Result<Vec<VectorMatch>>;
    /// Removes a vector; removing what is not there succeeds.
    async fn delete(&self, namespace: &str, id: &str) -> Result<()>;
}
