//! After a start, code that is missing is compiled before anybody asks for it: all of it, where the engine is another one
//! or the folder of compiled code was removed. What was used last comes first, then what the platform itself runs, then
//! all others by their names. What scripts in JavaScript run in is made ready before the first visitor is served.
//!
//! Holds a page of the registry at a time. Must never be in the way of what somebody waits for: the runtime gives it a
//! place of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmyard_namespaces::{
    LimitSpec, Limits, NamespaceName, Registry, Script, ScriptKey, ScriptName, Version,
};
use wasmyard_runtime::{Metering, Runtime, Wanted};

use crate::schedule::every;

/// How many scripts are looked at, and held, at a time.
const PAGE: usize = 64;
/// Of how many namespaces the first scripts are looked at before anybody is served.
const MOST_LOOKED_AT: usize = 64;
/// How many scripts are listed as used last.
const MOST_RECENT: usize = 1_000;
/// The list is no longer than that: names are short.
const MOST_LIST_BYTES: u64 = 1 << 20;
/// How often the list is written, beside the end.
const EVERY: Duration = Duration::from_secs(300);

/// What is looked through, and what for.
pub(crate) struct Recompiling {
    pub(crate) registry: Registry,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) limits: Limits,
    /// Where the scripts are listed that were used last.
    pub(crate) list: PathBuf,
}

impl Recompiling {
    /// Looks through what is deployed once, and keeps the list until it is stopped.
    pub(crate) async fn run(self, stopped: CancellationToken) {
        let all = async {
            match self.everything().await {
                Ok(0) => tracing::debug!("no code was missing"),
                Ok(compiled) => tracing::info!(compiled, "compiled what was missing"),
                Err(error) => tracing::warn!(error, "code that is missing is compiled when it is asked for"),
            }
        };
        let listing = async {
            every(self.registry.clock(), EVERY, EVERY, || self.write_list()).await;
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(all, listing) } => {}
            () = stopped.cancelled() => {}
        }
        self.write_list().await;
    }

    /// Makes the JavaScript engine ready where scripts are written for it: compiling it takes seconds, once for each build, and
    /// nobody's first visitor is to wait for that.
    pub(crate) async fn engines(&self) {
        let meterings = match self.javascript().await {
            Ok(meterings) => meterings,
            Err(error) => {
                return tracing::warn!(error, "the JavaScript engine is made ready when it is asked for");
            }
        };
        for metering in meterings {
            if let Err(error) = self.runtime.make_javascript_ready(metering).await {
                tracing::error!(%error, "scripts in JavaScript do not run");
            }
        }
    }

    /// How scripts in JavaScript are metered, of those that are looked at: those that were used last, then the first ones of
    /// the platform and of each namespace. What is missed is made ready when it is asked for.
    async fn javascript(&self) -> Result<Vec<Metering>, String> {
        let mut found = Vec::new();
        let mut look = |script: &Script| {
            for (version, _) in script.serving().filter(|(version, _)| version.code.is_javascript()) {
                let metering = Metering::of(&self.limits_of(script, version));
                if !found.contains(&metering) {
                    found.push(metering);
                }
            }
        };
        for key in read_list(&self.list) {
            self.registry.script(&key).await.map_err(|error| error.to_string())?.as_deref().map(&mut look);
        }
        let namespaces = self.registry.namespaces().await.map_err(|error| error.to_string())?;
        let names = namespaces.iter().map(|namespace| Some(&namespace.name)).take(MOST_LOOKED_AT);
        for namespace in std::iter::once(None).chain(names) {
            let page = self.registry.scripts_page(namespace, None, None, PAGE).await;
            page.map_err(|error| error.to_string())?.iter().for_each(|script| look(script));
        }
        Ok(found)
    }

    /// Compiles what is missing of everything. Says how much that was.
    async fn everything(&self) -> Result<u64, String> {
        let mut compiled = 0;
        for key in read_list(&self.list) {
            if let Some(script) = self.registry.script(&key).await.map_err(|error| error.to_string())? {
                compiled += u64::from(self.one(&script).await);
            }
        }
        compiled += self.all_of(None).await?;
        for namespace in self.registry.namespaces().await.map_err(|error| error.to_string())? {
            compiled += self.all_of(Some(&namespace.name)).await?;
        }
        Ok(compiled)
    }

    /// The same for the scripts of one namespace, or for platform scripts.
    async fn all_of(&self, namespace: Option<&NamespaceName>) -> Result<u64, String> {
        let (mut compiled, mut after): (u64, Option<ScriptName>) = (0, None);
        loop {
            let page = self.registry.scripts_page(namespace, None, after.as_ref(), PAGE).await;
            let page = page.map_err(|error| error.to_string())?;
            let Some(last) = page.last() else { return Ok(compiled) };
            after = Some(last.key.script().clone());
            for script in &page {
                compiled += u64::from(self.one(script).await);
            }
        }
    }

    /// Whether it was compiled. What cannot be is in the log already.
    async fn one(&self, script: &Script) -> bool {
        let mut compiled = false;
        for (version, _) in script.serving() {
            compiled |= self.version(script, version).await;
        }
        compiled
    }

    async fn version(&self, script: &Script, version: &Version) -> bool {
        let Some(digest) = version.code.loads() else { return false };
        let limits = self.limits_of(script, version);
        let wanted = Wanted { metering: Metering::of(&limits), digest, script: Some(script.key.clone()) };
        let registry = self.registry.clone();
        let component = async move { registry.component(&digest).await.map_err(|error| error.to_string()) };
        self.runtime.compile_in_background(wanted, component).await.unwrap_or_default()
    }

    fn limits_of(&self, script: &Script, version: &Version) -> Limits {
        let namespace = script.key.namespace().and_then(|name| self.registry.namespace_cached(name));
        let of_namespace = namespace.map_or_else(LimitSpec::default, |namespace| namespace.limits);
        Limits::tightest(&self.limits, &[&of_namespace, &version.limits])
    }

    async fn write_list(&self) {
        let recent = self.runtime.recently_used(MOST_RECENT);
        let path = self.list.clone();
        let written = tokio::task::spawn_blocking(move || write_list(&path, &recent));
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the list of recently used scripts could not be written")
            }
            Err(error) => tracing::warn!(%error, "the list of recently used scripts could not be written"),
        }
    }
}

/// The list as it was left, or as much of it as can be read: it is a hint.
fn read_list(path: &Path) -> Vec<ScriptKey> {
    if std::fs::metadata(path).map_or(true, |meta| meta.len() > MOST_LIST_BYTES) {
        return Vec::new();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().take(MOST_RECENT).filter_map(key).collect()
}

fn key(line: &str) -> Option<ScriptKey> {
    Some(match line.split_once('/') {
        Some((namespace, script)) => ScriptKey::user(namespace.parse().ok()?, script.parse().ok()?),
        None => ScriptKey::Platform(line.parse().ok()?),
    })
}

/// Whole or not at all.
fn write_list(path: &Path, recent: &[ScriptKey]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for key in recent {
        writeln!(file, "{key}")?;
    }
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_scripts_is_read_as_it_was_written_and_anything_else_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recent");
        assert_eq!(read_list(&path), []);
        let keys = ["edge", "customers/one"].map(|line| key(line).unwrap());
        write_list(&path, &keys).unwrap();
        assert_eq!(read_list(&path), keys);
        std::fs::write(&path, "edge\n../x\n\n\u{0}\ncustomers/one\na/b/c\n").unwrap();
        assert_eq!(read_list(&path), keys);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written is left");
    }
}
