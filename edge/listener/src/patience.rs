//! How long a connection may keep us waiting: for the next request, for the rest of its head, for it to
//! take what it was sent, and for it to stop sending what nobody reads.
//!
//! Sits between hyper and the transport, because hyper has one timer for the first two and none for the third.
//! While a request is being answered no reading runs out here: bodies have a time limit of their own.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::activity::Activity;
use crate::figures::{Figures, Refused};
use crate::frames::{Frames, Wrong};
use crate::framing::{Broken, Framing};
use crate::slow::Written;
use crate::transport::{Peeked, Transport};

/// What is sent before a connection is closed whose request's head did not arrive in time.
const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How much is read at once of what nobody wants.
const UNWANTED: usize = 8 << 10;
/// After how many such reads others get their turn.
const MOST_READS: usize = 32;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the end of one request to the first byte of the next.
    pub(crate) idle: Duration,
    /// From the first byte of a request to the end of its head; and, over HTTP/2, until there is a first request.
    pub(crate) head: Duration,
    /// How long it may take next to nothing of what it is sent.
    pub(crate) reader: Duration,
    /// How long it is still read from when it is closed while it sends. Who closes a socket with unread bytes in it
    /// resets the connection, and a client that was still sending never sees its answer (RFC 9112 section 9.6).
    pub(crate) linger: Duration,
    /// How long a client that sends no more may go on without taking a byte. One that has closed its half waits for the
    /// answer; one that has gone altogether looks the same until something is sent to it.
    pub(crate) half_closed: Duration,
    /// How long it may keep silent when no further request is wanted.
    pub(crate) draining: Duration,
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
    /// The end of all waits, once no further request is wanted.
    last: Option<Instant>,
    /// Set when a wait is really waited for, which most are not: to set one costs more than to look at the clock.
    timer: Pin<Box<Sleep>>,
    written: Written,
    protocol: Protocol,
}

/// What the bytes are.
enum Protocol {
    Http1(Presence, Messages),
    Http2(Conversation),
}

/// Whether an HTTP/1.1 client is still there while it is being answered: hyper does not read then.
enum Presence {
    /// Nothing is known since the last look.
    Unknown,
    /// hyper waits for bytes, and sees it go.
    Read,
    /// More has come than hyper reads now. What comes after that cannot be seen.
    Ahead,
    /// It sends no more, and has until then to take something.
    HalfClosed(Pin<Box<Sleep>>),
}

/// What an HTTP/1.1 client says.
struct Messages {
    framing: Framing,
    broken: Break,
}

/// Whether its last byte was read that may be, and what hyper is given then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    None,
    /// The end of a head, so that hyper looks at it.
    HeadEnd,
    /// An error.
    Error,
}

/// What an HTTP/2 client says.
struct Conversation {
    frames: Frames,
    stop: Stop,
    figures: Figures,
}

/// Whether a client says what ends its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    None,
    /// It does, and is to be told so.
    Found(Wrong),
    Told,
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
    pub(crate) fn http1(stream: S, patience: Patience, activity: Arc<Activity>) -> Self {
        let messages = Messages { framing: Framing::new(), broken: Break::None };
        let protocol = Protocol::Http1(Presence::Unknown, messages);
        Self::new(stream, patience, activity, patience.idle, protocol)
    }

    pub(crate) fn http2(stream: S, patience: Patience, activity: Arc<Activity>, figures: Figures) -> Self {
        let conversation = Conversation { frames: Frames::new(), stop: Stop::None, figures };
        Self::new(stream, patience, activity, patience.head, Protocol::Http2(conversation))
    }

    fn new(
        stream: S,
        patience: Patience,
        activity: Arc<Activity>,
        first: Duration,
        protocol: Protocol,
    ) -> Self {
        let until = Instant::now() + first;
        let timer = Box::pin(tokio::time::sleep_until(until));
        let written = Written::new(patience.reader);
        let (seen, waiting, last) = (0, Waiting::ForRequest, None);
        Self { stream, patience, activity, seen, waiting, until, last, timer, written, protocol }
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
        // Over HTTP/2 half a head is waited for while others are answered: nothing else comes before its end.
        let in_head = self.waiting == Waiting::ForHead && matches!(self.protocol, Protocol::Http2(_));
        if self.activity.is_busy() {
            if !in_head {
                self.waiting = Waiting::Not;
            }
        } else if !in_head && (self.waiting == Waiting::Not || begun != self.seen) {
            self.wait(Waiting::ForRequest, self.patience.idle);
        }
        self.seen = begun;
        if self.activity.is_draining() && self.waiting != Waiting::Not {
            let last = *self.last.get_or_insert_with(|| Instant::now() + self.patience.draining);
            self.until = self.until.min(last);
        }
    }

    /// Takes note of bytes that were read, and says how many of them hyper is given.
    fn has_read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let head = self.patience.head;
        let given;
        match &mut self.protocol {
            Protocol::Http1(presence, messages) => {
                *presence = Presence::Unknown;
                given = messages.read(bytes)?;
                if self.waiting == Waiting::ForRequest {
                    self.wait(Waiting::ForHead, head);
                }
            }
            Protocol::Http2(conversation) => {
                self.activity.was_read();
                let begun = self.activity.begun();
                given = conversation.read(bytes, begun);
                match (conversation.frames.in_fields(), &self.waiting) {
                    (true, Waiting::ForHead)
                    | (false, Waiting::Not | Waiting::ForRequest | Waiting::ForSilence) => {}
                    (true, _) => self.wait(Waiting::ForHead, head),
                    // As long as there was no request, there is only so much time for one.
                    (false, _) if begun == 0 => self.wait(Waiting::ForRequest, head),
                    (false, _) => self.wait(Waiting::ForRequest, self.patience.idle),
                }
            }
        }
        Ok(given)
    }
}

