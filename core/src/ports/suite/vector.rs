//! The contract of [`VectorIndex`].

use super::{Check, same, works};
use crate::ports::VectorIndex;

async fn nearest(vectors: &dyn VectorIndex, namespace: &str, limit: usize) -> Result<Vec<(String, f32)>, String> {
    let matches = works("searching", vectors.nearest(namespace, &[1.0, 0.0, 0.0], limit).await)?;
    Ok(matches.into_iter().map(|found| (found.id, found.score)).collect())
}

fn ids(matches: &[(String, f32)]) -> Vec<&str> {
    matches.iter().map(|(id, _)| id.as_str()).collect()
}

/// The best come first, at most as many as asked for, of this namespace only; a replaced or deleted vector is gone.
pub async fn vector_nearest(vectors: &dyn VectorIndex) -> Check {
    let (here, there) = ("edgeway-suite-here", "edgeway-suite-there");
    let stored = [("same", [2.0, 0.0, 0.0]), ("near", [1.0, 1.0, 0.0]), ("far", [-1.0, 0.0, 0.0])];
    for (id, vector) in stored {
        works("storing", vectors.upsert(here, id, &vector).await)?;
    }
    works("storing", vectors.upsert(there, "other", &[1.0, 0.0, 0.0]).await)?;
    let all = nearest(vectors, here, 10).await?;
    same("all neighbours", ids(&all), vec!["same", "near", "far"])?;
    for ((id, score), expected) in all.iter().zip([1.0, std::f32::consts::FRAC_1_SQRT_2, -1.0]) {
        if (score - expected).abs() > 0.05 {
            return Err(format!("the similarity of {id}: expected {expected}, saw {score}"));
        }
    }
    same("the best neighbour", ids(&nearest(vectors, here, 1).await?), vec!["same"])?;
    works("replacing", vectors.upsert(here, "same", &[0.0, 1.0, 0.0]).await)?;
    same("neighbours after a change", ids(&nearest(vectors, here, 10).await?), vec!["near", "same", "far"])?;
    for (id, _) in stored {
        works("deleting", vectors.delete(here, id).await)?;
    }
    works("deleting what is not there", vectors.delete(here, "same").await)?;
    same("neighbours after a deletion", ids(&nearest(vectors, here, 10).await?), vec![])?;
    works("deleting", vectors.delete(there, "other").await)
}

/// A namespace has one dimension.
pub async fn vector_one_dimension(vectors: &dyn VectorIndex) -> Check {
    let namespace = "edgeway-suite-dimension";
    works("storing", vectors.upsert(namespace, "a", &[1.0, 0.0, 0.0]).await)?;
    let wrong = vectors.upsert(namespace, "b", &[1.0, 0.0]).await;
    same("whether a vector of another dimension is stored", wrong.is_ok(), false)?;
    works("deleting", vectors.delete(namespace, "a").await)
}
