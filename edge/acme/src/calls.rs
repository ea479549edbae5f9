//! Calls of an authority: made again where that helps, bounded in time, and what a failed one says of it.

use std::time::Duration;

use instant_acme::{Error, Problem};

use crate::authority::Failure;
use crate::waits::listening;

/// How often a call is made again that was refused for its nonce: the library itself tries three times.
const TRIES: usize = 6;
/// How long a whole call may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What came of a call, and how long it was told to wait.
type Heard<T> = (T, Option<Duration>);

/// Makes a call, and makes it again where it was refused for its nonce.
pub(crate) async fn tried<T, F: Future<Output = Result<T, Error>>>(
    call: impl Fn() -> F,
) -> Result<Heard<Result<T, Error>>, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (done, said) = listening(tokio::time::timeout(PATIENCE, call())).await;
        match done {
            Ok(Err(Error::Api(problem))) if is(&problem, "badNonce") && tries < TRIES => {}
            Ok(done) => return Ok((done, said)),
            Err(_elapsed) => return Err(late()),
        }
    }
}

/// The same, with what a failure says of the authority.
pub(crate) async fn again<T, F: Future<Output = Result<T, Error>>>(
    call: impl Fn() -> F,
) -> Result<Heard<T>, Failure> {
    let (done, said) = tried(call).await?;
    done.map(|done| (done, said)).map_err(|error| failure(error, said))
}

/// Makes a call once: one that is part of several is made again with these.
pub(crate) async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<Heard<T>, Failure> {
    match listening(tokio::time::timeout(PATIENCE, call)).await {
        (Ok(done), said) => done.map(|done| (done, said)).map_err(|error| failure(error, said)),
        (Err(_elapsed), _) => Err(late()),
    }
}

fn late() -> Failure {
    Failure::Unreachable("it does not answer in time".to_owned())
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
            away(told(&problem), after)
        }
        Error::Api(problem) => Failure::Refused(told(&problem)),
        // Whoever is away need not say so in the words of ACME.
        other => away(other.to_string(), after),
    }
}

fn away(text: String, after: Option<Duration>) -> Failure {
    match after {
        Some(after) => Failure::Busy { after, text },
        None => Failure::Unreachable(text),
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
