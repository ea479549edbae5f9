//! Where the messages of an HTTP/1.1 connection begin and end, read strictly: what another reader in front may cut in
//! another place is refused, though hyper would take it. That is a line that ends in LF alone, a fragment in a target,
//! and a size of a chunk with anything but digits before its extensions.
//!
//! Looks at bytes as they come from the socket, before hyper does. Keeps none of them but the beginning of a line that
//! came in pieces. Must never judge what hyper judges: a message that it refuses is not looked at any further.

use memchr::memchr;

/// As much is kept of a line that comes in pieces: enough for the fields that say where a body ends.
const MOST_KEPT: usize = 128;
/// Digits of a chunk's size: more than any has.
const MOST_DIGITS: u8 = 16;

/// The messages of one connection, as far as they have come.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    /// The beginning of the line under way, where it came in pieces.
    line: Vec<u8>,
    /// The last byte that was read of it.
    last: u8,
    /// Whether the line under way is longer than what is kept of it.
    is_cut: bool,
    length: u64,
    is_chunked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first line of a request. Whether its target has begun.
    First {
        in_target: bool,
    },
    Fields,
    /// So many bytes of a body are to come.
    Body(u64),
    /// The size of a chunk, and its digits so far.
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
    },
    /// The LF behind a size.
    SizeEnd {
        size: u64,
    },
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// What stands behind a chunk: whether its CR was there.
    ChunkEnd {
        has_cr: bool,
    },
    Trailers,
    /// hyper refuses it.
    Refused,
}

/// What is wrong, and where the first byte is that must not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// In a head.
    Head(usize),
    /// In the framing of a body.
    Body(usize),
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self {
            state: State::First { in_target: false },
            line: Vec::new(),
            last: 0,
            is_cut: false,
            length: 0,
            is_chunked: false,
        }
    }

    /// Reads on. Nothing is read any more after what is broken.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.state {
                State::First { .. } | State::Fields | State::Trailers => {
                    self.line(rest).map_err(|bad| self.broken(at + bad))?
                }
                State::Body(left) => {
                    let (taken, left) = skipped(left, rest);
                    self.state =
                        if left == 0 { State::First { in_target: false } } else { State::Body(left) };
                    taken
                }
                State::Chunk(left) => {
                    let (taken, left) = skipped(left, rest);
                    self.state =
                        if left == 0 { State::ChunkEnd { has_cr: false } } else { State::Chunk(left) };
                    taken
                }
                State::Refused => return Ok(()),
                State::Size { .. }
                | State::Extension { .. }
                | State::SizeEnd { .. }
                | State::ChunkEnd { .. } => {
                    let byte = rest.first().copied().unwrap_or_default();
                    self.state = around_chunk(self.state, byte).ok_or(Broken::Body(at))?;
                    1
                }
            };
        }
        Ok(())
    }

    fn broken(&self, at: usize) -> Broken {
        if self.state == State::Trailers { Broken::Body(at) } else { Broken::Head(at) }
    }

    /// Reads one line, or what is there of it. Says how many bytes that were, or which one is wrong.
    fn line(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let end = memchr(b'\n', bytes);
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        self.target(part)?;
        let last = part.last().copied().unwrap_or(self.last);
        let Some(end) = end else {
            self.keep(part);
            self.last = last;
            return Ok(bytes.len());
        };
        if last != b'\r' {
            return Err(end);
        }
        if self.line.is_empty() {
            self.ended(part).map_err(|()| end)?;
        } else {
            self.keep(part);
            let line = std::mem::take(&mut self.line);
            let ended = self.ended(&line);
            self.line = line;
            self.line.clear();
            ended.map_err(|()| end)?;
        }
        (self.last, self.is_cut) = (0, false);
        Ok(end + 1)
    }

    fn keep(&mut self, part: &[u8]) {
        let room = MOST_KEPT.saturating_sub(self.line.len());
        self.is_cut |= part.len() > room;
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    /// Looks for a fragment in the target. Methods may hold the same character.
    fn target(&mut self, part: &[u8]) -> Result<(), usize> {
        let State::First { in_target } = self.state else { return Ok(()) };
        let begins = match in_target {
            true => 0,
            false => match memchr(b' ', part) {
                Some(space) => space,
                None => return Ok(()),
            },
        };
        self.state = State::First { in_target: true };
        match memchr(b'#', part.get(begins..).unwrap_or_default()) {
            Some(fragment) => Err(begins + fragment),
            None => Ok(()),
        }
    }

    /// Takes note of a whole line with its CR, or of the beginning of one that is too long to be kept.
    fn ended(&mut self, line: &[u8]) -> Result<(), ()> {
        let is_empty = line == b"\r";
        match (self.state, is_empty) {
            // Empty lines before a request are skipped (RFC 9112 section 2.2).
            (State::First { .. }, true) => self.state = State::First { in_target: false },
            (State::First { .. }, false) => {
                (self.state, self.length, self.is_chunked) = (State::Fields, 0, false);
            }
            (State::Fields, true) => self.state = self.body(),
            (State::Fields, false) => return self.field(line),
            (State::Trailers, true) => self.state = State::First { in_target: false },
            _ => {}
        }
        Ok(())
    }

    fn body(&self) -> State {
        match self.length {
            _ if self.is_chunked => State::Size { size: 0, digits: 0 },
            0 => State::First { in_target: false },
            length => State::Body(length),
        }
    }

    /// Takes note of what a field says of the body. Where two contradict each other hyper refuses, or goes by the chunks.
    fn field(&mut self, line: &[u8]) -> Result<(), ()> {
        let is = |name: &[u8]| {
            line.get(name.len()) == Some(&b':')
                && line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        };
        if is(b"transfer-encoding") {
            self.is_chunked = true;
        } else if is(b"content-length") {
            if self.is_cut {
                return Err(());
            }
            let value = line.get(b"content-length:".len()..).unwrap_or_default().trim_ascii();
            match std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()) {
                Some(length) => self.length = length,
                None => self.state = State::Refused,
            }
        }
        Ok(())
    }
}

