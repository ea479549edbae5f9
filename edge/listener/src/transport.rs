//! What carries HTTP: a socket, or something over it that needs a handshake first. Here TLS fits in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::Socket;
use crate::tls::encrypted::Encrypted;

/// A stream of bytes both ways, which can tell whether the other side has gone.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// What comes next, without taking it. Pending as long as nothing has come.
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Peeked>>;
}

/// What comes next on a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peeked {
    /// Bytes.
    Bytes,
    /// Its end: the other side sends no more.
    End,
}

/// How a socket becomes a transport. Runs in the connection's own task and within the time for a head: whoever dawdles
/// holds up nobody else.
pub trait Handshake: Send + Sync + 'static {
    /// What it makes of a socket.
    type Transport: Transport;
    /// Whether bytes are encrypted on it.
    const SECURE: bool;

    /// Carries it out.
    ///
    /// # Errors
    ///
    /// When the other side broke off, or a rule.
    fn shake(
        &self,
        socket: Rewound<Socket>,
    ) -> impl Future<Output = io::Result<Shaken<Self::Transport>>> + Send;
}

/// What came of a handshake.
#[derive(Debug)]
pub struct Shaken<T> {
    /// What carries HTTP from now on.
    pub transport: T,
    /// Whether HTTP/2 was agreed upon; none where the client's first bytes tell.
    pub is_http2: Option<bool>,
    /// How it is encrypted.
    pub encrypted: Option<Arc<Encrypted>>,
}

impl<T> Shaken<T> {
    /// A transport of which nothing more is known.
    pub fn bare(transport: T) -> Self {
        Self { transport, is_http2: None, encrypted: None }
    }
}

/// HTTP over the bare socket.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Handshake for Plain {
    type Transport = Rewound<Socket>;
    const SECURE: bool = false;

    async fn shake(&self, socket: Rewound<Socket>) -> io::Result<Shaken<Rewound<Socket>>> {
        Ok(Shaken::bare(socket))
    }
}

/// A stream of which the first bytes were read already: they come again.
#[derive(Debug)]
pub struct Rewound<S> {
    ahead: Bytes,
    stream: S,
}

impl<S> Rewound<S> {
    pub(crate) fn new(ahead: Bytes, stream: S) -> Self {
        Self { ahead, stream }
    }
}

impl<S: Transport> Transport for Rewound<S> {
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Peeked>> {
        if self.ahead.is_empty() { self.stream.poll_peek(cx) } else { Poll::Ready(Ok(Peeked::Bytes)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(count));
        if self.ahead.is_empty() {
            // Its memory is not needed any more.
            self.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_read_ahead_comes_first_in_pieces_of_any_size() {
        let (mut client, server) = duplex(64);
        client.write_all(b"cdef").await.unwrap();
        drop(client);
        let mut rewound = Rewound::new(Bytes::from_static(b"ab"), server);
        let mut one = [0; 1];
        rewound.read_exact(&mut one).await.unwrap();
        assert_eq!(&one, b"a");
        let mut rest = Vec::new();
        rewound.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"bcdef");
    }
}
