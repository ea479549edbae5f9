//! What an HTTP/2 client sends beside requests, and how much of it: frames that ask for nothing are cheap to send and
//! cost us an answer each, so that a client earns them by requests, by what it takes, and by time.
//!
//! Looks at the heads of frames as they come from the socket. What is in a frame is `h2`'s to judge, but for two rules for
//! which it has the wrong word: how long frames of a fixed length are, and how wide a window may be.

use std::time::Duration;

use tokio::time::Instant;

/// What every client begins with (RFC 9113 section 3.4).
const PREFACE: u64 = 24;
/// The length of a frame's head.
const HEAD: usize = 9;

/// The most that a client can have saved up, and what it begins with: so many frames in a row are taken from anybody.
const MOST_CREDIT: u64 = 1_000;
/// What it earns in a second.
const CREDIT_PER_SECOND: u64 = 100;
/// What it earns by a request: more than the largest head costs.
const CREDIT_PER_REQUEST: u64 = 600;
/// How many bytes of answers it takes to earn one more. The windows of a download are opened for as much, or more.
const BYTES_PER_CREDIT: u64 = 1 << 10;
/// How many bytes of a head cost one more: to look up what it refers to is work, whether a request comes of it or not.
const BYTES_PER_COST: u64 = 64;

/// The length of one setting.
const SETTING: usize = 6;
/// The widest window.
const WIDEST: u32 = (1 << 31) - 1;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

/// Why a connection ends (RFC 9113 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A window that is wider than any may be.
    Window,
    /// A frame that is not as long as its kind is.
    Size,
    /// More frames than were earned.
    TooMany,
}

/// What is wrong, and how many of the bytes that were just read come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) wrong: Wrong,
    pub(crate) before: usize,
}

/// The frames that one client sends.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes that belong to no frame, or to the content of the one under way.
    skip: u64,
    head: [u8; HEAD],
    have: usize,
    /// The setting under way, and how much of it is there; none outside of settings.
    setting: Option<([u8; SETTING], usize)>,
    /// The last stream that was begun.
    stream: u32,
    /// Whether fields were begun, and whether the frame under way is their last one.
    fields: Fields,
    credit: u64,
    /// Up to when time was credited.
    since: Instant,
    /// Requests that were credited.
    begun: u64,
    /// Bytes that were written and not credited.
    written: u64,
}

