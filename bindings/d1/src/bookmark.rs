//! Names of moments in the life of a database.
//!
//! A moment is a number that never goes back: the milliseconds since 1970, or one more than the last where the clock stood
//! still or went back. So a time is a moment, too. As text a bookmark has the form that clients know, four groups of
//! hexadecimal digits, of which the last names the database: a bookmark of another one is told apart.

use std::fmt;

use wasmyard_model::DatabaseId;

/// A moment in the life of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    id: DatabaseId,
    moment: u64,
}

impl Bookmark {
    /// The moment of a database.
    #[must_use]
    pub fn new(id: DatabaseId, moment: u64) -> Bookmark {
        Bookmark { id, moment }
    }

    /// The bookmark that a text is, of whichever database.
    #[must_use]
    pub fn parse(text: &str) -> Option<Bookmark> {
        let mut parts = text.split('-');
        let (zero, high, low, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_one = parts.next().is_none()
            && [zero, high, low].iter().all(|part| part.len() == 8 && hex(part))
            && id.len() == 32
            && hex(id);
        if !is_one || u32::from_str_radix(zero, 16).ok()? != 0 {
            return None;
        }
        let moment = u64::from_str_radix(&format!("{high}{low}"), 16).ok()?;
        let part = |from: usize, to: usize| id.get(from..to);
        let id = [part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-");
        Some(Bookmark { id: DatabaseId::parse(&id)?, moment })
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &DatabaseId {
        &self.id
    }

    /// The moment.
    #[must_use]
    pub const fn moment(&self) -> u64 {
        self.moment
    }
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.moment >> 32, self.moment & 0xffff_ffff);
        write!(f, "00000000-{high:08x}-{low:08x}-{}", self.id.as_str().replace('-', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_is_read_as_it_was_written() {
        let id = DatabaseId::parse("0f0e0d0c-0b0a-4908-8706-050403020100").unwrap();
        let bookmark = Bookmark::new(id, 0x0123_4567_89ab);
        let text = bookmark.to_string();
        assert_eq!(text, "00000000-00000123-456789ab-0f0e0d0c0b0a49088706050403020100");
        assert_eq!(Bookmark::parse(&text), Some(bookmark));
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = "00000000-00000123-456789ab-0f0e0d0c0b0a49088706050403020100";
        for text in [
            "",
            "first-primary",
            "0-0-0-0",
            &long[1..],
            &format!("{long}-0"),
            &long.replace("123", "12x"),
            &long.replacen('0', "1", 1),
        ] {
            assert_eq!(Bookmark::parse(text), None, "{text}");
        }
    }
}
