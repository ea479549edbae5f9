//! Where logs go: standard error, as JSON lines in production, as readable lines in development.
//! `WASMYARD_LOG` chooses what is logged, in the syntax of `tracing_subscriber::EnvFilter`.
//!
//! Every line that is logged while a request runs names its ray id, whoever logged it.

use std::cell::RefCell;
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Compact, Format, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use wasmyard_dispatcher::{AccessLine, AccessLog, ThroughTracing, current_ray};
use wasmyard_namespaces::timestamp::Timestamp;

use crate::failure::Failure;

/// Who reads the logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Machines: one JSON object a line.
    Production,
    /// A person at a terminal.
    Development,
}

/// The form that this process logs in: the first that was started, as for `tracing` itself.
static FORM: OnceLock<Form> = OnceLock::new();

/// Starts logging for the whole process.
pub(super) fn start(form: Form) -> Result<(), Failure> {
    let asked = std::env::var("WASMYARD_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&asked)
        .map_err(|error| Failure::Usage(format!("WASMYARD_LOG={asked:?} is not a filter: {error}")))?;
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first.
    let started = match form {
        Form::Production => base.fmt_fields(JsonFields::new()).event_format(JsonLines).try_init(),
        Form::Development => {
            let ansi = std::io::stderr().is_terminal();
            let readable = tracing_subscriber::fmt::format().with_target(false).with_ansi(ansi).compact();
            base.with_ansi(ansi).event_format(Readable(readable)).try_init()
        }
    };
    if started.is_ok() {
        let _first = FORM.set(form);
    }
    Ok(())
}

/// The access log in the form that was started.
pub(super) fn access_log() -> Box<dyn AccessLog> {
    match FORM.get() {
        Some(Form::Production) => Box::new(JsonAccess),
        Some(Form::Development) | None => Box::new(ThroughTracing),
    }
}

/// Access lines without the way through `tracing`, which costs more than all else that is done for a line.
struct JsonAccess;

impl AccessLog for JsonAccess {
    fn request(&self, line: &AccessLine<'_>) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if !tracing::enabled!(target: AccessLine::TARGET, tracing::Level::INFO) {
            return;
        }
        LINE.with_borrow_mut(|buffer| {
            buffer.clear();
            if access_line(buffer, line).is_ok() {
                buffer.push(b'\n');
                // One write, so that lines of different threads do not mix. A full disk must not stop requests.
                let _lost = std::io::stderr().write_all(buffer);
            }
        });
    }
}

fn access_line(buffer: &mut Vec<u8>, line: &AccessLine<'_>) -> serde_json::Result<()> {
    // By name, so that a field more is not forgotten here.
    let AccessLine { ray_id, client, host, method, path, script, status, reason, wall_us } = line;
    let mut json = serde_json::Serializer::new(buffer);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", &Now)?;
    map.serialize_entry("level", "INFO")?;
    map.serialize_entry("message", AccessLine::MESSAGE)?;
    map.serialize_entry("ray_id", ray_id)?;
    map.serialize_entry("client", client)?;
    map.serialize_entry("host", host)?;
    map.serialize_entry("method", method)?;
    map.serialize_entry("path", path)?;
    map.serialize_entry("script", script)?;
    map.serialize_entry("status", status)?;
    map.serialize_entry("reason", reason)?;
    map.serialize_entry("wall_us", wall_us)?;
    map.serialize_entry("target", AccessLine::TARGET)?;
    map.end()
}

/// The moment at which it is written, as RFC 3339 with microseconds.
struct Now;

impl serde::Serialize for Now {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        thread_local! {
            /// The second that was written last: a busy server writes thousands of lines in each.
            static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
        }
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != since.as_secs() || text.is_empty() {
                *second = since.as_secs();
                *text = Timestamp::from(now).to_string();
            }
            let mut micros = since.subsec_micros();
            let mut digits = *b"000000Z";
            for digit in digits.iter_mut().take(6).rev() {
                *digit += u8::try_from(micros % 10).unwrap_or_default();
                micros /= 10;
            }
            text.truncate(TO_THE_SECOND);
            text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
            serializer.serialize_str(text)
        })
    }
}

/// The length of `2026-01-02T03:04:05.`
const TO_THE_SECOND: usize = 20;

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
    map.serialize_entry("timestamp", &Now)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_line_is_one_json_object_whatever_the_visitor_sent() {
        let line = AccessLine {
            ray_id: "0123456789abcdef",
            client: std::net::IpAddr::from([127, 0, 0, 1]),
            host: "shop.test",
            method: "GET",
            path: "/\"\n\u{1b}[31m",
            script: "production/shop",
            status: 200,
            reason: "ok",
            wall_us: 12,
        };
        let mut text = Vec::new();
        access_line(&mut text, &line).unwrap();
        assert!(!text.contains(&b'\n') && !text.contains(&0x1b), "{}", String::from_utf8_lossy(&text));
        let json: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["path"], "/\"\n\u{1b}[31m");
        assert_eq!((&json["client"], &json["status"]), (&Value::from("127.0.0.1"), &Value::from(200)));
        assert_eq!(
            (&json["level"], &json["target"]),
            (&Value::from("INFO"), &Value::from("wasmyard::access"))
        );
    }

    #[test]
    fn the_moment_is_written_to_the_microsecond() {
        let before = Timestamp::now();
        for _ in 0..1_000 {
            let text = serde_json::to_value(Now).unwrap();
            let text = text.as_str().unwrap();
            let moment: Timestamp = text.parse().unwrap();
            assert_eq!(moment.to_string(), text);
            assert!((before..=Timestamp::now()).contains(&moment), "{text}");
        }
    }
}
