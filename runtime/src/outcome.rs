//! How an invocation ended: [`Failure`] says why there was no response, [`Outcome`] is the account of
//! every invocation, good or bad. Logs, metrics and billing read outcomes and nothing else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wasmyard_events::{Fault, InvocationRecord, Trigger, Usage};

use crate::codes::GuestCode;

/// Why an invocation gave no response.
///
/// `Display` is the text for the *calling script and the visitor*: it names the limit and its value and
/// never a path, an address, a secret, or another tenant. What only the operator may see is in
/// [`Failure::detail`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The namespace holds no script of that name.
    #[error("Worker not found.")]
    WorkerNotFound,
    /// The CPU budget is used up.
    #[error("Worker exceeded CPU time limit.")]
    ExceededCpu {
        /// The budget that applied.
        limit: Duration,
    },
    /// The fuel is used up.
    #[error("Worker exceeded fuel limit.")]
    ExceededFuel {
        /// The budget that applied.
        limit: u64,
    },
    /// More memory was asked for than the ceiling allows.
    #[error("Worker has exceeded memory limit.")]
    ExceededMemory {
        /// The ceiling that applied, in bytes.
        limit: u64,
    },
    /// It does not export what handles such an event.
    #[error("Worker has no handler of {event} events.")]
    NoHandler {
        /// The kind of event.
        event: &'static str,
    },
    /// The caller has made all the subrequests it may.
    #[error("Too many subrequests by single Worker invocation.")]
    ExceededSubrequests {
        /// The budget that applied.
        limit: u32,
    },
    /// Scripts call scripts too deeply.
    #[error("Too many Workers called each other in a row.")]
    ExceededDepth {
        /// The greatest depth that is allowed.
        limit: u32,
    },
    /// No response head came in time.
    #[error("Worker did not respond in time.")]
    TimedOut {
        /// The time that was allowed.
        limit: Duration,
    },
    /// The head of the response was out, and then nothing more came for too long.
    #[error("Worker stopped sending its response.")]
    Stalled {
        /// The longest pause that is allowed.
        limit: Duration,
    },
    /// The guest trapped. The text names the kind of trap.
    #[error("Worker threw an exception: {0}")]
    Trapped(String),
    /// The guest ended without a response.
    #[error("Worker gave no response: {0}")]
    NoResponse(String),
    /// The guest answered with a `wasi:http` error code.
    #[error("Worker gave no response: it answered with the error code {0}")]
    ErrorCode(GuestCode),
    /// A service binding leads to nobody who may be called; the text names the binding and says why.
    #[error("{0}")]
    Unreachable(String),
    /// The platform takes no more work at the moment.
    #[error("The platform is at capacity.")]
    Overloaded {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// Its code is not ready yet: it is being compiled, or waits for that.
    #[error("The Worker is being made ready.")]
    BeingMadeReady {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// As many invocations of this script, or of its namespace, are under way as may be.
    #[error("Too many requests for this Worker are under way.")]
    TooManyInvocations {
        /// How many may be.
        limit: usize,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The invocations of this script, or of its namespace, hold as much memory together as they may.
    #[error("This Worker's invocations hold too much memory together.")]
    ExceededMemoryShare {
        /// How many bytes they may hold.
        limit: u64,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// An argument of the call breaks a rule; the text names field, value and rule.
    #[error("{0}")]
    InvalidArgument(String),
    /// The platform itself failed.
    #[error("The platform failed to run this Worker.")]
    Internal {
        /// The full cause, for the operator's log only.
        detail: String,
    },
}

impl Failure {
    /// What the operator's log gets beside the safe text.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Internal { detail } => Some(detail),
            _ => None,
        }
    }

    /// The limit that was passed and its value, in words that are safe to show.
    pub fn limit(&self) -> Option<String> {
        match self {
            Self::ExceededCpu { limit } => Some(format!("CPU time {} ms", limit.as_millis())),
            Self::ExceededFuel { limit } => Some(format!("fuel {limit}")),
            Self::ExceededMemory { limit } => Some(format!("memory {}", size(*limit))),
            Self::ExceededSubrequests { limit } => Some(format!("subrequests {limit}")),
            Self::ExceededDepth { limit } => Some(format!("depth {limit}")),
            Self::TimedOut { limit } => Some(format!("time to first byte {} s", limit.as_secs_f64())),
            Self::Stalled { limit } => Some(format!("pause of a response {} s", limit.as_secs_f64())),
            Self::ExceededMemoryShare { limit, .. } => Some(format!("memory together {}", size(*limit))),
            Self::TooManyInvocations { limit, .. } => Some(format!("invocations at once {limit}")),
            _ => None,
        }
    }

    /// The platform's own failure; the detail is for the log.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        Self::Internal { detail: detail.to_string() }
    }

    /// A short stable word for labels.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WorkerNotFound => "scriptNotFound",
            Self::ExceededCpu { .. } => "exceededCpu",
            Self::ExceededFuel { .. } => "exceededFuel",
            Self::ExceededMemory { .. } => "exceededMemory",
            Self::ExceededSubrequests { .. } => "exceededSubrequests",
            Self::ExceededDepth { .. } => "exceededDepth",
            Self::TimedOut { .. } | Self::Stalled { .. } => "exceededWallTime",
            Self::Trapped(_) => "exception",
            Self::NoHandler { .. } => "noHandler",
            Self::NoResponse(_) | Self::ErrorCode(_) => "noResponse",
            Self::Unreachable(_) => "serviceNotFound",
            Self::Overloaded { .. } => "loadShed",
            Self::BeingMadeReady { .. } => "notReady",
            Self::TooManyInvocations { .. } => "tooManyInvocations",
            Self::ExceededMemoryShare { .. } => "exceededMemoryShare",
            Self::InvalidArgument(_) => "invalidArgument",
            Self::Internal { .. } => "internalError",
        }
    }
}

/// Bytes in the largest unit that says them exactly.
fn size(bytes: u64) -> String {
    match (bytes % (1 << 20), bytes % (1 << 10)) {
        (0, _) => format!("{} MiB", bytes >> 20),
        (_, 0) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}

/// How one invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The guest answered and ran to its end.
    Ok,
    /// Whoever waited for the answer went away first.
    Canceled,
    /// It failed; where the head of the response was out already, the body was cut.
    Failed(Failure),
}

impl End {
    /// A short stable word for labels: the names of the hosted product where it has one.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Canceled => "canceled",
            Self::Failed(failure) => failure.kind(),
        }
    }
}

/// The account of one invocation: how it ended, and what it took.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Who ran, and what it took.
    pub usage: Usage,
}

impl Outcome {
    /// What is told of it. The event that it was for and the number that it had are known to who ran it.
    pub fn into_record(self, ray_id: Arc<str>, number: u32, trigger: Trigger) -> InvocationRecord {
        let fault = match &self.end {
            End::Failed(failure) => Some(Fault {
                message: failure.to_string(),
                limit: failure.limit(),
                detail: failure.detail().map(str::to_owned),
            }),
            End::Ok | End::Canceled => None,
        };
        let (time, outcome) = (SystemTime::now(), self.end.label());
        InvocationRecord { time, ray_id, number, trigger, outcome, fault, usage: self.usage }
    }
}