impl Conversation {
    /// Reads on, and says how much of it hyper is given: nothing of a frame that ends the connection.
    fn read(&mut self, bytes: &[u8], begun: u64) -> usize {
        match self.frames.read(bytes, begun) {
            Err(stopped) if self.stop == Stop::None => {
                self.stop = Stop::Found(stopped.wrong);
                if stopped.wrong == Wrong::TooMany {
                    self.figures.refused(Refused::Frames);
                }
                stopped.before
            }
            _ => bytes.len(),
        }
    }
}

impl Messages {
    /// Reads on, and says how much of it hyper is given. A head that is broken becomes one that hyper refuses, behind the
    /// answers that are due before; a body ends with an error.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.framing.read(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Broken::Head(at)) => {
                self.broken = Break::HeadEnd;
                // Nothing in a head may hold it.
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = 0);
                Ok(at.saturating_add(1))
            }
            // Nothing at all would be the end of the connection.
            Err(Broken::Body(0)) => Err(broken()),
            Err(Broken::Body(at)) => {
                self.broken = Break::Error;
                Ok(at)
            }
        }
    }

    /// What hyper is given when it goes on reading behind the last byte that may be read.
    fn after(&mut self, buffer: &mut ReadBuf<'_>) -> Option<io::Result<()>> {
        const END: &[u8] = b"\n\n";
        match self.broken {
            Break::None => None,
            Break::HeadEnd if buffer.remaining() >= END.len() => {
                self.broken = Break::Error;
                buffer.put_slice(END);
                Some(Ok(()))
            }
            Break::HeadEnd | Break::Error => Some(Err(broken())),
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the client breaks a rule of HTTP/1.1")
}

/// Writes once what is said before the end, to a socket that has room for it. A task that has used up its turn would find
/// that it has none.
fn last_words(stream: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>, words: &[u8]) {
    let write = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, words));
    let _sent = std::pin::pin!(tokio::task::unconstrained(write)).poll(cx);
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    fn late_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing else is being written, so this cannot land inside an answer. Whether the client still listens is
        // its own affair.
        if matches!(self.protocol, Protocol::Http1(..)) {
            last_words(&mut self.stream, cx, TIMED_OUT);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Takes note of what came of a write, and turns one that has waited for too long into an error.
    fn has_written(
        &mut self,
        wrote: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = wrote {
            match &mut self.protocol {
                Protocol::Http2(conversation) => conversation.frames.wrote(bytes),
                Protocol::Http1(Presence::HalfClosed(gone), _) => {
                    gone.as_mut().reset(Instant::now() + self.patience.half_closed);
                }
                Protocol::Http1(..) => {}
            }
        }
        self.written.look(wrote, cx)
    }
}

