//! What an HTTP/2 client sends beside requests, and how much of it: frames that ask for nothing are cheap to send and
//! cost us an answer each, so that a client earns them by requests, by what it takes, and by time.
//!
//! Looks at the heads of frames as they come from the socket, and changes nothing. Must never judge what is in a frame:
//! that is `h2`'s work.

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

/// The frames that one client sends.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Bytes that belong to no frame, or to the content of the one under way.
    skip: u64,
    head: [u8; HEAD],
    have: usize,
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

    /// Takes note of bytes that were read, when so many requests have begun. `false` if they are more than it earned.
    #[must_use]
    pub(crate) fn read(&mut self, mut bytes: &[u8], begun: u64) -> bool {
        let mut cost = 0_u64;
        loop {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.skip == 0 && self.fields == Fields::Last {
                self.fields = Fields::None;
            }
            if bytes.is_empty() {
                break;
            }
            let missing = self.head.get_mut(self.have..).unwrap_or_default();
            let count = missing.len().min(bytes.len());
            let (part, rest) = bytes.split_at(count);
            if let Some(missing) = missing.get_mut(..count) {
                missing.copy_from_slice(part);
            }
            bytes = rest;
            self.have += count;
            if self.have == HEAD {
                self.have = 0;
                cost = cost.saturating_add(self.frame());
            }
        }
        cost == 0 || self.pay(cost, begun)
    }

    /// Begins a frame, and says what it costs.
    fn frame(&mut self) -> u64 {
        const DATA: u8 = 0x0;
        const HEADERS: u8 = 0x1;
        const CONTINUATION: u8 = 0x9;
        const END_HEADERS: u8 = 0x4;
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u64::from(u32::from_be_bytes([0, high, middle, low]));
        self.skip = length;
        match kind {
            DATA => 0,
            HEADERS | CONTINUATION => {
                self.fields = if flags & END_HEADERS == 0 { Fields::Open } else { Fields::Last };
                1 + length / BYTES_PER_COST
            }
            _ => 1,
        }
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

/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 sections 6.8 and 7): the last thing that such a client is told.
pub(crate) const CALM_DOWN: &[u8] = &[0, 0, 8, 0x7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xb];

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 0x6;
    const HEADERS: u8 = 0x1;
    const CONTINUATION: u8 = 0x9;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [_, high, middle, low] = u32::try_from(length).unwrap().to_be_bytes();
        let mut bytes = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
        bytes.resize(HEAD + length, 0);
        bytes
    }

    fn begun() -> Frames {
        let mut frames = Frames::new();
        assert!(frames.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0));
        frames
    }

    #[test]
    fn frames_that_ask_for_nothing_come_to_an_end_however_they_are_cut() {
        for piece in [1, 7, 17, 4096] {
            let mut frames = begun();
            let flood: Vec<u8> = (0..MOST_CREDIT).flat_map(|_| frame(PING, 0, 8)).collect();
            assert!(flood.chunks(piece).all(|bytes| frames.read(bytes, 0)), "so many are free");
            let more: Vec<u8> = (0..1000).flat_map(|_| frame(PING, 0, 8)).collect();
            assert!(!more.chunks(piece).all(|bytes| frames.read(bytes, 0)), "in pieces of {piece}");
        }
    }

    #[test]
    fn requests_and_what_is_taken_earn_frames() {
        let mut frames = begun();
        for request in 1..100_000 {
            assert!(frames.read(&frame(HEADERS, 4, 40), request));
            assert!(frames.read(&frame(PING, 0, 8), request));
            assert!(frames.read(&frame(0x0, 0, 0), request));
        }
        let mut frames = begun();
        for _ in 0..100_000 {
            // Two windows are opened for each frame of data.
            frames.wrote(16 << 10);
            assert!(frames.read(&frame(0x8, 0, 4), 1));
            assert!(frames.read(&frame(0x8, 0, 4), 1));
        }
    }

    #[test]
    fn heads_of_which_no_request_comes_cost_what_they_are_long() {
        let mut frames = begun();
        let large = frame(HEADERS, 4, 16 << 10);
        let taken = (0..100).take_while(|_| frames.read(&large, 0)).count();
        assert!((1..10).contains(&taken), "{taken}");
        let mut frames = begun();
        assert!((1..1000).all(|request| frames.read(&large, request)), "a request earns its head");
    }

    #[test]
    fn data_costs_nothing() {
        let mut frames = begun();
        assert!((0..100_000).all(|_| frames.read(&frame(0x0, 0, 100), 1)));
    }

    #[test]
    fn it_is_known_whether_fields_are_under_way() {
        let mut frames = begun();
        assert!(!frames.in_fields());
        assert!(frames.read(&frame(HEADERS, 0, 10), 0));
        assert!(frames.in_fields(), "more of them are to come");
        assert!(frames.read(&frame(CONTINUATION, 0, 10), 0) && frames.in_fields());
        assert!(frames.read(&frame(CONTINUATION, 4, 10), 0) && !frames.in_fields());
        let last = frame(HEADERS, 4, 10);
        assert!(frames.read(&last[..15], 0));
        assert!(frames.in_fields(), "half of a frame is not the end of it");
        assert!(frames.read(&last[15..], 0) && !frames.in_fields());
    }
}
