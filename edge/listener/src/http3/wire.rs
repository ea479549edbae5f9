//! A connection of QUIC as `h3` sees it.
//!
//! `h3` and the adapter that comes with it trust whoever is on the other side: a frame may be as long as it likes, a body may
//! end before its end, and who stops reading while bytes are awaited brings the process's task down. All that a client sends
//! passes here first, and what breaks a bound never reaches `h3`.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::VarInt;

use super::allowance::Allowance;
use super::frames::{Frames, Wrong};
use crate::figures::{Figures, Refused};

/// The most bytes that are taken from a stream at once.
const MOST_READ: usize = 64 << 10;
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

    fn is_turned_away(&self, stream: u64) -> bool {
        stream >= self.turned_away_from.load(Ordering::Acquire)
    }
}

fn code_of(code: Code) -> VarInt {
    VarInt::from_u64(code.value()).unwrap_or(VarInt::MAX)
}

/// A connection.
pub(super) struct Wire {
    link: Arc<Link>,
    requests: BoxStream<'static, Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>>,
    one_way: BoxStream<'static, Result<quinn::RecvStream, quinn::ConnectionError>>,
    opening: Option<BoxFuture<'static, Result<quinn::SendStream, quinn::ConnectionError>>>,
}

impl Wire {
    pub(super) fn new(link: Arc<Link>) -> Self {
        let unfolded = link.connection.clone();
        let requests = futures::stream::unfold(unfolded.clone(), |connection| async move {
            Some((connection.accept_bi().await, connection))
        });
        let one_way = futures::stream::unfold(unfolded, |connection| async move {
            Some((connection.accept_uni().await, connection))
        });
        Self { link, requests: requests.boxed(), one_way: one_way.boxed(), opening: None }
    }
}

/// Of connections that have ended there are no more streams.
fn no_more() -> quinn::ConnectionError {
    quinn::ConnectionError::LocallyClosed
}

fn connection_error(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
    match error {
        quinn::ConnectionError::ApplicationClosed(closed) => {
            ConnectionErrorIncoming::ApplicationClose { error_code: closed.error_code.into_inner() }
        }
        quinn::ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        other => ConnectionErrorIncoming::Undefined(Arc::new(other)),
    }
}

fn lost(error: quinn::ConnectionError) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming { connection_error: connection_error(error) }
}

impl<B: Buf> quic::Connection<B> for Wire {
    type RecvStream = Receiving;
    type OpenStreams = Opener;

    fn poll_accept_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Receiving, ConnectionErrorIncoming>> {
        let next = ready!(self.one_way.poll_next_unpin(cx)).unwrap_or_else(|| Err(no_more()));
        let stream = next.map_err(connection_error)?;
        Poll::Ready(Receiving::new(stream, Frames::of_one_direction(), Arc::clone(&self.link)))
    }

    fn poll_accept_bidi(&mut self, cx: &mut Context<'_>) -> Poll<Result<Both<B>, ConnectionErrorIncoming>> {
        loop {
            let next = ready!(self.requests.poll_next_unpin(cx)).unwrap_or_else(|| Err(no_more()));
            let (sending, receiving) = next.map_err(connection_error)?;
            let id = u64::from(sending.id());
            let frames = Frames::of_request(self.link.longest_head);
            let receiving = Receiving::new(receiving, frames, Arc::clone(&self.link))?;
            let mut both = Both { sending: Sending::new(sending)?, receiving };
            if self.link.is_turned_away(id) {
                // It was told so, or will be: it may send the request again elsewhere (RFC 9114 section 5.2).
                both.sending.give_up(Code::H3_REQUEST_REJECTED);
                both.receiving.give_up(Code::H3_REQUEST_REJECTED);
                continue;
            }
            self.link.next.fetch_max(id.saturating_add(STEP), Ordering::AcqRel);
            let stopped = both.sending.stream.stopped();
            let gone = async move {
                if matches!(stopped.await, Ok(None)) { Leaving::HasAll } else { Leaving::Stopped }
            };
            *self.link.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(gone));
            return Poll::Ready(Ok(both));
        }
    }

    fn opener(&self) -> Opener {
        Opener(Arc::clone(&self.link))
    }
}

