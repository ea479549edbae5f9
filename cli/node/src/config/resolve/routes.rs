//! `[[routes]]`: patterns parsed, none twice, each with one target.

use std::collections::HashMap;

use wasmyard_namespaces::route::{HostPattern, RoutePatternError};
use wasmyard_namespaces::{NamespaceName, RoutePattern, RouteTarget, ScriptName};

use super::Resolver;
use crate::config::RouteConfig;
use crate::config::fault::Fault;
use crate::config::keys::RawRoute;

impl Resolver<'_> {
    pub(super) fn routes(&mut self, raw: &[RawRoute]) -> Vec<RouteConfig> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut found = Vec::new();
        for raw in raw {
            let target = self.target(raw);
            let Some(spot) = &raw.pattern else {
                let fault = Fault::new(raw.place.line, raw.place.key("pattern"), "the key is missing");
                self.faults.push(fault.remedy("write pattern = \"*/*\" for every request"));
                continue;
            };
            let pattern: RoutePattern = match spot.value.parse() {
                Ok(pattern) => pattern,
                Err(error) => {
                    self.faults.push(match error {
                        RoutePatternError::Rule { rule, .. } => {
                            spot.fault_shown(rule).remedy("write it like \"*.example.com/*\"")
                        }
                        RoutePatternError::Host { source, .. } => {
                            spot.fault_shown(source.rule).remedy(source.remedy)
                        }
                    });
                    continue;
                }
            };
            let canonical = pattern.to_string();
            if let Some(line) = seen.insert(canonical.clone(), spot.line) {
                let fault = spot.fault_shown(format!("line {line} already routes {canonical}"));
                self.faults.push(fault.remedy("remove one of the two"));
            }
            if raw.namespace.is_some() && !matches!(pattern.host(), HostPattern::Wildcard(_)) {
                let fault = spot.fault_shown("a namespace rule needs a host such as *.apps.example.com");
                self.faults.push(fault.remedy("what the * stands for is the name of the script"));
            }
            if let Some(target) = target {
                found.push(RouteConfig { pattern, target, line: spot.line });
            }
        }
        found
    }

    fn target(&mut self, raw: &RawRoute) -> Option<RouteTarget> {
        match (&raw.script, &raw.namespace, &raw.respond) {
            (Some(spot), None, None) => {
                let name = self.name::<ScriptName>(spot)?;
                self.reference(spot.line, &spot.key, "platform script", name.as_str());
                Some(RouteTarget::Script(name))
            }
            (None, Some(spot), None) => {
                let name = self.name::<NamespaceName>(spot)?;
                self.reference(spot.line, &spot.key, "namespace", name.as_str());
                Some(RouteTarget::Namespace(name))
            }
            (None, None, Some(spot)) => match u16::try_from(spot.value) {
                Ok(status) if (200..=599).contains(&status) => Some(RouteTarget::Respond(status)),
                _ => {
                    let fault =
                        spot.fault("expected an HTTP status from 200 to 599").value(spot.value.to_string());
                    self.faults.push(fault.remedy("write respond = 404"));
                    None
                }
            },
            _ => {
                let key = raw.place.key.clone();
                let fault = Fault::new(
                    raw.place.line,
                    key,
                    "a route needs exactly one of script, namespace and respond",
                );
                self.faults.push(fault.remedy("keep the one that is meant"));
                None
            }
        }
    }
}
