//! A visitor's socket: what is in a memory file goes from there to the network and is not copied by the processor.
//!
//! Owns nothing but the way of writing. Reading is tokio's.

use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::sealed;
use crate::transport::{Peeked, Transport};

/// A connection's socket.
#[derive(Debug)]
pub struct Socket(pub(crate) TcpStream);

impl Socket {
    /// Writes as soon as the socket takes something.
    fn poll_writing(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_io(Interest::WRITABLE, || write(&self.0).map_err(io::Error::from)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_send_file(
        &self,
        cx: &mut Context<'_>,
        file: &File,
        at: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        self.poll_writing(cx, |socket| rustix::fs::sendfile(socket, file, Some(&mut { at }), len))
    }

    /// Writes what comes before a file, for the kernel to send together with it.
    fn poll_send_before(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        self.poll_writing(cx, |socket| {
            rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)
        })
    }
}

impl Transport for Socket {
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Peeked>> {
        let mut byte = [0; 1];
        let peeked = ready!(self.0.poll_peek(cx, &mut ReadBuf::new(&mut byte)))?;
        Poll::Ready(Ok(if peeked == 0 { Peeked::End } else { Peeked::Bytes }))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match sealed::file_of(bytes) {
            Some((file, at)) => self.poll_send_file(cx, &file, at, bytes.len()),
            None => Pin::new(&mut self.0).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let found =
            slices.iter().enumerate().find_map(|(place, slice)| Some((place, sealed::file_of(slice)?)));
        let Some((place, (file, at))) = found else {
            return Pin::new(&mut self.0).poll_write_vectored(cx, slices);
        };
        match (slices.get(..place), slices.get(place)) {
            (None | Some([]), Some(slice)) => self.poll_send_file(cx, &file, at, slice.len()),
            (before, _) => self.poll_send_before(cx, before.unwrap_or_default()),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use bytes::{Buf as _, Bytes};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Two ends of a connection that holds little, so that writes are cut short.
    async fn connection() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(8 << 10).unwrap();
        let (client, accepted) =
            tokio::join!(client.connect(listener.local_addr().unwrap()), listener.accept());
        let server = accepted.unwrap().0;
        rustix::net::sockopt::set_socket_send_buffer_size(&server, 16 << 10).unwrap();
        (Socket(server), client.unwrap())
    }

    async fn write_all(socket: &mut Socket, mut pieces: VecDeque<Bytes>) -> usize {
        let mut writes = 0;
        while !pieces.is_empty() {
            let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut written =
                poll_fn(|cx| Pin::new(&mut *socket).poll_write_vectored(cx, &slices)).await.unwrap();
            assert!(written > 0);
            writes += 1;
            while written > 0 {
                let piece = pieces.front_mut().unwrap();
                let now = written.min(piece.len());
                piece.advance(now);
                written -= now;
                if piece.is_empty() {
                    pieces.pop_front();
                }
            }
        }
        writes
    }

    #[tokio::test]
    async fn what_is_in_memory_files_arrives_in_its_order_among_the_rest() {
        let (mut socket, mut client) = connection().await;
        let content: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
        let sealed = sealed::seal(&content).unwrap();
        assert!(sealed::file_of(&sealed).is_some());
        let pieces: VecDeque<Bytes> = [
            Bytes::from_static(b"head"),
            Bytes::from_static(b" and more of it"),
            sealed.clone(),
            Bytes::from_static(b"between"),
            sealed.slice(1234..),
            sealed.slice(..100),
            Bytes::from_static(b"end"),
        ]
        .into();
        let expected: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        let reads = async move {
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.unwrap();
            read
        };
        let writes = async move {
            let writes = write_all(&mut socket, pieces).await;
            drop(socket);
            writes
        };
        let (read, writes) = tokio::join!(reads, writes);
        assert!(read == expected);
        assert!(writes > 10, "they were to be cut short: {writes}");
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_is_an_error() {
        let (mut socket, client) = connection().await;
        let sealed = sealed::seal(&[7; 1 << 20]).unwrap();
        drop(client);
        let error = loop {
            if let Err(error) = poll_fn(|cx| Pin::new(&mut socket).poll_write(cx, &sealed)).await {
                break error;
            }
        };
        assert!(
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
            "{error}"
        );
    }
}
