//! Nearest neighbours by looking at all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::{full, lock};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{VectorIndex, VectorMatch};

/// An exact index: every search compares with every vector of the namespace.
pub struct MemoryVectors {
    capacity: usize,
    namespaces: Mutex<BTreeMap<String, BTreeMap<String, Vec<f32>>>>,
}

impl MemoryVectors {
    /// An empty index for at most `capacity` bytes of ids and vectors.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, namespaces: Mutex::default() }
    }
}

/// The vector at length one, so that a dot product is the cosine.
fn unit(vector: &[f32]) -> Result<Vec<f32>> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 && length.is_finite() {
        return Ok(vector.iter().map(|x| x / length).collect());
    }
    Err(Error::new(ErrorKind::Misconfigured, "An embedding has no direction, so it cannot be compared.")
        .source(format_args!("a vector of {} numbers with length {length}", vector.len())))
}

fn same_dimension(namespace: &str, known: Option<&Vec<f32>>, vector: &[f32]) -> Result<()> {
    match known {
        Some(known) if known.len() != vector.len() => Err(Error::new(
            ErrorKind::Misconfigured,
            format!("An embedding has {} numbers where the index has {}. Use one embedding model.", vector.len(), known.len()),
        )
        .source(format_args!("vector namespace {namespace}"))),
        _ => Ok(()),
    }
}

fn size(id: &str, vector: &[f32]) -> usize {
    id.len() + size_of_val(vector)
}

#[async_trait]
impl VectorIndex for MemoryVectors {
    async fn upsert(&self, namespace: &str, id: &str, vector: &[f32]) -> Result<()> {
        let vector = unit(vector)?;
        let mut namespaces = lock(&self.namespaces);
        let used: usize = namespaces.values().flatten().map(|(id, vector)| size(id, vector)).sum();
        let old = namespaces.get(namespace);
        same_dimension(namespace, old.and_then(|vectors| vectors.values().next()), &vector)?;
        let replaced = old.and_then(|vectors| vectors.get(id)).map_or(0, |vector| size(id, vector));
        if used - replaced + size(id, &vector) > self.capacity {
            return Err(full("the vector index", self.capacity));
        }
        namespaces.entry(namespace.to_owned()).or_default().insert(id.to_owned(), vector);
        Ok(())
    }

    async fn nearest(&self, namespace: &str, vector: &[f32], limit: usize) -> Result<Vec<VectorMatch>> {
        let vector = unit(vector)?;
        let namespaces = lock(&self.namespaces);
        let Some(vectors) = namespaces.get(namespace) else { return Ok(Vec::new()) };
        same_dimension(namespace, vectors.values().next(), &vector)?;
        let score = |other: &[f32]| other.iter().zip(&vector).map(|(a, b)| a * b).sum::<f32>().clamp(-1.0, 1.0);
        let mut matches: Vec<_> = vectors.iter().map(|(id, other)| VectorMatch { id: id.clone(), score: score(other) }).collect();
        matches.sort_by(|a, b| Reverse(a.score).partial_cmp(&Reverse(b.score)).unwrap_or(std::cmp::Ordering::Equal));
        matches.truncate(limit);
        Ok(matches)
    }

    async fn delete(&self, namespace: &str, id: &str) -> Result<()> {
        let mut namespaces = lock(&self.namespaces);
        if let Some(vectors) = namespaces.get_mut(namespace) {
            vectors.remove(id);
            if vectors.is_empty() {
                namespaces.remove(namespace);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ports::suite;

    #[test]
    fn passes_the_suite() {
        let vectors = MemoryVectors::new(1 << 16);
        assert_eq!(suite::vector_nearest(&vectors).now_or_never(), Some(Ok(())));
        assert_eq!(suite::vector_one_dimension(&vectors).now_or_never(), Some(Ok(())));
    }

    #[test]
    fn a_full_index_refuses() {
        let vectors = MemoryVectors::new(20);
        let upsert = |id: &'static str| vectors.upsert("n", id, &[1.0, 0.0]).now_or_never().expect("never waits");
        upsert("a").unwrap();
        upsert("b").unwrap();
        upsert("b").expect("replacing takes no more room");
        assert_eq!(upsert("c").unwrap_err().kind, ErrorKind::Overloaded);
    }

    #[test]
    fn a_vector_without_direction_is_refused() {
        let vectors = MemoryVectors::new(1 << 10);
        for vector in [&[0.0_f32, 0.0][..], &[f32::NAN, 1.0], &[]] {
            assert!(vectors.upsert("n", "a", vector).now_or_never().expect("never waits").is_err());
        }
    }
}
