//! The frames of HTTP/3 on one stream, as far as they have to be bounded before `h3` sees them: it holds a frame until all
//! of it is there, however long it says to be, and takes the end of a stream for the end of a body.
//!
//! Looks at the heads of frames as they come from the stream. What is in a frame is `h3`'s to judge. Must never keep more
//! than a head.

use h3::error::Code;

/// The longest head of a frame: two numbers.
const LONGEST_HEAD: usize = 16;
/// The most bytes of a frame that is neither a body's nor a head's. Settings and priorities are far shorter.
const LONGEST_OTHER: u64 = 4 << 10;

const DATA: u64 = 0x0;
const HEADERS: u64 = 0x1;
/// Where `h3` would take all that follows for a stream of WebTransport, of which there is none.
const WEBTRANSPORT: u64 = 0x41;

/// The stream that says how a connection goes on (RFC 9114 section 6.2.1).
const CONTROL_STREAM: u64 = 0x0;

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It ends within a frame.
    Cut,
    /// A frame is longer than any has to be.
    Long,
    /// A frame of a kind that is not spoken.
    Kind,
}

impl Wrong {
    pub(super) fn code(self) -> Code {
        match self {
            Self::Cut => Code::H3_FRAME_ERROR,
            Self::Long => Code::H3_EXCESSIVE_LOAD,
            Self::Kind => Code::H3_FRAME_UNEXPECTED,
        }
    }
}

/// The frames of one stream.
#[derive(Debug)]
pub(super) struct Frames {
    state: State,
    longest_head: u64,
    head: [u8; LONGEST_HEAD],
    have: usize,
    /// Frames that neither begin a request nor carry a body, since this was asked last.
    others: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What kind of stream it is.
    Kind,
    /// The head of a frame.
    Head,
    /// So many bytes of a frame are to come.
    Content(u64),
    /// It has no frames.
    Bytes,
}

impl Frames {
    /// Those of a stream with a request; a head may have so many bytes.
    pub(super) fn of_request(longest_head: u64) -> Self {
        Self::new(State::Head, longest_head)
    }

    /// Those of a stream in one direction, if it has any.
    pub(super) fn of_one_direction() -> Self {
        Self::new(State::Kind, LONGEST_OTHER)
    }

    fn new(state: State, longest_head: u64) -> Self {
        Self { state, longest_head, head: [0; LONGEST_HEAD], have: 0, others: 0 }
    }

    /// Takes note of bytes that were read.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Wrong> {
        while let Some((first, rest)) = bytes.split_first() {
            match self.state {
                State::Bytes => return Ok(()),
                State::Content(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(here..).unwrap_or_default();
                    self.content(left.saturating_sub(here as u64));
                }
                State::Kind | State::Head => {
                    if let Some(place) = self.head.get_mut(self.have) {
                        *place = *first;
                    }
                    self.have = self.have.saturating_add(1);
                    bytes = rest;
                    self.look()?;
                }
            }
        }
        Ok(())
    }

    /// Takes note of the end of the stream.
    ///
    /// # Errors
    /// [`Wrong::Cut`] within a frame.
    pub(super) fn end(&self) -> Result<(), Wrong> {
        match self.state {
            State::Head if self.have == 0 => Ok(()),
            State::Kind | State::Bytes => Ok(()),
            State::Head | State::Content(_) => Err(Wrong::Cut),
        }
    }

    /// How many frames there were since this was asked last that ask for nothing.
    pub(super) fn others(&mut self) -> u64 {
        std::mem::take(&mut self.others)
    }

    fn content(&mut self, left: u64) {
        self.state = if left == 0 { State::Head } else { State::Content(left) };
    }

    /// Looks whether a number, or two, are complete.
    fn look(&mut self) -> Result<(), Wrong> {
        let head = self.head.get(..self.have).unwrap_or_default();
        let Some((kind, rest)) = number(head) else { return Ok(()) };
        if self.state == State::Kind {
            self.have = 0;
            self.state = if kind == CONTROL_STREAM { State::Head } else { State::Bytes };
            return Ok(());
        }
        if kind == WEBTRANSPORT {
            return Err(Wrong::Kind);
        }
        let Some((length, _)) = number(rest) else { return Ok(()) };
        self.have = 0;
        let most = match kind {
            DATA => u64::MAX,
            HEADERS => self.longest_head,
            _ => LONGEST_OTHER,
        };
        // An empty piece of a body is no progress either.
        self.others += u64::from(!matches!(kind, DATA | HEADERS) || length == 0);
        if length > most {
            return Err(Wrong::Long);
        }
        self.content(length);
        Ok(())
    }
}

