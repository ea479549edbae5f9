//! A visitor who writes bytes of their own choice: for requests that no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::connect;
use super::{Server, within};

/// A connection that bytes are written to.
pub struct Raw {
    stream: TcpStream,
    /// What came and was not read yet.
    ahead: Vec<u8>,
}

/// An answer with a known length, as it came over the wire.
#[derive(Debug)]
pub struct RawAnswer {
    /// The answer's status.
    pub status: u16,
    /// Its body, whole.
    pub body: String,
}

impl Server {
    /// A connection with these bytes written to it.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> Raw {
        let mut raw = Raw { stream: connect(self.visitors).await, ahead: Vec::new() };
        raw.write(bytes).await;
        raw
    }
}

impl Raw {
    /// Writes; whoever was closed on meanwhile sees it when reading.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.ok();
    }

    /// Writes, and says whether all of it was taken.
    pub async fn takes(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Says that no more will come, and goes on listening.
    pub async fn finish(&mut self) {
        self.stream.shutdown().await.ok();
    }

    /// The next answer.
    pub async fn answer(&mut self) -> RawAnswer {
        self.next().await.expect("the connection was closed without an answer")
    }

    /// The next answer; none when the server closed the connection instead.
    pub async fn next(&mut self) -> Option<RawAnswer> {
        let end = loop {
            if let Some(at) = find(&self.ahead, b"\r\n\r\n") {
                break at;
            }
            if !self.more().await {
                assert!(self.ahead.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&self.ahead));
                return None;
            }
        };
        let head = String::from_utf8(self.ahead.drain(..end + 4).collect()).unwrap();
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map_or(0, |length| length.trim().parse().unwrap());
        while self.ahead.len() < length {
            assert!(self.more().await, "the answer ended early: {head}");
        }
        let body = String::from_utf8(self.ahead.drain(..length).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(RawAnswer { status, body })
    }

    /// Everything until the server closes the connection, which it must.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.ahead)).into_owned()
    }

    /// An answer as it came: until it is there as far as its head says, or the connection was closed.
    pub async fn until_the_end(&mut self, is_there: impl Fn(&str) -> bool) -> String {
        while !is_there(&String::from_utf8_lossy(&self.ahead)) && self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.ahead)).into_owned()
    }

    /// Whether the server says anything, or closes the connection, within this time.
    pub async fn reacts_within(&mut self, time: Duration) -> bool {
        let mut buffer = [0; 1];
        !self.ahead.is_empty() || tokio::time::timeout(time, self.stream.peek(&mut buffer)).await.is_ok()
    }

    /// Reads on; `false` when the connection is at its end, by whichever side.
    async fn more(&mut self) -> bool {
        let read = within("bytes or the end of a connection", self.stream.read_buf(&mut self.ahead)).await;
        matches!(read, Ok(1..))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
