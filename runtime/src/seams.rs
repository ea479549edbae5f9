//! What the runtime needs of whoever embeds it, as traits. A script's only ways out of its sandbox are
//! the methods below: an embedder whose every method refuses runs code that can reach nothing but its caller.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use http::{Request, Response};
use wasmyard_events::Level;
use wasmyard_namespaces::bindings::OutboundDecl;
use wasmyard_namespaces::ids::MtlsCertificateId;
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::script::ScriptKey;

use crate::body::{Body, BodyError};
use crate::outcome::{Failure, Outcome};

/// One call of a script to another one, through a binding of the caller.
pub struct Call {
    /// Who is called.
    pub target: Target,
    /// What the caller limits the callee to.
    pub limits: LimitSpec,
    /// Whether its body carries calls of the callee's methods.
    pub by_call: bool,
    /// The request, head and body.
    pub request: Request<Body>,
}

/// Who is called, and through which binding.
#[derive(Clone)]
pub enum Target {
    /// A script of the namespace that a dispatch binding names.
    Dispatch {
        /// The binding.
        door: Arc<Door>,
        /// The name as the caller wrote it: not checked yet.
        script: String,
        /// Parameters for the outbound worker: name, and the value as a configuration value. Checked by
        /// [`Host::check_outbound`].
        outbound: Arc<[Parameter]>,
    },
    /// The script that a service binding names.
    Service(Arc<Service>),
}

/// A dispatch binding: the way into a namespace.
#[derive(Debug)]
pub struct Door {
    /// The binding's name.
    pub binding: String,
    /// The namespace.
    pub namespace: NamespaceName,
    /// The outbound worker that the binding itself names.
    pub outbound: Option<OutboundDecl>,
}

/// A service binding.
#[derive(Debug)]
pub struct Service {
    /// The binding's name.
    pub binding: String,
    /// The script.
    pub script: ScriptKey,
    /// Which of its exports; its default one where none is named.
    pub entrypoint: Option<Arc<str>>,
    /// What the callee is told by the binding, as JSON text.
    pub props: Option<Arc<str>>,
}

/// A certificate that a binding gives, to be shown to whoever is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// The binding's name.
    pub binding: String,
    /// The certificate.
    pub id: MtlsCertificateId,
}

/// One request of a guest to the outside.
pub struct OutboundRequest {
    /// The request, with an absolute URI.
    pub request: Request<Body>,
    /// The certificate that it shows, where it goes through a binding of one.
    pub shows: Option<Arc<ShownCertificate>>,
    /// Time to wait for a connection, where the guest set one.
    pub connect_timeout: Option<Duration>,
    /// Time to wait for the head of the response, where the guest set one.
    pub first_byte_timeout: Option<Duration>,
    /// Time to wait between two pieces of the response's body, where the guest set one.
    pub between_bytes_timeout: Option<Duration>,
}

/// One line that a guest wrote to stdout or stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub time: SystemTime,
    /// Where it was written to.
    pub stream: LogStream,
    /// How much it matters.
    pub level: Level,
    /// The text without its line end; invalid UTF-8 is replaced.
    pub text: String,
}

/// Where a guest wrote a line to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// `wasi:cli/stdout`
    Stdout,
    /// `wasi:cli/stderr`
    Stderr,
}

/// Everything that leaves one invocation. Made anew for each, so that it knows who is calling.
///
/// The futures are polled in the caller's own task and dropped to cancel.
pub trait Host: Send + Sync + 'static {
    /// Runs another script and returns the head of its response.
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>>;

    /// Checks parameters that the caller means for the outbound worker of calls through a binding: a
    /// [`Failure::InvalidArgument`] names the one that breaks a rule. An embedder without outbound workers
    /// takes none.
    fn check_outbound(&self, door: Arc<Door>, names: Vec<String>) -> BoxFuture<'static, Result<(), Failure>> {
        let refused = format!(
            "outbound: {:?} was given, but the binding {:?} has no outbound worker",
            names.first().map_or("", String::as_str),
            door.binding
        );
        Box::pin(async { Err(Failure::InvalidArgument(refused)) })
    }

    /// Sends a request to the outside, through whatever gate there is.
    fn outbound(&self, request: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>>;

    /// Takes a line that the guest logged. Must not block.
    fn log(&self, line: LogLine);

    /// Takes the account of the invocation, once, at its very end. Must not block.
    fn finished(&self, outcome: Outcome);
}

