//! Owns what an uploader may declare about a script: the `metadata` part, and the settings that share its fields.
//! Must never drop a key in silence: a key is used, refused, or named in a remark.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use wasmyard_namespaces::cron::{Cron, CronError};
use wasmyard_namespaces::{AssetsConfig, BindingInput, BindingType, LimitSpec, Timestamp, UploadDraft};

use crate::body;
use crate::error::{ApiError, Code};
use crate::resources::deployments::RollbackIf;
use crate::target;
use crate::unknown;

/// The keys with a meaning here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metadata {
    /// The name of the module that is the component.
    pub(crate) main_module: Option<String>,
    /// Instead of it: the name of the part that is a script in the older syntax, which listens for events.
    pub(crate) body_part: Option<String>,
    /// Bindings: objects with `type`, `name` and what the type needs; `inherit` takes one over from the version before.
    pub(crate) bindings: Vec<Value>,
    /// Types of which all bindings of the version before are kept; left out, secrets are: `secret_text`, `secret_key`.
    pub(crate) keep_bindings: Option<Vec<String>>,
    /// Tags for the script, at most 8; left out, the tags stay as they are.
    pub(crate) tags: Option<Vec<String>>,
    /// When what served before serves again by itself.
    pub(crate) rollback: Option<RollbackIf>,
    /// Cron expressions for the script, at most 16; left out, they stay as they are.
    pub(crate) crons: Option<Vec<String>>,
    /// Limits that the version asks for.
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    pub(crate) limits: Option<LimitSpec>,
    /// The date of the behaviour the script was written for.
    pub(crate) compatibility_date: Option<String>,
    /// Switches for behaviour.
    pub(crate) compatibility_flags: Vec<String>,
    /// Free texts by key, such as `workers/message`.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Static assets that the script serves; left out, it has none.
    pub(crate) assets: Option<Assets>,
    /// Whether the assets of the version before are kept when `assets` has no token.
    pub(crate) keep_assets: bool,
}

/// The assets of a script.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AssetsOfUpload")]
pub(crate) struct Assets {
    /// The completion token of their upload.
    pub(crate) jwt: Option<String>,
    /// How they are served.
    pub(crate) config: Option<Map<String, Value>>,
}

/// The keys of `assets.config`.
const SERVING: [&str; 8] = [
    "base_path",
    "html_handling",
    "not_found_handling",
    "run_worker_first",
    "immutable_fingerprinted",
    "_headers",
    "_redirects",
    SERVE_DIRECTLY,
];

/// A key of `assets.config` that clients send and that has become `run_worker_first`.
const SERVE_DIRECTLY: &str = "serve_directly";

/// Keys that clients in use send and that change nothing here. They are taken, and a remark says so
/// unless the value asks for nothing.
const WITHOUT_EFFECT: &[&str] = &[
    "cache_options",
    "capnp_schema",
    "code_update_strategy",
    "exports",
    "logpush",
    "observability",
    "package_dependencies",
    "placement",
    "streaming_tail_consumers",
    "tail_consumers",
    "usage_model",
];

/// Of these, keys that clients send in every upload: a remark each time would only be noise.
const ROUTINE: &[&str] = &["code_update_strategy", "observability", "package_dependencies", "usage_model"];

/// Keys that ask for something this server cannot give: taking them would break the script later, and silently.
const CANNOT: &[(&str, &str)] = &[
    ("migrations", "there are no Durable Objects on this server; remove the migrations"),
    ("containers", "there are no containers on this server; remove them"),
];

/// What was read: the keys with a meaning, and remarks on the others.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) metadata: Metadata,
    pub(crate) notes: Vec<String>,
}

/// Reads the `metadata` part.
pub(crate) fn parse(bytes: &[u8]) -> Result<Declared, ApiError> {
    let Value::Object(mut keys) = body::parse::<Value>(bytes)? else {
        return Err(ApiError::invalid(
            "The part metadata must be a JSON object, like {\"main_module\": \"worker.wasm\"}.",
        ));
    };
    let mut notes = take_without_effect(&mut keys)?;
    notes.extend(unknown::take::<Metadata>(&mut keys));
    if let Some(Value::Object(assets)) = keys.get_mut("assets") {
        notes.extend(unknown::take::<Assets>(assets));
        if let Some(Value::Object(config)) = assets.get_mut("config") {
            notes.extend(unknown::take_beside(config, &SERVING));
        }
    } else if keys.contains_key("assets") {
        return Err(ApiError::invalid(
            "The part metadata does not fit: \"assets\" must be a JSON object, like {\"jwt\": \"...\"}",
        ));
    }
    notes.extend(keys.get("bindings").and_then(Value::as_array).into_iter().flat_map(|all| in_bindings(all)));
    let metadata = serde_json::from_value(Value::Object(keys))
        .map_err(|error| ApiError::invalid(format_args!("The part metadata does not fit: {error}.")))?;
    Ok(Declared { metadata, notes })
}

