//! Days of the proleptic Gregorian calendar (ISO 8601), as a count.

use std::fmt;

/// Days of 400 years.
const ERA: u32 = 146_097;
/// Days from 0000-03-01 to 0001-01-01: years begin in March here, so that a leap day ends one.
const SHIFT: u32 = 306;

/// A day from 0001-01-01 to 9999-12-31, counted from the first of them (day 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u32);

impl Date {
    /// Bits of the widest count, 3 652 058.
    pub(crate) const BITS: u8 = 22;
    /// 9999-12-31.
    pub(crate) const LAST: Self = Self(3_652_058);

    /// A day of the calendar; `None` if the calendar has none such, or the year is not 1 to 9999.
    #[must_use]
    pub fn new(year: u32, month: u32, day: u32) -> Option<Self> {
        let fits = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days(year, month);
        if !fits {
            return None;
        }
        // Hinnant, "chrono-compatible low-level date algorithms": months counted from March.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let of_year = (153 * month + 2) / 5 + day - 1;
        let of_era = (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + of_year;
        Some(Self((year / 400) * ERA + of_era - SHIFT))
    }

    /// Reads `YYYY-MM-DD`, exactly these ten characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let part = |range: std::ops::Range<usize>| -> Option<u32> {
            let digits = text.get(range)?;
            digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
        if dashes { Self::new(part(0..4)?, part(5..7)?, part(8..10)?) } else { None }
    }

    /// Days since 0001-01-01.
    #[must_use]
    pub fn days(self) -> u32 {
        self.0
    }

    /// The day that is so many days after 0001-01-01; `None` after 9999-12-31.
    #[must_use]
    pub fn from_days(days: u32) -> Option<Self> {
        (days <= Self::LAST.0).then_some(Self(days))
    }

    /// Year, month and day.
    #[must_use]
    pub fn parts(self) -> (u32, u32, u32) {
        let since = self.0 + SHIFT;
        let (era, of_era) = (since / ERA, since % ERA);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        (era * 400 + year + next, month, day)
    }
}

/// Days of a month.
fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    //! Calendars break at centuries and at their ends.

    use super::*;

    #[test]
    fn the_ends_are_day_zero_and_the_last() {
        assert_eq!(Date::new(1, 1, 1).map(Date::days), Some(0));
        assert_eq!(Date::new(9999, 12, 31), Some(Date::LAST));
        assert!(Date::LAST.days() < 1 << Date::BITS);
        assert_eq!(Date::from_days(Date::LAST.days()), Some(Date::LAST));
        assert_eq!(Date::from_days(Date::LAST.days() + 1), None);
        // A well-known pair: the Unix epoch is day 719 162 after 0001-01-01.
        assert_eq!(Date::parse("1970-01-01").map(Date::days), Some(719_162));
    }

    #[test]
    fn every_day_of_four_centuries_follows_its_predecessor() {
        let mut expected = Date::new(1600, 1, 1).unwrap().days();
        for year in 1600..=2000 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let Some(date) = Date::new(year, month, day) else {
                        assert!(day > 28, "{year}-{month}-{day}");
                        continue;
                    };
                    assert_eq!(date.days(), expected);
                    assert_eq!(date.parts(), (year, month, day));
                    expected += 1;
                }
            }
        }
        assert_eq!(expected - Date::new(1600, 1, 1).unwrap().days(), ERA + 366);
    }

    #[test]
    fn what_no_calendar_has_is_refused() {
        let none = ["2026-02-29", "1900-02-29", "2026-04-31", "2026-00-10", "2026-13-01", "2026-01-00", "0000-12-31"];
        let malformed =
            ["2026-1-01", "2026/01/01", "+026-01-01", "20260101", "2026-01-011", "2026-01-0", "", "２026-01-1"];
        for text in none.into_iter().chain(malformed) {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        assert_eq!(Date::new(10_000, 1, 1), None);
    }

    #[test]
    fn leap_days_and_the_text_form() {
        for text in ["2000-02-29", "2024-02-29", "0001-01-01", "9999-12-31", "0400-02-29"] {
            assert_eq!(Date::parse(text).unwrap().to_string(), text);
        }
    }
}
