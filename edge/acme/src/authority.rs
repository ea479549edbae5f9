//! What is asked of an authority, and what an order looks like: the seam at which tests put one of their own.

use std::time::Duration;

use async_trait::async_trait;
use wasmyard_model::timestamp::Timestamp;

/// What an authority is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A file over plain HTTP.
    Http,
    /// A TXT record.
    Txt,
    /// A handshake (RFC 8737).
    Handshake,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for what it wants to see.
    Pending,
    /// It saw all, and waits for the request.
    Ready,
    /// The certificate is made.
    Processing,
    /// The certificate is there.
    Valid,
    /// It failed: nothing comes of it any more.
    Invalid,
}

/// An order as its authority shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where it is found again.
    pub url: String,
    /// How far it is.
    pub stage: Stage,
    /// What it wants to see, one for each name and way.
    pub wanted: Vec<Wanted>,
    /// What is wrong with it as a whole.
    pub problem: Option<String>,
    /// How soon to look again, where it says so.
    pub again: Option<Duration>,
}

/// What an authority wants to see of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The name, without `*.`.
    pub name: String,
    /// How it is shown.
    pub proof: Proof,
    /// How far that is, in the authority's words: `pending`, `processing`, `valid`, `invalid`.
    pub status: &'static str,
    /// What the file is called.
    pub token: String,
    /// What is in the file.
    pub body: String,
    /// What is in the TXT record, and in the certificate of a handshake.
    pub text: String,
    /// What was wrong with it.
    pub problem: Option<String>,
}

/// When an authority would have a certificate renewed (RFC 9773).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How soon to ask again: it may change its mind.
    pub again: Duration,
}

/// Why an authority did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It does not answer, or not as ACME says.
    #[error("the authority cannot be reached: {0}")]
    Unreachable(String),
    /// It was asked too often.
    #[error("the authority was asked too often: {text}")]
    TooOften {
        /// When to ask again, where it says so.
        after: Option<Duration>,
        /// Its words.
        text: String,
    },
    /// It is not there for now, and says until when.
    #[error("the authority is not there for now: {text}")]
    Busy {
        /// When to ask again.
        after: Duration,
        /// Its words.
        text: String,
    },
    /// There is no such order any more.
    #[error("the authority has no such order: {0}")]
    Gone(String),
    /// It will not.
    #[error("the authority refuses: {0}")]
    Refused(String),
}

/// An authority. Every call is bounded in time.
#[async_trait]
pub trait Authorities: Send + Sync + 'static {
    /// Orders a certificate for names, in the place of another one where that is given, as DER. Returns where the order is found
    /// again, and asks nothing more: until that is written down, nobody knows of it but the authority.
    ///
    /// # Errors
    /// [`Failure`].
    async fn order(&self, names: &[String], replaces: Option<&[u8]>) -> Result<String, Failure>;

    /// Looks how far an order is.
    ///
    /// # Errors
    /// [`Failure`].
    async fn look(&self, url: &str) -> Result<Order, Failure>;

    /// Says that what it wants to see of these names can be seen, where it was not said before.
    ///
    /// # Errors
    /// [`Failure`].
    async fn show(&self, url: &str, proof: Proof, names: &[String]) -> Result<(), Failure>;

    /// Hands in the request for the certificate, as DER.
    ///
    /// # Errors
    /// [`Failure`].
    async fn finish(&self, url: &str, request: &[u8]) -> Result<(), Failure>;

    /// Fetches the certificate with its chain, as PEM; none while it is made.
    ///
    /// # Errors
    /// [`Failure`].
    async fn certificate(&self, url: &str) -> Result<Option<String>, Failure>;

    /// When it would have a certificate renewed, given as DER; none where it does not say.
    ///
    /// # Errors
    /// [`Failure`].
    async fn renewal(&self, certificate: &[u8]) -> Result<Option<Window>, Failure>;

    /// Gives the account that is had with it another key. The old one is kept until it has taken the new one.
    ///
    /// # Errors
    /// [`Failure`].
    async fn roll_key(&self) -> Result<(), Failure>;
}

impl Failure {
    /// How long it said to wait, where it did.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Failure::Busy { after, .. } => Some(*after),
            Failure::TooOften { after, .. } => *after,
            Failure::Unreachable(_) | Failure::Gone(_) | Failure::Refused(_) => None,
        }
    }
}
