//! How long a connection may keep us waiting: for the next request, for the rest of its head, for it to
//! take what it was sent, and for it to stop sending what nobody reads.
//!
//! Sits between hyper and the socket, because hyper has one timer for the first two and none for the third.
//! While a request is being answered no reading runs out here: bodies have a time limit of their own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::slow::Written;

/// What is sent before a connection is closed whose request's head did not arrive in time.
const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How much is read at once of what nobody wants.
const UNWANTED: usize = 8 << 10;
/// After how many such reads others get their turn.
const MOST_READS: usize = 32;

/// What is going on on a connection, shared by the socket's side and the answers.
#[derive(Default)]
pub(crate) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Whether the last request came with a body.
    uploads: AtomicBool,
}

/// A request that is being answered; it ends when this is dropped.
pub(crate) struct Busy(Arc<Activity>);

impl Activity {
    /// Notes that a request's head is complete, and whether a body follows.
    pub(crate) fn begin(self: &Arc<Self>, uploads: bool) -> Busy {
        self.uploads.store(uploads, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    fn is_busy(&self) -> bool {
        self.ended.load(Ordering::Acquire) < self.begun()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the end of one request to the first byte of the next.
    pub(crate) idle: Duration,
    /// From the first byte of a request to the end of its head. None where the bytes of one request cannot
    /// be told from those of another: HTTP/2.
    pub(crate) head: Option<Duration>,
    /// How long it may take next to nothing of what it is sent.
    pub(crate) reader: Duration,
    /// How long it is still read from when it is closed while it sends. Who closes a socket with unread bytes in it
    /// resets the connection, and a client that was still sending never sees its answer (RFC 9112 section 9.6).
    pub(crate) linger: Duration,
}

/// A connection whose silence has an end.
pub(crate) struct Patient<S> {
    stream: S,
    patience: Patience,
    activity: Arc<Activity>,
    /// Requests that had begun when the wait under way began.
    seen: u64,
    waiting: Waiting,
    /// The end of the wait under way.
    until: Instant,
    /// Set when a wait is really waited for, which most are not: to set one costs more than to look at the clock.
    timer: Pin<Box<Sleep>>,
    written: Written,
}

#[derive(PartialEq, Eq)]
enum Waiting {
    /// A request is being answered.
    Not,
    /// No byte of the next request is there.
    ForRequest,
    /// A part of its head is there.
    ForHead,
    /// All is said; what the client still sends is thrown away.
    ForSilence,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, patience: Patience, activity: Arc<Activity>) -> Self {
        let until = Instant::now() + patience.idle;
        let timer = Box::pin(tokio::time::sleep_until(until));
        let written = Written::new(patience.reader);
        Self { stream, patience, activity, seen: 0, waiting: Waiting::ForRequest, until, timer, written }
    }

    fn wait(&mut self, what: Waiting, time: Duration) {
        self.until = Instant::now() + time;
        self.waiting = what;
    }

    /// Ready when the wait under way is over. A timer that was set for an earlier end is left to run out first.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.timer.deadline() > self.until {
                self.timer.as_mut().reset(self.until);
            }
            std::task::ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.until);
        }
    }

    /// Takes note of what has happened since the last look.
    fn look(&mut self) {
        let begun = self.activity.begun();
        if self.activity.is_busy() {
            self.waiting = Waiting::Not;
        } else if self.waiting == Waiting::Not || begun != self.seen {
            self.wait(Waiting::ForRequest, self.patience.idle);
        }
        self.seen = begun;
    }
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    fn late_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing else is being written, so this cannot land inside an answer. Whether the client still listens is
        // its own affair.
        let _sent = Pin::new(&mut self.stream).poll_write(cx, TIMED_OUT);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.look();
        // Looked at before the bytes, so that a head in many small pieces cannot outrun its time.
        if this.waiting == Waiting::ForHead && this.until <= Instant::now() {
            return this.late_head(cx);
        }
        if Pin::new(&mut this.stream).poll_read(cx, buffer)?.is_ready() {
            if let (Waiting::ForRequest, Some(head)) = (&this.waiting, this.patience.head) {
                this.wait(Waiting::ForHead, head);
            }
            return Poll::Ready(Ok(()));
        }
        if this.waiting == Waiting::Not {
            return Poll::Pending;
        }
        std::task::ready!(this.poll_over(cx));
        match this.waiting {
            Waiting::ForHead => this.late_head(cx),
            // An idle connection ends as if the client had closed it.
            Waiting::ForRequest | Waiting::ForSilence | Waiting::Not => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Patient<S> {
    /// Whether the client may be sending something that was not read: a body, or a head that was refused.
    fn may_be_sending(&self) -> bool {
        self.waiting == Waiting::ForHead || self.activity.uploads.load(Ordering::Relaxed)
    }

    /// Reads until the client has closed its side too, or for long enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut unwanted = [0; UNWANTED];
        for _ in 0..MOST_READS {
            let mut buffer = ReadBuf::new(&mut unwanted);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return self.poll_over(cx),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && Instant::now() < self.until => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written.look(wrote, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.waiting != Waiting::ForSilence {
            std::task::ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.look();
            if !this.may_be_sending() {
                return Poll::Ready(Ok(()));
            }
            this.wait(Waiting::ForSilence, this.patience.linger);
        }
        this.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written.look(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// Long enough that it never runs out within a test.
    const FOREVER: Duration = Duration::from_secs(86_400);
    /// Short enough to be waited for.
    const SOON: Duration = Duration::from_millis(20);

    fn connection(
        idle: Duration,
        head: Option<Duration>,
    ) -> (DuplexStream, Patient<DuplexStream>, Arc<Activity>) {
        let (client, server) = duplex(1024);
        let activity = Arc::new(Activity::default());
        let patience = Patience { idle, head, reader: FOREVER, linger: SOON };
        (client, Patient::new(server, patience, Arc::clone(&activity)), activity)
    }

    /// Sends without end to a client that takes so many bytes after each pause, and says how it ended, if it
    /// did within some time.
    async fn send_to_one_who_takes(bytes: usize, pause: Duration) -> Option<io::ErrorKind> {
        let (mut client, server) = duplex(64);
        let patience = Patience { idle: FOREVER, head: None, reader: SOON * 5, linger: SOON };
        let mut patient = Patient::new(server, patience, Arc::default());
        let reads = async {
            loop {
                tokio::time::sleep(pause).await;
                client.read_exact(&mut vec![0; bytes]).await.unwrap();
            }
        };
        let writes = async {
            loop {
                if let Err(error) = patient.write_all(&[b'x'; 64]).await {
                    return error.kind();
                }
            }
        };
        tokio::select! {
            kind = writes => Some(kind),
            () = reads => None,
            () = tokio::time::sleep(SOON * 50) => None,
        }
    }

    #[tokio::test]
    async fn who_reads_next_to_nothing_is_cut_off() {
        assert_eq!(send_to_one_who_takes(1, SOON / 2).await, Some(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn who_reads_slowly_but_reads_is_not() {
        assert_eq!(send_to_one_who_takes(500, SOON / 2).await, None);
    }

    async fn read(patient: &mut Patient<DuplexStream>) -> io::Result<usize> {
        patient.read(&mut [0; 64]).await
    }

    #[tokio::test]
    async fn an_idle_connection_ends_as_if_the_client_had_closed_it() {
        let (_client, mut patient, _) = connection(SOON, Some(FOREVER));
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_head_that_trickles_in_is_cut_off_with_408() {
        let (mut client, mut patient, _) = connection(FOREVER, Some(SOON));
        client.write_all(b"G").await.unwrap();
        let begun = Instant::now();
        // Each byte comes sooner than the limit: if it bought more time, this would never end.
        let error = loop {
            let _full = client.write(b"E").await;
            match tokio::time::timeout(SOON / 4, read(&mut patient)).await {
                Ok(Ok(_)) | Err(_) => assert!(begun.elapsed() < SOON * 500, "it is never cut off"),
                Ok(Err(error)) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut answer = vec![0; TIMED_OUT.len()];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, TIMED_OUT);
    }

    #[tokio::test]
    async fn no_time_runs_out_while_a_request_is_answered() {
        let (mut client, mut patient, activity) = connection(SOON, Some(SOON));
        client.write_all(b"GET").await.unwrap();
        read(&mut patient).await.unwrap();
        let busy = activity.begin(false);
        let waited = tokio::time::timeout(SOON * 5, read(&mut patient)).await;
        assert!(waited.is_err(), "it went on waiting");
        drop(busy);
        assert_eq!(read(&mut patient).await.unwrap(), 0, "idle time begins when the answer is out");
    }

    #[tokio::test]
    async fn a_request_answered_between_two_looks_begins_a_new_wait() {
        let (mut client, mut patient, activity) = connection(SOON, Some(FOREVER));
        client.write_all(b"GET").await.unwrap();
        read(&mut patient).await.unwrap();
        drop(activity.begin(false));
        // The head's time is not what runs out now.
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_client_that_still_sends_a_body_is_read_from_until_it_has_closed() {
        let (mut client, mut patient, activity) = connection(FOREVER, Some(FOREVER));
        patient.patience.linger = FOREVER;
        drop(activity.begin(true));
        let sends = tokio::spawn(async move {
            client.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
            client.read(&mut [0; 1]).await.unwrap()
        });
        patient.shutdown().await.unwrap();
        assert_eq!(sends.await.unwrap(), 0, "it has sent all, and our side is closed");
    }

    #[tokio::test]
    async fn a_client_that_sends_without_end_is_read_from_for_a_while() {
        let (mut client, mut patient, activity) = connection(FOREVER, Some(FOREVER));
        drop(activity.begin(true));
        let sends = tokio::spawn(async move { while client.write_all(&[b'x'; 64]).await.is_ok() {} });
        let begun = Instant::now();
        patient.shutdown().await.unwrap();
        assert!((SOON..SOON * 500).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        drop(patient);
        sends.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_had_no_body_to_send_is_not_waited_for() {
        let (_client, mut patient, activity) = connection(FOREVER, Some(FOREVER));
        patient.patience.linger = FOREVER;
        drop(activity.begin(false));
        patient.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn without_a_head_time_bytes_do_not_matter() {
        let (mut client, mut patient, _) = connection(SOON, None);
        client.write_all(b"ping").await.unwrap();
        assert_eq!(read(&mut patient).await.unwrap(), 4);
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }
}
