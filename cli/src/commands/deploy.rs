//! `wasmyard deploy`: one component with what the options say, or the scripts of a `wasmyard.toml`.
//!
//! Owns the metadata of an upload. It must never hold more than one component in memory, nor one that is
//! larger than the platform takes.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Map, Value, json};
use wasmyard_namespaces::cron::Cron;
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;
use wasmyard_namespaces::{
    AssetsConfig, BindingDecl, BindingName, LimitSpec, NameError, NamespaceName, ScriptKey, ScriptName,
    StorageKind, Tag,
};
use wasmyard_node::assets::AssetsSource;

use super::{client, script_path, script_shown, text};
use crate::args::DeployArgs;
use crate::client::{Client, Module};
use crate::failure::Failure;
use crate::output::{Output, Progress};
use wasmyard_node::config::{
    self, ConfigSource, D1ByName, DeclaredConsumer, KvByTitle, Purpose, ScriptConfig,
};
use wasmyard_node::sources;

mod assets;
mod d1;
mod kv;
mod queues;
mod r2;

/// The annotation with a version's message, as the product's clients write it.
pub(super) const MESSAGE: &str = "workers/message";

/// One upload, ready to go.
struct Plan {
    key: ScriptKey,
    /// None: only files are served.
    file: Option<PathBuf>,
    assets: Option<AssetsSource>,
    bindings: Vec<BindingDecl>,
    own: Vec<(BindingName, StorageKind)>,
    kv_namespaces: Vec<KvByTitle>,
    queue_consumers: Vec<DeclaredConsumer>,
    d1_databases: Vec<D1ByName>,
    limits: LimitSpec,
    tags: Vec<Tag>,
    compatibility_flags: Vec<String>,
    /// Upload it and leave what serves as it is.
    only_upload: bool,
    /// What changed.
    message: Option<String>,
    /// When it is rolled back by itself.
    rollback: Option<Value>,
    /// Its cron expressions, where the file says which.
    crons: Option<Vec<Cron>>,
}

/// Uploads what was asked for, one script after the other, and stops at the first that is refused.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(args: DeployArgs, output: &Output) -> Result<(), Failure> {
    let plans = match (&args.file, &args.assets, &args.name) {
        (Some(file), ..) => vec![from_file(Some(file), &args)?],
        // A folder and a name say everything, unless a configuration is asked for.
        (None, Some(_), Some(_)) if args.config.is_none() => vec![from_file(None, &args)?],
        (None, ..) => from_config(&args, output)?,
    };
    let client = client(&args.output.api, output)?;
    let mut results = Vec::new();
    for mut plan in plans {
        plan.only_upload = args.only_upload;
        plan.message.clone_from(&args.message);
        plan.rollback = args.rollback.to_json();
        for kv in std::mem::take(&mut plan.kv_namespaces) {
            plan.bindings.push(kv.bound_to(kv::titled(&client, &kv.title).await?));
        }
        for bucket in plan.bindings.iter().filter_map(|decl| decl.kind.bucket()) {
            r2::ensure(&client, bucket).await?;
        }
        queues::made(&client, &plan.bindings, &plan.queue_consumers).await?;
        for database in std::mem::take(&mut plan.d1_databases) {
            plan.bindings.push(database.bound_to(d1::named(&client, &database.database).await?));
        }
        let result = upload(&client, &plan, output).await?;
        queues::consume(&client, &plan.key, &plan.queue_consumers).await?;
        if !args.output.json {
            let shown = plan.key.to_string();
            let line = if plan.only_upload {
                let (number, id) = (text(&result, "/number"), text(&result, "/id"));
                format!("uploaded {shown} as version {number}, which does not serve  {id}")
            } else {
                format!("deployed {shown}  {}", text(&result, "/deployment_id"))
            };
            output.line(line.trim_end());
            for line in capabilities(&result) {
                output.line(&line);
            }
        }
        results.push(result);
    }
    if args.output.json {
        // One script, one object, as every single thing of the API; several, a list.
        match results.as_slice() {
            [one] => output.json(one),
            several => output.json(&json!(several)),
        }
    }
    Ok(())
}

/// What the version can reach more and less than the one that served before.
fn capabilities(result: &Value) -> Vec<String> {
    let told = |field: &str, word: &str| {
        let names = result.pointer(&format!("/capabilities/{field}"))?.as_array()?;
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        (!names.is_empty()).then(|| format!("  {word}: {}", names.join(", ")))
    };
    [told("added", "can reach now"), told("removed", "and no more")].into_iter().flatten().collect()
}

fn wrong_name(error: NameError) -> Failure {
    Failure::Usage(error.to_string())
}

