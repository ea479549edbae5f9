//! How an event becomes a line: one JSON object for machines, or words for a person at a terminal.

use std::fmt::{self, Display};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::event::{
    ApiRecord, EgressRecord, Event, InvocationRecord, LogRecord, OriginRecord, Usage, VisitRecord,
};
use crate::moment::Moment;

/// Who reads the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Machines: one JSON object a line.
    Json,
    /// A person.
    Text,
}

/// What stands at the beginning of a line.
struct Head<'l> {
    time: SystemTime,
    level: &'static str,
    message: &'l str,
    target: &'static str,
}

/// What each event's lines are filtered by.
pub(crate) mod target {
    pub(crate) const ACCESS: &str = "wasmyard::access";
    pub(crate) const INVOCATION: &str = "wasmyard::invocation";
    pub(crate) const SCRIPT: &str = "wasmyard::script";
    pub(crate) const EGRESS: &str = "wasmyard::egress";
    pub(crate) const API: &str = "wasmyard::api";
    pub(crate) const LOG: &str = "wasmyard::log";
}

/// What stands between the beginning of a line and its end.
enum Content<'l> {
    Event(&'l Event),
    /// Numbers by name.
    Counts(&'l [(&'static str, u64)]),
}

impl Form {
    /// Appends the line of an event, with its end. A line that cannot be written is left out whole.
    pub(crate) fn write(self, line: &mut Vec<u8>, event: &Event) {
        let head = head(event);
        self.line(line, &head, &Content::Event(event));
    }

