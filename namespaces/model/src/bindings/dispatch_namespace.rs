//! `dispatch_namespace`: all user scripts of a namespace.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};
use crate::limits::{MAX_METADATA_BYTES, MAX_OUTBOUND_PARAMS};
use crate::name::{NamespaceName, ScriptName};

/// All user scripts of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchNamespace {
    /// The namespace's name.
    pub namespace: NamespaceName,
    /// The outbound worker for calls through this binding.
    pub outbound: Option<OutboundDecl>,
}

/// The platform script that receives the fetches of user scripts, and which parameters it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundDecl {
    /// The platform script.
    pub worker: ScriptName,
    /// Names of the parameters that a dispatcher may pass on to it.
    pub params: Vec<String>,
}

impl Binding for DispatchNamespace {
    const TYPE: &'static str = "dispatch_namespace";
    const FIELDS: &'static [&'static str] = &["namespace", "outbound"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let outbound = match fields.get("outbound") {
            None => None,
            Some(decl) => Some(OutboundDecl::parse(fields.name().as_str(), decl)?),
        };
        Ok(Self { namespace: fields.parsed("namespace")?, outbound })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("namespace".to_owned(), Value::from(self.namespace.as_str()));
        if let Some(outbound) = &self.outbound {
            fields.insert("outbound".to_owned(), outbound.view());
        }
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        let outbound = self.outbound.as_ref().map(|outbound| Reference::OutboundWorker(&outbound.worker));
        [Reference::Namespace(&self.namespace)].into_iter().chain(outbound).collect()
    }
}

impl OutboundDecl {
    fn parse(name: &str, value: &Value) -> Result<OutboundDecl, BindingError> {
        let error = |field, expected| BindingError::Field { name: name.to_owned(), field, expected };
        let worker = value.get("worker").and_then(|worker| worker.get("service")).and_then(Value::as_str);
        let worker = worker.ok_or_else(|| error("outbound.worker.service", "a text"))?;
        let worker = worker.parse().map_err(|source| BindingError::Name { name: name.to_owned(), source })?;
        let listed = match value.get("params") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(params)) => params.as_slice(),
            Some(_) => return Err(error("outbound.params", "a list")),
        };
        if listed.len() > MAX_OUTBOUND_PARAMS {
            return Err(BindingError::TooMany {
                what: "outbound parameters",
                found: listed.len(),
                max: MAX_OUTBOUND_PARAMS,
            });
        }
        let mut params: Vec<String> = Vec::with_capacity(listed.len());
        for param in listed {
            let text = param.as_str().or_else(|| param.get("name").and_then(Value::as_str));
            let text = text.filter(|text| !text.is_empty() && text.len() <= MAX_METADATA_BYTES);
            let text = text.ok_or_else(|| error("outbound.params[].name", "a text of 1 to 1024 bytes"))?;
            if params.iter().any(|known| known == text) {
                return Err(error("outbound.params[].name", "different for each parameter"));
            }
            params.push(text.to_owned());
        }
        Ok(OutboundDecl { worker, params })
    }

    fn view(&self) -> Value {
        let params: Vec<Value> = self.params.iter().map(|name| json!({ "name": name })).collect();
        json!({ "worker": { "service": self.worker.as_str() }, "params": params })
    }
}

impl Serialize for OutboundDecl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OutboundDecl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OutboundDecl, D::Error> {
        OutboundDecl::parse("outbound", &Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
