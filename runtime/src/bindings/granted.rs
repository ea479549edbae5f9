//! What one version of a script was given: each binding with the service behind it.
//!
//! Made once per version, from its declarations and from what the node offers, so that a host call finds what it works
//! with under the binding's name and looks nothing else up. What a declaration gives is
//! said in one list, [`grant`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Response, request};
use wasmyard_cache::{Caches, ScriptCaches};
use wasmyard_d1::{D1, D1Handle};
use wasmyard_kv::{Kv, KvHandle};
use wasmyard_namespaces::Registry;
use wasmyard_namespaces::bindings::{BindingDecl, BindingKind};
use wasmyard_namespaces::ids::SecretStoreId;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_queues::{QueueHandle, Queues};
use wasmyard_r2::{Bucket, R2};
use wasmyard_ratelimit::{Limiter, Rate, RateLimits, TenantRates};

use crate::body::Body;
use crate::outcome::Failure;
use crate::seams::{Door, Service, ShownCertificate};

/// What stands behind the bindings of a version. What is not there is refused when it is used.
#[derive(Clone, Default)]
pub struct Services {
    /// The version's own static files.
    pub files: Option<Arc<dyn Files>>,
    /// Keys and values.
    pub kv: Option<Kv>,
    /// Where secrets of stores are read.
    pub secrets: Option<Registry>,
    /// Queues.
    pub queues: Option<Queues>,
    /// SQL databases.
    pub d1: Option<D1>,
    /// Objects.
    pub r2: Option<R2>,
    /// Caches, of all scripts.
    pub caches: Option<Caches>,
    /// Those of the version's own script; none where it is to have none.
    pub own_caches: Option<ScriptCaches>,
    /// Rate limits, of all tenants.
    pub rates: Option<RateLimits>,
    /// Those of the version's own tenant.
    pub own_rates: Option<TenantRates>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Services { files, kv, d1, queues, rates, .. } = self;
        let files = files.is_some();
        f.debug_struct("Services")
            .field("files", &files)
            .field("kv", kv)
            .field("queues", queues)
            .field("d1", d1)
            .field("rates", rates)
            .finish_non_exhaustive()
    }
}

/// The static files of one version.
pub trait Files: Send + Sync + 'static {
    /// Answers a request for one of them. Never starts a script.
    fn answer(&self, request: request::Parts) -> BoxFuture<'static, Result<Response<Body>, Failure>>;
}

/// Where a secret is read.
#[derive(Clone)]
pub(crate) struct SecretSource {
    pub(crate) registry: Registry,
    pub(crate) store: SecretStoreId,
    pub(crate) name: String,
}

/// One binding, ready to be used.
pub(crate) enum Grant {
    /// A configuration value.
    Text(String),
    /// The way into a namespace.
    Namespace(Arc<Door>),
    /// Another script.
    Service(Arc<Service>),
    /// The version's own files.
    Files(Arc<dyn Files>),
    /// Keys and values.
    Kv(KvHandle),
    /// A queue to send to.
    Queue(QueueHandle),
    /// An SQL database.
    D1(D1Handle),
    /// Objects.
    R2(Bucket),
    /// A rate limit.
    RateLimit(Limiter),
    /// A certificate that requests show.
    Certificate(Arc<ShownCertificate>),
    /// A secret of a store.
    StoredSecret(SecretSource),
    /// Nothing that is asked for through a binding, or nothing that this node has.
    Nothing,
}

/// What an invocation may know of the version that it runs.
pub(crate) struct Version {
    pub(crate) key: ScriptKey,
    pub(crate) id: Box<str>,
    pub(crate) bindings: Granted,
}

impl Version {
    pub(crate) fn new(key: ScriptKey, id: &str, bindings: Granted) -> Self {
        Self { key, id: Box::from(id), bindings }
    }
}

/// The bindings of one version. Holds secrets: has no `Debug`.
#[derive(Default)]
pub struct Granted {
    each: HashMap<Box<str>, (&'static str, Grant)>,
    /// What a version has without a declaration.
    caches: Option<ScriptCaches>,
}

impl Granted {
    /// What a version declares, with what stands behind it.
    #[must_use]
    pub fn new(bindings: &[BindingDecl], services: &Services) -> Granted {
        let each = bindings.iter().map(|decl| {
            let kind = decl.kind.binding_type().as_str();
            (Box::from(decl.name.as_str()), (kind, grant(decl, services)))
        });
        Granted { each: each.collect(), caches: services.own_caches.clone() }
    }

