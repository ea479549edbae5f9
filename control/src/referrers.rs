//! Who refers to a script or a namespace by its name, and so fails when it goes.
//!
//! Must never search all user scripts: there may be a million. Those of one namespace are searched where they may call each
//! other, up to a number, and it is said where that was not all.

use wasmyard_namespaces::hostname::CustomName;
use wasmyard_namespaces::route::HostPattern;
use wasmyard_namespaces::{BindingKind, NamespaceName, Reference, RouteTarget, ScriptKey, ScriptName};

use crate::error::ControlError;
use crate::{Control, Force, Result};

/// How many scripts are looked at at a time.
const PAGE: usize = 256;
/// So many scripts of a namespace are looked at: that is some milliseconds of each deletion.
const MOST_LOOKED_AT: usize = 2048;
/// More names than this are no help.
const MOST_NAMES: usize = 20;

/// One reference.
#[derive(Clone, Debug)]
pub struct Referrer {
    /// The binding's, or the namespace's name.
    pub name: String,
    /// The script or namespace that has it.
    pub owner: String,
}

/// All that refers to one thing.
#[derive(Clone, Debug, Default)]
pub struct Referrers {
    /// Bindings of platform scripts, and of user scripts to others of their namespace.
    pub bindings: Vec<Referrer>,
    /// Namespaces, and bindings to namespaces, that name a script as their outbound worker.
    pub outbounds: Vec<Referrer>,
    /// Patterns of routes that lead there.
    pub routes: Vec<String>,
    /// Custom hostnames and fallback origins of zones whose requests these routes take.
    pub visited_as: Vec<String>,
    /// Queues that a script consumes, and what else has to do with queues: each in words.
    pub queues: Vec<String>,
    /// Namespaces that let the scripts of this one call theirs: each in words.
    pub callables: Vec<String>,
    /// Whether there may be more scripts than were looked at.
    pub is_partial: bool,
}

impl Referrers {
    /// Refuses what would leave bindings behind that lead nowhere, and names them; where it is forced, this is a
    /// remark. A route that leads nowhere is a remark in either case: its requests find nothing, none goes astray.
    pub(crate) fn stand_against(&self, done: &'static str, force: Force) -> Result<Vec<String>> {
        let mut named: Vec<String> = self
            .bindings
            .iter()
            .map(|one| format!("binding \"{}\" of script \"{}\"", one.name, one.owner))
            .collect();
        named.extend(self.outbounds.iter().map(|one| {
            if one.name == one.owner {
                format!("namespace \"{}\", as its outbound worker", one.name)
            } else {
                format!("binding \"{}\" of script \"{}\", as its outbound worker", one.name, one.owner)
            }
        }));
        named.extend(self.queues.iter().chain(&self.callables).cloned());
        let shown = |names: &[String]| {
            let more = names.len().saturating_sub(MOST_NAMES);
            let list = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join("; ");
            if more > 0 { format!("{list}; and {more} more") } else { list }
        };
        if !named.is_empty() && force == Force::No {
            return Err(ControlError::Referenced { done, by: shown(&named) });
        }
        named.extend(self.routes.iter().map(|pattern| format!("route \"{pattern}\"")));
        named.extend(self.visited_as.iter().map(|name| format!("visitors of \"{name}\"")));
        let mut remarks = Vec::new();
        if !named.is_empty() {
            remarks.push(format!("it is {done}, and these still lead to it: {}.", shown(&named)));
        }
        if self.is_partial {
            remarks.push(format!(
                "{MOST_LOOKED_AT} scripts of its namespace were searched for service bindings to it; there may be more."
            ));
        }
        Ok(remarks)
    }

    /// Adds what was found elsewhere.
    pub(crate) fn also(mut self, other: Self) -> Self {
        self.bindings.extend(other.bindings);
        self.outbounds.extend(other.outbounds);
        self.routes.extend(other.routes);
        self.visited_as.extend(other.visited_as);
        self.queues.extend(other.queues);
        self.callables.extend(other.callables);
        self.is_partial |= other.is_partial;
        self
    }
}

impl Referrers {
    /// Whether there are as many as are named.
    pub(crate) fn are_enough(&self) -> bool {
        self.bindings.len() > MOST_NAMES
    }
}

