//! Owns `Env`: what the platform gives to a worker. Nothing is fetched before it is asked for, so a worker
//! imports only the interfaces that it uses.

use std::fmt;
use std::future::Future;

use crate::assets::Assets;
use crate::bindings::{config, request_info};
use crate::d1::D1;
use crate::dispatch::{BindingError, Namespace, Service};
use crate::executor;
use crate::kv::Kv;
use crate::mtls::MtlsCertificate;
use crate::queue::Queue;
use crate::r2::R2;
use crate::rate_limit::RateLimit;
use crate::secrets::StoredSecret;

/// What the platform gives to this worker for this request: variables, bindings, and what it knows of the
/// visitor.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Env;

impl Env {
    pub(crate) const fn new() -> Env {
        Env
    }

    /// The text of a variable or secret that the worker was uploaded with, or, in an outbound worker, of a parameter
    /// that the dispatcher gave for this request.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// Ok(Response::text(env.var("GREETING")?))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is none of that name, or the platform fails to read it.
    pub fn var(&self, name: &str) -> Result<String, VarError> {
        match config::get(name) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(VarError::NotSet(name.to_owned())),
            Err(error) => Err(VarError::from(error)),
        }
    }

    /// As [`var`](Env::var), for a value that was given as JSON.
    ///
    /// # Errors
    /// As [`var`](Env::var), and when it is not JSON of that shape.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> crate::Result<T> {
        Ok(serde_json::from_str(&self.var(name)?)?)
    }

    /// The names under which the worker was given something, and the type of each, as the API names types. Parameters that a
    /// dispatcher gave are of the types `parameter` (a text) and `json_parameter`.
    pub fn bindings(&self) -> Vec<(String, String)> {
        crate::bindings::given::list()
    }

    /// All variables and secrets: name and text.
    ///
    /// # Errors
    /// When the platform fails to read them.
    pub fn vars(&self) -> Result<Vec<(String, String)>, VarError> {
        config::get_all().map_err(VarError::from)
    }

    /// The dispatch namespace that this worker is bound to under that name.
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn namespace(&self, binding: &str) -> Result<Namespace, BindingError> {
        Namespace::open(binding)
    }

    /// The script that this worker is bound to under that name.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// let token = req.header("authorization").unwrap_or_default();
    /// let question = Request::get("https://auth/check")?.with_header("authorization", token)?;
    /// if env.service("AUTH")?.fetch(question).await?.status() != 200 {
    ///     return Ok(Response::text("please sign in\n").with_status(401));
    /// }
    /// # Ok(Response::empty()) }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn service(&self, binding: &str) -> Result<Service, BindingError> {
        Service::open(binding)
    }

    /// Runs a future beside the worker's own, also after the response is complete: to deliver a log, for example. The
    /// visitor does not wait for it. It may go on for 30 seconds after the response, within the worker's limits, and
    /// also when the visitor has left by then.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// let hit = Request::post("https://counter.example/hit")?;
    /// env.wait_until(async {
    ///     if let Err(error) = wasmyard::fetch(hit).await {
    ///         eprintln!("the hit was not counted: {error}");
    ///     }
    /// });
    /// Ok(Response::text("hello"))
    /// # }
    /// ```
    pub fn wait_until(&self, task: impl Future<Output = ()> + 'static) {
        executor::spawn(task);
    }

    /// The static files of this worker, through its binding `ASSETS`.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// Ok(env.assets()?.fetch(req).await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn assets(&self) -> Result<Assets, BindingError> {
        Assets::open("ASSETS")
    }

    /// As [`assets`](Env::assets), through a binding of another name.
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn assets_named(&self, binding: &str) -> Result<Assets, BindingError> {
        Assets::open(binding)
    }

    /// The keys and values that this worker is bound to under that name.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let kv = env.kv("GREETINGS")?;
    /// kv.put("en", "hello").await?;
    /// Ok(Response::text(kv.get_text("en").await?.unwrap_or_default()))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn kv(&self, binding: &str) -> Result<Kv, BindingError> {
        Kv::open(binding)
    }

    /// The queue that this worker is bound to under that name, to send to.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// env.queue("JOBS")?.send_text(req.path()).await?;
    /// Ok(Response::text("queued\n").with_status(202))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn queue(&self, binding: &str) -> Result<Queue, BindingError> {
        Queue::open(binding)
    }

    /// The SQL database that this worker is bound to under that name.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// let found = env.d1("DB")?.prepare("SELECT text FROM pages WHERE path = ?").bind(req.path()).first().await?;
    /// let text = found.as_deref().and_then(|row| row[0].as_text()).unwrap_or("There is no such page.");
    /// Ok(Response::text(text.to_owned()))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn d1(&self, binding: &str) -> Result<D1, BindingError> {
        D1::open(binding)
    }

    /// The bucket of objects that this worker is bound to under that name.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let photos = env.r2("PHOTOS")?;
    /// photos.put("cat.txt", "purr").await?;
    /// let found = photos.get("cat.txt").await?.and_then(|found| found.body);
    /// Ok(Response::new(match found { Some(body) => body.bytes().await?, None => Vec::new() }))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn r2(&self, binding: &str) -> Result<R2, BindingError> {
        R2::open(binding)
    }

    /// The rate limit that this worker is bound to under that name.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let may = env.rate_limit("LOGINS")?.limit(&env.client_address()).unwrap_or(false);
    /// Ok(if may { Response::text("welcome") } else { Response::text("later").with_status(429) })
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn rate_limit(&self, binding: &str) -> Result<RateLimit, BindingError> {
        RateLimit::open(binding)
    }

    /// The secret of a store that this worker is bound to under that name.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let key = env.stored_secret("API_KEY")?.get()?;
    /// # Ok(Response::text(key.len().to_string()))
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn stored_secret(&self, binding: &str) -> Result<StoredSecret, BindingError> {
        StoredSecret::open(binding)
    }

    /// The client certificate that this worker is bound to under that name, to send requests with.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let balance = Request::get("https://bank.example/balance")?;
    /// Ok(env.mtls_certificate("BANK")?.fetch(balance).await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such binding, or it is one of another type.
    pub fn mtls_certificate(&self, binding: &str) -> Result<MtlsCertificate, BindingError> {
        MtlsCertificate::open(binding)
    }

    /// Identifies this request in every log line; the same along a chain of scripts.
    pub fn ray_id(&self) -> String {
        request_info::ray_id()
    }

    /// The visitor's IP address as the platform saw it, whatever a header may claim.
    pub fn client_address(&self) -> String {
        request_info::client_address()
    }

    /// The hostname that was matched, in lower case and without a port.
    pub fn hostname(&self) -> String {
        request_info::hostname()
    }

    /// The metadata of the custom hostname, as JSON text, where there is any.
    pub fn hostname_metadata(&self) -> Option<String> {
        request_info::hostname_metadata()
    }

    /// How the visitor's connection to the platform is encrypted. `None` where it is not, where it ends at a proxy in
    /// front of the platform, and for a request that another script sent to this one's host. The platform says so: no
    /// header can claim it.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let shown = env.tls().and_then(|tls| tls.client_certificate);
    /// let Some(shown) = shown else { return Ok(Response::text("show a certificate").with_status(403)) };
    /// Ok(Response::text(format!("hello, {}", shown.subject)))
    /// # }
    /// ```
    pub fn tls(&self) -> Option<Tls> {
        request_info::tls().map(|tls| Tls {
            version: tls.version,
            cipher: tls.cipher,
            server_name: tls.server_name,
            client_certificate: tls.client_certificate.map(|shown| ClientCertificate {
                subject: shown.subject,
                issuer: shown.issuer,
                serial: shown.serial,
                fingerprint_sha256: shown.fingerprint_sha256,
                fingerprint_sha1: shown.fingerprint_sha1,
                not_before: shown.not_before,
                not_after: shown.not_after,
                subject_key: shown.subject_key,
                issuer_key: shown.issuer_key,
            }),
        })
    }

    /// The name of this script.
    pub fn script(&self) -> String {
        request_info::script()
    }

    /// The namespace that this script belongs to; `None` for a platform script.
    pub fn script_namespace(&self) -> Option<String> {
        request_info::namespace()
    }

    /// The script that called this one through a binding, or, in an outbound worker, whose request this is. `None` for
    /// a request that came by its host name. The platform says so: no header can claim it.
    pub fn caller(&self) -> Option<Caller> {
        request_info::caller().map(|caller| Caller { script: caller.script, namespace: caller.namespace })
    }
}

