//! RFC 3339 times of `createTime`, to the second. The proleptic Gregorian calendar, no clock.

/// Seconds since the Unix epoch; `None` for what is no time after it.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let (hours, minutes) = (zone.get(1..3)?.parse::<i64>().ok()?, zone.get(4..6)?.parse::<i64>().ok()?);
            (hours * 60 + minutes) * if *sign == b'+' { 60 } else { -60 }
        }
        _ => return None,
    };
    let days = days_before(year, month) + day - 1;
    valid.then_some(u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second - offset).ok())?
}

/// The time as `2026-11-05T12:34:56Z`.
pub(super) fn rfc3339(seconds: u64) -> String {
    let days = i64::try_from(seconds / 86_400).unwrap_or(i64::MAX).min(2_932_896);
    let mut year = 1970 + days / 366;
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let month = (2..=12).take_while(|month| days_before(year, *month) <= days).last().unwrap_or(1);
    let day = days - days_before(year, month) + 1;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days from the epoch to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = year - 1;
    let years = (year - 1970) * 365 + (before / 4 - before / 100 + before / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + lengths.iter().take(usize::try_from(month - 1).unwrap_or(0)).sum::<i64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, value) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-05T12:34:56Z", 1_793_882_096),
            ("2024-12-31T00:00:01Z", 1_735_603_201),
        ] {
            assert_eq!((seconds(text), rfc3339(value).as_str()), (Some(value), text));
        }
        assert_eq!(seconds("2026-11-05T12:34:56.789123Z"), seconds("2026-11-05T14:34:56.1+02:00"));
    }

    #[test]
    fn what_is_no_time_is_none_and_every_number_has_one() {
        for text in ["", "2026-13-01T00:00:00Z", "2026-11-05", "2026-11-05T12:34:56", "1960-01-01T00:00:00Z", "äääääääääääääääää"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(rfc3339(u64::MAX).len(), 20);
    }
}
