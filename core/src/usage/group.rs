//! Rows added up, by what they have in common.
//!
//! Invariant: every row is in exactly one group, so pages of one question are added up by adding their groups.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::order;

use super::{Buckets, Dimension, NanoUsd, Row};

/// What the requests of one group took together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// What they have in common, a name and a value for each dimension.
    pub by: BTreeMap<String, String>,
    /// Requests.
    pub requests: u64,
    /// Requests that ended in an error.
    pub errors: u64,
    /// Tokens.
    #[serde(flatten)]
    pub tokens: Buckets,
    /// What they cost, as far as prices are known.
    pub cost: NanoUsd,
    /// Requests that used tokens whose price nobody knows. They are not in `cost`.
    pub unpriced: u64,
    /// Requests whose tokens are the gateway's estimate.
    pub estimated: u64,
    /// Requests that were answered at all.
    pub answered: u64,
    /// From receipt to the response's headers, in milliseconds, of all that were answered together.
    pub first_byte_ms: u64,
    /// From receipt to the end, in milliseconds, of all of them together.
    pub elapsed_ms: u64,
}

/// Adds rows up, in order of what they have in common. There are at most as many groups as rows.
pub fn groups<'a>(rows: impl IntoIterator<Item = &'a Row>, by: &[Dimension]) -> Vec<Group> {
    let mut all: BTreeMap<Vec<String>, Group> = BTreeMap::new();
    for row in rows {
        let values: Vec<String> = by.iter().map(|dimension| dimension.of(row).into_owned()).collect();
        let group = all.entry(values).or_default();
        if group.requests == 0 {
            group.by = order::map(by.iter().map(|dimension| (dimension.name().into_owned(), dimension.of(row).into_owned())));
        }
        group.add(row);
    }
    all.into_values().collect()
}

impl Group {
    fn add(&mut self, row: &Row) {
        self.requests += 1;
        self.errors += u64::from(!row.error.is_empty());
        self.estimated += u64::from(row.estimated);
        self.unpriced += u64::from(row.usage.is_some() && row.cost.is_none());
        self.cost = NanoUsd(self.cost.0.saturating_add(row.cost.unwrap_or_default().0));
        self.answered += u64::from(row.first_byte_ms.is_some());
        self.first_byte_ms = self.first_byte_ms.saturating_add(row.first_byte_ms.unwrap_or_default().round() as u64);
        self.elapsed_ms = self.elapsed_ms.saturating_add(row.elapsed_ms.round() as u64);
        self.tokens.add(row.usage.unwrap_or_default());
    }
}

impl Buckets {
    fn add(&mut self, other: Self) {
        for (sum, part) in [
            (&mut self.input, other.input),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write_5m, other.cache_write_5m),
            (&mut self.cache_write_1h, other.cache_write_1h),
            (&mut self.audio_input, other.audio_input),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.audio_output, other.audio_output),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}
