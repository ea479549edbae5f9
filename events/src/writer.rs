//! The log: a sink whose lines a thread of its own writes to standard error and standard output.
//!
//! Nothing that serves a request ever writes to a stream itself. A pipe that nobody reads stops the writing thread and
//! nothing else: what does not fit into the queue is lost, counted in `wasmyard_log_dropped_total`, and told in a line when
//! the reader is back.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounterVec, Opts, Registry};
use tracing::Level;
use wasmyard_model::script::ScriptKey;

use crate::event::Event;
use crate::form::{Form, target};
use crate::queue::{Lane, Lost, PerLane, Queue, Queued};
use crate::sink::Sink;

/// Bytes of lines that wait to be written: of visits, of scripts, of the platform.
const ROOM: PerLane<usize> = PerLane([8 << 20, 8 << 20, 4 << 20]);
/// About how much is written at once.
const CHUNK: usize = 64 << 10;
/// A pause before the next try where a stream takes nothing and does not make its writer wait.
const RETRY: Duration = Duration::from_millis(10);

/// One of the two streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: what people and scripts that start the program read.
    Output,
    /// Standard error: the log.
    Error,
}

/// Writes lines, on a thread of its own. Cheap to clone; all clones write to the same streams, in the order in which they
/// were told to.
#[derive(Clone)]
pub struct LogWriter {
    queue: Arc<Queue<Line>>,
    dropped: IntCounterVec,
    /// Ends the thread when nobody can write any more.
    _last: Arc<Last>,
}

/// What waits to be written.
enum Line {
    Event(Event),
    /// Whole lines.
    Text(Stream, Box<[u8]>),
}

struct Last(Arc<Queue<Line>>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl LogWriter {
    /// Writes to the streams of this process.
    ///
    /// # Errors
    /// When a stream is closed, or no thread can be started.
    pub fn stdio(form: Form) -> io::Result<Self> {
        // Without the locks of the standard library: a panic elsewhere must not wait for a reader.
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let error = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Self::to(form, output, error)
    }

    /// Writes to two other streams.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn to(
        form: Form,
        output: impl Write + Send + 'static,
        error: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(ROOM));
        let opts = Opts::new(
            "wasmyard_log_dropped_total",
            "Lines of the log that were lost because its reader was too slow, by what they were.",
        );
        let dropped = IntCounterVec::new(opts, &["kind"]).map_err(io::Error::other)?;
        for lane in Lane::ALL {
            dropped.with_label_values(&[lane.label()]);
        }
        let streams = Streams {
            form,
            output: Box::new(output),
            error: Box::new(error),
            buffer: Vec::with_capacity(CHUNK),
            buffered: Lost::default(),
            to: Stream::Error,
            untold: Lost::default(),
            dropped: dropped.clone(),
        };
        let reading = Arc::clone(&queue);
        std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || streams.run(&reading))?;
        Ok(Self { _last: Arc::new(Last(Arc::clone(&queue))), queue, dropped })
    }

    /// Shows how many lines were lost.
    ///
    /// # Errors
    /// When the registry shows those of another writer.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.dropped.clone()))
    }

    /// One of the streams, for what is lines already. Each write must be of whole lines.
    #[must_use]
    pub fn stream(&self, stream: Stream) -> LineStream {
        LineStream { writer: self.clone(), stream }
    }

    /// Waits until all is written, but not longer than `patience`. Says whether it is.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.drained(patience)
    }

    fn push(&self, line: Line) {
        if let Err(lane) = self.queue.push(line) {
            self.dropped.with_label_values(&[lane.label()]).inc();
        }
    }
}

impl Sink for LogWriter {
    fn event(&self, event: &Event) {
        let wanted = match event {
            Event::Visit(_) => tracing::enabled!(target: target::ACCESS, Level::INFO),
            Event::Invocation(invocation) if invocation.fault.is_some() => {
                tracing::enabled!(target: target::INVOCATION, Level::WARN)
            }
            Event::Invocation(_) => tracing::enabled!(target: target::INVOCATION, Level::DEBUG),
            Event::Log(_) => tracing::enabled!(target: target::SCRIPT, Level::INFO),
            Event::Egress(_) => tracing::enabled!(target: target::EGRESS, Level::INFO),
            Event::Api(_) => tracing::enabled!(target: target::API, Level::INFO),
        };
        if wanted {
            self.push(Line::Event(event.clone()));
        }
    }
}