/// A script that called this one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// Its name.
    pub script: String,
    /// The namespace it belongs to; `None` for a platform script.
    pub namespace: Option<String>,
}

/// How a visitor's connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// The suite, such as `AEAD-AES128-GCM-SHA256`.
    pub cipher: String,
    /// The name that the client asked for, if it did.
    pub server_name: Option<String>,
    /// What the client showed, where the host asks for certificates and the client has one.
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate that a visitor's client showed. It was verified: one of the authorities that the host asks for vouches
/// for it. Numbers, hashes and identifiers are in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// Whose it is, as RFC 4514 writes names: the last part first.
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
    /// The identifier of its key, if it has one.
    pub subject_key: Option<String>,
    /// The identifier of its issuer's key, if it says it.
    pub issuer_key: Option<String>,
}

/// Why a variable has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VarError {
    /// The worker was uploaded without a variable or secret of that name.
    NotSet(String),
    /// The platform could not read it.
    Failed(String),
}

impl fmt::Display for VarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VarError::NotSet(name) => {
                write!(f, "no variable `{name}`: add it to the vars of this script, or upload it as a secret")
            }
            VarError::Failed(text) => write!(f, "a variable could not be read: {text}"),
        }
    }
}

impl std::error::Error for VarError {}

impl From<config::Error> for VarError {
    fn from(error: config::Error) -> VarError {
        match error {
            config::Error::Upstream(text) | config::Error::Io(text) => VarError::Failed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named_and_the_remedy_too() {
        let text = VarError::NotSet("GREETING".to_owned()).to_string();
        assert!(text.contains("`GREETING`") && text.contains("vars"), "{text}");
        assert_eq!(VarError::from(config::Error::Io("disk".into())), VarError::Failed("disk".into()));
    }
}
