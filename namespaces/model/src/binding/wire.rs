//! The wire form of bindings: JSON in, JSON out.
//!
//! Owns the field names of Cloudflare's v4 metadata. Never writes what is secret.

use serde_json::{Map, Value, json};

use super::{BindingDecl, BindingError, BindingKind, BindingType, OutboundDecl};
use crate::limits::{MAX_METADATA_BYTES, MAX_OUTBOUND_PARAMS, MAX_VAR_BYTES};
use crate::name::{BindingName, NameError, shorten};
use crate::secret::Secret;

/// The name and type that every binding has.
pub(super) fn head(value: &Value) -> Result<(BindingName, &str), BindingError> {
    let shown = || value.get("name").and_then(Value::as_str).map_or_else(|| "?".to_owned(), shorten);
    let field = |field, expected| BindingError::Field { name: shown(), field, expected };
    let name = value.get("name").and_then(Value::as_str).ok_or_else(|| field("name", "a text"))?;
    let name = BindingName::parse(name).map_err(|source| BindingError::Name { name: shown(), source })?;
    let kind = value.get("type").and_then(Value::as_str).ok_or_else(|| field("type", "a text"))?;
    Ok((name, kind))
}

pub(super) fn decl(value: &Value) -> Result<BindingDecl, BindingError> {
    let (name, kind) = head(value)?;
    let Some(kind) = BindingType::from_wire(kind) else {
        return Err(BindingError::UnsupportedType { name: name.to_string(), found: shorten(kind) });
    };
    let kind = match kind {
        BindingType::PlainText => {
            BindingKind::PlainText { text: variable(&name, text(&name, value, "text")?)? }
        }
        BindingType::SecretText => {
            BindingKind::SecretText { text: Secret::new(variable(&name, text(&name, value, "text")?)?) }
        }
        BindingType::Json => BindingKind::Json { json: json_value(&name, value)? },
        BindingType::Service => BindingKind::Service {
            service: parsed(&name, text(&name, value, "service")?)?,
            namespace: match value.get("namespace") {
                None | Some(Value::Null) => None,
                Some(_) => Some(parsed(&name, text(&name, value, "namespace")?)?),
            },
        },
        BindingType::DispatchNamespace => BindingKind::DispatchNamespace {
            namespace: parsed(&name, text(&name, value, "namespace")?)?,
            outbound: match value.get("outbound") {
                None | Some(Value::Null) => None,
                Some(decl) => Some(outbound(name.as_str(), decl)?),
            },
        },
        BindingType::Assets => BindingKind::Assets,
        BindingType::VersionMetadata => BindingKind::VersionMetadata,
    };
    Ok(BindingDecl { name, kind })
}

fn text<'v>(name: &BindingName, value: &'v Value, field: &'static str) -> Result<&'v str, BindingError> {
    value.get(field).and_then(Value::as_str).ok_or_else(|| BindingError::Field {
        name: name.to_string(),
        field,
        expected: "a text",
    })
}

fn variable(name: &BindingName, text: &str) -> Result<String, BindingError> {
    within_bound(name, text.len())?;
    Ok(text.to_owned())
}

fn json_value(name: &BindingName, value: &Value) -> Result<Value, BindingError> {
    let json = value.get("json").ok_or_else(|| BindingError::Field {
        name: name.to_string(),
        field: "json",
        expected: "a JSON value",
    })?;
    within_bound(name, json.to_string().len())?;
    Ok(json.clone())
}

fn within_bound(name: &BindingName, found: usize) -> Result<(), BindingError> {
    if found > MAX_VAR_BYTES {
        return Err(BindingError::TooLarge { name: name.clone(), found, max: MAX_VAR_BYTES });
    }
    Ok(())
}

fn parsed<T: std::str::FromStr<Err = NameError>>(name: &BindingName, text: &str) -> Result<T, BindingError> {
    text.parse().map_err(|source| BindingError::Name { name: name.to_string(), source })
}

pub(super) fn outbound(name: &str, value: &Value) -> Result<OutboundDecl, BindingError> {
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

pub(super) fn view(decl: &BindingDecl) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("type".to_owned(), Value::from(decl.kind.binding_type().as_str()));
    fields.insert("name".to_owned(), Value::from(decl.name.as_str()));
    let mut put = |field: &str, value: Value| {
        fields.insert(field.to_owned(), value);
    };
    match &decl.kind {
        BindingKind::PlainText { text } => put("text", Value::from(text.as_str())),
        BindingKind::Json { json } => put("json", json.clone()),
        BindingKind::Service { service, namespace } => {
            put("service", Value::from(service.as_str()));
            if let Some(namespace) = namespace {
                put("namespace", Value::from(namespace.as_str()));
            }
        }
        BindingKind::DispatchNamespace { namespace, outbound } => {
            put("namespace", Value::from(namespace.as_str()));
            if let Some(decl) = outbound {
                put("outbound", outbound_view(decl));
            }
        }
        BindingKind::SecretText { .. } | BindingKind::Assets | BindingKind::VersionMetadata => {}
    }
    fields
}

pub(super) fn outbound_view(decl: &OutboundDecl) -> Value {
    let params: Vec<Value> = decl.params.iter().map(|name| json!({ "name": name })).collect();
    json!({ "worker": { "service": decl.worker.as_str() }, "params": params })
}
