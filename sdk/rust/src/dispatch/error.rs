//! Owns the reasons why a script could not be called. The texts are the platform's.

use std::error::Error;
use std::fmt;

use crate::bindings::dispatch as platform;

/// Why a call to another script gave no response.
///
/// ```no_run
/// # use wasmyard::{DispatchError, Env, Request, Response, Result};
/// # async fn fetch(req: Request, env: Env) -> Result<Response> {
/// match env.namespace("DISPATCHER")?.get("customer-a").fetch(req).await {
///     Ok(response) => Ok(response),
///     Err(DispatchError::WorkerNotFound(_)) => Ok(Response::text("no such customer\n").with_status(404)),
///     Err(DispatchError::ExceededCpu(_)) => Ok(Response::text("this site is too busy\n").with_status(503)),
///     Err(other) => Err(other.into()),
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DispatchError {
    /// The namespace holds no script of that name.
    WorkerNotFound(String),
    /// The script used up its CPU budget.
    ExceededCpu(String),
    /// The script used up its fuel.
    ExceededFuel(String),
    /// The script asked for more memory than its ceiling.
    ExceededMemory(String),
    /// This worker has no subrequests left.
    ExceededSubrequests(String),
    /// The chain of scripts calling scripts is too long.
    ExceededDepth(String),
    /// The script sent no response head in time.
    TimedOut(String),
    /// The script trapped.
    Trapped(String),
    /// The script ended without a response, or with an error that it did not catch, which the text may quote.
    NoResponse(String),
    /// The platform refuses new work for this script or namespace for the moment.
    Overloaded(String),
    /// A name, limit or request breaks a rule.
    InvalidArgument(String),
    /// The platform failed.
    Internal(String),
}

impl DispatchError {
    /// What went wrong, as the platform puts it. For the log rather than for a visitor: the text of a
    /// [`NoResponse`](DispatchError::NoResponse) may quote the script.
    pub fn message(&self) -> &str {
        use DispatchError::{
            ExceededCpu, ExceededDepth, ExceededFuel, ExceededMemory, ExceededSubrequests, Internal,
            InvalidArgument, NoResponse, Overloaded, TimedOut, Trapped, WorkerNotFound,
        };
        match self {
            WorkerNotFound(text)
            | ExceededCpu(text)
            | ExceededFuel(text)
            | ExceededMemory(text)
            | ExceededSubrequests(text)
            | ExceededDepth(text)
            | TimedOut(text)
            | Trapped(text)
            | NoResponse(text)
            | Overloaded(text)
            | InvalidArgument(text)
            | Internal(text) => text,
        }
    }

    pub(crate) fn invalid_argument(text: impl Into<String>) -> DispatchError {
        DispatchError::InvalidArgument(text.into())
    }

    pub(super) fn internal(text: impl Into<String>) -> DispatchError {
        DispatchError::Internal(text.into())
    }
}

impl fmt::Display for DispatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl Error for DispatchError {}

impl From<platform::DispatchError> for DispatchError {
    fn from(error: platform::DispatchError) -> DispatchError {
        use platform::DispatchError as From;
        match error {
            From::WorkerNotFound(text) => DispatchError::WorkerNotFound(text),
            From::ExceededCpu(text) => DispatchError::ExceededCpu(text),
            From::ExceededFuel(text) => DispatchError::ExceededFuel(text),
            From::ExceededMemory(text) => DispatchError::ExceededMemory(text),
            From::ExceededSubrequests(text) => DispatchError::ExceededSubrequests(text),
            From::ExceededDepth(text) => DispatchError::ExceededDepth(text),
            From::TimedOut(text) => DispatchError::TimedOut(text),
            From::Trapped(text) => DispatchError::Trapped(text),
            From::NoResponse(text) => DispatchError::NoResponse(text),
            From::Overloaded(text) => DispatchError::Overloaded(text),
            From::InvalidArgument(text) => DispatchError::InvalidArgument(text),
            From::Internal(text) => DispatchError::Internal(text),
        }
    }
}

/// Why a binding could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingError {
    /// This version of the worker has no binding of that name.
    NotBound(String),
    /// There is a binding of that name, but of another type.
    WrongType(String),
}

impl fmt::Display for BindingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindingError::NotBound(text) => f.write_str(text),
            BindingError::WrongType(found) => {
                write!(f, "the binding is of type `{found}`, and another type was asked for")
            }
        }
    }
}

impl Error for BindingError {}

impl From<platform::BindingError> for BindingError {
    fn from(error: platform::BindingError) -> BindingError {
        match error {
            platform::BindingError::NotBound(text) => BindingError::NotBound(text),
            platform::BindingError::WrongType(text) => BindingError::WrongType(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_text_is_the_message() {
        let error = DispatchError::from(platform::DispatchError::WorkerNotFound("Worker not found.".into()));
        assert_eq!(error, DispatchError::WorkerNotFound("Worker not found.".into()));
        assert_eq!(error.message(), "Worker not found.");
        assert_eq!(error.to_string(), error.message());
    }

    #[test]
    fn a_binding_of_another_type_is_named() {
        let error = BindingError::from(platform::BindingError::WrongType("plain_text".into()));
        assert!(error.to_string().contains("`plain_text`"));
    }
}
