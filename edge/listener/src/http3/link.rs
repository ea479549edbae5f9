//! What the two sides of a connection share: the one that `h3` drives, and the one that drives `h3`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use h3::error::Code;
use quinn::VarInt;

use super::allowance::Allowance;
use super::frames::Frames;
use crate::figures::{Figures, Refused};

/// Streams are numbered in steps of this (RFC 9000 section 2.1).
const STEP: u64 = 4;

/// Resolves when nobody waits for an answer any more: its client stopped it, or has all of it, or has gone.
pub(super) type Gone = BoxFuture<'static, Leaving>;

/// Why nobody waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Its client has all of it.
    HasAll,
    /// Its client does not want it, or has gone.
    Stopped,
}

/// What the two sides of a connection share: the one that `h3` drives, and the one that drives `h3`.
pub(super) struct Link {
    connection: quinn::Connection,
    allowance: Allowance,
    figures: Figures,
    longest_head: u64,
    /// The number of the next stream that its client may begin.
    next: AtomicU64,
    /// From which stream on they are turned away.
    turned_away_from: AtomicU64,
    /// When nobody waits for an answer on the stream that was begun last.
    gone: Mutex<Option<Gone>>,
}

impl Link {
    pub(super) fn new(connection: quinn::Connection, figures: Figures, longest_head: u64) -> Arc<Self> {
        let (next, turned_away_from) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let (allowance, gone) = (Allowance::new(), Mutex::default());
        Arc::new(Self { connection, allowance, figures, longest_head, next, turned_away_from, gone })
    }

    /// When nobody waits for an answer on the stream that was begun last.
    pub(super) fn gone(&self) -> Option<Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes no further stream from here on.
    pub(super) fn take_no_more(&self) {
        self.turned_away_from.store(self.next.load(Ordering::Acquire), Ordering::Release);
    }

    /// Ends the connection.
    pub(super) fn close(&self, code: Code) {
        self.connection.close(code_of(code), b"");
    }

    /// Takes what its client costs without asking for an answer that it waits for; `false` when that was too much, and the
    /// connection has ended.
    pub(super) fn charge(&self, cost: u64) -> bool {
        if self.allowance.pay(cost) {
            return true;
        }
        if self.connection.close_reason().is_none() {
            self.figures.refused(Refused::Frames);
            self.close(Code::H3_EXCESSIVE_LOAD);
        }
        false
    }

    /// Takes note of an answer that its client took.
    pub(super) fn answered(&self) {
        self.allowance.answered();
    }

    /// The connection.
    pub(super) fn connection(&self) -> &quinn::Connection {
        &self.connection
    }

    /// What frames of a request are held to.
    pub(super) fn frames_of_a_request(&self) -> Frames {
        Frames::of_request(self.longest_head)
    }

    /// Takes note of a stream that was begun.
    pub(super) fn begins(&self, stream: u64, gone: Gone) {
        self.next.fetch_max(stream.saturating_add(STEP), Ordering::AcqRel);
        *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(gone);
    }

    /// Whether a stream is one of those that are taken no more.
    pub(super) fn is_turned_away(&self, stream: u64) -> bool {
        stream >= self.turned_away_from.load(Ordering::Acquire)
    }
}

/// A code as QUIC has it.
pub(super) fn code_of(code: Code) -> VarInt {
    VarInt::from_u64(code.value()).unwrap_or(VarInt::MAX)
}