/// A host that refuses everything: code can reach nothing but its caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct DenyAll;

impl Host for DenyAll {
    fn call(&self, _: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        Box::pin(async { Err(Failure::WorkerNotFound) })
    }

    fn outbound(&self, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        Box::pin(async { Err(BodyError::HttpRequestDenied) })
    }

    fn log(&self, _: LogLine) {}

    fn finished(&self, _: Outcome) {}
}

/// How a script was reached: what differs from one script of a chain to the next.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The script that called, where one did through a binding or by a request that this script is the gate for.
    pub caller: Option<ScriptKey>,
    /// Configuration values for this invocation alone, beside those of the script's bindings. The embedder sees to
    /// it that no name is in both.
    pub config: Arc<[Parameter]>,
    /// By which door it is entered; none for a plain request to what it exports by default.
    pub entrance: Option<Arc<Entrance>>,
}

/// A way into a script beside plain requests. Only engines have scripts with such ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entrance {
    /// Which of its exports; its default one where none is named.
    pub entrypoint: Option<Arc<str>>,
    /// What the caller's binding says, as JSON text.
    pub props: Option<Arc<str>>,
    /// Whether the request carries calls of methods.
    pub by_call: bool,
}

impl Entrance {
    /// What a script lacks that has no such way in.
    pub(crate) fn event(&self) -> &'static str {
        if self.by_call { "RPC" } else { "named entrypoint" }
    }

    /// Whether it leads past what answers plain requests in the script's place: its static files.
    #[must_use]
    pub fn is_for_code(&self) -> bool {
        self.by_call || self.entrypoint.is_some()
    }
}

/// A value for one invocation alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// A text, or JSON.
    pub text: String,
    /// Whether it is JSON that is no string.
    pub is_json: bool,
}

impl Parameter {
    /// A value of JSON: of a string its text.
    pub fn of(name: &str, json: &serde_json::Value) -> Self {
        let (text, is_json) = match json.as_str() {
            Some(text) => (text.to_owned(), false),
            None => (json.to_string(), true),
        };
        Self { name: name.to_owned(), text, is_json }
    }

    /// Its type, as bindings have them.
    pub(crate) const fn kind(&self) -> &'static str {
        if self.is_json { "json_parameter" } else { "parameter" }
    }
}

/// What the platform tells a guest about the request it handles. Shared by all scripts of a chain.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// Identifies the request everywhere.
    pub ray_id: Arc<str>,
    /// The visitor's address as the listener saw it.
    pub client_address: IpAddr,
    /// The hostname that was matched: lower case, no port.
    pub hostname: Arc<str>,
    /// The custom hostname's metadata as JSON text.
    pub hostname_metadata: Option<Arc<str>>,
    /// How the visitor's own connection is encrypted, where it is known.
    pub tls: Option<Arc<TlsInfo>>,
}

/// How a visitor's connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The suite, by the name that OpenSSL has for it.
    pub cipher: &'static str,
    /// The name that the client asked for.
    pub server_name: Option<Box<str>>,
    /// What the client showed, which was verified.
    pub client_certificate: Option<ClientCertificateInfo>,
}

/// A certificate of a visitor's client. Numbers, hashes and identifiers are in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificateInfo {
    /// Whose it is, as RFC 4514 writes names.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its number.
    pub serial: String,
    /// SHA-256 of it.
    pub fingerprint_sha256: String,
    /// SHA-1 of it.
    pub fingerprint_sha1: String,
    /// From when on it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when it is valid.
    pub not_after: i64,
    /// The identifier of its key.
    pub subject_key: Option<String>,
    /// The identifier of its issuer's key.
    pub issuer_key: Option<String>,
}
