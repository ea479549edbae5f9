//! `wasmyard types`: what a script has, for its editor. An `interface Env` of what `wasmyard.toml` gives it, and the types of
//! what the runtime of this very build has.
//!
//! Owns how a binding is called in TypeScript. It must never replace a file that it has not written itself, and never writes a
//! value: names and types are all that leaves the configuration.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use reqwest::Method;
use serde_json::Value;
use wasmyard_namespaces::bundle::is_javascript;
use wasmyard_namespaces::{BindingKind, NamespaceName, OutboundDecl, ScriptKey, ScriptName, StorageKind};
use wasmyard_node::config::{self, ConfigSource, Purpose, ResolvedConfig, ScriptConfig};

use super::{client, items, script_path, script_shown, text};
use crate::args::TypesArgs;
use crate::client::Body;
use crate::failure::Failure;
use crate::init::sdk_files;
use crate::output::Output;

/// How every file begins that this command has written.
const MADE: &str = "// Made by `wasmyard types` of wasmyard.toml. Do not edit it: run that again.\n";
/// How deep the types of JSON values go; what lies below is `any`.
const MOST_DEEP: usize = 8;
/// The most fields of an object, and items of a list, whose types are written.
const MOST_FIELDS: usize = 200;

/// Writes the file.
///
/// # Errors
/// [`Failure`] where the configuration has a mistake or no such script, or the file is somebody else's.
pub async fn run(args: &TypesArgs, output: &Output) -> Result<(), Failure> {
    let folder = Path::new(".");
    let source = config::required(ConfigSource::find(args.config.as_deref(), folder)?, folder)?;
    let (config, warnings) = config::load(source, Purpose::Deploy)?;
    if !warnings.list.is_empty() {
        output.note(&warnings.to_string());
    }
    let scripts: Vec<&ScriptConfig> = config.scripts.iter().filter(|script| wanted(script, args)).collect();
    if scripts.is_empty() {
        let which = args.name.as_deref().map(|name| script_shown(args.namespace.as_deref(), name));
        return Err(Failure::with_remedy(
            format!(
                "wasmyard.toml declares no script in JavaScript{}",
                which.map(|which| format!(" called {which}")).unwrap_or_default()
            ),
            "name a .js file as its `main`",
        ));
    }
    let mut secrets: HashMap<&ScriptKey, Vec<String>> = HashMap::new();
    if args.secrets {
        let client = client(&args.api, output)?;
        for script in &scripts {
            let namespace = script.key.namespace().map(NamespaceName::as_str);
            let path = script_path(namespace, script.key.script().as_str(), &["secrets"]);
            let found = client.call(Method::GET, &path, &[], Body::Empty).await?;
            secrets.insert(&script.key, items(&found).iter().map(|row| text(row, "/name")).collect());
        }
    }
    let mut written = MADE.to_owned();
    for (name, script) in named(&scripts) {
        let secrets = secrets.get(&script.key).map(Vec::as_slice).unwrap_or_default();
        written.push_str(&interface(&name, &environment(&config, script, secrets)));
    }
    if !args.env_only {
        written.push_str(&runtime());
    }
    write(&args.file, &written)?;
    let names: Vec<String> = named(&scripts).into_iter().map(|(name, _)| name).collect();
    output.note(&format!("{} written: {}", args.file.display(), names.join(", ")));
    Ok(())
}

fn wanted(script: &ScriptConfig, args: &TypesArgs) -> bool {
    let main = script.main.as_deref().and_then(Path::file_name).unwrap_or_default();
    let named = args.name.as_deref().is_none_or(|name| script.key.script().as_str() == name);
    let namespace = script.key.namespace().map(NamespaceName::as_str);
    let placed = args.namespace.as_deref().is_none_or(|wanted| namespace == Some(wanted));
    is_javascript(&main.to_string_lossy()) && named && placed
}

/// The name of each script's environment: `Env` where there is one script, and otherwise by the script, or by its namespace as
/// well where two have one name.
fn named<'a>(scripts: &[&'a ScriptConfig]) -> Vec<(String, &'a ScriptConfig)> {
    if let [one] = scripts {
        return vec![("Env".to_owned(), one)];
    }
    let short = |script: &ScriptConfig| format!("{}Env", pascal(script.key.script().as_str()));
    let mut counts: HashMap<String, usize> = HashMap::new();
    for script in scripts {
        *counts.entry(short(script)).or_default() += 1;
    }
    let mut named: Vec<(String, &ScriptConfig)> = Vec::new();
    for script in scripts {
        let mut name = short(script);
        if counts.get(&name) != Some(&1) {
            let namespace = script.key.namespace().map(|name| pascal(name.as_str()));
            name.insert_str(0, &namespace.unwrap_or_default());
        }
        // Names that differ in what no name of TypeScript has.
        while named.iter().any(|(taken, _)| *taken == name) {
            name.push('_');
        }
        named.push((name, script));
    }
    named
}

/// `customer-a` as `CustomerA`.
fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{}{rest}", first.to_ascii_uppercase())
        })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// What a script's `env` has: by name, its type.