/// Removes the keys that mean nothing here and collects remarks; refuses those that cannot be given.
pub(crate) fn take_without_effect(keys: &mut Map<String, Value>) -> Result<Vec<String>, ApiError> {
    keys.retain(|_, value| !value.is_null());
    for (key, why) in CANNOT {
        if keys.remove(*key).is_some_and(|value| !asks_for_nothing(&value)) {
            return Err(ApiError::invalid(format_args!("metadata key \"{key}\": {why}.")));
        }
    }
    let mut notes = Vec::new();
    for key in WITHOUT_EFFECT {
        if keys.remove(*key).is_some_and(|value| !asks_for_nothing(&value)) && !ROUTINE.contains(key) {
            notes.push(format!("\"{key}\" was accepted and has no effect on this server."));
        }
    }
    Ok(notes)
}

/// `false`, `0`, `""`, `[]` and `{}`.
fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

impl Metadata {
    /// Whether the script may go without a component in this upload.
    pub(crate) fn has_assets(&self) -> bool {
        self.assets.is_some() || self.keep_assets
    }

    /// How the assets are to be served, if that is said.
    pub(crate) fn assets_config(&self) -> Result<Option<AssetsConfig>, ApiError> {
        let Some(config) = self.assets.as_ref().and_then(|assets| assets.config.as_ref()) else {
            return Ok(None);
        };
        let mut keys = config.clone();
        keys.retain(|_, value| !value.is_null());
        if let Some(direct) = keys.remove(SERVE_DIRECTLY)
            && !keys.contains_key("run_worker_first")
        {
            keys.insert("run_worker_first".to_owned(), Value::Bool(direct == Value::Bool(false)));
        }
        let config: AssetsConfig = serde_json::from_value(Value::Object(keys))
            .map_err(|error| ApiError::invalid(format_args!("assets.config does not fit: {error}.")))?;
        config.validate().map_err(ApiError::invalid)?;
        Ok(Some(config))
    }

    /// Everything of an upload but the component itself.
    pub(crate) fn into_draft(self, bindings_strict: bool) -> Result<UploadDraft, ApiError> {
        Ok(UploadDraft {
            bindings: self.bindings.iter().map(input).collect::<Result<_, _>>()?,
            keep_bindings: self.keep_bindings.as_deref().map_or_else(|| KEPT.to_vec(), kept_types),
            bindings_strict,
            tags: self.tags.map(|tags| target::tags(&tags)).transpose()?,
            rollback: self.rollback.as_ref().map(RollbackIf::rule).transpose()?,
            crons: self
                .crons
                .map(|crons| crons.iter().map(|text| cron(text)).collect::<Result<_, _>>())
                .transpose()?,
            limits: self.limits.unwrap_or_default(),
            compatibility_date: self.compatibility_date.map(date),
            compatibility_flags: self.compatibility_flags,
            annotations: self.annotations,
            ..UploadDraft::default()
        })
    }
}

/// What an upload keeps that does not say it. Clients whose users set secrets apart from their deploys do not name
/// them at every deploy, and a secret that is gone nobody can read again.
const KEPT: [BindingType; 2] = [BindingType::SecretText, BindingType::SecretKey];

/// The types of these names. A type that this platform does not give has no bindings to keep.
fn kept_types(names: &[String]) -> Vec<BindingType> {
    names.iter().filter_map(|name| BindingType::from_wire(name)).collect()
}

/// A date as versions keep it; some clients write the time of day behind it.
pub(crate) fn date(text: String) -> String {
    match text.get(..10) {
        Some(day) if text.parse::<Timestamp>().is_ok() => day.to_owned(),
        _ => text,
    }
}

fn cron(text: &str) -> Result<Cron, ApiError> {
    text.parse().map_err(|error: CronError| ApiError::invalid(error))
}

fn input(value: &Value) -> Result<BindingInput, ApiError> {
    BindingInput::from_json(value).map_err(ApiError::invalid)
}

/// Remarks on fields of bindings that nobody here knows.
pub(crate) fn in_bindings(bindings: &[Value]) -> Vec<String> {
    let in_one = |binding: &Value| {
        let fields = binding.as_object()?;
        let known = BindingType::from_wire(fields.get("type")?.as_str()?)?.fields();
        let known: Vec<&str> = known.iter().copied().chain(["type", "name"]).collect();
        let told = unknown::beside(fields, &known)?;
        let name = wasmyard_namespaces::name::shorten(fields.get("name")?.as_str()?);
        Some(format!("binding \"{name}\": {told}"))
    };
    bindings.iter().filter_map(in_one).collect()
}

/// A list of bindings in a settings call: what has nothing but `type` and `name` is one to keep, because that is
/// how clients write bindings that they do not want to touch.
pub(crate) fn settings_inputs(values: &[Value]) -> Result<Vec<BindingInput>, ApiError> {
    values.iter().map(|value| kept(value).map_or_else(|| input(value), Ok)).collect()
}

fn kept(value: &Value) -> Option<BindingInput> {
    let fields = value.as_object()?;
    let binding_type = BindingType::from_wire(fields.get("type")?.as_str()?)?;
    // A type that has no other fields is declared like this.
    if fields.len() != 2 || binding_type.fields().is_empty() {
        return None;
    }
    let name = wasmyard_namespaces::BindingName::parse(fields.get("name")?.as_str()?).ok()?;
    Some(BindingInput::Inherit { old_name: name.clone(), name, binding_type: Some(binding_type) })
}

