//! What a configuration file changed, told to the audit log as changes by the API are.
//!
//! Owns when there is something to tell: an entry says that the registry is another one than before. Must never keep a
//! start from going on.

use std::future::Future;

use wasmyard_namespaces::audit::{ActionKind, Actor, ActorKind, AuditEntry, AuditZone, bounded};
use wasmyard_namespaces::{ConfigName, Registry, Revision};

use crate::Control;

/// What a part of a configuration is about.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// "settings", "zone", "script" or "end".
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl Control {
    /// Applies a part of a configuration, and tells the audit log if that changed anything, or was refused.
    ///
    /// # Errors
    /// Those of the part.
    pub async fn audited<T, E>(
        &self,
        configuration: &ConfigName,
        declaration: Declaration,
        part: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let before = self.revision().await;
        let done = part.await;
        if done.is_err() || self.revision().await != before {
            self.tell_of_configuration(configuration, declaration, done.is_ok()).await;
        }
        done
    }

    async fn revision(&self) -> Option<Revision> {
        self.registry.ping().await.ok()
    }

    async fn tell_of_configuration(&self, configuration: &ConfigName, part: Declaration, done: bool) {
        let Declaration { kind, name } = part;
        let zone = (kind == "zone").then(|| AuditZone { id: self.zone_id(&name), name: Some(name.clone()) });
        let entry = AuditEntry {
            id: Registry::audit_id(),
            when: self.registry.clock().now(),
            actor: Actor {
                kind: ActorKind::Configuration,
                id: configuration.to_string(),
                name: configuration.to_string(),
            },
            address: None,
            user_agent: None,
            action: "configuration.apply".to_owned(),
            kind: ActionKind::Update,
            method: String::new(),
            path: String::new(),
            named: vec![(kind.to_owned(), bounded(&name))],
            made: None,
            zone,
            status: if done { 200 } else { 400 },
            code: None,
        };
        if let Err(error) = self.registry.append_audit(&entry).await {
            tracing::error!(%error, name, "the configuration left no entry in the audit log");
        }
    }

    fn zone_id(&self, name: &str) -> String {
        let zones = self.registry.zones();
        let found = zones.iter().find(|zone| zone.name.as_str() == name);
        found.map(|zone| zone.id.to_string()).unwrap_or_default()
    }
}
