//! The one event, and a record for each kind of it.
//!
//! A record is made once, at the end of what it tells, and shared by all sinks. It owns what it holds, so that a sink can
//! keep it. It never holds a query, a header or a body: those may hold secrets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Uri};
use wasmyard_model::script::ScriptKey;

use crate::level::Level;

/// Something that happened. Cheap to clone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A visitor's request was served, or its visitor left.
    Visit(Arc<VisitRecord>),
    /// An invocation of a script ended: one for each script of a chain.
    Invocation(Arc<InvocationRecord>),
    /// A script wrote a line.
    Log(Arc<LogRecord>),
    /// A request of a script did not go out.
    Egress(Arc<EgressRecord>),
    /// Somebody called the API.
    Api(Arc<ApiRecord>),
}

impl Event {
    /// About how much memory it takes, in bytes: what a queue of events is bounded by.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Visit(visit) => {
                let origin = visit.origin.as_ref().map_or(0, OriginRecord::weight);
                size_of::<VisitRecord>() + visit.host.len() + visit.path.len() + origin
            }
            Self::Invocation(invocation) => {
                let texts = |fault: &Fault| {
                    let more = [&fault.limit, &fault.detail].into_iter().flatten();
                    fault.message.len() + more.map(String::len).sum::<usize>()
                };
                size_of::<InvocationRecord>()
                    + invocation.trigger.weight()
                    + invocation.fault.as_ref().map_or(0, texts)
            }
            Self::Log(log) => size_of::<LogRecord>() + log.text.len(),
            Self::Egress(egress) => size_of::<EgressRecord>() + egress.host.len() + egress.refused.len(),
            Self::Api(call) => {
                size_of::<ApiRecord>() + call.path.len() + call.token.as_ref().map_or(0, |token| token.len())
            }
        }
    }
}

/// One visitor's request.
#[derive(Debug, Clone)]
pub struct VisitRecord {
    /// When it was over.
    pub time: SystemTime,
    /// Identifies the request everywhere.
    pub ray_id: Arc<str>,
    /// The visitor's address.
    pub client: IpAddr,
    /// The hostname that was asked for; empty where there was none that could be read.
    pub host: Arc<str>,
    /// The method.
    pub method: Method,
    /// The path without its query.
    pub path: String,
    /// The script that the route named.
    pub script: Option<ScriptKey>,
    /// The tenant that was served: the first user script of the chain.
    pub user_script: Option<ScriptKey>,
    /// The origin that was asked, where one was.
    pub origin: Option<OriginRecord>,
    /// The status of the answer; none when the visitor left before there was one.
    pub status: Option<u16>,
    /// A stable word: `ok`, `canceled`, the reason of a platform's page, or why the answer was cut off.
    pub reason: &'static str,
    /// Whether the answer ended before its body was complete, by a fault on this side.
    pub cut: bool,
    /// Bytes of the answer's body that were handed to the visitor's connection.
    pub bytes_out: u64,
    /// From the head of the request to the last byte of the answer.
    pub wall: Duration,
}

/// What came of asking an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRecord {
    /// Its name.
    pub name: Arc<str>,
    /// The status that it answered with, if it did.
    pub status: Option<u16>,
    /// Why it did not, for the operator alone.
    pub fault: Option<String>,
    /// From the moment in which it was to be asked to the head of its answer, or to the fault.
    pub wall: Duration,
}

impl OriginRecord {
    fn weight(&self) -> usize {
        self.name.len() + self.fault.as_ref().map_or(0, String::len)
    }
}

/// What a script ran for.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A request, from a visitor or from another script.
    Fetch {
        /// Its method.
        method: Method,
        /// Its target, as the script saw it. May hold a query, which no line shows.
        url: Uri,
        /// The rest of its head, where somebody watches the script ([`Sink::wants_heads`](crate::Sink::wants_heads)).
        head: Option<Arc<RequestHead>>,
    },
    /// A time that came.
    Scheduled {
        /// The expression that it comes from.
        cron: Arc<str>,
        /// When it was due.
        due: SystemTime,
    },
    /// Messages of a queue.
    Queue {
        /// The queue.
        queue: Arc<str>,
        /// How many there were.
        messages: usize,
    },
    /// What became of invocations of other scripts.
    Tail {
        /// How many there were.
        invocations: usize,
    },
}

/// What else is known of a request. It may hold secrets, which whoever shows it leaves out.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// Its fields.
    pub headers: HeaderMap,
    /// The visitor's address.
    pub client: Option<IpAddr>,
}

