//! Where logs go: standard error, as JSON lines in production, as readable lines in development. A thread of its own
//! writes them ([`LogWriter`]).
//! `WASMYARD_LOG` chooses what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
//!
//! Every line that is logged while a request runs names its ray id, whoever logged it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Compact, Format, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use wasmyard_events::{Form, LogWriter, Moment, Stream, current_ray};

use crate::error::StartError;

/// The log of this process: the first that was started, as for `tracing` itself.
static WRITER: OnceLock<LogWriter> = OnceLock::new();
/// How long the end of the process waits for the last lines to be read.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Starts logging for the whole process. From here on nothing has to wait for whoever reads its two streams: the messages
/// of panics go through the writer, and what is printed should, too.
///
/// # Errors
/// Why nothing can be logged.
pub fn start(form: Form) -> Result<&'static LogWriter, StartError> {
    let asked = std::env::var("WASMYARD_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&asked)
        .map_err(|error| StartError::Usage(format!("WASMYARD_LOG={asked:?} is not a filter: {error}")))?;
    let writer = LogWriter::stdio(form)
        .map_err(|error| StartError::failed(format!("the log cannot be written: {error}")))?;
    let lines = writer.clone();
    let base =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || lines.stream(Stream::Error));
    // A second start in one process, as in tests, keeps the first.
    let started = match form {
        Form::Json => base.fmt_fields(JsonFields::new()).event_format(JsonLines).try_init(),
        Form::Text => {
            let ansi = std::io::stderr().is_terminal();
            let readable = tracing_subscriber::fmt::format().with_target(false).with_ansi(ansi).compact();
            base.with_ansi(ansi).event_format(Readable(readable)).try_init()
        }
    };
    let writer = WRITER.get_or_init(|| writer);
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    Ok(writer)
}

/// The log of this process, once it was started.
pub(crate) fn writer() -> Option<&'static LogWriter> {
    WRITER.get()
}

/// Waits a moment for the last lines to be read, where anything was logged: for the end of the process.
pub fn finish() {
    if let Some(writer) = WRITER.get() {
        let _lost_at_the_end = writer.flush(LAST_LINES);
    }
}

/// A panic is a line like others: the usual message would wait for whoever reads standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a panic without a text");
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let name = thread.name().unwrap_or_default();
    tracing::error!(target: "wasmyard::panic", at, thread = name, backtrace, "{message}");
    if name == "main" {
        finish();
    }
}

/// One JSON object a line: the event's fields beside time, level and target; the ray id of the request that
/// is being worked for, where the event does not name one; the innermost span.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context.lookup_current().map(|span| {
            let extensions = span.extensions();
            let text = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
            let mut fields: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            if let Value::Object(fields) = &mut fields {
                fields.insert("name".to_owned(), Value::from(span.name()));
            }
            fields
        });
        let mut line = Vec::with_capacity(512);
        event_line(&mut line, event, fields, span).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", String::from_utf8_lossy(&line))
    }
}

fn event_line(
    line: &mut Vec<u8>,
    event: &Event<'_>,
    fields: Fields,
    span: Option<Value>,
) -> serde_json::Result<()> {
    let metadata = event.metadata();
    let mut json = serde_json::Serializer::new(line);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", &Moment::now())?;
    map.serialize_entry("level", metadata.level().as_str())?;
    if !fields.0.iter().any(|(name, _)| *name == "ray_id")
        && let Some(ray_id) = current_ray()
    {
        map.serialize_entry("ray_id", ray_id.as_ref())?;
    }
    let mut target = metadata.target();
    for (name, value) in &fields.0 {
        // Records of the `log` crate bring where they come from as fields.
        match (name.strip_prefix("log."), value) {
            (None, value) => map.serialize_entry(name, value)?,
            (Some("target"), Value::String(from)) => target = from,
            (Some(_), _) => {}
        }
    }
    map.serialize_entry("target", target)?;
    if let Some(span) = span {
        map.serialize_entry("span", &span)?;
    }
    map.end()
}

/// An event's fields as JSON values.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), Value::from(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), Value::from(format!("{value:?}"))));
    }
}

/// Lines for a person; those of a request begin with its ray id.
struct Readable(Format<Compact>);

impl<S, N> FormatEvent<S, N> for Readable
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let names_it = event.metadata().fields().field("ray_id").is_some();
        if let Some(ray_id) = current_ray().filter(|_| !names_it) {
            write!(writer, "{ray_id} ")?;
        }
        self.0.format_event(context, writer, event)
    }
}
