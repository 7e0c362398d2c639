//! Sorting that is compiled once, and maps that are made without sorting.
//!
//! The standard library's sorts are compiled anew for every type and comparison: 5 KB each in WebAssembly, 160 KB together
//! when this was written, most of it for lists of a handful. Here only the comparison and the moves are.
//!
//! Invariant: what compares equal keeps its order.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts by a comparison. Time as the standard library's, and a word of memory an item.
pub(crate) fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut from = sorted(items.len(), &|a, b| compare(&items[a], &items[b]));
    // Along each cycle of the permutation; what was moved away is found where it went.
    for at in 0..items.len() {
        let mut source = from[at];
        while source < at {
            source = from[source];
        }
        from[at] = source;
        items.swap(at, source);
    }
}

/// Sorts by a key.
pub(crate) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by the order of the items themselves.
pub(crate) fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// A map of what comes; of two values with one key the last. Not `collect`, which sorts before it builds.
pub(crate) fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}

/// A set of what comes, made as [`map`] is.
pub(crate) fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// The places of so many items in their order.
fn sorted(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..length).collect();
    places.sort_unstable_by(|a, b| compare(*a, *b).then(a.cmp(b)));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Entropy;
    use crate::ports::memory::SeededEntropy;

    #[test]
    fn every_list_is_sorted_as_the_standard_library_does_it() {
        let entropy = SeededEntropy::new(3);
        for length in (0..40).chain([1000]) {
            for _ in 0..20 {
                let list: Vec<(u64, usize)> = (0..length).map(|place| (entropy.u64() % 8, place)).collect();
                let (mut ours, mut theirs) = (list.clone(), list.clone());
                sort_by_key(&mut ours, |item| item.0);
                theirs.sort_by_key(|item| item.0);
                assert_eq!(ours, theirs, "{list:?}");
                let mut whole = list.clone();
                sort(&mut whole);
                theirs.sort_unstable();
                assert_eq!(whole, theirs);
            }
        }
    }
}
