//! `wasmyard check`: everything that can be known to be wrong before anything starts.
//!
//! Owns the order of the report: configuration first, then each module that exists. It must never start,
//! build or change anything.

use std::path::Path;

use async_trait::async_trait;
use serde_json::json;
use wasmyard_node::FileChecker;
use wasmyard_node::config::{self, ConfigSource, Fault, Faults, Purpose, ResolvedConfig};
use wasmyard_node::machine::{self, Machine};

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output::Output;

/// Validates one component file: supplied by whoever knows the engine.
#[async_trait]
pub trait ModuleCheck: Send + Sync {
    /// Says whether the platform would take the component.
    ///
    /// # Errors
    /// The text that an upload would be refused with.
    async fn check(&self, path: &Path) -> Result<(), String>;
}

#[async_trait]
impl ModuleCheck for FileChecker {
    async fn check(&self, path: &Path) -> Result<(), String> {
        FileChecker::check(self, path).await
    }
}

/// Checks the configuration, whether it fits this machine, and every module with `modules` where it is given.
///
/// # Errors
/// [`Failure::Config`] with all findings.
pub async fn run(
    args: &CheckArgs,
    modules: Option<&dyn ModuleCheck>,
    machine: &Machine,
    output: &Output,
) -> Result<(), Failure> {
    let folder = Path::new(".");
    let found = ConfigSource::find(args.config.as_deref(), folder)
        .and_then(|source| config::required(source, folder))
        .and_then(|source| config::load(source, Purpose::Check));
    let (config, mut findings) = match found {
        Ok((config, warnings)) => (Some(config), warnings),
        Err(faults) => (None, faults),
    };
    if let Some(config) = &config {
        let (capacity, of_machine) = machine::capacity(config, machine);
        findings.list.extend(of_machine);
        check_assets(config, &mut findings.list);
        if let Some(modules) = modules {
            check_modules(config, modules, &mut findings.list).await;
        }
        findings.sort();
        if !args.json {
            output.note(&capacity.shown);
        }
    }
    report(&findings, args.json, output)
}

async fn check_modules(config: &ResolvedConfig, modules: &dyn ModuleCheck, findings: &mut Vec<Fault>) {
    let mains = config.scripts.iter().filter_map(|script| Some((script, script.main.as_ref()?)));
    for (script, main) in mains.filter(|(_, main)| main.is_file()) {
        if let Err(refusal) = modules.check(main).await {
            let shown = main.strip_prefix(&config.source.root).unwrap_or(main);
            let fault = Fault::new(script.line, format!("{}.main", script.key), refusal);
            findings.push(fault.value(format!("{:?}", shown.display().to_string())));
        }
    }
}

/// Looks at every file that would be served: names, sizes, and how many there are; and at the rules of serving.
fn check_assets(config: &ResolvedConfig, findings: &mut Vec<Fault>) {
    for script in &config.scripts {
        let Some(assets) = script.assets.as_ref().filter(|assets| assets.directory.is_dir()) else {
            continue;
        };
        let key = format!("{}.assets", script.key);
        match assets.scan() {
            Ok(folder) => {
                let told = |file: &Path, expected: String| {
                    let file = file.strip_prefix(&config.source.root).unwrap_or(file);
                    let fault = Fault::new(script.line, key.clone(), expected);
                    fault.value(format!("{:?}", file.display().to_string())).warning()
                };
                findings.extend(folder.private.iter().map(|file| {
                    told(file, "such files hold secrets or a history, and are left out".to_owned())
                }));
                findings
                    .extend(folder.links.iter().map(|link| told(link, "links are not served".to_owned())));
                findings.extend(folder.config.mistakes().iter().map(|(file, mistake)| {
                    told(&assets.directory.join(file), format!("{mistake}; this line is left out"))
                }));
            }
            Err(error) => findings.push(Fault::new(script.line, key, error.to_string())),
        }
    }
}