/// The fields of a request, as far as they have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// None are under way.
    None,
    /// More frames of them are to come.
    Open,
    /// They end with the frame under way.
    Last,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self {
            skip: PREFACE,
            head: [0; HEAD],
            have: 0,
            setting: None,
            stream: 0,
            fields: Fields::None,
            credit: MOST_CREDIT,
            since: Instant::now(),
            begun: 0,
            written: 0,
        }
    }

    /// Whether the client is in the middle of the fields of a request, or of what may become some.
    pub(crate) fn in_fields(&self) -> bool {
        self.fields != Fields::None || self.have > 0
    }

    /// Takes note of bytes that were written to the client.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// GOAWAY (RFC 9113 section 6.8): the last thing that a client is told which is stopped. Streams up to the one that it
    /// names may have been worked on.
    pub(crate) fn goodbye(&self, wrong: Wrong) -> [u8; 17] {
        let mut frame = [0, 0, 8, 0x7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, wrong.code()];
        if let Some(last) = frame.get_mut(HEAD..HEAD + 4) {
            last.copy_from_slice(&self.stream.to_be_bytes());
        }
        frame
    }

    /// Takes note of bytes that were read, when so many requests have begun.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub(crate) fn read(&mut self, bytes: &[u8], begun: u64) -> Result<(), Stopped> {
        let mut cost = 0_u64;
        // Where the frame under way begins in these bytes.
        let (mut at, mut before) = (0, 0);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rest.len());
            self.settings(rest.get(..skipped).unwrap_or_default())
                .map_err(|wrong| Stopped { wrong, before })?;
            self.skip -= skipped as u64;
            at += skipped;
            let rest = rest.get(skipped..).unwrap_or_default();
            if self.skip == 0 && self.fields == Fields::Last {
                self.fields = Fields::None;
            }
            if rest.is_empty() {
                break;
            }
            if self.have == 0 {
                before = at;
            }
            let missing = self.head.get_mut(self.have..).unwrap_or_default();
            let count = missing.len().min(rest.len());
            for (to, from) in missing.iter_mut().zip(rest) {
                *to = *from;
            }
            at += count;
            self.have += count;
            if self.have == HEAD {
                self.have = 0;
                let costs = self.frame().map_err(|wrong| Stopped { wrong, before })?;
                cost = cost.saturating_add(costs);
            }
        }
        if cost == 0 || self.pay(cost, begun) {
            return Ok(());
        }
        Err(Stopped { wrong: Wrong::TooMany, before: bytes.len() })
    }

    /// Begins a frame, and says what it costs.
    fn frame(&mut self) -> Result<u64, Wrong> {
        const END_HEADERS: u8 = 0x4;
        const ACK: u8 = 0x1;
        let [high, middle, low, kind, flags, stream @ ..] = self.head;
        let length = u64::from(u32::from_be_bytes([0, high, middle, low]));
        self.skip = length;
        self.setting = None;
        let fits = match kind {
            PING => length == 8,
            PRIORITY => length == 5,
            RST_STREAM | WINDOW_UPDATE => length == 4,
            SETTINGS if flags & ACK != 0 => length == 0,
            SETTINGS => {
                self.setting = Some(([0; SETTING], 0));
                length.is_multiple_of(SETTING as u64)
            }
            _ => true,
        };
        if !fits {
            return Err(Wrong::Size);
        }
        Ok(match kind {
            DATA => 0,
            HEADERS | CONTINUATION => {
                self.stream = self.stream.max(u32::from_be_bytes(stream) & WIDEST);
                self.fields = if flags & END_HEADERS == 0 { Fields::Open } else { Fields::Last };
                1 + length / BYTES_PER_COST
            }
            _ => 1,
        })
    }

    /// Reads on in the content of a frame: settings, or what is not looked at.
    fn settings(&mut self, content: &[u8]) -> Result<(), Wrong> {
        const INITIAL_WINDOW_SIZE: u16 = 0x4;
        let Some((setting, have)) = &mut self.setting else { return Ok(()) };
        for byte in content {
            if let Some(place) = setting.get_mut(*have) {
                *place = *byte;
            }
            *have += 1;
            if *have == SETTING {
                *have = 0;
                let [high, low, value @ ..] = *setting;
                if u16::from_be_bytes([high, low]) == INITIAL_WINDOW_SIZE
                    && u32::from_be_bytes(value) > WIDEST
                {
                    return Err(Wrong::Window);
                }
            }
        }
        Ok(())
    }

    fn pay(&mut self, cost: u64, begun: u64) -> bool {
        if cost <= self.credit {
            self.credit -= cost;
            return true;
        }
        let earned = self.earned(begun);
        let credit = self.credit.saturating_add(earned).min(MOST_CREDIT);
        self.credit = credit.saturating_sub(cost);
        cost <= credit
    }

    /// What was earned since this was asked last. Only asked when it is needed: it takes a look at the clock.
    fn earned(&mut self, begun: u64) -> u64 {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let by_time = millis.saturating_mul(CREDIT_PER_SECOND) / 1000;
        // What is left of a credit is not lost.
        self.since += Duration::from_millis(by_time.saturating_mul(1000) / CREDIT_PER_SECOND);
        let by_requests = begun.saturating_sub(self.begun).saturating_mul(CREDIT_PER_REQUEST);
        self.begun = begun;
        let by_bytes = self.written / BYTES_PER_CREDIT;
        self.written %= BYTES_PER_CREDIT;
        by_time.saturating_add(by_requests).saturating_add(by_bytes)
    }
}

impl Wrong {
    fn code(self) -> u8 {
        match self {
            Self::Window => 0x3,
            Self::Size => 0x6,
            // ENHANCE_YOUR_CALM.
            Self::TooMany => 0xb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [_, high, middle, low] = u32::try_from(length).unwrap().to_be_bytes();
        let mut bytes = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
        bytes.resize(HEAD + length, 0);
        bytes
    }

    fn begun() -> Frames {
        let mut frames = Frames::new();
        assert!(frames.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0).is_ok());
        frames
    }

    #[test]
    fn frames_that_ask_for_nothing_come_to_an_end_however_they_are_cut() {
        for piece in [1, 7, 17, 4096] {
            let mut frames = begun();
            let flood: Vec<u8> = (0..MOST_CREDIT).flat_map(|_| frame(PING, 0, 8)).collect();
            assert!(flood.chunks(piece).all(|bytes| frames.read(bytes, 0).is_ok()), "so many are free");
            let more: Vec<u8> = (0..1000).flat_map(|_| frame(PING, 0, 8)).collect();
            assert!(!more.chunks(piece).all(|bytes| frames.read(bytes, 0).is_ok()), "in pieces of {piece}");
        }
    }