/// Whether `?bindings_inherit=` asks for an error when something cannot be inherited.
#[derive(Debug, Deserialize)]
pub(crate) struct InheritQuery {
    bindings_inherit: Option<String>,
}

impl InheritQuery {
    pub(crate) fn strict(&self) -> Result<bool, ApiError> {
        match self.bindings_inherit.as_deref() {
            None => Ok(false),
            Some("strict") => Ok(true),
            Some(_) => Err(ApiError::new(
                Code::MalformedParameter,
                "bindings_inherit can only be \"strict\"; write that, or leave the parameter out.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = parse(br#"{"main_module":"a.wasm","mian_module":"b"}"#).unwrap_err();
        assert_eq!(error.code(), Code::Validation);
        assert!(error.message().contains("unknown field `mian_module`"), "{error}");
    }

    #[test]
    fn what_clients_send_routinely_is_taken() {
        let declared = parse(
            br#"{"main_module":"a.wasm","bindings":[],"compatibility_date":"2025-06-01","compatibility_flags":[],
                "code_update_strategy":{"mode":"deferred","max_delay":300},"keep_bindings":["secret_text","secret_key"],
                "observability":{"enabled":true},"usage_model":"standard","logpush":false,"tail_consumers":[],
                "placement":{"mode":"smart"},"limits":{"cpu_ms":50},"annotations":{"workers/tag":"t1"},"capnp_schema":null}"#,
        )
        .unwrap();
        assert_eq!(declared.notes, ["\"placement\" was accepted and has no effect on this server."]);
        let draft = declared.metadata.into_draft(true).unwrap();
        assert_eq!(draft.keep_bindings, [BindingType::SecretText, BindingType::SecretKey]);
        assert_eq!(draft.limits.cpu_ms, Some(50));
    }

    #[test]
    fn what_cannot_be_given_is_refused() {
        for (key, value) in
            [("migrations", "{\"new_tag\":\"v1\"}"), ("containers", "[{\"class_name\":\"A\"}]")]
        {
            let error = parse(format!("{{\"{key}\":{value}}}").as_bytes()).unwrap_err();
            assert_eq!(error.code(), Code::Validation);
            assert!(error.message().contains(key), "{error}");
        }
    }

    #[test]
    fn assets_are_read_with_what_wrangler_sends() {
        let declared = parse(
            br#"{"assets":{"jwt":"t","config":{"html_handling":"drop-trailing-slash","not_found_handling":"404-page",
                "run_worker_first":["/api/*"],"_redirects":"/a /b","_headers":"/*\n  X: 1"}},"keep_assets":false}"#,
        )
        .unwrap();
        assert!(declared.metadata.has_assets());
        let config = declared.metadata.assets_config().unwrap().unwrap();
        assert_eq!(config.redirects.as_deref(), Some("/a /b"));
        for (config, named) in [
            (r#"{"html_handling":"never"}"#, "html_handling"),
            (r#"{"html_handlin":"none"}"#, "html_handlin"),
            (r#"{"run_worker_first":["api/*"]}"#, "api/*"),
            (r#"{"not_found_handling":7}"#, "assets.config"),
            (r#"{"base_path":"https://a.test/docs"}"#, "base_path"),
        ] {
            let text = format!(r#"{{"assets":{{"jwt":"t","config":{config}}}}}"#);
            let error = parse(text.as_bytes()).unwrap().metadata.assets_config().unwrap_err();
            assert!(error.code() == Code::Validation && !error.message().is_empty(), "{error}");
            assert!(error.message().contains(named) || config.contains(named), "{error}");
        }
        let below = parse(br#"{"assets":{"jwt":"t","config":{"base_path":"docs/"}}}"#).unwrap();
        let config = below.metadata.assets_config().unwrap().unwrap();
        assert_eq!((below.notes.len(), config.base_path.as_str()), (0, "/docs"));
        let old = parse(br#"{"assets":{"jwt":"t","config":{"serve_directly":false}}}"#).unwrap();
        let config = old.metadata.assets_config().unwrap().unwrap();
        assert_eq!(config.run_worker_first, wasmyard_namespaces::RunWorkerFirst::All(true));
    }

    #[test]
    fn a_binding_of_unknown_type_is_refused_by_type() {
        let declared = parse(br#"{"bindings":[{"type":"vectorize","name":"B","index_name":"x"}]}"#).unwrap();
        let error = declared.metadata.into_draft(false).unwrap_err();
        assert!(error.message().contains("vectorize"), "{error}");
    }

    #[test]
    fn a_bare_binding_in_settings_is_one_to_keep() {
        let bare = serde_json::json!([{"type":"dispatch_namespace","name":"D"},{"type":"assets","name":"A"}]);
        let inputs = settings_inputs(bare.as_array().unwrap()).unwrap();
        assert!(matches!(
            inputs[0],
            BindingInput::Inherit { binding_type: Some(BindingType::DispatchNamespace), .. }
        ));
        assert!(matches!(inputs[1], BindingInput::Declare(_)));
    }
}
