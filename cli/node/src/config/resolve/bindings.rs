//! The bindings of a configuration: its own list, and `vars` as bindings.
//!
//! Owns the words that `wasmyard.toml` has for bindings where they differ from the v4 API's. It must never
//! show what a binding holds: it may be a secret.

use serde_json::{Value, json};
use wasmyard_kv::limits::MAX_TITLE_BYTES;
use wasmyard_namespaces::bindings::{BindingInput, R2Bucket, resolve};
use wasmyard_namespaces::{
    BindingDecl, BindingKind, BindingName, BucketName, OutboundDecl, Reference, ScriptName, StorageKind,
};

use super::Resolver;
use crate::config::document::Spot;
use crate::config::fault::{Fault, closest};
use crate::config::keys::{RawOutbound, RawScript};
use crate::config::section::Named;
use crate::config::{KvByTitle, Purpose};

/// Bindings, those of them that are remote, and those to storage of the script's own.
pub(super) type Found = (Vec<BindingDecl>, Vec<BindingName>, Vec<(BindingName, StorageKind)>);

impl Resolver<'_> {
    /// Bindings and vars together, sorted by name; the names of those that are remote; and those to storage of the script's own.
    pub(super) fn bindings(&mut self, raw: &Named<RawScript>) -> Found {
        let (own, others): (Vec<_>, Vec<_>) =
            raw.bindings.iter().partition(|spot| spot.value.get("own").is_some());
        let own: Vec<(BindingName, StorageKind)> =
            own.into_iter().filter_map(|spot| self.own_binding(spot)).collect();
        let found: Vec<(BindingDecl, bool)> =
            others.into_iter().filter_map(|spot| self.binding(spot)).collect();
        let remote = found.iter().filter(|(_, remote)| *remote).map(|(decl, _)| decl.name.clone()).collect();
        let mut declared: Vec<BindingDecl> = found.into_iter().map(|(decl, _)| decl).collect();
        for spot in &raw.vars {
            let (name, value) = &spot.value;
            let wire = match value {
                Value::String(text) => json!({ "type": "plain_text", "name": name, "text": text }),
                other => json!({ "type": "json", "name": name, "json": other }),
            };
            match BindingDecl::from_json(&wire) {
                Ok(decl) => declared.push(decl),
                Err(error) => self.faults.push(spot.fault(error.to_string())),
            }
        }
        let stand_in = |(name, kind): &(BindingName, StorageKind)| Some(kind.stand_in()?.bound(name.clone()));
        let inputs: Vec<BindingInput> =
            declared.into_iter().chain(own.iter().filter_map(stand_in)).map(BindingInput::from).collect();
        let mut bindings = match resolve(&inputs, &[], &[], true) {
            Ok(bindings) => bindings,
            Err(error) => {
                self.faults.push(Fault::new(
                    raw.name.line,
                    format!("{}.bindings", raw.name.key),
                    error.to_string(),
                ));
                Vec::new()
            }
        };
        let buckets = self.r2_buckets(raw, &bindings);
        bindings.extend(buckets);
        bindings.retain(|decl| !own.iter().any(|(name, _)| *name == decl.name));
        bindings.sort_by(|a, b| a.name.cmp(&b.name));
        (bindings, remote, own)
    }

    /// A binding to storage of the script's own.
    fn own_binding(&mut self, spot: &Spot<Value>) -> Option<(BindingName, StorageKind)> {
        let fault = match BindingInput::from_json(&spot.value) {
            Ok(BindingInput::Own { name, kind }) => {
                self.unknown_keys(spot, &spot.value, &["own"]);
                return Some((name, kind));
            }
            Err(error) if spot.value.get("own") != Some(&Value::Bool(false)) => error.to_string(),
            Ok(_) | Err(_) => "own is true, or is left out".to_owned(),
        };
        self.faults.push(spot.fault(fault));
        None
    }

    /// KV namespaces by their titles. Their bindings' names are unique, those of `others` included.
    pub(super) fn kv_namespaces(&mut self, raw: &RawScript, others: &[BindingDecl]) -> Vec<KvByTitle> {
        let mut found: Vec<KvByTitle> = Vec::new();
        for kv in &raw.kv_namespaces {
            let (Some(binding), Some(title)) = (&kv.binding, &kv.title) else {
                let fault = Fault::new(
                    kv.place.line,
                    kv.place.key("title"),
                    "a KV namespace needs a binding and a title",
                );
                self.faults.push(fault.remedy("write { binding = \"NAME\", title = \"...\" }"));
                continue;
            };
            let Some(name) = self.name::<BindingName>(binding) else { continue };
            if title.value.trim().is_empty() || title.value.len() > MAX_TITLE_BYTES {
                let rule = format!("a title has 1 to {MAX_TITLE_BYTES} bytes");
                self.faults.push(title.fault(rule));
                continue;
            }
            let taken = others.iter().map(|decl| &decl.name).chain(found.iter().map(|known| &known.binding));
            if taken.into_iter().any(|known| *known == name) {
                self.faults.push(binding.fault("another name: there is a binding of this one already"));
                continue;
            }
            found.push(KvByTitle { binding: name, title: title.value.clone() });
        }
        found
    }

    /// Buckets by their names. Their bindings' names are unique, those of `others` included.
    pub(super) fn r2_buckets(&mut self, raw: &RawScript, others: &[BindingDecl]) -> Vec<BindingDecl> {
        let mut found: Vec<BindingDecl> = Vec::new();
        for bucket in &raw.r2_buckets {
            let (Some(binding), Some(named)) = (&bucket.binding, &bucket.bucket_name) else {
                let fault = Fault::new(
                    bucket.place.line,
                    bucket.place.key("bucket_name"),
                    "a bucket needs a binding and a name",
                );
                self.faults.push(fault.remedy("write { binding = \"NAME\", bucket_name = \"...\" }"));
                continue;
            };
            let Some(name) = self.name::<BindingName>(binding) else { continue };
            let Some(bucket_name) = BucketName::parse(&named.value) else {
                self.faults.push(named.fault(BucketName::RULE.to_owned()));
                continue;
            };
            if others.iter().chain(&found).any(|known| known.name == name) {
                self.faults.push(binding.fault("another name: there is a binding of this one already"));
                continue;
            }
            let kind = BindingKind::R2Bucket(R2Bucket { bucket_name, jurisdiction: None });
            found.push(BindingDecl { name, kind });
        }
        found
    }

    /// A binding, and whether it is remote: which it is for `dev` alone, as everywhere else its namespace is the server's.
    fn binding(&mut self, spot: &Spot<Value>) -> Option<(BindingDecl, bool)> {
        let mut wire = in_wire_form(&spot.value);
        let is_dispatch = wire.get("type").and_then(Value::as_str) == Some("dispatch_namespace");
        let remote = is_dispatch.then(|| wire.as_object_mut()?.remove("remote")).flatten();
        let remote = match remote {
            None => false,
            Some(Value::Bool(remote)) => remote && self.purpose == Purpose::Dev,
            Some(_) => {
                self.faults.push(spot.fault("remote is true or false".to_owned()));
                return None;
            }
        };
        let decl = match BindingDecl::from_json(&wire) {
            Ok(decl) => decl,
            Err(error) => {
                self.faults.push(spot.fault(error.to_string()));
                return None;
            }
        };
        self.unknown_keys(spot, &wire, decl.kind.binding_type().fields());
        for reference in decl.kind.refers_to().into_iter().filter(|_| !remote) {
            let (kind, name) = match reference {
                Reference::Script(name) | Reference::OutboundWorker(name) => {
                    ("platform script", name.as_str())
                }
                Reference::Namespace(name) => ("namespace", name.as_str()),
                // Those are made by the API, under identifiers that no file knows beforehand.
                Reference::KvNamespace(_)
                | Reference::R2Bucket(_)
                | Reference::Database(_)
                | Reference::MtlsCertificate(_)
                | Reference::StoredSecret(..) => continue,
                // Made where there is none.
                Reference::Queue(_) => continue,
            };
            self.reference(spot.line, &spot.key, kind, name);
        }
        Some((decl, remote))
    }

    fn unknown_keys(&mut self, spot: &Spot<Value>, wire: &Value, keys: &[&str]) {
        let known: Vec<&str> = ["type", "name"].iter().chain(keys).copied().collect();
        for key in wire.as_object().into_iter().flat_map(|object| object.keys()) {
            if known.contains(&key.as_str()) {
                continue;
            }
            let fault = Fault::new(spot.line, format!("{}.{key}", spot.key), "there is no such key");
            self.faults.push(match closest(key, known.iter().copied()) {
                Some(meant) => fault.remedy(format!("did you mean `{meant}`?")),
                None => fault.remedy(format!("the keys of this type are {}", known.join(", "))),
            });
        }
    }
}

/// The outbound worker of a namespace.
pub(super) fn outbound(
    worker: ScriptName,
    raw: &RawOutbound,
    faults: &mut Vec<Fault>,
) -> Option<OutboundDecl> {
    let params: Vec<&str> = raw.params.iter().flatten().map(|spot| spot.value.as_str()).collect();
    let wire = json!({ "worker": { "service": worker.as_str() }, "params": params });
    match serde_json::from_value(wire) {
        Ok(decl) => Some(decl),
        Err(error) => {
            faults.push(Fault::new(raw.place.line, raw.place.key("params"), error.to_string()));
            None
        }
    }
}

/// Turns `outbound = { script = "...", params = [...] }`, the same words as in `[namespaces.NAME]`, into the
/// v4 API's form; everything else is the same in both.
fn in_wire_form(value: &Value) -> Value {
    let mut wire = value.clone();
    if let Some(outbound) = wire.get_mut("outbound")
        && let Some(script) = outbound.get("script").cloned()
    {
        let params = outbound.get("params").cloned().unwrap_or_else(|| json!([]));
        *outbound = json!({ "worker": { "service": script }, "params": params });
    }
    wire
}