fn from_file(file: Option<&Path>, args: &DeployArgs) -> Result<Plan, Failure> {
    let name = match (&args.name, file) {
        (Some(name), _) => name.clone(),
        (None, Some(file)) => name_of(file)?,
        (None, None) => return Err(Failure::Usage("say what the script is called with --name".to_owned())),
    };
    let script = name.parse::<ScriptName>().map_err(wrong_name)?;
    let key = match &args.namespace {
        Some(namespace) => ScriptKey::user(namespace.parse().map_err(wrong_name)?, script),
        None => ScriptKey::Platform(script),
    };
    let mut plan = Plan {
        key,
        file: file.map(Path::to_owned),
        assets: args.assets.as_deref().map(folder_of).transpose()?,
        bindings: Vec::new(),
        own: Vec::new(),
        kv_namespaces: Vec::new(),
        queue_consumers: Vec::new(),
        d1_databases: Vec::new(),
        limits: LimitSpec::default(),
        tags: Vec::new(),
        compatibility_flags: Vec::new(),
        only_upload: false,
        message: None,
        rollback: None,
        crons: None,
    };
    // Code that comes with files can ask for them, under the name that the documentation uses.
    if plan.file.is_some() && plan.assets.is_some() {
        let wire = json!({ "type": "assets", "name": ASSETS });
        plan.bindings.extend(BindingDecl::from_json(&wire).ok());
    }
    add_options(&mut plan, args)?;
    Ok(plan)
}

/// The binding of a script's own files.
const ASSETS: &str = "ASSETS";

/// A folder from the command line, served as by default.
fn folder_of(directory: &Path) -> Result<AssetsSource, Failure> {
    let directory = std::path::absolute(directory)
        .map_err(|error| Failure::Usage(format!("--assets {}: {error}", directory.display())))?;
    Ok(AssetsSource { directory, config: AssetsConfig::default() })
}

/// The file's name without its ending: what nearly every script is called.
fn name_of(file: &Path) -> Result<String, Failure> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned)
        .ok_or_else(|| Failure::Usage(format!("{} has no name; give one with --name", file.display())))
}

fn from_config(args: &DeployArgs, output: &Output) -> Result<Vec<Plan>, Failure> {
    let folder = Path::new(".");
    let source = config::required(ConfigSource::find(args.config.as_deref(), folder)?, folder)?;
    let (config, warnings) = config::load(source, Purpose::Deploy)?;
    if !warnings.list.is_empty() {
        output.note(&warnings.to_string());
    }
    let mut plans: Vec<Plan> =
        config.scripts.into_iter().filter(|script| wanted(script, args)).map(Plan::from).collect();
    if plans.is_empty() {
        let what = match (&args.name, &args.namespace) {
            (Some(name), namespace) => format!("no script {}", script_shown(namespace.as_deref(), name)),
            (None, Some(namespace)) => format!("no script of the namespace {namespace}"),
            (None, None) => "no script at all".to_owned(),
        };
        return Err(Failure::with_remedy(
            format!("wasmyard.toml declares {what}"),
            "name a component to upload: wasmyard deploy FILE.wasm --name SCRIPT",
        ));
    }
    match plans.as_mut_slice() {
        [one] => {
            add_options(one, args)?;
            if let Some(directory) = &args.assets {
                let config = one.assets.take().map(|assets| assets.config).unwrap_or_default();
                one.assets = Some(AssetsSource { config, ..folder_of(directory)? });
            }
        }
        _ if args.tags.is_empty() && args.vars.is_empty() && args.assets.is_none() => {}
        _ => {
            let rule = "--tag, --var and --assets need one script: say which with --name";
            return Err(Failure::Usage(rule.to_owned()));
        }
    }
    Ok(plans)
}

fn wanted(script: &ScriptConfig, args: &DeployArgs) -> bool {
    let named = args.name.as_deref().is_none_or(|name| script.key.script().as_str() == name);
    let namespace = script.key.namespace().map(NamespaceName::as_str);
    let placed = args.namespace.as_deref().is_none_or(|wanted| namespace == Some(wanted));
    named && placed
}

impl From<ScriptConfig> for Plan {
    fn from(script: ScriptConfig) -> Self {
        let ScriptConfig { key, main, assets, bindings, kv_namespaces, d1_databases, limits, tags, .. } =
            script;
        let (compatibility_flags, crons, own) = (script.compatibility_flags, script.crons, script.own);
        let queue_consumers = script.queue_consumers;
        Self {
            key,
            file: main,
            assets,
            bindings,
            own,
            kv_namespaces,
            queue_consumers,
            d1_databases,
            limits,
            tags,
            compatibility_flags,
            only_upload: false,
            message: None,
            rollback: None,
            crons,
        }
    }
}

