//! Ranges: which bytes of a content are asked for.

use crate::error::R2Error;

/// A part of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// From a byte on, so many at most.
    From {
        /// The first byte.
        offset: u64,
        /// How many; all that are left where none is given.
        length: Option<u64>,
    },
    /// So many bytes at the end.
    Suffix(u64),
}

impl Range {
    /// What is meant by fields that may be given: an offset, a length, a suffix.
    ///
    /// # Errors
    /// [`R2Error::Invalid`] for a suffix beside the others.
    pub fn of(
        offset: Option<u64>,
        length: Option<u64>,
        suffix: Option<u64>,
    ) -> Result<Option<Range>, R2Error> {
        match (offset, length, suffix) {
            (None, None, None) => Ok(None),
            (None, None, Some(suffix)) => Ok(Some(Range::Suffix(suffix))),
            (offset, length, None) => Ok(Some(Range::From { offset: offset.unwrap_or(0), length })),
            (_, _, Some(_)) => {
                Err(R2Error::Invalid("suffix is given beside offset or length; give one of them".to_owned()))
            }
        }
    }

    /// The range of a field `Range` such as `bytes=0-99`. None for what is no single range of bytes: the field then says
    /// nothing (RFC 9110, section 14.2).
    #[must_use]
    pub fn of_field(field: &str) -> Option<Range> {
        let (first, last) = field.trim().strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| {
            let is_one = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_one.then(|| text.parse().unwrap_or(u64::MAX))
        };
        match (first.trim(), last.trim()) {
            ("", last) => number(last).map(Range::Suffix),
            (first, "") => Some(Range::From { offset: number(first)?, length: None }),
            (first, last) => {
                let (offset, last) = (number(first)?, number(last)?);
                let length = last.checked_sub(offset)?.saturating_add(1);
                Some(Range::From { offset, length: Some(length) })
            }
        }
    }

    /// First byte and number of bytes within a content of that size.
    ///
    /// # Errors
    /// [`R2Error::InvalidRange`] for a range that has nothing of it.
    pub fn within(self, size: u64) -> Result<(u64, u64), R2Error> {
        match self {
            Range::Suffix(0) => Err(R2Error::InvalidRange { offset: size, size }),
            Range::Suffix(length) => {
                let length = length.min(size);
                Ok((size - length, length))
            }
            Range::From { offset, length } => {
                let left = size.saturating_sub(offset);
                let length = length.unwrap_or(left).min(left);
                if length == 0 {
                    return Err(R2Error::InvalidRange { offset, size });
                }
                Ok((offset, length))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_what_is_there_of_them() {
        let from = |offset, length| Range::From { offset, length };
        assert_eq!(from(2, None).within(10).unwrap(), (2, 8));
        assert_eq!(from(2, Some(3)).within(10).unwrap(), (2, 3));
        assert_eq!(from(8, Some(u64::MAX)).within(10).unwrap(), (8, 2));
        assert_eq!(Range::Suffix(3).within(10).unwrap(), (7, 3));
        assert_eq!(Range::Suffix(30).within(10).unwrap(), (0, 10));
        for bad in [from(10, None), from(u64::MAX, Some(1)), from(0, Some(0)), Range::Suffix(0)] {
            assert!(matches!(bad.within(10), Err(R2Error::InvalidRange { size: 10, .. })), "{bad:?}");
        }
        assert!(matches!(Range::of(Some(1), None, Some(1)), Err(R2Error::Invalid(_))));
        assert_eq!(Range::of(None, Some(4), None).unwrap(), Some(from(0, Some(4))));
    }

    #[test]
    fn a_field_says_one_range_or_nothing() {
        let from = |offset, length| Some(Range::From { offset, length });
        assert_eq!(Range::of_field("bytes=0-99"), from(0, Some(100)));
        assert_eq!(Range::of_field("bytes=5-"), from(5, None));
        assert_eq!(Range::of_field("bytes=-5"), Some(Range::Suffix(5)));
        for nothing in ["bytes=5-4", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=-", "", "bytes=+1-2"] {
            assert_eq!(Range::of_field(nothing), None, "{nothing}");
        }
    }
}