impl<B: Buf> quic::OpenStreams<B> for Wire {
    type BidiStream = Both<B>;
    type SendStream = Sending<B>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both<B>, StreamErrorIncoming>> {
        Poll::Ready(Err(never_opened()))
    }

    fn poll_open_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sending<B>, StreamErrorIncoming>> {
        let connection = &self.link.connection;
        let opening = self.opening.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move { connection.open_uni().await })
        });
        let opened = ready!(opening.as_mut().poll(cx));
        self.opening = None;
        let opened = opened.map_err(connection_error).and_then(Sending::new);
        Poll::Ready(
            opened.map_err(|connection_error| StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error,
            }),
        )
    }

    fn close(&mut self, code: Code, _: &[u8]) {
        self.link.close(code);
    }
}

/// What would open further streams. A server of HTTP/3 opens none but those that a connection begins with.
pub(super) struct Opener(Arc<Link>);

impl<B: Buf> quic::OpenStreams<B> for Opener {
    type BidiStream = Both<B>;
    type SendStream = Sending<B>;

    fn poll_open_bidi(&mut self, _: &mut Context<'_>) -> Poll<Result<Both<B>, StreamErrorIncoming>> {
        Poll::Ready(Err(never_opened()))
    }

    fn poll_open_send(&mut self, _: &mut Context<'_>) -> Poll<Result<Sending<B>, StreamErrorIncoming>> {
        Poll::Ready(Err(never_opened()))
    }

    fn close(&mut self, code: Code, _: &[u8]) {
        self.0.close(code);
    }
}

fn never_opened() -> StreamErrorIncoming {
    StreamErrorIncoming::Unknown("a server opens no such stream".into())
}

/// The way of an answer. One that is dropped before its end is reset: to end it would make what there is of it look whole.
pub(super) struct Sending<B: Buf> {
    stream: quinn::SendStream,
    id: StreamId,
    writing: Option<WriteBuf<B>>,
    is_settled: bool,
}

impl<B: Buf> Sending<B> {
    fn new(stream: quinn::SendStream) -> Result<Self, ConnectionErrorIncoming> {
        let id = numbered(stream.id())?;
        Ok(Self { stream, id, writing: None, is_settled: false })
    }

    fn give_up(&mut self, code: Code) {
        self.is_settled = true;
        // It may be stopped, or lost, already.
        let _reset = self.stream.reset(code_of(code));
    }
}

impl<B: Buf> quic::SendStream<B> for Sending<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(writing) = &mut self.writing {
            if !writing.has_remaining() {
                self.writing = None;
                break;
            }
            let wrote = Pin::new(&mut self.stream).poll_write(cx, writing.chunk());
            let wrote = ready!(wrote).map_err(|error| match error {
                quinn::WriteError::Stopped(code) => {
                    StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
                }
                quinn::WriteError::ConnectionLost(error) => lost(error),
                other => StreamErrorIncoming::Unknown(Box::new(other)),
            })?;
            writing.advance(wrote);
        }
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.writing.is_some() {
            return Err(StreamErrorIncoming::Unknown("the stream still writes".into()));
        }
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.is_settled = true;
        let finished = self.stream.finish();
        Poll::Ready(finished.map_err(|error| StreamErrorIncoming::Unknown(Box::new(error))))
    }

    fn reset(&mut self, code: u64) {
        self.give_up(Code::from(code));
    }

    fn send_id(&self) -> StreamId {
        self.id
    }
}

impl<B: Buf> Drop for Sending<B> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.give_up(Code::H3_REQUEST_CANCELLED);
        }
    }
}

/// The number of a stream, as `h3` has it.
fn numbered(id: quinn::StreamId) -> Result<StreamId, ConnectionErrorIncoming> {
    let unknown =
        |_| ConnectionErrorIncoming::InternalError("a stream has a number that none has".to_owned());
    StreamId::try_from(u64::from(id)).map_err(unknown)
}