fn environment(
    config: &ResolvedConfig,
    script: &ScriptConfig,
    secrets: &[String],
) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for parameter in parameters(config, script.key.script(), script.key.namespace().is_none()) {
        fields.insert(format!("{}?", property(parameter)), "any".to_owned());
    }
    for secret in secrets {
        fields.insert(property(secret), "string".to_owned());
    }
    for kv in &script.kv_namespaces {
        fields.insert(property(kv.binding.as_str()), "KVNamespace".to_owned());
    }
    for database in &script.d1_databases {
        fields.insert(property(database.binding.as_str()), "D1Database".to_owned());
    }
    for (name, kind) in &script.own {
        let kind = match kind {
            StorageKind::KvNamespace => "KVNamespace",
            StorageKind::D1 => "D1Database",
            StorageKind::Queue => "Queue",
            StorageKind::R2Bucket => "R2Bucket",
        };
        fields.insert(property(name.as_str()), kind.to_owned());
    }
    for binding in &script.bindings {
        let kind = match &binding.kind {
            BindingKind::PlainText(_) | BindingKind::SecretText(_) => "string".to_owned(),
            BindingKind::Json(value) => type_of(&value.json, 0),
            BindingKind::Service(_) => "Service".to_owned(),
            BindingKind::DispatchNamespace(_) => "DispatchNamespace".to_owned(),
            BindingKind::KvNamespace(_) => "KVNamespace".to_owned(),
            BindingKind::SecretsStoreSecret(_) => "SecretsStoreSecret".to_owned(),
            BindingKind::Queue(_) => "Queue".to_owned(),
            BindingKind::D1(_) => "D1Database".to_owned(),
            BindingKind::R2Bucket(_) => "R2Bucket".to_owned(),
            BindingKind::Ratelimit(_) => "RateLimit".to_owned(),
            BindingKind::SecretKey(_) => "CryptoKey".to_owned(),
            BindingKind::Assets(_) | BindingKind::ClientCertificate(_) => "Fetcher".to_owned(),
            // Scripts are not given it.
            BindingKind::VersionMetadata(_) => continue,
        };
        fields.insert(property(binding.name.as_str()), kind);
    }
    fields
}

/// The parameters that a script is told as an outbound worker.
fn parameters<'a>(config: &'a ResolvedConfig, script: &ScriptName, is_platform: bool) -> Vec<&'a str> {
    let outbound =
        config.scripts.iter().flat_map(|script| &script.bindings).filter_map(|binding| match &binding.kind {
            BindingKind::DispatchNamespace(namespace) => namespace.outbound.as_ref(),
            _ => None,
        });
    let of_script = |outbound: &&OutboundDecl| is_platform && outbound.worker == *script;
    outbound.filter(of_script).flat_map(|outbound| &outbound.params).map(String::as_str).collect()
}

fn interface(name: &str, fields: &BTreeMap<String, String>) -> String {
    let mut text = format!("\ninterface {name} {{\n");
    for (field, kind) in fields {
        text.push_str(&format!("  {field}: {kind};\n"));
    }
    text.push_str("}\n");
    text
}

/// A name as a property: in quotes where it has other characters.
fn property(name: &str) -> String {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$');
    if begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
        return name.to_owned();
    }
    Value::from(name).to_string()
}

/// The type of a JSON value, without the value.
fn type_of(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(items) if depth < MOST_DEEP && items.len() <= MOST_FIELDS => {
            let mut kinds: Vec<String> = items.iter().map(|item| type_of(item, depth + 1)).collect();
            kinds.sort_unstable();
            kinds.dedup();
            match kinds.as_slice() {
                [] => "unknown[]".to_owned(),
                [one] => format!("{one}[]"),
                several => format!("({})[]", several.join(" | ")),
            }
        }
        Value::Object(fields) if depth < MOST_DEEP && fields.len() <= MOST_FIELDS => {
            let shown = |(name, value): (&String, &Value)| {
                format!("{}: {}", property(name), type_of(value, depth + 1))
            };
            let fields: Vec<String> = fields.iter().map(shown).collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join("; ")) }
        }
        Value::Array(_) | Value::Object(_) => "any".to_owned(),
    }
}

/// The types of the runtime, as one text.
fn runtime() -> String {
    let files = sdk_files("sdk/js/")
        .filter(|(path, _)| path.to_string_lossy().ends_with(".d.ts") && *path != Path::new("index.d.ts"));
    let mut text = "\n// What every script has.\n".to_owned();
    for (_, file) in files {
        text.push('\n');
        text.push_str(file);
    }
    text
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let shown = file.display();
    match std::fs::read_to_string(file) {
        Ok(before) if !before.starts_with(MADE) => {
            return Err(Failure::with_remedy(
                format!("{shown} exists, and was not made by this command"),
                "name another file: wasmyard types FILE",
            ));
        }
        Ok(before) if before == text => return Ok(()),
        _ => {}
    }
    std::fs::write(file, text).map_err(|error| Failure::failed(format!("{shown} cannot be written: {error}")))
}

#[cfg(test)]
mod tests;