/// One stream of a [`LogWriter`]. Writing to it never waits and never fails.
#[derive(Clone)]
pub struct LineStream {
    writer: LogWriter,
    stream: Stream,
}

impl Write for LineStream {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.writer.push(Line::Text(self.stream, Box::from(lines)));
        Ok(lines.len())
    }

    /// Does nothing: waiting is for [`LogWriter::flush`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queued for Line {
    fn lane(&self) -> Lane {
        match self {
            Self::Event(Event::Visit(_)) => Lane::Visits,
            Self::Event(Event::Log(_) | Event::Invocation(_) | Event::Egress(_)) => Lane::Scripts,
            Self::Event(Event::Api(_)) | Self::Text(..) => Lane::Platform,
        }
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Event(event) => event.weight(),
                Self::Text(_, text) => text.len(),
            }
    }

    fn script(&self) -> Option<&ScriptKey> {
        match self {
            Self::Event(Event::Log(log)) => Some(&log.script),
            Self::Event(Event::Invocation(invocation)) => Some(&invocation.usage.script),
            Self::Event(Event::Egress(egress)) => Some(&egress.script),
            Self::Event(Event::Visit(_) | Event::Api(_)) | Self::Text(..) => None,
        }
    }
}

/// What the thread owns.
struct Streams {
    form: Form,
    output: Box<dyn Write + Send>,
    error: Box<dyn Write + Send>,
    /// Lines for the stream `to` that are not written yet, and how many.
    buffer: Vec<u8>,
    buffered: Lost,
    to: Stream,
    /// What was lost and the reader does not know of yet.
    untold: Lost,
    dropped: IntCounterVec,
}

impl Streams {
    fn run(mut self, queue: &Queue<Line>) {
        let mut batch = Vec::new();
        while let Some(lost) = queue.take(&mut batch) {
            for line in batch.drain(..) {
                self.line(&line);
            }
            self.untold.add(lost);
            self.write_out();
            self.tell();
        }
    }

    fn line(&mut self, line: &Line) {
        let to = match line {
            Line::Event(_) => Stream::Error,
            Line::Text(stream, _) => *stream,
        };
        if self.to != to || self.buffer.len() >= CHUNK {
            self.write_out();
            self.to = to;
        }
        match line {
            Line::Event(event) => self.form.write(&mut self.buffer, event),
            Line::Text(_, text) => self.buffer.extend_from_slice(text),
        }
        *self.buffered.of(line.lane()) += 1;
    }

    /// Tells the reader what it missed. It is told again where that fails.
    fn tell(&mut self) {
        if !self.untold.any() {
            return;
        }
        let counts: Vec<_> =
            Lane::ALL.into_iter().zip(self.untold.0).map(|(lane, count)| (lane.label(), count)).collect();
        self.to = Stream::Error;
        self.form.write_lost(&mut self.buffer, &counts);
        if self.write_out() {
            self.untold = Lost::default();
        }
    }

    /// Writes what is buffered. What a stream refuses, because its reader is gone or its disk is full, is lost.
    fn write_out(&mut self) -> bool {
        let stream = match self.to {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        };
        let written = write_whole(stream, &self.buffer).is_ok();
        self.buffer.clear();
        self.buffer.shrink_to(2 * CHUNK);
        let buffered = std::mem::take(&mut self.buffered);
        if !written {
            self.untold.add(buffered);
            for (lane, count) in Lane::ALL.into_iter().zip(buffered.0) {
                self.dropped.with_label_values(&[lane.label()]).inc_by(count);
            }
        }
        written
    }
}

/// Writes all of it, also to a stream that somebody else has told not to make writers wait.
fn write_whole(stream: &mut dyn Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    stream.flush()
}

#[cfg(test)]
mod tests;
