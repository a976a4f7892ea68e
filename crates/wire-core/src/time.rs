//! Points in time on the wire: protobuf's seconds and nanoseconds, and RFC 3339.

use crate::output::Output;

/// What the wire writes for a time that is not known: the beginning of the year 1.
pub(crate) const UNKNOWN_SECONDS: i64 = -62_135_596_800;
/// The last second of the year 9999.
const LAST_SECONDS: i64 = 253_402_300_799;

/// Milliseconds since 1970. None: not known, or outside the years 1 to 9999 that protobuf has.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of the years to 9999 fit a double")]
pub(crate) fn milliseconds(seconds: i64, nanos: i64) -> Option<f64> {
    let inside = (UNKNOWN_SECONDS + 1..=LAST_SECONDS).contains(&seconds) && (0..1_000_000_000).contains(&nanos);
    inside.then(|| (seconds * 1000 + nanos / 1_000_000) as f64)
}

/// Protobuf's seconds and nanoseconds for milliseconds since 1970; NaN, and what protobuf cannot hold, becomes unknown.
#[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
pub(crate) fn seconds_and_nanos(milliseconds: f64) -> (i64, i64) {
    let range = (UNKNOWN_SECONDS * 1000) as f64..=(LAST_SECONDS * 1000 + 999) as f64;
    if !range.contains(&milliseconds) {
        return (UNKNOWN_SECONDS, 0);
    }
    let whole = milliseconds.floor() as i64;
    (whole.div_euclid(1000), whole.rem_euclid(1000) * 1_000_000)
}

/// Adds milliseconds since 1970 as RFC 3339; NaN, and what protobuf cannot hold, as unknown.
pub(crate) fn put_rfc3339(output: &mut Output<'_>, milliseconds: f64) {
    let (seconds, nanos) = seconds_and_nanos(milliseconds);
    if (seconds, nanos) == (UNKNOWN_SECONDS, 0) {
        return output.put(b"0001-01-01T00:00:00Z");
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (at, digits, number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, second / 3600),
        (14, 2, second / 60 % 60),
        (17, 2, second % 60),
        (20, 3, nanos / 1_000_000),
    ] {
        let mut rest = number;
        for place in text[at..at + digits].iter_mut().rev() {
            *place += (rest % 10) as u8;
            rest /= 10;
        }
    }
    output.put(&text);
}

/// Reads an RFC 3339 time, such as `2026-01-31T12:00:00.5Z` or `2026-01-31T13:00:00+01:00`. `Err`: it is none.
/// `Ok(None)`: it says that the time is not known.
pub(crate) fn parse_rfc3339(text: &str) -> Result<Option<f64>, ()> {
    let bytes = text.as_bytes();
    let (head, rest) = bytes.split_at_checked(19).ok_or(())?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| !head[*at].eq_ignore_ascii_case(separator)) {
        return Err(());
    }
    let [year, month, day] = [number(&head[..4])?, number(&head[5..7])?, number(&head[8..10])?];
    let [hour, minute, second] = [number(&head[11..13])?, number(&head[14..16])?, number(&head[17..19])?];
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return Err(());
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(());
    }
    let (nanos, zone) = fraction(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    if !(UNKNOWN_SECONDS..=LAST_SECONDS).contains(&seconds) {
        return Err(());
    }
    Ok(milliseconds(seconds, nanos))
}

fn number(digits: &[u8]) -> Result<i64, ()> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + i64::from(digit - b'0')),
        _ => Err(()),
    })
}

/// Nanoseconds, and what follows them.
fn fraction(text: &[u8]) -> Result<(i64, &[u8]), ()> {
    let Some(text) = text.strip_prefix(b".") else { return Ok((0, text)) };
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return Err(());
    }
    let nanos = (digits..9).fold(number(&text[..digits])?, |nanos, _| nanos * 10);
    Ok((nanos, &text[digits..]))
}

/// Seconds that the zone is ahead of UTC.
fn offset(zone: &[u8]) -> Result<i64, ()> {
    match zone {
        b"Z" | b"z" => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return Err(());
            }
            Ok((hours * 3600 + minutes * 60) * if *sign == b'+' { 1 } else { -1 })
        }
        _ => Err(()),
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days in the Gregorian calendar. Source: Howard Hinnant, `days_from_civil`; years begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of days since 1970-01-01. Source: Howard Hinnant, `civil_from_days`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(milliseconds: f64) -> String {
        let mut target = [0; 24];
        let mut output = Output::new(&mut target);
        put_rfc3339(&mut output, milliseconds);
        let length = output.finish();
        String::from_utf8(target[..length].to_vec()).unwrap()
    }

    #[test]
    fn times_are_written() {
        for (time, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (-1.0, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000.0, "2000-02-29T00:00:00.000Z"),
            (1_772_323_199_123.9, "2026-02-28T23:59:59.123Z"),
            (253_402_300_799_999.0, "9999-12-31T23:59:59.999Z"),
            (-62_135_596_799_999.0, "0001-01-01T00:00:00.001Z"),
            (-62_135_596_800_000.0, "0001-01-01T00:00:00Z"),
            (f64::NAN, "0001-01-01T00:00:00Z"),
            (253_402_300_800_000.0, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(written(time), text);
        }
    }

    #[test]
    fn every_day_that_is_written_is_read() {
        for day in (days_since_1970(1, 1, 2)..=days_since_1970(9999, 12, 31)).step_by(13) {
            let time = (day * 86_400_000 + 45_296_789) as f64;
            assert_eq!(parse_rfc3339(&written(time)), Ok(Some(time)));
        }
    }

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("1970-01-01t00:00:00.001z", Some(1.0)),
            ("1969-12-31T23:59:59.999Z", Some(-1.0)),
            ("2026-02-28T23:59:59.123456789Z", Some(1_772_323_199_123.0)),
            ("2024-02-29T00:00:00+01:30", Some(1_709_159_400_000.0)),
            ("2000-01-01T00:00:00-00:30", Some(946_686_600_000.0)),
            ("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999.0)),
            ("0001-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00.5Z", None),
        ] {
            assert_eq!(parse_rfc3339(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00Zz",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0\u{fc}Z",
        ] {
            assert_eq!(parse_rfc3339(text), Err(()), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_last() {
        let mut last = days_since_1970(1599, 12, 31);
        for year in 1600..2000 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month) {
                    assert_eq!(days_since_1970(year, month, day), last + 1);
                    last += 1;
                }
            }
        }
        assert_eq!(last, days_since_1970(1970, 1, 1) + 10_956);
    }

    #[test]
    fn milliseconds_come_back_from_protobuf() {
        for time in [0.0, 1.0, -1.0, -62_135_596_799_000.0, 253_402_300_799_999.0, 1_772_323_199_123.0] {
            let (seconds, nanos) = seconds_and_nanos(time);
            assert_eq!(milliseconds(seconds, nanos), Some(time));
        }
        for time in [f64::NAN, f64::INFINITY, f64::MIN, 253_402_300_800_000.0] {
            assert_eq!(seconds_and_nanos(time), (UNKNOWN_SECONDS, 0));
        }
        assert_eq!(milliseconds(0, -1), None);
        assert_eq!(milliseconds(0, 1_000_000_000), None);
    }
}
