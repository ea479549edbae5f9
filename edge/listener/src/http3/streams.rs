//! Streams of QUIC as `h3` sees them.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};

use super::frames::{Frames, Wrong};
use super::link::{Link, code_of};

/// The most bytes that are taken from a stream at once.
const MOST_READ: usize = 64 << 10;

/// How a connection ended.
pub(super) fn connection_error(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
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

/// The way of an answer. One that is dropped before its end is reset: to end it would make what there is of it look whole.
pub(super) struct Sending<B: Buf> {
    stream: quinn::SendStream,
    id: StreamId,
    writing: Option<WriteBuf<B>>,
    is_settled: bool,
}

impl<B: Buf> Sending<B> {
    pub(super) fn new(stream: quinn::SendStream) -> Result<Self, ConnectionErrorIncoming> {
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
    pub(super) fn new(
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

impl<B: Buf> Both<B> {
    pub(super) fn new(sending: Sending<B>, receiving: Receiving) -> Self {
        Self { sending, receiving }
    }

    pub(super) fn give_up(&mut self, code: Code) {
        self.sending.give_up(code);
        self.receiving.give_up(code);
    }
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
