//! Time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment: microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds since the Unix epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to this; zero when the clock went back.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This moment plus `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// RFC 3339 with microseconds, UTC. Days to a civil date after Howard Hinnant's `civil_from_days`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds() / 86_400, self.seconds() % 86_400);
        let shifted = days + 719_468; // days since 0000-03-01
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153; // March is 0
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, micros) = (second / 3600, second / 60 % 60, self.0 % 1_000_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{micros:06}Z", second % 60)
    }
}

/// Reads RFC 3339 in UTC: `2026-12-31T23:59:59Z`, with up to nine decimals, of which six count. A day must exist; a leap
/// second does not. Civil dates to days after Howard Hinnant's `days_from_civil`.
impl FromStr for Timestamp {
    type Err = String;

    /// Fails with what is wrong, as the second half of a sentence.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || -> Option<Self> {
            let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
            let (whole, part) = time.split_once('.').unwrap_or((time, "0"));
            let form = |text: &str, form: &str| {
                let fits = |(byte, place): (u8, u8)| if place == b'0' { byte.is_ascii_digit() } else { byte == place };
                text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
            };
            let decimals = (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            if !form(date, "0000-00-00") || !form(whole, "00:00:00") || !decimals {
                return None;
            }
            let number = |digits: &str| digits.parse::<u64>().ok();
            let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
            let (hour, minute, second) = (number(&whole[..2])?, number(&whole[3..5])?, number(&whole[6..])?);
            let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
            let longest = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let exists = (1..=12).contains(&month) && (1..=longest).contains(&day) && hour < 24 && minute < 60 && second < 60;
            if !exists || year < 1970 {
                return None;
            }
            let shifted_year = year - u64::from(month <= 2); // March begins the year
            let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
            let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
            let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
            let days = era * 146_097 + day_of_era - 719_468;
            let micros = number(&format!("{part:0<6}")[..6])?;
            Some(Self((days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000 + micros))
        };
        read().ok_or_else(|| "is not a time in UTC like `2026-12-31T23:59:59Z`".to_owned())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why| serde::de::Error::custom(format_args!("`{}` {why}", text.escape_debug())))
    }
}

/// Tells and waits for the time.
///
/// Contract: `now` may go back (clocks are set), so differences saturate at zero; `sleep` returns
/// after at least `duration`, and is cancelled by dropping it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, duration: Duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_years_and_centuries() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(Timestamp(seconds * 1_000_000).to_string(), date);
            assert_eq!(date.parse(), Ok(Timestamp(seconds * 1_000_000)));
        }
    }

    #[test]
    fn every_day_is_read_as_it_is_written() {
        for day in 0..100_000 {
            let moment = Timestamp(day * 86_400_000_000 + day);
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.0000000001Z",
            "1969-12-31T23:59:59Z",
            "+026-01-01T00:00:00Z",
            "2026-1-1T00:00:00Z",
            "",
            "Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!("2026-01-01T00:00:00.1234567Z".parse::<Timestamp>().expect("a time").0 % 1_000_000, 123_456);
    }
}
