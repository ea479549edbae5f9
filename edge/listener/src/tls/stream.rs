//! An encrypted connection as HTTP sees it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::socket::Socket;
use crate::transport::{Peeked, Rewound, Transport};

/// A socket that is encrypted.
#[derive(Debug)]
pub struct TlsSocket {
    stream: TlsStream<Rewound<Socket>>,
    /// A byte that was taken to see whether there is any: it comes first.
    peeked: Option<u8>,
}

impl TlsSocket {
    pub(crate) fn new(stream: TlsStream<Rewound<Socket>>) -> Self {
        Self { stream, peeked: None }
    }

    /// Reads. A client that goes without the farewell of TLS has gone all the same: what it sent has a length of its own
    /// in HTTP, so that nothing that is cut off passes for whole.
    fn poll_stream(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.stream).poll_read(cx, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl Transport for TlsSocket {
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Peeked>> {
        if self.peeked.is_none() {
            let mut byte = [0; 1];
            let mut buffer = ReadBuf::new(&mut byte);
            ready!(self.poll_stream(cx, &mut buffer))?;
            self.peeked = buffer.filled().first().copied();
        }
        Poll::Ready(Ok(if self.peeked.is_some() { Peeked::Bytes } else { Peeked::End }))
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(byte) = self.peeked.take()
        {
            buffer.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        self.poll_stream(cx, buffer)
    }
}

impl AsyncWrite for TlsSocket {
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