/// The way of a request, or of what a client says of its connection.
pub(super) struct Receiving {
    stream: quinn::RecvStream,
    id: StreamId,
    frames: Frames,
    link: Arc<Link>,
    is_over: bool,
}

impl Receiving {
    fn new(
        stream: quinn::RecvStream,
        frames: Frames,
        link: Arc<Link>,
    ) -> Result<Self, ConnectionErrorIncoming> {
        let id = numbered(stream.id())?;
        Ok(Self { stream, id, frames, link, is_over: false })
    }

    fn give_up(&mut self, code: Code) {
        if !std::mem::replace(&mut self.is_over, true) {
            // It may have ended already.
            let _stopped = self.stream.stop(code_of(code));
        }
    }

    /// Ends what breaks a rule: the stream if only it is concerned, and the connection if all of it is.
    fn break_off(&mut self, wrong: Wrong) -> StreamErrorIncoming {
        self.give_up(wrong.code());
        if wrong != Wrong::Long {
            self.link.close(wrong.code());
        }
        StreamErrorIncoming::StreamTerminated { error_code: wrong.code().value() }
    }
}

impl quic::RecvStream for Receiving {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        loop {
            if self.is_over {
                return Poll::Ready(Ok(None));
            }
            // What it waits for is kept by the stream: it can be asked anew each time.
            let read = ready!(pin!(self.stream.read_chunk(MOST_READ, true)).poll(cx));
            let chunk = read.map_err(|error| {
                self.is_over = true;
                match error {
                    quinn::ReadError::Reset(code) => {
                        StreamErrorIncoming::StreamTerminated { error_code: code.into_inner() }
                    }
                    quinn::ReadError::ConnectionLost(error) => lost(error),
                    other => StreamErrorIncoming::Unknown(Box::new(other)),
                }
            })?;
            let Some(chunk) = chunk else {
                self.is_over = true;
                let ended = self.frames.end().map_err(|wrong| self.break_off(wrong));
                return Poll::Ready(ended.map(|()| None));
            };
            self.frames.read(&chunk.bytes).map_err(|wrong| self.break_off(wrong))?;
            if !self.link.charge(self.frames.others()) {
                self.give_up(Code::H3_EXCESSIVE_LOAD);
                let error_code = Code::H3_EXCESSIVE_LOAD.value();
                return Poll::Ready(Err(StreamErrorIncoming::StreamTerminated { error_code }));
            }
            if !chunk.bytes.is_empty() {
                return Poll::Ready(Ok(Some(chunk.bytes)));
            }
        }
    }

    fn stop_sending(&mut self, code: u64) {
        self.give_up(Code::from(code));
    }

    fn recv_id(&self) -> StreamId {
        self.id
    }
}

/// What nobody reads is not to be sent (RFC 9114 section 4.1).
impl Drop for Receiving {
    fn drop(&mut self) {
        self.give_up(Code::H3_NO_ERROR);
    }
}

/// A stream with a request and its answer.
pub(super) struct Both<B: Buf> {
    sending: Sending<B>,
    receiving: Receiving,
}

impl<B: Buf> quic::SendStream<B> for Both<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sending.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.sending.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.sending.poll_finish(cx)
    }

    fn reset(&mut self, code: u64) {
        self.sending.reset(code);
    }

    fn send_id(&self) -> StreamId {
        self.sending.send_id()
    }
}

impl<B: Buf> quic::RecvStream for Both<B> {
    type Buf = Bytes;

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.receiving.poll_data(cx)
    }

    fn stop_sending(&mut self, code: u64) {
        self.receiving.stop_sending(code);
    }

    fn recv_id(&self) -> StreamId {
        self.receiving.recv_id()
    }
}

impl<B: Buf> quic::BidiStream<B> for Both<B> {
    type SendStream = Sending<B>;
    type RecvStream = Receiving;

    fn split(self) -> (Sending<B>, Receiving) {
        (self.sending, self.receiving)
    }
}