    #[test]
    fn requests_and_what_is_taken_earn_frames() {
        let mut frames = begun();
        for request in 1..100_000 {
            assert!(frames.read(&frame(HEADERS, 4, 40), request).is_ok());
            assert!(frames.read(&frame(PING, 0, 8), request).is_ok());
            assert!(frames.read(&frame(0x0, 0, 0), request).is_ok());
        }
        let mut frames = begun();
        for _ in 0..100_000 {
            // Two windows are opened for each frame of data.
            frames.wrote(16 << 10);
            assert!(frames.read(&frame(0x8, 0, 4), 1).is_ok());
            assert!(frames.read(&frame(0x8, 0, 4), 1).is_ok());
        }
    }

    #[test]
    fn heads_of_which_no_request_comes_cost_what_they_are_long() {
        let mut frames = begun();
        let large = frame(HEADERS, 4, 16 << 10);
        let taken = (0..100).take_while(|_| frames.read(&large, 0).is_ok()).count();
        assert!((1..10).contains(&taken), "{taken}");
        let mut frames = begun();
        assert!((1..1000).all(|request| frames.read(&large, request).is_ok()), "a request earns its head");
    }

    #[test]
    fn data_costs_nothing() {
        let mut frames = begun();
        assert!((0..100_000).all(|_| frames.read(&frame(0x0, 0, 100), 1).is_ok()));
    }

    #[test]
    fn it_is_known_whether_fields_are_under_way() {
        let mut frames = begun();
        assert!(!frames.in_fields());
        assert!(frames.read(&frame(HEADERS, 0, 10), 0).is_ok());
        assert!(frames.in_fields(), "more of them are to come");
        assert!(frames.read(&frame(CONTINUATION, 0, 10), 0).is_ok() && frames.in_fields());
        assert!(frames.read(&frame(CONTINUATION, 4, 10), 0).is_ok() && !frames.in_fields());
        let last = frame(HEADERS, 4, 10);
        assert!(frames.read(&last[..15], 0).is_ok());
        assert!(frames.in_fields(), "half of a frame is not the end of it");
        assert!(frames.read(&last[15..], 0).is_ok() && !frames.in_fields());
    }

    #[test]
    fn a_frame_of_another_length_than_its_kind_has_is_where_a_connection_stops() {
        for (kind, flags, right, wrong) in [
            (PING, 0, 8, vec![0, 7, 9]),
            (PRIORITY, 0, 5, vec![0, 4, 6]),
            (RST_STREAM, 0, 4, vec![0, 3, 5]),
            (WINDOW_UPDATE, 0, 4, vec![0, 3, 5]),
            (SETTINGS, 0, 12, vec![1, 5, 7]),
            (SETTINGS, 1, 0, vec![6]),
        ] {
            assert_eq!(begun().read(&frame(kind, flags, right), 0), Ok(()), "{kind}");
            for length in wrong {
                let bytes = [frame(HEADERS, 4, 3), frame(kind, flags, length)].concat();
                let mut frames = begun();
                let stopped = Stopped { wrong: Wrong::Size, before: HEAD + 3 };
                assert_eq!(frames.read(&bytes, 0), Err(stopped), "{kind} of {length}");
                assert_eq!(frames.goodbye(Wrong::Size), [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6]);
                let mut frames = begun();
                let mut pieces = bytes.chunks(1).map(|byte| frames.read(byte, 0));
                assert_eq!(pieces.find_map(Result::err), Some(Stopped { before: 0, ..stopped }));
            }
        }
        assert_eq!(begun().read(&frame(0x77, 0, 3), 0), Ok(()), "what nobody knows has any length");
    }

    #[test]
    fn a_window_that_no_window_can_be_is_where_a_connection_stops() {
        let settings = |width: u32| {
            let mut bytes = frame(SETTINGS, 0, 12);
            bytes[HEAD..HEAD + 6].copy_from_slice(&[0, 3, 0xff, 0xff, 0xff, 0xff]);
            bytes[HEAD + 6..HEAD + 8].copy_from_slice(&[0, 4]);
            bytes[HEAD + 8..].copy_from_slice(&width.to_be_bytes());
            bytes
        };
        for piece in [1, 5, 100] {
            let read = |width| {
                settings(width).chunks(piece).try_for_each({
                    let mut frames = begun();
                    move |bytes| frames.read(bytes, 0)
                })
            };
            assert_eq!(read(WIDEST), Ok(()));
            assert_eq!(
                read(WIDEST + 1).map_err(|stopped| stopped.wrong),
                Err(Wrong::Window),
                "in pieces of {piece}"
            );
        }
    }
}
