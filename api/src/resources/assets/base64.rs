//! Owns the decoding of Base64 that arrives in pieces.
//! Must never hold more than the content that was announced, nor guess at damaged text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT as BASE64;

/// A content that is being decoded.
pub(super) struct Decoder {
    content: Vec<u8>,
    most: usize,
    /// Digits that do not fill a group of four yet.
    pending: Vec<u8>,
    /// Whether padding came: nothing may follow it.
    padded: bool,
}

/// Why a text is not the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not Base64.
    Damaged,
    /// It is longer than announced.
    TooLong,
}

impl Decoder {
    /// For a content of so many bytes.
    pub(super) fn new(most: usize) -> Decoder {
        Decoder { content: Vec::with_capacity(most), most, pending: Vec::with_capacity(4), padded: false }
    }

    /// Takes a piece. Line breaks are passed over, as some tools write them.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), Fault> {
        for line in piece.split(|byte| matches!(byte, b'\r' | b'\n')) {
            self.feed_line(line)?;
        }
        Ok(())
    }

    fn feed_line(&mut self, mut line: &[u8]) -> Result<(), Fault> {
        while !self.pending.is_empty()
            && let Some((first, rest)) = line.split_first()
        {
            self.pending.push(*first);
            line = rest;
            if self.pending.len() == 4 {
                let group = std::mem::take(&mut self.pending);
                self.decode(&group)?;
            }
        }
        let (groups, rest) = line.split_at_checked(line.len() - line.len() % 4).unwrap_or((line, &[]));
        self.decode(groups)?;
        if self.padded && !rest.is_empty() {
            return Err(Fault::Damaged);
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    fn decode(&mut self, groups: &[u8]) -> Result<(), Fault> {
        if groups.is_empty() {
            return Ok(());
        }
        if self.padded {
            return Err(Fault::Damaged);
        }
        // At most two bytes less than this come out.
        if self.content.len() + groups.len() / 4 * 3 > self.most + 2 {
            return Err(Fault::TooLong);
        }
        BASE64.decode_vec(groups, &mut self.content).map_err(|_| Fault::Damaged)?;
        self.padded = groups.ends_with(b"=");
        if self.content.len() > self.most { Err(Fault::TooLong) } else { Ok(()) }
    }

    /// The content, once everything was taken.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Fault> {
        let rest = std::mem::take(&mut self.pending);
        self.decode(&rest)?;
        Ok(self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]], most: usize) -> Result<Vec<u8>, Fault> {
        let mut decoder = Decoder::new(most);
        pieces.iter().try_for_each(|piece| decoder.feed(piece))?;
        decoder.finish()
    }

    #[test]
    fn padding_and_line_breaks_are_as_tools_write_them() {
        for text in ["aGVsbG8=", "aGVsbG8", "aGVs\r\nbG8=\r\n", "a\nG\nV\ns\nb\nG\n8\n="] {
            assert_eq!(decode(&[text.as_bytes()], 5).unwrap(), b"hello", "{text:?}");
        }
        assert_eq!(decode(&[b"aG", b"", b"VsbG", b"8="], 5).unwrap(), b"hello");
        assert_eq!(decode(&[], 0).unwrap(), b"");
    }

    #[test]
    fn damage_is_told() {
        for text in [
            "aGVsbG8=aGVs",
            "aGVsbG8=a",
            "aG=sbG8",
            "a",
            "aGVsb",
            "aG V",
            "aGVs%",
            "aGVsbG9=",
            "=",
            "aGVs====",
        ] {
            assert_eq!(decode(&[text.as_bytes()], 100), Err(Fault::Damaged), "{text:?}");
        }
    }

    #[test]
    fn what_is_longer_than_announced_is_told_before_it_is_held() {
        assert_eq!(decode(&[b"aGVsbG8="], 4), Err(Fault::TooLong));
        assert_eq!(decode(&[b"aGVsbG8="], 0), Err(Fault::TooLong));
        let mut decoder = Decoder::new(10);
        assert_eq!(decoder.feed(&[b'A'; 1_000_000]), Err(Fault::TooLong));
        assert!(decoder.content.capacity() < 1_000);
    }

    proptest! {
        #[test]
        fn whatever_the_pieces_the_content_is_the_same(content in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..17) {
            let text = BASE64.encode(&content);
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(decode(&pieces, content.len()).unwrap(), content);
        }
    }
}
