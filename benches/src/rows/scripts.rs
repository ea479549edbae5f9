//! A million scripts in one namespace: how long a page of the list takes at its beginning and at its end, how long it takes to
//! find all that have a tag, and to delete ten thousand of them together.
//!
//! One script is deployed; all others are its record under other names, written by the store itself, many at a time.

use std::sync::Arc;
use std::time::Instant;

use wasmyard_namespaces::store::{Precondition, SqliteStore, Store, Write};
use wasmyard_namespaces::{
    Blobs, Component, NamespaceName, NewNamespace, Registry, RegistryOptions, ScriptKey, ScriptName, Tag,
    TagFilter, Upload, UploadDraft,
};

use super::Effort;
use crate::report::{Reading, Target as Goal};
use crate::{Error, scratch};

/// Scripts of the whole run, and of the quick one.
const SCRIPTS: [usize; 2] = [1_000_000, 20_000];
/// How many have the tag.
const TAGGED: usize = 10_000;
/// Rows of a page, as clients ask for them.
const PAGE: usize = 100;
/// How many records are written at a time.
const BATCH: usize = 1_000;

/// The name of a script; all are equally long.
fn name(number: usize) -> String {
    format!("script-{number:07}")
}

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let count = effort.pick(SCRIPTS[0], SCRIPTS[1]);
    let data = scratch()?.join("registry-scripts");
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    std::fs::create_dir_all(&data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let read = runtime.block_on(measured(&data, count, effort));
    std::fs::remove_dir_all(&data)?;
    read
}

async fn measured(data: &std::path::Path, count: usize, effort: &Effort) -> Result<Vec<Reading>, Error> {
    let namespace = NamespaceName::parse("production")?;
    let store = Arc::new(SqliteStore::open(data)?);
    made(&store, &namespace, count).await?;
    let begun = Instant::now();
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let registry = Registry::open_with(shared, Blobs::memory(), RegistryOptions::default()).await?;
    let opened = begun.elapsed().as_secs_f64() * 1e3;
    let rounds = effort.pick(50, 5);
    let first = pages(&registry, &namespace, None, rounds).await?;
    let last = ScriptName::parse(&name(count - PAGE - 1))?;
    let last = pages(&registry, &namespace, Some(&last), rounds).await?;
    let begun = Instant::now();
    registry.script_count(&namespace).await?;
    let counting = begun.elapsed().as_secs_f64() * 1e3;
    let begun = Instant::now();
    registry.script_count(&namespace).await?;
    let counted = begun.elapsed().as_secs_f64() * 1e3;
    let filter: TagFilter = "old:yes".parse()?;
    let begun = Instant::now();
    let deleted = registry.delete_scripts(&namespace, Some(&filter)).await?;
    let deleting = begun.elapsed().as_secs_f64();
    if deleted.names.len() != TAGGED.min(count) {
        return Err(format!("{} scripts were deleted", deleted.names.len()).into());
    }
    // The same in a namespace that has no others.
    let own = NamespaceName::parse("small")?;
    made(&store, &own, TAGGED).await?;
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let registry = Registry::open_with(shared, Blobs::memory(), RegistryOptions::default()).await?;
    let begun = Instant::now();
    registry.delete_scripts(&own, Some(&filter)).await?;
    let alone = begun.elapsed().as_secs_f64();
    Ok(vec![
        Reading::once("scripts", count as f64, "", Goal::None),
        Reading::once("the registry opened", opened, "ms", Goal::None),
        Reading::of("the first page of 100", &first, "ms", Goal::AtMost(5.0)),
        Reading::of("the last page of 100", &last, "ms", Goal::AtMost(5.0)),
        Reading::once("all of them counted", counting, "ms", Goal::None),
        Reading::once("and asked for again at once", counted, "ms", Goal::AtMost(1.0)),
        Reading::once("10,000 of 10,000 deleted by their tag", alone, "s", Goal::AtMost(1.0)),
        Reading::once("10,000 of all found by their tag and deleted", deleting, "s", Goal::None),
    ])
}

/// How long a page takes, in milliseconds, again and again.
async fn pages(
    registry: &Registry,
    namespace: &NamespaceName,
    after: Option<&ScriptName>,
    rounds: usize,
) -> Result<Vec<f64>, Error> {
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let begun = Instant::now();
        let page = registry.scripts_page(Some(namespace), None, after, PAGE).await?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        if page.len() != PAGE {
            return Err(format!("a page has {} scripts", page.len()).into());
        }
    }
    Ok(took)
}

/// Makes a namespace with so many scripts, of which the last have a tag.
async fn made(store: &Arc<SqliteStore>, namespace: &NamespaceName, count: usize) -> Result<(), Error> {
    let shared: Arc<dyn Store> = Arc::clone(store) as _;
    let registry = Registry::open_with(shared, Blobs::memory(), RegistryOptions::default()).await?;
    registry.create_namespace(NewNamespace::named(namespace.clone())).await?;
    let digest = registry.put_component(bytes::Bytes::from_static(b"a component")).await?;
    for (script, tags) in [("plain", vec![]), ("tagged", vec![Tag::parse("old")?])] {
        let code = Component::new(digest, 11).into();
        let draft = UploadDraft { code, tags: Some(tags), ..UploadDraft::default() };
        let key = ScriptKey::user(namespace.clone(), ScriptName::parse(script)?);
        registry.deploy(&key, Upload::parse(draft)?).await?;
    }
    let id = registry.namespace(namespace).await?.ok_or("the namespace is gone")?.id.clone();
    let record = async |script: &str| store.get(&format!("script/{id}/{script}")).await;
    let plain = record("plain").await?.ok_or("a script has no record")?.value;
    let tagged = record("tagged").await?.ok_or("a script has no record")?.value;
    for key in ["plain", "tagged"] {
        registry.delete_script(&ScriptKey::user(namespace.clone(), ScriptName::parse(key)?)).await?;
    }
    drop(registry);
    let from = count.saturating_sub(TAGGED);
    for batch in (0..count).collect::<Vec<_>>().chunks(BATCH) {
        let writes: Vec<Write> = batch
            .iter()
            .map(|number| {
                let record = if *number < from { &plain } else { &tagged };
                Write::put(format!("script/{id}/{}", name(*number)), record.clone())
            })
            .collect();
        let first = writes.first().ok_or("a batch has no record")?;
        store.append(&[Precondition::as_read(first.key().to_owned(), None)], &writes).await?;
    }
    let newest = store.revision().await?;
    store.compact(newest).await?;
    Ok(())
}