/// Lays `--tag` and `--var` over a plan: a var replaces a binding of the same name.
fn add_options(plan: &mut Plan, args: &DeployArgs) -> Result<(), Failure> {
    for tag in &args.tags {
        let tag = tag.parse::<Tag>().map_err(wrong_name)?;
        if !plan.tags.contains(&tag) {
            plan.tags.push(tag);
        }
    }
    for (name, value) in &args.vars {
        let wire = json!({ "type": "plain_text", "name": name, "text": value });
        let decl =
            BindingDecl::from_json(&wire).map_err(|error| Failure::Usage(format!("--var: {error}")))?;
        plan.bindings.retain(|known| known.name != decl.name);
        plan.bindings.push(decl);
    }
    Ok(())
}

async fn upload(client: &Client, plan: &Plan, output: &Output) -> Result<Value, Failure> {
    // Read first: a component that is missing must not cost the upload of a thousand files.
    let module = match &plan.file {
        Some(file) => Some(Module { file_name: module_name(file), bytes: read(file).await? }),
        None => None,
    };
    let namespace = plan.key.namespace().map(NamespaceName::as_str);
    let path = script_path(namespace, plan.key.script().as_str(), &[]);
    let mut metadata = metadata(plan, module.as_ref().map(|module| module.file_name.as_str()));
    if let (Some(source), Some(fields)) = (&plan.assets, metadata.as_object_mut()) {
        let uploaded = assets::run(client, &path, source, output).await?;
        fields.insert("assets".to_owned(), uploaded.metadata);
    }
    // A site of files alone has been uploaded by now: what is left is a word.
    let progress = match &module {
        Some(module) => {
            output.upload(&format!("{} as {}", module.file_name, plan.key), module.bytes.len() as u64)
        }
        None => Progress::none(),
    };
    let (method, rest): (_, &[&str]) =
        if plan.only_upload { (Method::POST, &["versions"]) } else { (Method::PUT, &[]) };
    let path = script_path(namespace, plan.key.script().as_str(), rest);
    let result = client.upload(method, &path, &metadata, module, &progress).await;
    progress.done();
    Ok(result?)
}

/// The file's name, in characters that need no escaping in a form.
fn module_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect()
}

/// What the API is told beside the component. Secrets that were put before stay: they are not in any file.
fn metadata(plan: &Plan, file_name: Option<&str>) -> Value {
    let mut metadata = Map::new();
    if let Some(file_name) = file_name {
        metadata.insert("main_module".to_owned(), Value::from(file_name));
    }
    let own = plan.own.iter().map(
        |(name, kind)| json!({ "type": kind.binding_type().as_str(), "name": name.as_str(), "own": true }),
    );
    let bindings = plan.bindings.iter().map(BindingDecl::to_record).chain(own).collect();
    metadata.insert("bindings".to_owned(), bindings);
    metadata.insert("keep_bindings".to_owned(), json!(["secret_text", "secret_key"]));
    if !plan.compatibility_flags.is_empty() {
        metadata.insert("compatibility_flags".to_owned(), json!(plan.compatibility_flags));
    }
    if !plan.tags.is_empty() {
        metadata.insert("tags".to_owned(), json!(plan.tags));
    }
    if let Some(message) = &plan.message {
        metadata.insert("annotations".to_owned(), json!({ MESSAGE: message }));
    }
    if let Some(rollback) = &plan.rollback {
        metadata.insert("rollback".to_owned(), rollback.clone());
    }
    if let Some(crons) = &plan.crons {
        metadata.insert("crons".to_owned(), json!(crons));
    }
    if !plan.limits.is_empty() {
        metadata.insert("limits".to_owned(), json!(plan.limits));
    }
    Value::Object(metadata)
}

async fn read(file: &Path) -> Result<Bytes, Failure> {
    let shown = file.display();
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::with_remedy(format!("there is no file {shown}"), "build it first, or correct the path")
        }
        _ => Failure::failed(format!("{shown} cannot be read: {error}")),
    };
    let bytes = sources::read(file).await.map_err(unreadable)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(Failure::with_remedy(
            format!("{shown} is larger than the {} MiB that a component may have", MAX_COMPONENT_BYTES >> 20),
            "build with --release, and strip debug information",
        ));
    }
    if !sources::is_javascript(file) && !bytes.starts_with(b"\0asm") {
        return Err(Failure::with_remedy(
            format!("{shown} is not WebAssembly"),
            "name the .wasm file that the build made, or a .js file",
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
