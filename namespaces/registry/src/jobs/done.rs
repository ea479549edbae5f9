//! What becomes of a job that was worked on, and how it follows from what the work returned.

use std::time::Duration;

/// What becomes of a job that was worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is over.
    Finished,
    /// It is due again after this time.
    Again(Duration),
    /// It failed, for this reason: it is tried again after a pause that grows.
    Failed(String),
}

/// Due again after this time; over where there is none.
impl<E: std::fmt::Display> From<std::result::Result<Option<Duration>, E>> for Done {
    fn from(made: std::result::Result<Option<Duration>, E>) -> Done {
        match made {
            Ok(Some(after)) => Done::Again(after),
            Ok(None) => Done::Finished,
            Err(error) => Done::Failed(error.to_string()),
        }
    }
}

/// Over.
impl<E: std::fmt::Display> From<std::result::Result<(), E>> for Done {
    fn from(made: std::result::Result<(), E>) -> Done {
        made.map(|()| None).into()
    }
}
