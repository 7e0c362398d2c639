//! How often strangers are written down.
//!
//! Anybody can knock. Whoever is known is written down each time that they are denied; of those who are not, an instance
//! writes down [`EACH_MINUTE`] a minute and counts the others, and the next one that is written down says how many there
//! were. So strangers cannot fill the trail, or keep others from it.

use std::sync::{Mutex, PoisonError};

use crate::ports::Timestamp;

/// How many strangers an instance writes down in a minute.
const EACH_MINUTE: u32 = 30;

/// An instance's count of strangers.
#[derive(Debug, Default)]
pub struct Denials(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    minute: u64,
    written: u32,
    untold: u64,
}

impl Denials {
    /// Counts a stranger. If this one is to be written down: how many before it were not.
    pub fn count(&self, now: Timestamp) -> Option<u64> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.seconds() / 60;
        if count.minute < minute {
            (count.minute, count.written) = (minute, 0);
        }
        if count.written >= EACH_MINUTE {
            count.untold = count.untold.saturating_add(1);
            return None;
        }
        count.written += 1;
        Some(std::mem::take(&mut count.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_beyond_so_many_a_minute_are_counted_and_told_later() {
        let denials = Denials::default();
        let at = |second: u64| Timestamp((6000 + second) * 1_000_000);
        let written = (0..1000).filter(|_| denials.count(at(0)) == Some(0)).count();
        assert_eq!(written, EACH_MINUTE as usize);
        assert_eq!(denials.count(at(59)), None);
        assert_eq!(denials.count(Timestamp(0)), None, "time that goes back stands still");
        assert_eq!(denials.count(at(60)), Some(1000 - u64::from(EACH_MINUTE) + 2));
        assert_eq!(denials.count(at(60)), Some(0));
    }
}
