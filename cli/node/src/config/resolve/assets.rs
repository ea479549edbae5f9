//! The static assets of a script.
//!
//! Owns the keys of `assets = { ... }`: the folder, the name of the binding, and how files are served, in the
//! words of the v4 API.

use std::path::PathBuf;

use serde_json::{Map, Value};
use wasmyard_namespaces::bindings::Assets;
use wasmyard_namespaces::{AssetsConfig, BindingDecl, BindingKind, BindingName};

use super::{Purpose, RawScript, Resolver, Spot};
use crate::assets::AssetsSource;
use crate::config::locate::below;

impl Resolver<'_> {
    /// The assets of a script, with the binding that they ask for.
    pub(super) fn assets(&mut self, raw: &RawScript) -> Option<(AssetsSource, Option<BindingDecl>)> {
        let spot = raw.assets.as_ref()?;
        let mut keys: Map<String, Value> = spot.value.as_object().cloned().unwrap_or_default();
        let directory = self.directory(spot, keys.remove("directory"));
        let binding = keys.remove("binding").and_then(|name| self.assets_binding(spot, &name));
        for file in ["_headers", "_redirects"] {
            if keys.remove(file).is_some() {
                let fault = spot.fault(format!("{file} is a file in the folder, and no key here"));
                self.faults.push(fault.remedy("write the rules to that file"));
            }
        }
        let config = match serde_json::from_value::<AssetsConfig>(Value::Object(keys)) {
            Ok(config) => config,
            Err(error) => {
                let text = error.to_string().replace(", `_headers`, `_redirects`", "");
                self.faults.push(spot.fault(text).remedy("beside directory and binding, the keys are html_handling, not_found_handling, run_worker_first and immutable_fingerprinted"));
                return None;
            }
        };
        if let Err(error) = config.validate() {
            self.faults.push(spot.fault(error.to_string()));
        }
        Some((AssetsSource { directory: directory?, config }, binding))
    }

    fn directory(&mut self, spot: &Spot<Value>, given: Option<Value>) -> Option<PathBuf> {
        let Some(text) = given.as_ref().and_then(Value::as_str).filter(|text| !text.is_empty()) else {
            let fault = spot.fault("assets need the folder that they are in");
            self.faults.push(fault.remedy("write { directory = \"public\" }"));
            return None;
        };
        let directory = below(self.root, text);
        if !directory.is_dir() {
            let fault = spot.fault("there is no such folder").value(format!("{text:?}"));
            let fault = fault.remedy("paths start at the folder of wasmyard.toml");
            // A build may make it.
            let later = self.purpose == Purpose::Dev || self.purpose == Purpose::Deploy;
            self.faults.push(if later { fault.warning() } else { fault });
        }
        Some(directory)
    }

    fn assets_binding(&mut self, spot: &Spot<Value>, name: &Value) -> Option<BindingDecl> {
        match BindingName::parse(name.as_str().unwrap_or_default()) {
            Ok(name) => Some(BindingDecl { name, kind: BindingKind::Assets(Assets) }),
            Err(error) => {
                self.faults.push(spot.fault(error.rule).value(name.to_string()).remedy(error.remedy));
                None
            }
        }
    }
}
