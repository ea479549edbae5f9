//! Calls of an authority: made again where that helps, bounded in time, and what a failed one says of it.

use std::time::Duration;

use instant_acme::{Error, Problem};

use crate::authority::Failure;
use crate::http::Requests;

/// How often a call is made again that was refused for its nonce: the library itself tries three times.
const TRIES: usize = 6;
/// How long a whole call may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Makes a call, and makes it again where it was refused for its nonce.
pub(crate) async fn tried<T, F: Future<Output = Result<T, Error>>>(
    call: impl Fn() -> F,
) -> Result<Result<T, Error>, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match tokio::time::timeout(PATIENCE, call()).await {
            Ok(Err(Error::Api(problem))) if is(&problem, "badNonce") && tries < TRIES => {}
            Ok(done) => return Ok(done),
            Err(_elapsed) => return Err(Failure::Unreachable("it does not answer in time".to_owned())),
        }
    }
}

impl Requests {
    pub(crate) async fn again<T, F: Future<Output = Result<T, Error>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, Failure> {
        tried(call).await?.map_err(|error| failure(error, self.told_to_wait()))
    }

    /// Makes a call once: one that is part of several is made again with these.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(done) => done.map_err(|error| failure(error, self.told_to_wait())),
            Err(_elapsed) => Err(Failure::Unreachable("it does not answer in time".to_owned())),
        }
    }
}

fn is(problem: &Problem, kind: &str) -> bool {
    problem.r#type.as_deref().and_then(|own| own.strip_prefix("urn:ietf:params:acme:error:")) == Some(kind)
}

pub(crate) fn is_too_often(problem: &Problem) -> bool {
    is(problem, "rateLimited") || problem.status == Some(429)
}

/// What a failed call says of the authority, which may have said how long to wait.
pub(crate) fn failure(error: Error, after: Option<Duration>) -> Failure {
    match error {
        // One more of them: the next step makes the call again.
        Error::Api(problem) if is(&problem, "badNonce") => Failure::Unreachable(told(&problem)),
        Error::Api(problem) if is_too_often(&problem) => Failure::TooOften { after, text: told(&problem) },
        Error::Api(problem) if problem.status == Some(404) => Failure::Gone(told(&problem)),
        Error::Api(problem) if problem.status.is_some_and(|status| status >= 500) => {
            Failure::Unreachable(told(&problem))
        }
        Error::Api(problem) => Failure::Refused(told(&problem)),
        other => Failure::Unreachable(other.to_string()),
    }
}

/// The words of an authority, for people.
pub(crate) fn told(problem: &Problem) -> String {
    /// More than a sentence or two says nothing more.
    const MOST: usize = 500;
    let kind = problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or("error");
    let detail = problem.detail.as_deref().unwrap_or_default();
    let subproblems: Vec<&str> =
        problem.subproblems.iter().filter_map(|sub| sub.detail.as_deref()).take(4).collect();
    let text = [&[detail][..], &subproblems[..]].concat().join("; ");
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(MOST).collect();
    format!("{kind}: {text}")
}