fn report(findings: &Faults, as_json: bool, output: &Output) -> Result<(), Failure> {
    if as_json {
        output.json(&json!({
            "file": findings.file,
            "ok": !findings.any_error(),
            "findings": findings.list,
        }));
    }
    if findings.any_error() {
        return Err(Failure::Config(findings.clone()));
    }
    if !findings.list.is_empty() {
        output.note(&findings.to_string());
    }
    if !as_json {
        output.line("ok");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::captured;

    struct RefuseAll;
    #[async_trait]
    impl ModuleCheck for RefuseAll {
        async fn check(&self, _: &Path) -> Result<(), String> {
            Err("no component".to_owned())
        }
    }

    fn project(text: &str) -> (tempfile::TempDir, CheckArgs) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wasmyard.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::write(folder.path().join("a.wasm"), b"no component").unwrap();
        (folder, CheckArgs { config: Some(file), json: false })
    }

    const GOOD: &str = "[scripts.a]\nmain = \"a.wasm\"\n[[routes]]\npattern = \"*/*\"\nscript = \"a\"\n";

    #[tokio::test]
    async fn a_good_file_is_ok() {
        let (_folder, args) = project(GOOD);
        let (output, results, _) = captured();
        run(&args, None, &Machine::default(), &output).await.unwrap();
        assert_eq!(results.text(), "ok\n");
    }

    #[tokio::test]
    async fn every_finding_is_told_and_the_exit_code_is_64() {
        let (_folder, args) = project("[server]\nlisen = 1\n[scripts.a]\nmain = \"missing.wasm\"\n");
        let (output, results, _) = captured();
        let failure = run(&args, None, &Machine::default(), &output).await.unwrap_err();
        assert_eq!(failure.exit_code(), 64);
        let text = failure.to_string();
        assert!(text.contains(":2: server.lisen: there is no such key; did you mean `listen`?"), "{text}");
        assert!(text.contains(":4: scripts.a.main = \"missing.wasm\": there is no such file"), "{text}");
        assert!(text.contains("error: 2 mistakes in "), "{text}");
        assert_eq!(results.text(), "");
    }

    #[tokio::test]
    async fn modules_are_checked_by_whoever_knows_how() {
        let (_folder, args) = project(GOOD);
        let (output, _, _) = captured();
        let failure = run(&args, Some(&RefuseAll), &Machine::default(), &output).await.unwrap_err();
        assert!(failure.to_string().contains("a.main = \"a.wasm\": no component"), "{failure}");
    }

    #[tokio::test]
    async fn what_this_machine_cannot_give_is_told_as_well() {
        let (_folder, args) = project(GOOD);
        let (output, _, notes) = captured();
        let small = Machine { memory: Some(4 << 30), files: Some(5_120), ..Machine::default() };
        run(&args, None, &small, &output).await.unwrap();
        let text = notes.text();
        assert!(text.contains("guests may hold 3GiB together"), "{text}");
        assert!(text.contains("warning: server.max_connections = 8192: lowered to 2048"), "{text}");
    }

    #[tokio::test]
    async fn json_holds_the_findings() {
        let (_folder, mut args) = project("[server]\nlisen = 1\n");
        args.json = true;
        let (output, results, _) = captured();
        assert_eq!(run(&args, None, &Machine::default(), &output).await.unwrap_err().exit_code(), 64);
        let report: serde_json::Value = serde_json::from_str(&results.text()).unwrap();
        assert_eq!(report["ok"], false);
        assert_eq!(report["findings"][0]["line"], 2);
        assert_eq!(report["findings"][0]["key"], "server.lisen");
    }

    #[tokio::test]
    async fn a_folder_without_a_configuration_is_told_how_to_get_one() {
        let folder = tempfile::tempdir().unwrap();
        let args = CheckArgs { config: Some(folder.path().join("wasmyard.toml")), json: false };
        let (output, _, _) = captured();
        let failure = run(&args, None, &Machine::default(), &output).await.unwrap_err();
        assert_eq!(failure.exit_code(), 64);
        assert!(failure.to_string().contains("wasmyard init"), "{failure}");
    }
}
