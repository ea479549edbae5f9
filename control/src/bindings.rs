//! Remarks on names that lead nowhere yet: a script that is named and not deployed, a permission that is missing.
//!
//! Must never refuse anything: scripts may be uploaded in any order, and calls say it again.

use wasmyard_namespaces::bindings::DispatchNamespace;
use wasmyard_namespaces::{BindingDecl, BindingKind, OutboundDecl, RouteTarget, ScriptKey, ScriptName};

use crate::{Control, Result};

impl Control {
    /// Remarks on the bindings of a script that was just deployed.
    pub(crate) async fn remarks_on_bindings(
        &self,
        key: &ScriptKey,
        bindings: &[BindingDecl],
    ) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        for BindingDecl { name, kind } in bindings {
            match kind {
                BindingKind::Service(service) => {
                    notes.extend(
                        self.service_note(key, &service.script())
                            .await?
                            .map(|why| format!("binding \"{name}\": {why}")),
                    );
                }
                BindingKind::DispatchNamespace(DispatchNamespace { namespace, outbound }) => {
                    if self.registry.namespace_cached(namespace).is_none() {
                        notes.push(format!(
                            "binding \"{name}\": there is no namespace \"{namespace}\" yet; calls find no script until \
                             it is made."
                        ));
                    }
                    if let Some(outbound) = outbound {
                        if key.namespace().is_some() {
                            notes.push(format!(
                                "binding \"{name}\": \"outbound\" has no effect, because only a platform script's \
                                 binding can name an outbound worker; that of the namespace applies."
                            ));
                        } else if self.missing(&outbound.worker).await? {
                            notes.push(format!("binding \"{name}\": {}", outbound_note(&outbound.worker)));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(notes)
    }

    /// Remarks on the outbound worker of a namespace.
    pub(crate) async fn remarks_on_outbound(&self, outbound: Option<&OutboundDecl>) -> Result<Vec<String>> {
        match outbound {
            Some(outbound) if self.missing(&outbound.worker).await? => {
                Ok(vec![format!("outbound: {}", outbound_note(&outbound.worker))])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A remark on a route that leads to nobody yet.
    pub(crate) async fn remarks_on_target(&self, target: &RouteTarget) -> Result<Vec<String>> {
        let note = match target {
            RouteTarget::Script(script) if self.missing(script).await? => {
                Some(format!("the script \"{script}\" is not deployed; requests find nothing until it is."))
            }
            RouteTarget::Namespace(namespace) if self.registry.namespace_cached(namespace).is_none() => Some(
                format!("there is no namespace \"{namespace}\" yet; requests find nothing until it is made."),
            ),
            RouteTarget::Script(_) | RouteTarget::Namespace(_) | RouteTarget::Respond(_) => None,
        };
        Ok(note.into_iter().collect())
    }

    async fn service_note(&self, caller: &ScriptKey, target: &ScriptKey) -> Result<Option<String>> {
        let registry = &self.registry;
        let note = match (caller.namespace(), target.namespace()) {
            (None, Some(namespace)) => Some(format!(
                "calls will fail, because a service binding of a platform script reaches platform scripts only; bind the \
                 namespace \"{namespace}\" with dispatch_namespace instead."
            )),
            (Some(own), None) => Some(format!(
                "calls will fail, because a user script's service binding reaches no platform scripts; write \
                 \"namespace\": \"{own}\" for one of its own namespace."
            )),
            (Some(own), Some(other)) if other != own => match registry.namespace_cached(other) {
                Some(known) if known.callable_by.contains(own) => self.missing_note(target).await?,
                Some(_) | None => Some(format!(
                    "calls will fail, because the namespace \"{other}\" does not let scripts of \"{own}\" call its scripts; \
                     add \"{own}\" to its callable_by."
                )),
            },
            (Some(own), _) if registry.namespace_cached(own).is_some_and(|found| !found.service_bindings) => {
                Some(format!(
                    "calls will fail, because the namespace \"{own}\" does not let its scripts call each other; set \
                     service_bindings to true for it."
                ))
            }
            _ => self.missing_note(target).await?,
        };
        Ok(note)
    }

    async fn missing_note(&self, target: &ScriptKey) -> Result<Option<String>> {
        let is_there = self.registry.script(target).await?.is_some();
        let note = || format!("the script \"{target}\" is not deployed; calls will fail until it is.");
        Ok((!is_there).then(note))
    }

    async fn missing(&self, worker: &ScriptName) -> Result<bool> {
        Ok(self.registry.script(&ScriptKey::Platform(worker.clone())).await?.is_none())
    }
}

fn outbound_note(worker: &ScriptName) -> String {
    format!(
        "the outbound worker \"{worker}\" is not deployed; requests of user scripts will fail until it is, none \
         goes out without it."
    )
}
