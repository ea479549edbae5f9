//! What a guest writes to stdout and stderr, cut into lines and handed to the host.
//!
//! A guest cannot make the platform keep more than a bounded amount: lines are cut at
//! [`MAX_LINE_BYTES`], and after the invocation's log budget one mark says that the rest is missing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmyard_events::Level;

use crate::limits::meter::Meter;
use crate::seams::{Host, LogLine, LogStream};

/// A longer line is handed over in pieces of this size.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// How much a guest may write at once.
const WRITE_PERMIT: usize = 64 * 1024;

/// The log of one invocation. Clones share the budget.
#[derive(Clone)]
pub(crate) struct Log(Arc<Mutex<Budget>>);

struct Budget {
    host: Arc<dyn Host>,
    /// Counts lines, those that were handed over and those that were not.
    meter: Arc<Meter>,
    bytes: usize,
    marked: bool,
}

impl Budget {
    fn hand_over(&self, stream: LogStream, level: Level, text: String) {
        self.host.log(LogLine { time: SystemTime::now(), stream, level, text });
    }
}

impl Log {
    pub(crate) fn new(host: Arc<dyn Host>, meter: Arc<Meter>, budget_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Budget { host, meter, bytes: budget_bytes, marked: false })))
    }

    /// Goes on with another invocation.
    pub(crate) fn renew(&self, host: Arc<dyn Host>, meter: Arc<Meter>, budget_bytes: usize) {
        *self.lock() = Budget { host, meter, bytes: budget_bytes, marked: false };
    }

    pub(crate) fn pipe(&self, stream: LogStream) -> LogPipe {
        LogPipe { log: self.clone(), stream, line: Arc::new(Mutex::new(Vec::new())) }
    }

    /// Takes one line. One write to the host at a time: lines of one invocation never mix.
    fn line(&self, stream: LogStream, level: Level, text: &[u8]) {
        let mut left = self.lock();
        if left.bytes < text.len() {
            left.bytes = 0;
            left.meter.log_dropped();
            if !left.marked {
                left.marked = true;
                let text = "[log truncated: the invocation's log limit is reached]";
                left.hand_over(stream, level, text.to_owned());
            }
            return;
        }
        // An empty line costs a byte, or a guest could write them without end.
        left.bytes -= text.len().max(1).min(left.bytes);
        left.meter.logged();
        left.hand_over(stream, level, String::from_utf8_lossy(text).into_owned());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the two output streams of a guest.
pub(crate) struct LogPipe {
    log: Log,
    stream: LogStream,
    /// The beginning of a line whose end has not been written yet. Shared, because a guest may open
    /// the same stream several times.
    line: Arc<Mutex<Vec<u8>>>,
}

impl LogPipe {
    /// Bytes of the line whose end has not been written yet.
    pub(crate) fn held(&self) -> usize {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Hands over the line that has not ended yet.
    pub(crate) fn finish(&self) {
        let line = std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
        if !line.is_empty() {
            self.log.line(self.stream, self.level(), &line);
        }
    }

    /// What is printed has the level of where it is printed to.
    fn level(&self) -> Level {
        match self.stream {
            LogStream::Stdout => Level::Log,
            LogStream::Stderr => Level::Error,
        }
    }

    /// Takes whole lines of a level, behind what was printed before.
    pub(crate) fn entry(&self, level: Level, text: &str) {
        let text = text.strip_suffix('\n').unwrap_or(text);
        for line in text.split('\n') {
            let mut pieces = line.as_bytes().chunks(MAX_LINE_BYTES).peekable();
            if pieces.peek().is_none() {
                self.log.line(self.stream, level, b"");
            }
            pieces.for_each(|piece| self.log.line(self.stream, level, piece));
        }
    }

    /// Takes what a guest writes.
    pub(crate) fn take(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            for part in text.chunks(MAX_LINE_BYTES) {
                if line.len() + part.len() > MAX_LINE_BYTES {
                    self.log.line(self.stream, self.level(), &line);
                    line.clear();
                }
                line.extend_from_slice(part);
            }
            if ended {
                self.log.line(self.stream, self.level(), &line);
                line.clear();
            }
        }
    }
}

impl Clone for LogPipe {
    fn clone(&self) -> Self {
        Self { log: self.log.clone(), stream: self.stream, line: Arc::clone(&self.line) }
    }
}

impl Drop for LogPipe {
    fn drop(&mut self) {
        // The last owner hands over the line that never ended.
        if Arc::get_mut(&mut self.line).is_some() {
            self.finish();
        }
    }
}

impl IsTerminal for LogPipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogPipe {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for LogPipe {
    async fn ready(&mut self) {}
}

impl OutputStream for LogPipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl tokio::io::AsyncWrite for LogPipe {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.take(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;
    use crate::seams::{Call, OutboundRequest};
    use crate::{Body, BodyError, Failure, Outcome};

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>, Mutex<Vec<Level>>);

    impl Host for Lines {
        fn call(&self, _: Call) -> BoxFuture<'static, Result<http::Response<Body>, Failure>> {
            async { Err(Failure::WorkerNotFound) }.boxed()
        }
        fn outbound(
            &self,
            _: OutboundRequest,
        ) -> BoxFuture<'static, Result<http::Response<Body>, BodyError>> {
            async { Err(BodyError::HttpRequestDenied) }.boxed()
        }
        fn log(&self, line: LogLine) {
            self.0.lock().unwrap().push(line.text);
            self.1.lock().unwrap().push(line.level);
        }
        fn finished(&self, _: Outcome) {}
    }

    fn written(budget: usize, writes: &[&[u8]]) -> Vec<String> {
        written_and_counted(budget, writes).0
    }

    /// The lines, and how many the meter counts as handed over and as dropped.
    fn written_and_counted(budget: usize, writes: &[&[u8]]) -> (Vec<String>, (u32, u32)) {
        let host = Arc::new(Lines::default());
        let meter = Arc::new(Meter::default());
        let log = Log::new(Arc::clone(&host) as Arc<dyn Host>, Arc::clone(&meter), budget);
        let mut pipe = log.pipe(LogStream::Stdout);
        for bytes in writes {
            pipe.write(Bytes::copy_from_slice(bytes)).unwrap();
        }
        drop(pipe);
        let lines = host.0.lock().unwrap();
        (lines.clone(), meter.log_lines())
    }

    #[test]
    fn writes_are_cut_into_lines_and_the_last_needs_no_end() {
        assert_eq!(written(1000, &[b"a", b"b\nc\n", b"\nd"]), ["ab", "c", "", "d"]);
    }

    #[test]
    fn entries_have_their_level_and_are_bounded_as_what_is_printed() {
        let host = Arc::new(Lines::default());
        let log = Log::new(Arc::clone(&host) as Arc<dyn Host>, Arc::new(Meter::default()), 1 << 20);
        let mut pipe = log.pipe(LogStream::Stderr);
        pipe.write(Bytes::from_static(b"printed\n")).unwrap();
        pipe.entry(Level::Warn, "one\n\ntwo\n");
        pipe.entry(Level::Warn, &"x".repeat(MAX_LINE_BYTES + 1));
        let lines = host.0.lock().unwrap().clone();
        assert_eq!(lines[..4], ["printed", "one", "", "two"]);
        assert_eq!(lines[4..].iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE_BYTES, 1]);
        let levels = host.1.lock().unwrap().clone();
        assert_eq!(levels[..2], [Level::Error, Level::Warn]);
    }

    #[test]
    fn past_the_budget_one_mark_is_left() {
        let (lines, counted) = written_and_counted(6, &[b"12345\n", b"too long\n", b"more\n"]);
        assert_eq!((lines.len(), counted), (2, (1, 2)), "{lines:?}");
        assert!(lines[1].contains("truncated"));
    }

    #[test]
    fn a_line_without_end_is_handed_over_in_pieces() {
        let long = vec![b'x'; MAX_LINE_BYTES * 2 + 5];
        let lines = written(1 << 20, &[&long]);
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), long.len());
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE_BYTES));
    }
}
