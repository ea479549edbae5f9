//! The static assets of a script: the folder, the name of the binding, and how files are served, in the words of the v4
//! API.

use std::path::PathBuf;

use serde_json::{Map, Value};
use wasmyard_namespaces::bindings::Assets;
use wasmyard_namespaces::{AssetsConfig, BindingDecl, BindingKind, BindingName};

use super::{Fault, Purpose, RawScript, Resolver, Spot};
use crate::assets::AssetsSource;
use crate::config::keys::RawAssets;
use crate::config::locate::below;

impl Resolver<'_> {
    /// The assets of a script, with the binding that they ask for.
    pub(super) fn assets(&mut self, raw: &RawScript) -> Option<(AssetsSource, Option<BindingDecl>)> {
        let raw = raw.assets.as_ref()?;
        let directory = self.directory(raw);
        let binding = raw.binding.as_ref().and_then(|name| self.assets_binding(name));
        let config = self.serving(raw);
        if let Err(error) = config.validate() {
            self.faults.push(Fault::new(raw.place.line, raw.place.key.clone(), error.to_string()));
        }
        Some((AssetsSource { directory: directory?, config }, binding))
    }

    /// How files are served: each key judged by itself, and what is wrong left out.
    fn serving(&mut self, raw: &RawAssets) -> AssetsConfig {
        let keys = [
            &raw.html_handling,
            &raw.not_found_handling,
            &raw.run_worker_first,
            &raw.immutable_fingerprinted,
            &raw.base_path,
        ];
        let mut good = Map::new();
        for spot in keys.into_iter().flatten() {
            let one = Map::from_iter([(spot.name().to_owned(), spot.value.clone())]);
            match serde_json::from_value::<AssetsConfig>(Value::Object(one.clone())) {
                Ok(_) => good.extend(one),
                Err(error) => {
                    self.faults.push(spot.fault(error.to_string()).value(spot.value.to_string()));
                }
            }
        }
        // Each was parsed by itself, so that all of them together parse too.
        serde_json::from_value(Value::Object(good)).unwrap_or_default()
    }

    fn directory(&mut self, raw: &RawAssets) -> Option<PathBuf> {
        let Some(spot) = raw.directory.as_ref().filter(|spot| !spot.value.is_empty()) else {
            let fault =
                Fault::new(raw.place.line, raw.place.key.clone(), "assets need the folder that they are in");
            self.faults.push(fault.remedy("write { directory = \"public\" }"));
            return None;
        };
        let directory = below(self.root, &spot.value);
        if !directory.is_dir() {
            let fault = spot.fault_shown("there is no such folder");
            let fault = fault.remedy("paths start at the folder of wasmyard.toml");
            // A build may make it.
            let later = self.purpose == Purpose::Dev || self.purpose == Purpose::Deploy;
            self.faults.push(if later { fault.warning() } else { fault });
        }
        Some(directory)
    }

    fn assets_binding(&mut self, spot: &Spot<String>) -> Option<BindingDecl> {
        let name = self.name::<BindingName>(spot)?;
        Some(BindingDecl { name, kind: BindingKind::Assets(Assets) })
    }
}
