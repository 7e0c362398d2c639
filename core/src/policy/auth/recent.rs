//! A bounded map that forgets what was not looked at for the longest time, roughly.
//!
//! Two generations: what is put in or looked at belongs to the young one; when that is half of what fits, it becomes the old
//! one, and the old one is forgotten. So every step takes the same short time, and nothing is searched.
//!
//! Invariant: it never holds more than it was told.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct Recent<K, V> {
    half: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// Holds at most `most` entries, at least two.
    pub(super) fn new(most: usize) -> Self {
        Self { half: (most / 2).max(1), generations: Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }) }
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut generations = self.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        generations.add(key, value.clone(), self.half);
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V) {
        let mut generations = self.lock();
        generations.old.remove(&key);
        generations.add(key, value, self.half);
    }

    pub(super) fn remove<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let mut generations = self.lock();
        generations.young.remove(key);
        generations.old.remove(key);
    }

    pub(super) fn clear(&self) {
        let mut generations = self.lock();
        (generations.young, generations.old) = (HashMap::new(), HashMap::new());
    }

    /// A panic in another thread leaves a map behind, which is as good as before.
    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let generations = self.lock();
        generations.young.len() + generations.old.len()
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn add(&mut self, key: K, value: V, half: usize) {
        if self.young.len() >= half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_stays_and_the_rest_makes_room() {
        let recent = Recent::new(100);
        recent.put(usize::MAX, 7);
        for number in 0..10_000 {
            recent.put(number, number);
            assert_eq!(recent.get(&number), Some(number));
            assert_eq!(recent.get(&usize::MAX), Some(7));
            assert!(recent.len() <= 100, "{}", recent.len());
        }
        assert_eq!(recent.get(&1), None);
        recent.put(9_999, 1);
        assert_eq!(recent.get(&9_999), Some(1));
        recent.remove(&9_999);
        assert_eq!(recent.get(&9_999), None);
        recent.clear();
        assert_eq!(recent.len(), 0);
    }
}
