//! Money.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of money in billionths of a US dollar; up to 18 thousand million dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(pub u64);

const DOLLAR: u64 = 1_000_000_000;

impl FromStr for NanoUsd {
    type Err = String;

    /// Reads `20usd`, `0.5 usd`, at most nine decimals. Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "is not an amount like `20usd` or `0.5usd`".to_owned();
        let lower = text.trim().to_ascii_lowercase();
        let number = lower.strip_suffix("usd").ok_or_else(|| "has no currency; write `20usd`".to_owned())?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| "is too much".to_owned())?;
        let part: u64 = format!("{part:0<9}").parse().map_err(|_| bad())?;
        whole.checked_mul(DOLLAR).and_then(|whole| whole.checked_add(part)).map(Self).ok_or_else(|| "is too much".to_owned())
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / DOLLAR, self.0 % DOLLAR);
        if part == 0 {
            return write!(f, "{whole}usd");
        }
        write!(f, "{whole}.{}usd", format!("{part:09}").trim_end_matches('0'))
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| serde::de::Error::custom(format_args!("`{}` {why}", text.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_as_it_is_written() {
        for (text, nano, shown) in [
            ("20usd", 20 * DOLLAR, "20usd"),
            ("0.5 USD", DOLLAR / 2, "0.5usd"),
            ("0.000000001usd", 1, "0.000000001usd"),
            ("18446744073.709551615usd", u64::MAX, "18446744073.709551615usd"),
        ] {
            let money: NanoUsd = text.parse().expect(text);
            assert_eq!((money, money.to_string().as_str()), (NanoUsd(nano), shown));
        }
        for bad in ["", "usd", "20", "-1usd", "+1usd", "1e3usd", "NaNusd", ".5usd", "5.usd", "0.0000000001usd", "18446744074usd"]
        {
            assert!(bad.parse::<NanoUsd>().is_err(), "{bad}");
        }
    }
}