/// A number of QUIC (RFC 9000 section 16) and what follows it; none as long as it is not complete.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = bytes.first()?;
    let length = 1_usize << (first >> 6);
    let (number, rest) = bytes.split_at_checked(length)?;
    let number = number.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // The two bits that say how long it is.
    let bits = 8_usize.saturating_mul(length).saturating_sub(2);
    Some((number & ((1_u64 << bits) - 1), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: u64) -> Vec<u8> {
        match number {
            0..0x40 => vec![u8::try_from(number).unwrap()],
            0x40..0x4000 => (0x4000 | u16::try_from(number).unwrap()).to_be_bytes().to_vec(),
            0x4000..0x4000_0000 => (0x8000_0000 | u32::try_from(number).unwrap()).to_be_bytes().to_vec(),
            _ => (0xc000_0000_0000_0000 | number).to_be_bytes().to_vec(),
        }
    }

    fn frame(kind: u64, length: u64) -> Vec<u8> {
        [written(kind), written(length)].concat()
    }

    fn whole(kind: u64, length: usize) -> Vec<u8> {
        [frame(kind, length as u64), vec![7; length]].concat()
    }

    #[test]
    fn a_head_is_bounded_and_a_body_is_not() {
        let read = |bytes: &[u8]| Frames::of_request(1_000).read(bytes);
        assert_eq!(read(&frame(HEADERS, 1_000)), Ok(()));
        assert_eq!(read(&frame(HEADERS, 1_001)), Err(Wrong::Long));
        assert_eq!(read(&frame(DATA, 1 << 40)), Ok(()));
        assert_eq!(read(&frame(0x21, LONGEST_OTHER)), Ok(()));
        assert_eq!(read(&frame(0x21, LONGEST_OTHER + 1)), Err(Wrong::Long));
        assert_eq!(read(&frame(0x21, 1 << 60)), Err(Wrong::Long));
        assert_eq!(read(&written(WEBTRANSPORT)), Err(Wrong::Kind));
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_cut() {
        let stream = [whole(HEADERS, 3), whole(DATA, 5), whole(DATA, 0)].concat();
        let ends: Vec<usize> = (0..=stream.len())
            .filter(|end| {
                let mut frames = Frames::of_request(1_000);
                frames.read(&stream[..*end]).unwrap();
                frames.end().is_ok()
            })
            .collect();
        assert_eq!(ends, [0, 5, 12, 14]);
    }

    #[test]
    fn only_the_stream_that_controls_has_frames_among_those_of_one_direction() {
        let control = [written(CONTROL_STREAM), whole(0x4, 2), frame(0x7, 1 << 30)].concat();
        assert_eq!(Frames::of_one_direction().read(&control), Err(Wrong::Long));
        let other = [written(0x2), frame(0x7, 1 << 30)].concat();
        assert_eq!(Frames::of_one_direction().read(&other), Ok(()));
    }

    #[test]
    fn frames_that_ask_for_nothing_are_counted() {
        let mut frames = Frames::of_request(1_000);
        let stream = [whole(HEADERS, 3), whole(0x21, 2), whole(DATA, 1), whole(DATA, 0)].concat();
        frames.read(&stream).unwrap();
        assert_eq!((frames.others(), frames.others()), (2, 0));
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_into_pieces_changes_nothing(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            piece in 1_usize..20,
        ) {
            let at_once = {
                let mut frames = Frames::of_request(64);
                frames.read(&bytes).and_then(|()| frames.end())
            };
            let mut frames = Frames::of_request(64);
            let in_pieces = bytes.chunks(piece).try_for_each(|piece| frames.read(piece)).and_then(|()| frames.end());
            prop_assert_eq!(at_once, in_pieces);
        }

        #[test]
        fn numbers_come_back(value in 0_u64..1 << 62) {
            let bytes = written(value);
            prop_assert_eq!(number(&bytes), Some((value, &[][..])));
            prop_assert_eq!(number(&bytes[..bytes.len() - 1]), None);
        }
    }
}
