//! `Range`: which bytes of a representation are asked for (RFC 9110 section 14).
//!
//! Owns the grammar and the bounds. What asks for too many pieces, or for more in pieces than the whole, gets
//! the whole: that is always allowed, and keeps a small request from making a large answer.

use std::ops::Range;

/// The most ranges of one request.
const MAX_RANGES: usize = 32;
/// What a part of a multipart answer costs beside its bytes, about: smaller gaps are not worth a part.
const PART_OVERHEAD: u64 = 96;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it, with 200.
    Whole,
    /// These bytes, with 206: one range, or several that do not touch.
    Parts(Vec<Range<u64>>),
    /// No byte of it: 416.
    Unsatisfiable,
}

/// Reads the field for a representation of `len` bytes. What is not understood asks for the whole.
pub(super) fn asked(field: &str, len: u64) -> Asked {
    let Some(set) = strip_unit(field.trim()) else { return Asked::Whole };
    // Of an empty file there is no part, but nothing is missing either.
    if len == 0 {
        return Asked::Whole;
    }
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut specs = 0;
    for spec in set.split(',').map(|spec| spec.trim_matches([' ', '\t'])) {
        // Empty elements of a list are to be passed over.
        if spec.is_empty() {
            continue;
        }
        specs += 1;
        let Some(range) = bytes_of(spec, len) else { return Asked::Whole };
        if specs > MAX_RANGES {
            return Asked::Whole;
        }
        if !range.is_empty() {
            parts.push(range);
        }
    }
    match (specs, parts.len()) {
        (0, _) => Asked::Whole,
        (_, 0) => Asked::Unsatisfiable,
        (_, 1) => Asked::Parts(parts),
        _ => several(parts, len),
    }
}

fn strip_unit(field: &str) -> Option<&str> {
    let (unit, set) = field.split_once('=')?;
    unit.trim_end().eq_ignore_ascii_case("bytes").then_some(set)
}

/// The bytes that one spec asks for; empty where there are none of them. None: a mistake.
fn bytes_of(spec: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    match (first.trim_end(), last.trim_start()) {
        ("", suffix) => {
            let wanted = number(suffix)?.min(len);
            Some(len - wanted..len)
        }
        (first, "") => Some(number(first)?.min(len)..len),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            Some(first.min(len)..last.saturating_add(1).min(len))
        }
    }
}

/// Digits only. A number that is too large for us is larger than any file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Keeps the order that was asked for, unless ranges overlap or nearly touch: those become one.
fn several(parts: Vec<Range<u64>>, len: u64) -> Asked {
    let mut sorted = parts.clone();
    sorted.sort_by_key(|part| part.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for part in sorted {
        match merged.last_mut() {
            Some(before) if part.start <= before.end.saturating_add(PART_OVERHEAD) => {
                before.end = before.end.max(part.end);
            }
            _ => merged.push(part),
        }
    }
    let parts = if merged.len() == parts.len() { parts } else { merged };
    let bytes = parts
        .iter()
        .fold(0u64, |bytes, part| bytes.saturating_add(part.end - part.start).saturating_add(PART_OVERHEAD));
    if parts.len() > 1 && bytes >= len { Asked::Whole } else { Asked::Parts(parts) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(range: Range<u64>) -> Asked {
        Asked::Parts(vec![range])
    }

    #[test]
    fn single_ranges() {
        let one = |start, end| part(start..end);
        for (field, expected) in [
            ("bytes=0-0", one(0, 1)),
            ("bytes=0-499", one(0, 500)),
            ("bytes=500-999", one(500, 1000)),
            ("bytes=500-", one(500, 1000)),
            ("bytes=-500", one(500, 1000)),
            ("bytes=-5000", one(0, 1000)),
            ("bytes=990-5000", one(990, 1000)),
            ("bytes=0-99999999999999999999999", one(0, 1000)),
            ("BYTES = 1-2", one(1, 3)),
            ("bytes= 1-2 ", one(1, 3)),
            ("bytes=1-2,", one(1, 3)),
            ("bytes=1000-", Asked::Unsatisfiable),
            ("bytes=1000-1001", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=99999999999999999999999-", Asked::Unsatisfiable),
            ("bytes=2000-, -0", Asked::Unsatisfiable),
        ] {
            assert_eq!(asked(field, 1000), expected, "{field}");
        }
    }

    #[test]
    fn what_is_not_understood_asks_for_the_whole() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-1",
            "bytes=1",
            "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=0x1-2",
            "lines=1-2",
            "1-2",
            "bytes=1-2,x",
            "bytes=1-2;3-4",
            "bytes=--1",
        ] {
            assert_eq!(asked(field, 1000), Asked::Whole, "{field}");
        }
        assert_eq!(asked("bytes=0-", 0), Asked::Whole);
        assert_eq!(asked("bytes=-5", 0), Asked::Whole);
    }

    #[test]
    fn several_ranges_keep_their_order_and_merge_where_they_touch() {
        assert_eq!(asked("bytes=5000-5009,0-9", 10_000), Asked::Parts(vec![5000..5010, 0..10]));
        assert_eq!(asked("bytes=0-99,50-199,5000-5001", 10_000), Asked::Parts(vec![0..200, 5000..5002]));
        assert_eq!(asked("bytes=10-19,0-9", 10_000), part(0..20));
        assert_eq!(asked("bytes=0-9,20000-,-10", 10_000), Asked::Parts(vec![0..10, 9990..10_000]));
    }

    #[test]
    fn many_ranges_or_more_than_the_whole_give_the_whole() {
        let many: Vec<String> = (0..33).map(|n| format!("{}-{}", n * 1000, n * 1000)).collect();
        assert_eq!(asked(&format!("bytes={}", many.join(",")), 100_000), Asked::Whole);
        let repeated = vec!["0-"; 1000].join(",");
        assert_eq!(asked(&format!("bytes={repeated}"), 1000), Asked::Whole);
        assert_eq!(asked("bytes=0-400,500-999", 1000), Asked::Whole);
    }

    proptest! {
        #[test]
        fn parts_are_within_the_file_never_empty_never_overlapping_and_smaller_than_it(
            field in "bytes=([0-9]{0,4}-[0-9]{0,4}[, ]{0,2}){0,12}",
            len in 0u64..12_000,
        ) {
            if let Asked::Parts(parts) = asked(&field, len) {
                prop_assert!(!parts.is_empty() && parts.len() <= MAX_RANGES);
                let mut sorted = parts.clone();
                sorted.sort_by_key(|part| part.start);
                prop_assert!(sorted.iter().all(|part| part.start < part.end && part.end <= len));
                prop_assert!(sorted.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= len);
            }
        }

        #[test]
        fn whatever_stands_in_the_field_is_survived(field in ".{0,200}", len in any::<u64>()) {
            asked(&field, len);
        }

        #[test]
        fn one_range_is_what_it_says(first in 0u64..5000, more in 0u64..5000, len in 1u64..5000) {
            let answer = asked(&format!("bytes={first}-{}", first + more), len);
            if first < len {
                prop_assert_eq!(answer, part(first..(first + more + 1).min(len)));
            } else {
                prop_assert_eq!(answer, Asked::Unsatisfiable);
            }
        }
    }
}
