//! Owns the question who refers to a script or a namespace by its name, and so fails when it goes.
//! Must never search user scripts: there may be a million.

use wasmyard_namespaces::{BindingKind, NamespaceName, RouteTarget, ScriptKey};

use crate::error::{ApiError, Code};
use crate::state::Shared;

/// How many scripts are looked at at a time.
const PAGE: usize = 256;
/// More names than this are no help.
const MOST_NAMES: usize = 20;

/// One reference.
pub(crate) struct Referrer {
    /// The binding's, or the namespace's name.
    pub(crate) name: String,
    /// The script or namespace that has it.
    pub(crate) owner: String,
}

/// All that refers to one thing.
#[derive(Default)]
pub(crate) struct Referrers {
    /// Bindings of platform scripts.
    pub(crate) bindings: Vec<Referrer>,
    /// Namespaces, and bindings to namespaces, that name a script as their outbound worker.
    pub(crate) outbounds: Vec<Referrer>,
    /// Patterns of routes that lead there.
    pub(crate) routes: Vec<String>,
}

impl Referrers {
    /// Refuses what would leave bindings behind that lead nowhere, and names them; where it is forced, this is a
    /// remark. A route that leads nowhere is a remark in either case: its requests find nothing, none goes astray.
    pub(crate) fn stand_against(&self, done: &str, force: bool) -> Result<Vec<String>, ApiError> {
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
        let shown = |names: &[String]| {
            let more = names.len().saturating_sub(MOST_NAMES);
            let list = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join("; ");
            if more > 0 { format!("{list}; and {more} more") } else { list }
        };
        if !named.is_empty() && !force {
            return Err(ApiError::new(
                Code::Referenced,
                format!(
                    "It is not {done}, because it is in use by: {}. Change these first, or repeat the call with \
                     ?force=true.",
                    shown(&named)
                ),
            ));
        }
        named.extend(self.routes.iter().map(|pattern| format!("route \"{pattern}\"")));
        if named.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![format!("it is {done}, and these still lead to it: {}.", shown(&named))])
    }
}

/// Who refers to a script. Bindings of user scripts are not searched.
pub(crate) async fn of_script(shared: &Shared, key: &ScriptKey) -> Result<Referrers, ApiError> {
    let mut found = Referrers::default();
    let ScriptKey::Platform(name) = key else { return Ok(found) };
    each_binding(shared, |script, binding, kind| match kind {
        BindingKind::Service { service, namespace: None } if service == name && script != name.as_str() => {
            found.bindings.push(Referrer { name: binding, owner: script.to_owned() });
        }
        BindingKind::DispatchNamespace { outbound: Some(outbound), .. } if outbound.worker == *name => {
            found.outbounds.push(Referrer { name: binding, owner: script.to_owned() });
        }
        _ => {}
    })
    .await?;
    for namespace in shared.registry().namespaces().await? {
        if namespace.outbound.as_ref().is_some_and(|outbound| outbound.worker == *name) {
            let name = namespace.name.to_string();
            found.outbounds.push(Referrer { owner: name.clone(), name });
        }
    }
    found.routes = routes(shared, |target| matches!(target, RouteTarget::Script(script) if script == name));
    Ok(found)
}

/// Who refers to a namespace.
pub(crate) async fn of_namespace(shared: &Shared, name: &NamespaceName) -> Result<Referrers, ApiError> {
    let mut found = Referrers::default();
    each_binding(shared, |script, binding, kind| match kind {
        BindingKind::DispatchNamespace { namespace, .. }
        | BindingKind::Service { namespace: Some(namespace), .. }
            if namespace == name =>
        {
            found.bindings.push(Referrer { name: binding, owner: script.to_owned() });
        }
        _ => {}
    })
    .await?;
    found.routes = routes(shared, |target| matches!(target, RouteTarget::Namespace(to) if to == name));
    Ok(found)
}

fn routes(shared: &Shared, leads_there: impl Fn(&RouteTarget) -> bool) -> Vec<String> {
    let routes = shared.registry().list_routes();
    routes.iter().filter(|route| leads_there(&route.target)).map(|route| route.pattern.to_string()).collect()
}

/// Shows each binding of each platform script, a page of scripts at a time.
async fn each_binding(
    shared: &Shared,
    mut look: impl FnMut(&str, String, &BindingKind),
) -> Result<(), ApiError> {
    let mut after = None;
    loop {
        let page = shared.registry().scripts_page(None, None, after.as_ref(), PAGE).await?;
        for script in &page {
            for binding in &script.version.bindings {
                look(script.key.script().as_str(), binding.name.to_string(), &binding.kind);
            }
        }
        match page.last() {
            Some(last) => after = Some(last.key.script().clone()),
            None => return Ok(()),
        }
    }
}