/// How many bytes are skipped, and how many are left to be.
fn skipped(left: u64, bytes: &[u8]) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    (taken, left.saturating_sub(taken as u64))
}

/// What follows a byte of what stands around chunks; none if it has no place there.
fn around_chunk(state: State, byte: u8) -> Option<State> {
    match (state, byte) {
        (State::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS => {
            let digit = char::from(byte).to_digit(16)?;
            Some(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
        }
        (State::Size { digits: 0, .. }, _) => None,
        (State::Size { size, .. } | State::Extension { size }, b'\r') => Some(State::SizeEnd { size }),
        (State::Size { size, .. }, b';') => Some(State::Extension { size }),
        (State::Extension { size }, _) if byte == b'\t' || !byte.is_ascii_control() => {
            Some(State::Extension { size })
        }
        (State::SizeEnd { size: 0 }, b'\n') => Some(State::Trailers),
        (State::SizeEnd { size }, b'\n') => Some(State::Chunk(size)),
        (State::ChunkEnd { has_cr: false }, b'\r') => Some(State::ChunkEnd { has_cr: true }),
        (State::ChunkEnd { has_cr: true }, b'\n') => Some(State::Size { size: 0, digits: 0 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Framing, Broken> {
        let mut framing = Framing::new();
        framing.read(text.as_bytes()).map(|()| framing)
    }

    const NEXT: State = State::First { in_target: false };

    #[test]
    fn messages_end_where_they_say() {
        for text in [
            "",
            "GET / HTTP/1.1\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\nG#T / HTTP/1.1\r\nx-a: #\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n#\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length:003 \r\n\r\nabc",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\n\n\r\n00A;x=\"y\";\tz\r\n0123456789\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0;x\r\na: b\r\nc: #\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n0\r\n\r\n",
        ] {
            assert_eq!(read(text).unwrap().state, NEXT, "{text:?}");
        }
    }

    /// The texts stop at the byte that is wrong.
    const BROKEN: [&str; 21] = [
        "\n",
        "\r\n\n",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\n\n",
        "GET / HTTP/1.1\r\nhost: a\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
        "GET /#",
        "GET /a?b#",
        "GET http://a.test/#",
        "GET #",
        "G#T /#",
        "GET / HTTP/1.1\r\n\r\nGET /#",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nxGET /#",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1 ",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n ",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n+",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0x",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;a\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\naX",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\n",
    ];

    fn at(broken: Broken) -> usize {
        let (Broken::Head(at) | Broken::Body(at)) = broken;
        at
    }

    #[test]
    fn what_another_reader_may_cut_elsewhere_is_broken_at_that_byte() {
        for text in BROKEN {
            let broken = read(&format!("{text} and more\r\n")).unwrap_err();
            assert_eq!(at(broken), text.len() - 1, "{text:?}");
            let (_, body) = text.rsplit_once("\r\n\r\n").unwrap_or_default();
            let in_body = text.contains("chunked\r\n\r\n") && !body.is_empty();
            assert_eq!(matches!(broken, Broken::Body(_)), in_body, "{text:?}");
        }
    }

    #[test]
    fn a_length_that_is_none_is_left_to_hyper() {
        for length in ["", "+", "-1", "0x5", "5, 5", "99999999999999999999999"] {
            let text = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n#\n");
            assert!(read(&text).is_ok(), "{length}");
        }
    }

    #[test]
    fn of_a_line_in_pieces_no_more_is_kept_than_is_looked_at() {
        let mut framing = read("GET / HTTP/1.1\r\nx-a: ").unwrap();
        for _ in 0..100 {
            framing.read(&[b'x'; 1000]).unwrap();
        }
        assert!(framing.line.capacity() <= 2 * MOST_KEPT);
        framing.read(b"\r\n\r\n").unwrap();
        assert_eq!(framing.state, NEXT);
        let mut padded = read("GET / HTTP/1.1\r\ncontent-length: ").unwrap();
        padded.read(&[b' '; 1000]).unwrap();
        assert_eq!(padded.read(b"5\r\n"), Err(Broken::Head(2)), "a length that cannot be seen");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "GET / HTTP/1.1", "POST /a HTTP/1.1\r\n", "\r\n", "\r", "\n", "host: a\r\n", "content-length: 4\r\n",
                    "transfer-encoding: chunked\r\n", "\r\n\r\n", "4\r\nabcd\r\n", "0\r\n", "abcd", "5;x", "#", " ", ";",
                ]),
                0..24,
            ),
            sizes in prop::collection::vec(1_usize..9, 1..9),
        ) {
            let text = parts.concat();
            let mut whole = Framing::new();
            let expected = whole.read(text.as_bytes());
            let mut framing = Framing::new();
            let (mut from, mut result) = (0, Ok(()));
            for size in sizes.iter().cycle() {
                let piece = &text.as_bytes()[from..text.len().min(from + size)];
                result = framing.read(piece).map_err(|broken| match broken {
                    Broken::Head(at) => Broken::Head(from + at),
                    Broken::Body(at) => Broken::Body(from + at),
                });
                from += piece.len();
                if piece.is_empty() || result.is_err() {
                    break;
                }
            }
            prop_assert_eq!(result, expected);
            if result.is_ok() {
                prop_assert_eq!(framing.state, whole.state);
            }
        }
    }
}
