//! Sizes as people write them: `32MiB`, `10MB`, `4096B`, or a bare number of bytes.
//!
//! `KB`, `MB`, `GB` are powers of 1000; `KiB`, `MiB`, `GiB` powers of 1024; letters in any case. `32M` is refused: it means both.
//! Invariant: what [`Display`](fmt::Display) writes, [`FromStr`] reads as the same size.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A number of bytes in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 7] =
    [("GiB", 1 << 30), ("GB", 1_000_000_000), ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("KB", 1_000), ("B", 1)];

impl FromStr for Size {
    type Err = String;

    /// Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err("is not a whole number with a unit".into());
        }
        let unit = unit.trim_start_matches(' ');
        let scale = match unit {
            "" => 1,
            _ => match UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
                Some((_, scale)) => *scale,
                None if unit.starts_with('.') => return Err("is not a whole number with a unit".into()),
                None => return Err(format!("has the unknown unit `{unit}`")),
            },
        };
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale)).map(Self).ok_or_else(|| "is too large".into())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().find(|(_, scale)| self.0 > 0 && self.0.is_multiple_of(*scale));
        match exact {
            Some((unit, scale)) => write!(f, "{}{unit}", self.0 / scale),
            None => f.write_str("0B"),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<u64, String> {
        text.parse::<Size>().map(|size| size.0)
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(read("32MiB"), Ok(32 << 20));
        assert_eq!(read("10MB"), Ok(10_000_000));
        assert_eq!(read("10 mb"), Ok(10_000_000));
        assert_eq!(read("4096"), Ok(4096));
        assert_eq!(read("1b"), Ok(1));
    }

    #[test]
    fn what_is_no_size_says_why() {
        assert_eq!(read("32M"), Err("has the unknown unit `M`".into()));
        assert_eq!(read("1.5GB"), Err("is not a whole number with a unit".into()));
        assert_eq!(read("MB"), Err("is not a whole number with a unit".into()));
        assert_eq!(read("-1"), Err("is not a whole number with a unit".into()));
        assert_eq!(read("99999999999GiB"), Err("is too large".into()));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for bytes in [0, 1, 1000, 1024, 1500, 10_000_000, 32 << 20, 3 << 30, u64::MAX] {
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }
    }
}
