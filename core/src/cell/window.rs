//! Windows: for how long an amount counts against a limit.
//!
//! Time is cut into *buckets*, and what is charged is kept as a sum a bucket. A window says how long a bucket lasts and
//! how many of them count, which makes every window the same small list of sums.
//!
//! Invariant: whatever was charged in the [`Window::Sliding`] time before any moment lies in buckets that count at that moment.

use std::time::Duration;

use super::pack::{Packer, Unpacker, refused};
use crate::error::Result;
use crate::ports::Timestamp;

/// For how long an amount counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// For good.
    Ever,
    /// In any interval of that length, wherever it begins. An amount stops counting up to a thirtieth of it late.
    Sliding(Duration),
    /// Until the next multiple of that length since the Unix epoch: `86_400` seconds are a day in UTC.
    Fixed(Duration),
    /// Until the end of the calendar month, in UTC.
    Month,
    /// Until the next Monday, in UTC.
    Week,
}

const DAY: u64 = 86_400_000_000;
/// The epoch is a Thursday: the Monday before it is three days away.
const MONDAY: u64 = 3 * DAY;

impl Window {
    /// Into how many buckets a sliding window is cut. More would free amounts sooner, and make states larger.
    const SLICES: u64 = 30;

    /// How long a bucket is, in microseconds; `None` where buckets are not equally long.
    fn width(self) -> Option<u64> {
        let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX).max(1);
        match self {
            Self::Ever | Self::Month => None,
            Self::Week => Some(7 * DAY),
            Self::Sliding(length) => Some(micros(length).div_ceil(Self::SLICES)),
            Self::Fixed(length) => Some(micros(length)),
        }
    }

    /// The bucket of a moment.
    pub fn bucket(self, now: Timestamp) -> u64 {
        match self {
            Self::Month => month(now),
            Self::Week => now.0.saturating_add(MONDAY) / (7 * DAY),
            _ => self.width().map_or(0, |width| now.0 / width),
        }
    }

    /// The oldest bucket that counts at a moment. Younger ones all do, those of the future too.
    pub fn oldest(self, now: Timestamp) -> u64 {
        let bucket = self.bucket(now);
        if let Self::Sliding(_) = self { bucket.saturating_sub(Self::SLICES) } else { bucket }
    }

    /// From when on a bucket does not count any more; `None` for never.
    pub fn end(self, bucket: u64) -> Option<Timestamp> {
        let next = bucket.saturating_add(1);
        match self {
            Self::Ever => None,
            Self::Month => Some(month_start(next)),
            Self::Sliding(_) => self.width().map(|width| Timestamp(next.saturating_add(Self::SLICES).saturating_mul(width))),
            Self::Week => Some(Timestamp(next.saturating_mul(7 * DAY).saturating_sub(MONDAY))),
            Self::Fixed(_) => self.width().map(|width| Timestamp(next.saturating_mul(width))),
        }
    }

    /// Until when something that is charged now may be spent, if that must count in the same buckets at both moments;
    /// `None` when that is any time.
    pub fn spend_by(self, now: Timestamp) -> Option<Timestamp> {
        if let Self::Sliding(_) = self { None } else { self.end(self.bucket(now)) }
    }

    pub(super) fn pack(self, to: &mut Packer) {
        match self {
            Self::Ever => to.byte(0),
            Self::Sliding(length) => {
                to.byte(1);
                to.duration(length);
            }
            Self::Fixed(length) => {
                to.byte(2);
                to.duration(length);
            }
            Self::Month => to.byte(3),
            Self::Week => to.byte(4),
        }
    }

    pub(super) fn unpack(from: &mut Unpacker<'_>) -> Result<Self> {
        Ok(match from.byte()? {
            0 => Self::Ever,
            1 => Self::Sliding(from.duration()?),
            2 => Self::Fixed(from.duration()?),
            3 => Self::Month,
            4 => Self::Week,
            other => return Err(refused(format_args!("there is no window {other}"))),
        })
    }
}

/// Days from the epoch to the first of January of a year that many years after 1970.
fn year_start(years: u64) -> u64 {
    let past = years + 1969; // the last year that is over by then
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    years * 365 + leap_days(past) - leap_days(1969)
}

/// Days from the first of January to the first of each month, of year `years` after 1970.
fn month_days(years: u64) -> [u64; 12] {
    let leap = year_start(years + 1) - year_start(years) - 365;
    [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334].map(|days| if days > 31 { days + leap } else { days })
}

