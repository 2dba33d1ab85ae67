//! Moments on the command line, and the time buckets they lie in.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use wardkeep_abe::{Bucket, Terms};

use super::AbeError;

/// A moment as somebody writes it. Days are those of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// `now` or `today`.
    Now,
    /// `2026-12-31`: all of that day.
    Day(Date),
    /// `2026-12-31T15:00:00Z` (RFC 3339).
    Moment(Timestamp),
    /// `bucket:20780`: a time bucket by its number.
    Bucket(u32),
}

/// Which end of a day is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Its first bucket: something begins.
    Start,
    /// Its last bucket: something ends.
    End,
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if matches!(text, "now" | "today") {
            return Ok(Self::Now);
        }
        let form = || "write `today`, a date as 2026-12-31, a moment as 2026-12-31T15:00:00Z, or a time bucket as `bucket:20780`";
        if let Some(number) = text.strip_prefix("bucket:") {
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            return number.parse().ok().filter(|_| digits).map(Self::Bucket).ok_or_else(|| form().to_owned());
        }
        // A number alone is a year to whoever writes it, and would be a day of the seventies as a bucket. The library
        // takes eight digits for a date without its dashes.
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form().to_owned());
        }
        let dashed = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
        if dashed {
            return text.parse().map(Self::Day).map_err(|_| form().to_owned());
        }
        text.parse().map(Self::Moment).map_err(|_| form().to_owned())
    }
}

impl When {
    /// The bucket that it lies in; `now` in seconds since 1970.
    pub(crate) fn bucket(self, edge: Edge, terms: &Terms, now: u64) -> Result<Bucket, AbeError> {
        let seconds = match self {
            Self::Bucket(number) => {
                let bucket = Bucket::new(number);
                return if terms.has_bucket(bucket) { Ok(bucket) } else { Err(AbeError::OutOfTime) };
            }
            Self::Now => Some(now),
            Self::Moment(moment) => u64::try_from(moment.as_second()).ok(),
            Self::Day(date) => midnight(date).map(|start| match edge {
                Edge::Start => start,
                Edge::End => start + 86_399,
            }),
        };
        seconds.and_then(|seconds| terms.bucket_at(seconds)).ok_or(AbeError::OutOfTime)
    }
}

/// `None` before 1970.
fn midnight(date: Date) -> Option<u64> {
    let start = date.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(start.timestamp().as_second()).ok()
}

/// The last moment of a bucket, for people.
pub(crate) fn last_moment(terms: &Terms, bucket: Bucket) -> String {
    moment(terms.end_of(bucket) - 1)
}

/// Seconds since 1970 as a moment (RFC 3339).
pub(crate) fn moment(seconds: u64) -> String {
    let found = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    found.map_or_else(|| format!("{seconds} s after 1970"), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use wardkeep_abe::BucketLength;

    use super::*;

    fn number(text: &str, edge: Edge, length: BucketLength) -> Option<u32> {
        let terms = Terms::new(length, 20).unwrap();
        // 1970-01-03T05:00:00Z.
        let now = 2 * 86_400 + 5 * 3_600;
        text.parse::<When>().unwrap().bucket(edge, &terms, now).ok().map(Bucket::number)
    }

    #[test]
    fn a_day_begins_with_its_first_bucket_and_ends_with_its_last() {
        for (text, edge, day, hour) in [
            ("now", Edge::Start, 2, 53),
            ("today", Edge::End, 2, 53),
            ("1970-01-01", Edge::Start, 0, 0),
            ("1970-01-01", Edge::End, 0, 23),
            ("1970-01-02", Edge::Start, 1, 24),
            ("1970-01-02", Edge::End, 1, 47),
            ("1970-01-02T23:59:59Z", Edge::Start, 1, 47),
            ("1970-01-03T01:00:00+02:00", Edge::End, 1, 47),
            ("bucket:17", Edge::Start, 17, 17),
        ] {
            assert_eq!(number(text, edge, BucketLength::Day), Some(day), "{text}");
            assert_eq!(number(text, edge, BucketLength::Hour), Some(hour), "{text}");
        }
    }

    #[test]
    fn moments_beyond_the_last_bucket_or_before_the_first_are_refused() {
        assert_eq!(number("bucket:65535", Edge::Start, BucketLength::Day), Some(65_535));
        assert_eq!(number("bucket:65536", Edge::Start, BucketLength::Day), None);
        assert_eq!(number("2149-06-06", Edge::End, BucketLength::Day), Some(65_535));
        assert_eq!(number("2149-06-07", Edge::Start, BucketLength::Day), None);
        assert_eq!(number("9999-12-31", Edge::End, BucketLength::Hour), None);
        assert_eq!(number("1969-12-31", Edge::End, BucketLength::Day), None);
    }

    #[test]
    fn what_is_no_moment_is_refused_with_the_forms_there_are() {
        for bad in [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-13-01",
            "31.12.2026",
            "2026-12-31 15",
            "-1",
            "0x10",
            // A year, a date without its dashes, a bucket without its word.
            "2026",
            "20261231",
            "20780",
            "bucket:",
            "bucket:-1",
            "bucket:+1",
            "bucket:2026-12-31",
            "bucket:4294967296",
        ] {
            let refused = bad.parse::<When>().unwrap_err();
            assert!(refused.contains("2026-12-31"), "{bad}: {refused}");
        }
    }

    #[test]
    fn people_read_when_a_bucket_ends() {
        let terms = Terms::new(BucketLength::Day, 20).unwrap();
        assert_eq!(last_moment(&terms, Bucket::new(0)), "1970-01-01T23:59:59Z");
        assert_eq!(moment(u64::MAX), format!("{} s after 1970", u64::MAX));
    }
}