impl Trigger {
    /// The rest of the head of a request, where that is kept.
    #[must_use]
    pub fn head(&self) -> Option<&RequestHead> {
        match self {
            Self::Fetch { head, .. } => head.as_deref(),
            Self::Scheduled { .. } | Self::Queue { .. } | Self::Tail { .. } => None,
        }
    }

    /// About how much memory its texts take, in bytes.
    fn weight(&self) -> usize {
        match self {
            Self::Fetch { url, .. } => url.path_and_query().map_or(0, |path| path.as_str().len()),
            Self::Scheduled { cron, .. } => cron.len(),
            Self::Queue { queue, .. } => queue.len(),
            Self::Tail { .. } => 0,
        }
    }
}

/// What one invocation took: which script ran, and what of the machine it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Which script ran.
    pub script: ScriptKey,
    /// Which version of it.
    pub version: String,
    /// How deep in the chain of scripts it was; the first one is 0.
    pub depth: u32,
    /// The status it answered with, if it did.
    pub status: Option<u16>,
    /// CPU time that was burned: guest code and the host calls made for it; waiting is free.
    pub cpu: Duration,
    /// Units of fuel, where fuel is counted: the same on every machine. Of an invocation that something else than
    /// fuel stopped it is what had been written down by then, which may be less than it used.
    pub fuel: Option<u64>,
    /// From the call to the end of the response body.
    pub wall: Duration,
    /// The part of `wall` that making the instance took; zero if it never got that far.
    pub instantiation: Duration,
    /// The most linear memory and table space that it held, with what the host held for it, in bytes.
    pub peak_memory_bytes: u64,
    /// Subrequests that it made.
    pub subrequests: u32,
    /// Body bytes that it was sent.
    pub bytes_in: u64,
    /// Body bytes that it sent.
    pub bytes_out: u64,
    /// Lines that it logged.
    pub log_lines: u32,
    /// Lines that it wrote past its log limit, which nobody has.
    pub log_dropped: u32,
}

/// One invocation of one script.
#[derive(Debug, Clone)]
pub struct InvocationRecord {
    /// When it ended.
    pub time: SystemTime,
    /// The visitor's request that it belongs to.
    pub ray_id: Arc<str>,
    /// Which invocation of that request it is, counted from zero. Lines of its script carry the same number.
    pub number: u32,
    /// What it ran for.
    pub trigger: Trigger,
    /// A stable word for how it ended, the hosted product's where it has one.
    pub outcome: &'static str,
    /// What went wrong, where something did.
    pub fault: Option<Fault>,
    /// Who ran, and what it took.
    pub usage: Usage,
}

/// What went wrong in an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The text that callers and visitors may see.
    pub message: String,
    /// The limit that was passed, with its value.
    pub limit: Option<String>,
    /// The cause, for the operator alone.
    pub detail: Option<String>,
}

/// One line that a script wrote.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// When it was written.
    pub time: SystemTime,
    /// The visitor's request that the script worked for.
    pub ray_id: Arc<str>,
    /// Which invocation of that request wrote it: [`InvocationRecord::number`].
    pub number: u32,
    /// The script.
    pub script: ScriptKey,
    /// How much it matters.
    pub level: Level,
    /// Where it was written to: `stdout` or `stderr`.
    pub stream: &'static str,
    /// The line without its end.
    pub text: String,
}

/// A request of a script that did not go out.
#[derive(Debug, Clone)]
pub struct EgressRecord {
    /// When it was refused.
    pub time: SystemTime,
    /// The visitor's request that the script worked for.
    pub ray_id: Arc<str>,
    /// The script that asked.
    pub script: ScriptKey,
    /// The namespace whose rules it was judged by; none for the platform's own.
    pub namespace: Option<String>,
    /// The host that was asked for, with its port where one was written.
    pub host: String,
    /// Why it did not go out, for the operator alone.
    pub refused: String,
}

/// One call of the API.
#[derive(Debug, Clone)]
pub struct ApiRecord {
    /// When it was answered.
    pub time: SystemTime,
    /// The method.
    pub method: Method,
    /// The route's pattern: no name that a client sent is in it.
    pub path: String,
    /// The id of the token that it came with; none where it needs none, or came with another kind.
    pub token: Option<Arc<str>>,
    /// The status of the answer.
    pub status: u16,
    /// From the head of the call to its answer.
    pub wall: Duration,
}