    /// The script's caches, if it is to have any.
    pub(crate) fn caches(&self) -> Option<&ScriptCaches> {
        self.caches.as_ref()
    }

    /// What is behind a binding, if `pick` finds that it is of the right type; else the type that the binding has
    /// instead, if it exists at all.
    pub(crate) fn find<'g, T>(
        &'g self,
        binding: &str,
        pick: impl FnOnce(&'g Grant) -> Option<T>,
    ) -> Result<T, Option<&'static str>> {
        let (kind, grant) = self.each.get(binding).ok_or(None)?;
        pick(grant).ok_or(Some(*kind))
    }

    /// A configuration value.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.find(name, |grant| if let Grant::Text(text) = grant { Some(text.as_str()) } else { None }).ok()
    }

    /// Every binding's name and type.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.each.iter().map(|(name, (kind, _))| (&**name, *kind))
    }

    /// All configuration values.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.each.iter().filter_map(|(name, (_, grant))| match grant {
            Grant::Text(text) => Some((&**name, text.as_str())),
            _ => None,
        })
    }
}

/// What a declaration gives, with the service that stands behind it.
fn grant(decl: &BindingDecl, services: &Services) -> Grant {
    match &decl.kind {
        BindingKind::PlainText(held) => Grant::Text(held.text.clone()),
        BindingKind::Json(held) => Grant::Text(held.json.to_string()),
        BindingKind::SecretText(held) => Grant::Text(held.text.expose().to_owned()),
        BindingKind::SecretKey(held) => Grant::Text(held.handed()),
        BindingKind::DispatchNamespace(held) => Grant::Namespace(Arc::new(Door {
            binding: decl.name.to_string(),
            namespace: held.namespace.clone(),
            outbound: held.outbound.clone(),
        })),
        BindingKind::Service(held) => {
            let binding = decl.name.to_string();
            let entrypoint = held.entrypoint.as_deref().map(Arc::from);
            let props = held.props.as_ref().map(|props| Arc::from(props.to_string()));
            Grant::Service(Arc::new(Service { binding, script: held.script(), entrypoint, props }))
        }
        BindingKind::Assets(_) => services.files.clone().map_or(Grant::Nothing, Grant::Files),
        BindingKind::KvNamespace(held) => {
            services.kv.as_ref().map_or(Grant::Nothing, |kv| Grant::Kv(kv.handle(&held.namespace_id)))
        }
        BindingKind::D1(held) => {
            services.d1.as_ref().map_or(Grant::Nothing, |d1| Grant::D1(d1.handle(&held.database_id)))
        }
        BindingKind::R2Bucket(held) => {
            services.r2.as_ref().map_or(Grant::Nothing, |r2| Grant::R2(r2.bucket(&held.bucket_name)))
        }
        BindingKind::Ratelimit(held) => services.own_rates.as_ref().map_or(Grant::Nothing, |rates| {
            let period = Duration::from_secs(u64::from(held.period));
            Grant::RateLimit(rates.limiter(&held.namespace_id, Rate { limit: held.limit, period }))
        }),
        BindingKind::SecretsStoreSecret(held) => {
            services.secrets.as_ref().map_or(Grant::Nothing, |registry| {
                let (store, name) = (held.store_id.clone(), held.secret_name.clone());
                Grant::StoredSecret(SecretSource { registry: registry.clone(), store, name })
            })
        }
        BindingKind::Queue(held) => services.queues.as_ref().map_or(Grant::Nothing, |queues| {
            Grant::Queue(queues.handle(&held.queue_name, held.delivery_delay))
        }),
        BindingKind::ClientCertificate(held) => {
            let (binding, id) = (decl.name.to_string(), held.certificate_id.clone());
            Grant::Certificate(Arc::new(ShownCertificate { binding, id }))
        }
        BindingKind::VersionMetadata(_) => Grant::Nothing,
    }
}
