//! Durations as people write them: `500ms`, `20s`, `2m`, `1h30m`.
//!
//! Whole numbers only, each with its unit; a bare number is refused, because nobody remembers which unit it has.
//! Invariant: what [`Display`](fmt::Display) writes, [`FromStr`] reads as the same duration.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A duration in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Period {
    type Err = String;

    /// Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text;
        if rest.is_empty() {
            return Err("is empty".into());
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            if number.is_empty() {
                return Err("is not a whole number with a unit".into());
            }
            if unit.is_empty() && tail.is_empty() {
                return Err("has no unit".into());
            }
            let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                return Err(if unit.is_empty() {
                    "is not a whole number with a unit".into()
                } else {
                    format!("has the unknown unit `{unit}`")
                });
            };
            total = number
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(*scale))
                .and_then(|part| total.checked_add(part))
                .ok_or("is too long")?;
            rest = tail;
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let exact = UNITS.iter().find(|(_, scale)| millis > 0 && millis.is_multiple_of(*scale));
        match exact {
            Some((unit, scale)) => write!(f, "{}{unit}", millis / scale),
            None => f.write_str("0s"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Duration, String> {
        text.parse::<Period>().map(|period| period.0)
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(read("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(read("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(read("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        assert_eq!(read("20"), Err("has no unit".into()));
        assert_eq!(read("20sec"), Err("has the unknown unit `sec`".into()));
        assert_eq!(read("1.5s"), Err("is not a whole number with a unit".into()));
        assert_eq!(read(" 1s"), Err("is not a whole number with a unit".into()));
        assert_eq!(read("-1s"), Err("is not a whole number with a unit".into()));
        assert_eq!(read("s"), Err("is not a whole number with a unit".into()));
        assert_eq!(read(""), Err("is empty".into()));
        assert_eq!(read("99999999999999999999s"), Err("is too long".into()));
        assert_eq!(read("5é"), Err("is not a whole number with a unit".into()));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for millis in [0, 1, 999, 1000, 1500, 60_000, 61_000, 3_600_000, 86_400_000, u64::MAX] {
            let period = Period(Duration::from_millis(millis));
            assert_eq!(period.to_string().parse(), Ok(period), "{period}");
        }
    }
}