    /// Appends the line that says how many lines were lost, by the lane that they were in.
    pub(crate) fn write_lost(self, line: &mut Vec<u8>, lost: &[(&'static str, u64)]) {
        let head = Head {
            time: SystemTime::now(),
            level: "WARN",
            message: "lines were lost here: the reader of this log was too slow",
            target: target::LOG,
        };
        self.line(line, &head, &Content::Counts(lost));
    }

    fn line(self, line: &mut Vec<u8>, head: &Head<'_>, content: &Content<'_>) {
        let begun = line.len();
        let written = match self {
            Self::Json => json(line, head, content),
            Self::Text => text(line, head, content),
        };
        match written {
            Ok(()) => line.push(b'\n'),
            Err(Unwritten) => line.truncate(begun),
        }
    }
}

/// A line that could not be written, which no field here can be the reason of.
struct Unwritten;

type Written = Result<(), Unwritten>;

impl From<serde_json::Error> for Unwritten {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

impl From<std::io::Error> for Unwritten {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

/// One line being written, in either form.
enum Line<'s, 'l> {
    Json(JsonMap<'s, 'l>),
    Text(&'l mut Vec<u8>),
}

/// The fields of a JSON object being written.
type JsonMap<'s, 'l> = <&'s mut serde_json::Serializer<&'l mut Vec<u8>> as Serializer>::SerializeMap;

fn json(line: &mut Vec<u8>, head: &Head<'_>, content: &Content<'_>) -> Written {
    let mut json = serde_json::Serializer::new(line);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", &Moment(head.time))?;
    map.serialize_entry("level", head.level)?;
    map.serialize_entry("message", head.message)?;
    let mut whole = Line::Json(map);
    whole.content(content)?;
    whole.field("target", head.target)?;
    match whole {
        Line::Json(map) => Ok(map.end()?),
        Line::Text(_) => Ok(()),
    }
}

fn text(line: &mut Vec<u8>, head: &Head<'_>, content: &Content<'_>) -> Written {
    Moment(head.time).with_text(|time| write!(line, "{time} {:>5} ", head.level))?;
    // What a script wrote must not move the cursor of the person who reads it.
    for c in head.message.chars().filter(|c| !c.is_control() || *c == '\t') {
        write!(line, "{c}")?;
    }
    Line::Text(line).content(content)
}

impl Line<'_, '_> {
    fn field(&mut self, name: &'static str, value: impl Serialize + fmt::Debug) -> Written {
        match self {
            Self::Json(map) => Ok(map.serialize_entry(name, &value)?),
            Self::Text(line) => Ok(write!(line, " {name}={value:?}")?),
        }
    }

    fn shown(&mut self, name: &'static str, value: &dyn Display) -> Written {
        match self {
            Self::Json(map) => Ok(map.serialize_entry(name, &Shown(value))?),
            Self::Text(line) => Ok(write!(line, " {name}={value}")?),
        }
    }

    fn if_any(&mut self, name: &'static str, value: Option<impl Serialize + fmt::Debug>) -> Written {
        value.map_or(Ok(()), |value| self.field(name, value))
    }

    fn content(&mut self, content: &Content<'_>) -> Written {
        match content {
            Content::Event(Event::Visit(visit)) => self.visit(visit),
            Content::Event(Event::Invocation(invocation)) => self.invocation(invocation),
            Content::Event(Event::Log(log)) => self.log(log),
            Content::Event(Event::Egress(egress)) => self.egress(egress),
            Content::Event(Event::Api(call)) => self.api(call),
            Content::Counts(counts) => counts.iter().try_for_each(|(name, count)| self.field(name, count)),
        }
    }

    // Records are taken apart by name, so that a field more is not forgotten here.

    fn visit(&mut self, visit: &VisitRecord) -> Written {
        let VisitRecord { time: _, ray_id, client, host, method, path, script, user_script, .. } = visit;
        self.field("ray_id", ray_id)?;
        self.shown("client", client)?;
        self.field("host", host)?;
        self.field("method", method.as_str())?;
        self.field("path", path)?;
        match script {
            Some(script) => self.shown("script", script)?,
            None => self.field("script", "")?,
        }
        if let Some(user) = user_script {
            self.if_any("namespace", user.namespace())?;
            self.field("user_script", user.script())?;
        }
        if let Some(OriginRecord { name, status, fault, wall }) = &visit.origin {
            self.field("origin", name)?;
            self.if_any("origin_status", *status)?;
            self.if_any("origin_fault", fault.as_ref())?;
            self.field("origin_us", micros(*wall))?;
        }
        let VisitRecord { status, reason, cut, bytes_out, wall, .. } = visit;
        self.field("status", status.unwrap_or(VISITOR_LEFT))?;
        self.field("reason", reason)?;
        self.if_any("cut", cut.then_some(reason))?;
        self.field("bytes_out", bytes_out)?;
        self.field("wall_us", micros(*wall))
    }

    fn invocation(&mut self, invocation: &InvocationRecord) -> Written {
        let InvocationRecord { time: _, ray_id, number: _, trigger: _, outcome, fault, usage } = invocation;
        let Usage { script, version, depth, status, cpu, fuel, wall, instantiation, .. } = usage;
        self.field("ray_id", ray_id)?;
        self.shown("script", script)?;
        self.field("version", version)?;
        self.field("depth", depth)?;
        self.field("outcome", outcome)?;
        self.if_any("status", *status)?;
        self.field("cpu_us", micros(*cpu))?;
        self.if_any("fuel", *fuel)?;
        self.field("wall_us", micros(*wall))?;
        self.field("instantiation_us", micros(*instantiation))?;
        let Usage { peak_memory_bytes, subrequests, bytes_in, bytes_out, log_lines, log_dropped, .. } = usage;
        self.field("peak_memory_bytes", peak_memory_bytes)?;
        self.field("subrequests", subrequests)?;
        self.field("bytes_in", bytes_in)?;
        self.field("bytes_out", bytes_out)?;
        self.field("log_lines", log_lines)?;
        self.field("log_dropped", log_dropped)?;
        let Some(fault) = fault else { return Ok(()) };
        self.if_any("limit", fault.limit.as_ref())?;
        self.field("detail", fault.detail.as_deref().unwrap_or(""))
    }

    fn log(&mut self, log: &LogRecord) -> Written {
        let LogRecord { time: _, ray_id, number: _, script, level, stream, text: _ } = log;
        self.field("ray_id", ray_id)?;
        self.shown("script", script)?;
        self.field("stream", stream)?;
        self.field("log_level", level.as_str())
    }

    fn egress(&mut self, egress: &EgressRecord) -> Written {
        let EgressRecord { time: _, ray_id, script, namespace, host, refused } = egress;
        self.field("ray_id", ray_id)?;
        self.shown("script", script)?;
        self.field("namespace", namespace.as_deref().unwrap_or(""))?;
        self.field("host", host)?;
        self.field("refused", refused)
    }

    fn api(&mut self, call: &ApiRecord) -> Written {
        let ApiRecord { time: _, method, path, token, status, wall } = call;
        self.field("method", method.as_str())?;
        self.field("path", path)?;
        self.field("token", token.as_deref().unwrap_or(""))?;
        self.field("status", status)?;
        self.field("ms", u64::try_from(wall.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Written as its text.
struct Shown<'d>(&'d dyn Display);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// What stands for the status of an answer that the visitor did not wait for.
const VISITOR_LEFT: u16 = 499;

fn head(event: &Event) -> Head<'_> {
    match event {
        Event::Visit(visit) => {
            Head { time: visit.time, level: "INFO", message: "request", target: target::ACCESS }
        }
        Event::Invocation(invocation) => {
            let (level, message) = match &invocation.fault {
                Some(fault) => ("WARN", fault.message.as_str()),
                None => ("DEBUG", "invocation"),
            };
            Head { time: invocation.time, level, message, target: target::INVOCATION }
        }
        Event::Log(log) => Head { time: log.time, level: "INFO", message: &log.text, target: target::SCRIPT },
        Event::Egress(egress) => Head {
            time: egress.time,
            level: "INFO",
            message: "a request of a script did not go out",
            target: target::EGRESS,
        },
        Event::Api(call) => Head { time: call.time, level: "INFO", message: "answered", target: target::API },
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