impl<S: Transport> Patient<S> {
    /// Fails when a client that is being answered has gone: at once if its end says so, or after a while if it only
    /// says that nothing more comes.
    fn poll_presence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Protocol::Http1(presence, _) = &mut self.protocol else { return Ok(()) };
        if !self.activity.is_busy() {
            return Ok(());
        }
        match presence {
            // Maybe not any more when this is asked again.
            Presence::Read => *presence = Presence::Unknown,
            Presence::Ahead => {}
            Presence::Unknown => match self.stream.poll_peek(cx)? {
                Poll::Pending => {}
                Poll::Ready(Peeked::Bytes) => *presence = Presence::Ahead,
                Poll::Ready(Peeked::End) => {
                    *presence = Presence::HalfClosed(Box::pin(tokio::time::sleep(self.patience.half_closed)));
                }
            },
            Presence::HalfClosed(_) => {}
        }
        if let Presence::HalfClosed(gone) = presence
            && gone.as_mut().poll(cx).is_ready()
        {
            let text = "the client sends no more and takes nothing";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, text));
        }
        Ok(())
    }

    /// Tells a client why its connection ends, between two frames: what hyper wrote before is whole when it flushes.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        let Protocol::Http2(conversation) = &mut self.protocol else { return };
        if let Stop::Found(wrong) = conversation.stop {
            conversation.stop = Stop::Told;
            // A socket that takes no more has nobody who reads.
            last_words(&mut self.stream, cx, &conversation.frames.goodbye(wrong));
            self.activity.cut();
        }
    }
}

