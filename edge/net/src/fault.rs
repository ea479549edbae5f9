//! How an answer went wrong, as far as it can be told: hyper says it in several ways, and its HTTP/2 in others.

use std::error::Error;
use std::io;

/// How an origin's answer went wrong, before its head or in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its head is larger than it may be.
    HeadTooLarge,
    /// The connection ended before the answer was complete.
    Incomplete,
    /// The origin was too slow.
    Timeout,
    /// The origin broke a rule of HTTP.
    Protocol,
    /// The connection ended in another way.
    Terminated,
}

impl Fault {
    /// What an error of a connection comes to.
    #[must_use]
    pub fn of(error: &hyper::Error) -> Self {
        if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()) {
            // Found by this end: the origin broke a rule. All else is an end that it wished for, or met with.
            let broken = error.reason().is_some() && !error.is_remote();
            return if broken { Self::Protocol } else { Self::Terminated };
        }
        if error.is_parse_too_large() {
            Self::HeadTooLarge
        } else if error.is_incomplete_message() || ended_early(error) {
            Self::Incomplete
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_parse() {
            Self::Protocol
        } else {
            Self::Terminated
        }
    }
}

/// Whether the connection ended in the middle of a body.
fn ended_early(error: &hyper::Error) -> bool {
    let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// What an error came of, from near to far.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error: &&'a (dyn Error + 'static)| (*error).source())
}