/// Months since January 1970.
fn month(now: Timestamp) -> u64 {
    let day = now.0 / DAY;
    // 146,097 days are 400 years; the estimate is never a year too late by more than one.
    let mut years = day * 400 / 146_097;
    while year_start(years) > day {
        years -= 1;
    }
    while year_start(years + 1) <= day {
        years += 1;
    }
    let in_year = day - year_start(years);
    let begun = month_days(years).into_iter().filter(|start| *start <= in_year).count() as u64;
    years * 12 + begun - 1
}

/// The first moment of a month that many months after January 1970.
fn month_start(months: u64) -> Timestamp {
    // Beyond what a timestamp can say, every month is its end.
    let years = (months / 12).min(600_000);
    let days = year_start(years) + month_days(years)[(months % 12) as usize];
    Timestamp(days.saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCHS: [(&str, u64); 8] = [
        ("1970-01", 0),
        ("1970-02", 31),
        ("1972-03", 790),
        ("2000-02", 10_988),
        ("2000-03", 11_017),
        ("2026-11", 20_758),
        ("2100-02", 47_513),
        ("2100-03", 47_541),
    ];

    #[test]
    fn months_begin_on_their_first_day() {
        for (name, day) in EPOCHS {
            let (year, of_year) = name.split_once('-').expect("a year and a month");
            let index = (year.parse::<u64>().unwrap() - 1970) * 12 + of_year.parse::<u64>().unwrap() - 1;
            assert_eq!(month_start(index), Timestamp(day * DAY), "{name}");
            assert_eq!(month(Timestamp(day * DAY)), index, "{name}");
            if day > 0 {
                assert_eq!(month(Timestamp(day * DAY - 1)), index - 1, "{name}");
            }
        }
        for index in 0..6_000 {
            let (start, next) = (month_start(index), month_start(index + 1));
            assert!((28 * DAY..=31 * DAY).contains(&(next.0 - start.0)));
            assert_eq!((month(start), month(Timestamp(next.0 - 1))), (index, index));
        }
        assert!(month_start(month(Timestamp(u64::MAX))) < Timestamp(u64::MAX));
    }

    #[test]
    fn a_sliding_window_counts_everything_younger_than_itself_and_little_more() {
        for length in [1, 29, 30, 31, 1_000, 60_000_000, 86_400_000_000] {
            let window = Window::Sliding(Duration::from_micros(length));
            for now in (0..300).map(|step| length * 3 + step * length.div_ceil(97)) {
                let counts = |at: u64| window.bucket(Timestamp(at)) >= window.oldest(Timestamp(now));
                assert!(counts(now - length + 1) && counts(now + length));
                // Below that, a bucket cannot be as short as it should.
                assert!(length < 1_000 || !counts(now - length - length.div_ceil(30) - 30));
            }
        }
    }

    #[test]
    fn a_bucket_ends_when_it_stops_counting() {
        let windows =
            [Window::Sliding(Duration::from_secs(60)), Window::Fixed(Duration::from_secs(3600)), Window::Month, Window::Week];
        for window in windows {
            for charged in [0, 1, 59_999_999, 1_790_000_000_000_000] {
                let bucket = window.bucket(Timestamp(charged));
                let end = window.end(bucket).expect("they end").0;
                assert!(window.oldest(Timestamp(end - 1)) <= bucket && window.oldest(Timestamp(end)) > bucket);
            }
        }
        assert_eq!(Window::Ever.end(0), None);
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2026-11-23 was a Monday.
        let monday = 20_780 * DAY;
        for (moment, end) in [(monday, monday + 7 * DAY), (monday - 1, monday), (monday + 6 * DAY, monday + 7 * DAY)] {
            assert_eq!(Window::Week.end(Window::Week.bucket(Timestamp(moment))), Some(Timestamp(end)));
        }
        assert_eq!(Timestamp(monday).to_string(), "2026-11-23T00:00:00.000000Z");
    }

    #[test]
    fn no_window_and_no_moment_overflows() {
        for length in [Duration::ZERO, Duration::from_micros(1), Duration::MAX] {
            for window in [Window::Ever, Window::Sliding(length), Window::Fixed(length), Window::Month, Window::Week] {
                for now in [0, 1, u64::MAX - 1, u64::MAX] {
                    let bucket = window.bucket(Timestamp(now));
                    assert!(window.oldest(Timestamp(now)) <= bucket);
                    let (_, _) = (window.end(bucket), window.end(u64::MAX));
                    let _ = window.spend_by(Timestamp(now));
                }
            }
        }
    }
}