impl Control {
    /// Who refers to a script: scripts of its own kind, since no others can call it.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn referrers_of_script(&self, key: &ScriptKey) -> Result<Referrers> {
        let consumed = self.consumed_by(key).await?;
        let mut found = match key {
            ScriptKey::Platform(name) => self.referrers_of_platform_script(name).await?,
            ScriptKey::User { namespace, script } => {
                self.callers_bound(namespace, |caller, to| to == script && caller != key).await?
            }
        };
        found.queues =
            consumed.iter().map(|queue| format!("queue \"{}\", as its consumer", queue.name)).collect();
        Ok(found)
    }

    async fn referrers_of_platform_script(&self, name: &ScriptName) -> Result<Referrers> {
        let mut found = Referrers::default();
        self.each_reference(|script, binding, reference| {
            let referrer = || Referrer { name: binding.to_owned(), owner: script.to_owned() };
            match reference {
                Reference::Script(to) if to == name && script != name.as_str() => {
                    found.bindings.push(referrer());
                }
                Reference::OutboundWorker(to) if to == name => found.outbounds.push(referrer()),
                _ => {}
            }
        })
        .await?;
        for namespace in self.registry.namespaces().await? {
            if namespace.outbound.as_ref().is_some_and(|outbound| outbound.worker == *name) {
                let name = namespace.name.to_string();
                found.outbounds.push(Referrer { owner: name.clone(), name });
            }
        }
        let leads_there =
            |target: &RouteTarget| matches!(target, RouteTarget::Script(script) if script == name);
        found.routes = self.routes_to(leads_there);
        found.visited_as = self.visited_as(leads_there).await?;
        Ok(found)
    }

    /// Which user scripts have a service binding to one of a namespace that is meant: caller and callee are shown. They are
    /// scripts of the namespace itself, where those may call each other, and of those that it lets call.
    pub(crate) async fn callers_bound(
        &self,
        namespace: &NamespaceName,
        is_meant: impl Fn(&ScriptKey, &ScriptName) -> bool,
    ) -> Result<Referrers> {
        let mut found = Referrers::default();
        let Some(known) = self.registry.namespace_cached(namespace) else { return Ok(found) };
        let own = known.service_bindings.then_some(namespace);
        for callers in own.into_iter().chain(&known.callable_by) {
            if self.registry.namespace_cached(callers).is_some() && !found.are_enough() {
                found = found.also(self.bound_from(callers, namespace, &is_meant).await?);
            }
        }
        Ok(found)
    }

    /// The same of the scripts of one namespace.
    async fn bound_from(
        &self,
        callers: &NamespaceName,
        namespace: &NamespaceName,
        is_meant: &impl Fn(&ScriptKey, &ScriptName) -> bool,
    ) -> Result<Referrers> {
        let mut found = Referrers::default();
        let (mut after, mut looked_at) = (None, 0_usize);
        loop {
            let page = self.registry.scripts_page(Some(callers), None, after.as_ref(), PAGE).await?;
            for script in &page {
                for binding in script.serving().flat_map(|(version, _)| &version.bindings) {
                    let BindingKind::Service(bound) = &binding.kind else { continue };
                    if bound.namespace.as_ref() == Some(namespace) && is_meant(&script.key, &bound.service) {
                        let (name, owner) = (binding.name.to_string(), script.key.to_string());
                        found.bindings.push(Referrer { name, owner });
                    }
                }
            }
            looked_at = looked_at.saturating_add(page.len());
            match page.last() {
                Some(last) if page.len() == PAGE && !found.are_enough() => {
                    found.is_partial = looked_at >= MOST_LOOKED_AT;
                    after = Some(last.key.script().clone());
                }
                _ => return Ok(found),
            }
            if found.is_partial {
                return Ok(found);
            }
        }
    }

    /// Who refers to a namespace from outside of it. Bindings of user scripts are not searched.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn referrers_of_namespace(&self, name: &NamespaceName) -> Result<Referrers> {
        let mut found = Referrers::default();
        self.each_reference(|script, binding, reference| {
            if matches!(reference, Reference::Namespace(to) if to == name) {
                found.bindings.push(Referrer { name: binding.to_owned(), owner: script.to_owned() });
            }
        })
        .await?;
        for namespace in self.registry.namespaces().await? {
            if namespace.name != *name && namespace.callable_by.contains(name) {
                found
                    .callables
                    .push(format!("namespace \"{}\", which lets its scripts call", namespace.name));
            }
        }
        found.routes = self.routes_to(|target| matches!(target, RouteTarget::Namespace(to) if to == name));
        Ok(found)
    }

    /// The names of zones' customers that routes name as they are. What a route takes by a `*` is not searched.
    async fn visited_as(&self, leads_there: impl Fn(&RouteTarget) -> bool) -> Result<Vec<String>> {
        let zones = self.registry.zones();
        let mut names = std::collections::BTreeSet::new();
        for route in self.registry.list_routes().iter().filter(|route| leads_there(&route.target)) {
            let HostPattern::Exact(host) = route.pattern.host() else { continue };
            let Ok(name) = CustomName::parse(host.as_str()) else { continue };
            let is_fallback = zones.iter().any(|zone| {
                zone.fallback_origin
                    .as_ref()
                    .is_some_and(|fallback| fallback.origin.as_str() == host.as_str())
            });
            if is_fallback || self.registry.served_under(&name).await?.is_some() {
                names.insert(host.to_string());
            }
        }
        Ok(names.into_iter().collect())
    }

    fn routes_to(&self, leads_there: impl Fn(&RouteTarget) -> bool) -> Vec<String> {
        let routes = self.registry.list_routes();
        routes
            .iter()
            .filter(|route| leads_there(&route.target))
            .map(|route| route.pattern.to_string())
            .collect()
    }

    /// Shows what each binding of each platform script refers to, a page of scripts at a time.
    async fn each_reference(&self, mut look: impl FnMut(&str, &str, Reference<'_>)) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.registry.scripts_page(None, None, after.as_ref(), PAGE).await?;
            for script in &page {
                for binding in script.serving().flat_map(|(version, _)| &version.bindings) {
                    for reference in binding.kind.refers_to() {
                        look(script.key.script().as_str(), binding.name.as_str(), reference);
                    }
                }
            }
            match page.last() {
                Some(last) => after = Some(last.key.script().clone()),
                None => return Ok(()),
            }
        }
    }
}
