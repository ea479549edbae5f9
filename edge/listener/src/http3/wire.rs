//! A connection of QUIC as `h3` sees it.
//!
//! `h3` and the adapter that comes with it trust whoever is on the other side: a frame may be as long as it likes, a body may
//! end before its end, and who stops reading while bytes are awaited brings the process's task down. All that a client sends
//! passes here first, and what breaks a bound never reaches `h3`.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming};

use super::frames::Frames;
use super::link::{Leaving, Link};
use super::streams::{Both, Receiving, Sending, connection_error};

/// A connection.
pub(super) struct Wire {
    link: Arc<Link>,
    requests: BoxStream<'static, Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>>,
    one_way: BoxStream<'static, Result<quinn::RecvStream, quinn::ConnectionError>>,
    opening: Option<BoxFuture<'static, Result<quinn::SendStream, quinn::ConnectionError>>>,
}

impl Wire {
    pub(super) fn new(link: Arc<Link>) -> Self {
        let unfolded = link.connection().clone();
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
            let stopped = sending.stopped();
            let frames = self.link.frames_of_a_request();
            let receiving = Receiving::new(receiving, frames, Arc::clone(&self.link))?;
            let mut both = Both::new(Sending::new(sending)?, receiving);
            if self.link.is_turned_away(id) {
                // It was told so, or will be: it may send the request again elsewhere (RFC 9114 section 5.2).
                both.give_up(Code::H3_REQUEST_REJECTED);
                continue;
            }
            let gone = async move {
                if matches!(stopped.await, Ok(None)) { Leaving::HasAll } else { Leaving::Stopped }
            };
            self.link.begins(id, Box::pin(gone));
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
        let connection = self.link.connection();
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