impl<S: Transport> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Whoever speaks another protocol looks after its silence, too.
        if this.activity.is_upgraded() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        this.look();
        if let Protocol::Http1(_, messages) = &mut this.protocol
            && let Some(end) = messages.after(buffer)
        {
            return Poll::Ready(end);
        }
        if let Protocol::Http2(conversation) = &this.protocol {
            if this.activity.is_cut(cx.waker()) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            // It is told with the next flush, which follows.
            if matches!(conversation.stop, Stop::Found(_)) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        // Looked at before the bytes, so that a head in many small pieces cannot outrun its time.
        if this.waiting == Waiting::ForHead && this.until <= Instant::now() {
            return this.late_head(cx);
        }
        let before = buffer.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buffer)?.is_ready() {
            let came = buffer.filled().len() > before;
            let given = this.has_read(buffer.filled_mut().get_mut(before..).unwrap_or_default())?;
            buffer.set_filled(before.saturating_add(given));
            if came && given == 0 {
                // Nothing at all would be the end of the connection.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Ok(()));
        }
        if let Protocol::Http1(presence, _) = &mut this.protocol {
            *presence = Presence::Read;
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
        self.waiting == Waiting::ForHead || self.activity.uploads()
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

impl<S: Transport> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.has_written(wrote, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.poll_presence(cx)?;
        self.say_goodbye(cx);
        Poll::Ready(Ok(()))
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
        self.has_written(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::activity::tests::activity;

    /// Nobody looks at what comes next in these tests.
    impl Transport for DuplexStream {
        fn poll_peek(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Peeked>> {
            Poll::Pending
        }
    }

    /// Long enough that it never runs out within a test.
    const FOREVER: Duration = Duration::from_secs(86_400);
    /// Short enough to be waited for.
    const SOON: Duration = Duration::from_millis(20);

    fn patience(idle: Duration, head: Duration, reader: Duration) -> Patience {
        Patience { idle, head, reader, linger: SOON, half_closed: FOREVER, draining: SOON }
    }

    fn connection(idle: Duration, head: Duration) -> (DuplexStream, Patient<DuplexStream>, Arc<Activity>) {
        let (client, server) = duplex(1024);
        let activity = activity();
        let patience = patience(idle, head, FOREVER);
        (client, Patient::http1(server, patience, Arc::clone(&activity)), activity)
    }

    /// Sends without end to a client that takes so many bytes after each pause, and says how it ended, if it
    /// did within some time.
    async fn send_to_one_who_takes(bytes: usize, pause: Duration) -> Option<io::ErrorKind> {
        let (mut client, server) = duplex(64);
        let mut patient = Patient::http1(server, patience(FOREVER, FOREVER, SOON * 5), activity());
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

    #[tokio::test(start_paused = true)]
    async fn who_reads_next_to_nothing_is_cut_off() {
        assert_eq!(send_to_one_who_takes(1, SOON / 2).await, Some(io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_but_reads_is_not() {
        assert_eq!(send_to_one_who_takes(500, SOON / 2).await, None);
    }

    async fn read(patient: &mut Patient<DuplexStream>) -> io::Result<usize> {
        patient.read(&mut [0; 64]).await
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_as_if_the_client_had_closed_it() {
        let (_client, mut patient, _) = connection(SOON, FOREVER);
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }

    // On time that goes by itself: somebody always has something to do here, and stopped time would stand still.
    #[tokio::test]
    async fn a_head_that_trickles_in_is_cut_off_with_408() {
        let (mut client, mut patient, _) = connection(FOREVER, SOON);
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

    #[tokio::test(start_paused = true)]
    async fn no_time_runs_out_while_a_request_is_answered() {
        let (mut client, mut patient, activity) = connection(SOON, SOON);
        client.write_all(b"GET").await.unwrap();
        read(&mut patient).await.unwrap();
        let busy = activity.begin(false);
        let waited = tokio::time::timeout(SOON * 5, read(&mut patient)).await;
        assert!(waited.is_err(), "it went on waiting");
        drop(busy);
        assert_eq!(read(&mut patient).await.unwrap(), 0, "idle time begins when the answer is out");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_answered_between_two_looks_begins_a_new_wait() {
        let (mut client, mut patient, activity) = connection(SOON, FOREVER);
        client.write_all(b"GET").await.unwrap();
        read(&mut patient).await.unwrap();
        drop(activity.begin(false));
        // The head's time is not what runs out now.
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_still_sends_a_body_is_read_from_until_it_has_closed() {
        let (mut client, mut patient, activity) = connection(FOREVER, FOREVER);
        patient.patience.linger = FOREVER;
        drop(activity.begin(true));
        let sends = tokio::spawn(async move {
            client.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
            client.read(&mut [0; 1]).await.unwrap()
        });
        patient.shutdown().await.unwrap();
        assert_eq!(sends.await.unwrap(), 0, "it has sent all, and our side is closed");
    }

    // On time that goes by itself: somebody always has something to do here, and stopped time would stand still.
    #[tokio::test]
    async fn a_client_that_sends_without_end_is_read_from_for_a_while() {
        let (mut client, mut patient, activity) = connection(FOREVER, FOREVER);
        drop(activity.begin(true));
        let sends = tokio::spawn(async move { while client.write_all(&[b'x'; 64]).await.is_ok() {} });
        let begun = Instant::now();
        patient.shutdown().await.unwrap();
        assert!((SOON..SOON * 500).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        drop(patient);
        sends.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_had_no_body_to_send_is_not_waited_for() {
        let (_client, mut patient, activity) = connection(FOREVER, FOREVER);
        patient.patience.linger = FOREVER;
        drop(activity.begin(false));
        patient.shutdown().await.unwrap();
    }

    fn http2(idle: Duration, head: Duration) -> (DuplexStream, Patient<DuplexStream>, Arc<Activity>) {
        let (client, server) = duplex(64 << 10);
        let activity = activity();
        let figures = Figures::new(&prometheus::Registry::new(), "test", "tests").unwrap();
        let patient = Patient::http2(server, patience(idle, head, FOREVER), Arc::clone(&activity), figures);
        (client, patient, activity)
    }

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    #[tokio::test(start_paused = true)]
    async fn over_http2_bytes_that_begin_no_request_buy_no_time() {
        let (mut client, mut patient, _) = http2(FOREVER, SOON);
        client.write_all(b"PRI ").await.unwrap();
        assert_eq!(read(&mut patient).await.unwrap(), 4);
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_over_http2_is_not_waited_for_though_others_are_answered() {
        let (mut client, mut patient, activity) = http2(FOREVER, SOON);
        let _busy = activity.begin(false);
        client.write_all(PREFACE).await.unwrap();
        client.write_all(&[0, 0, 10, 1, 4, 0, 0, 0, 1, 0x82]).await.unwrap();
        assert_eq!(read(&mut patient).await.unwrap(), PREFACE.len() + 10);
        assert_eq!(read(&mut patient).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_frames_without_end_is_told_so_and_cut_off() {
        let (mut client, mut patient, _) = http2(FOREVER, FOREVER);
        client.write_all(PREFACE).await.unwrap();
        let sends = tokio::spawn(async move {
            while client.write_all(PING).await.is_ok() {}
            let mut told = Vec::new();
            client.read_to_end(&mut told).await.unwrap();
            told
        });
        let ended = loop {
            // As hyper does: read what is there, then flush.
            let read = std::future::poll_fn(|cx| {
                let mut bytes = [0; 4096];
                let mut buffer = ReadBuf::new(&mut bytes);
                let read = Pin::new(&mut patient).poll_read(cx, &mut buffer);
                let _flushed = Pin::new(&mut patient).poll_flush(cx);
                read
            });
            if let Err(error) = read.await {
                break error;
            }
        };
        assert_eq!(ended.kind(), io::ErrorKind::ConnectionAborted);
        drop(patient);
        assert_eq!(sends.await.unwrap(), [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xb]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_drains_is_not_waited_for_long() {
        let (_client, mut patient, activity) = http2(FOREVER, FOREVER);
        activity.drain();
        assert_eq!(read(&mut patient).await.unwrap(), 0);
    }
}
