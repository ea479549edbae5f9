//! The client commands: one file for each noun, each the same way round - ask the API, show the answer.
//!
//! Owns what they share: finding the API and the paths of scripts. It must never hold an HTTP detail
//! (`client` does) or a colour or column (`output` does).

pub mod any_call;
pub mod audit;
pub mod authority;
pub mod check;
pub mod cron;
pub mod d1;
pub mod deploy;
pub mod hostname;
pub mod key;
pub mod namespace;
pub mod queues;
pub mod r2;
pub mod script;
pub mod secret;
pub mod start;
pub mod tags;
pub mod tail;
pub mod token;
pub mod types;
pub mod versions;
pub mod zone;

use std::path::Path;

use clap::CommandFactory as _;
use serde_json::Value;
use wasmyard_node::machine::Machine;
use wasmyard_node::{FileChecker, config};

use crate::args::{ApiArgs, ChangeArgs, Cli, Command};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;

/// Runs one command to its end.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: Command, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Init(args) => crate::init::run(&args, output),
        Command::Dev(args) => start::dev(&args, output).await,
        Command::Serve(args) => start::serve(&args, output).await,
        Command::Namespace(command) => namespace::run(command, output).await,
        Command::Deploy(args) => deploy::run(args, output).await,
        Command::Script(command) => script::run(command, output).await,
        Command::Secret(command) => secret::run(command, output).await,
        Command::Tags(command) => tags::run(command, output).await,
        Command::D1(command) => d1::run(command, output).await,
        Command::R2(command) => r2::run(command, output).await,
        Command::Api(args) => any_call::run(&args, output).await,
        Command::Key(command) => key::run(command, output).await,
        Command::Cron(command) => cron::run(command, output).await,
        Command::Tail(args) => tail::run(&args, output).await,
        Command::Queues(command) => queues::run(command, output).await,
        Command::Versions(command) => versions::run(command, output).await,
        Command::Deployments(command) => versions::deployments(command, output).await,
        Command::Rollback(args) => versions::rollback(args, output).await,
        Command::Zone(command) => zone::run(command, output).await,
        Command::Hostname(command) => hostname::run(command, output).await,
        Command::Authority(command) => authority::run(command, output).await,
        Command::Token(command) => token::run(command, output).await,
        Command::Audit(args) => audit::run(args, output).await,
        Command::Check(args) => {
            let modules = FileChecker::new();
            let modules = modules.as_ref().map(|checker| checker as &dyn check::ModuleCheck);
            check::run(&args, modules, &Machine::here(), output).await
        }
        Command::Wit(args) => crate::wit::run(&args, output),
        Command::Types(args) => types::run(&args, output).await,
        Command::Completion { shell } => {
            completion(shell).lines().for_each(|line| output.line(line));
            Ok(())
        }
        Command::CompileComponent(_) => {
            Err(Failure::Usage("compile-component is for the platform itself".to_owned()))
        }
    }
}

/// What completes commands in a shell: those that people type.
fn completion(shell: clap_complete::Shell) -> String {
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut shown = clap::Command::new("wasmyard").subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "wasmyard", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The client for the API that `args` and the current folder point to; its remarks go to `output`.
fn client(args: &ApiArgs, output: &Output) -> Result<Client, Failure> {
    Ok(Client::find(args, &config::local_api(Path::new(".")))?.telling(output))
}

/// The query of a change that may be forced.
fn forced(change: &ChangeArgs) -> &'static [(&'static str, &'static str)] {
    if change.force { &[("force", "true")] } else { &[] }
}

/// What a deletion says in its query.
fn deletion(change: &ChangeArgs, purge: bool) -> Vec<(&'static str, &'static str)> {
    let purge = purge.then_some(("purge", "true"));
    forced(change).iter().copied().chain(purge).collect()
}

/// The path of a script, or of something below it, under `/accounts/{id}/workers`.
fn script_path<'a>(namespace: Option<&'a str>, script: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let mut path = scripts_path(namespace);
    path.push(script);
    path.extend_from_slice(rest);
    path
}

/// The path of all scripts of a namespace, or of the platform scripts.
fn scripts_path(namespace: Option<&str>) -> Vec<&str> {
    match namespace {
        Some(namespace) => vec!["dispatch", "namespaces", namespace, "scripts"],
        None => vec!["scripts"],
    }
}

/// A script as messages name it.
fn script_shown(namespace: Option<&str>, script: &str) -> String {
    namespace.map_or_else(|| script.to_owned(), |namespace| format!("{namespace}/{script}"))
}

/// A field of an answer as text for a table: empty when it is missing or null.
fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().map(|item| text(item, "")).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

/// The rows of an answer that is a list.
fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A time of the API to the second: what is behind it matters to programs, which have `--json`.
fn moment(value: &Value, pointer: &str) -> String {
    let text = text(value, pointer);
    match text.split_once('.') {
        Some((seconds, _)) if text.ends_with('Z') => format!("{seconds}Z"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::tests::captured;

    #[tokio::test]
    async fn every_shell_has_a_completion_that_names_what_people_type() {
        for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants().iter().copied() {
            let (output, results, _) = captured();
            run(Command::Completion { shell }, &output).await.unwrap();
            let script = results.text();
            assert!(script.lines().count() > 50, "{shell}: the script has its lines");
            for command in ["deploy", "namespace", "secret", "assets"] {
                assert!(script.contains(command), "{shell}: {command}");
            }
            assert!(!script.contains("compile-component"), "{shell}");
        }
    }

    #[test]
    fn a_user_script_lies_below_its_namespace() {
        assert_eq!(
            script_path(Some("production"), "a", &["tags"]),
            ["dispatch", "namespaces", "production", "scripts", "a", "tags"]
        );
        assert_eq!(script_path(None, "a", &[]), ["scripts", "a"]);
    }

    #[test]
    fn fields_become_text() {
        let value = json!({"a": "x", "b": 3, "c": null, "d": ["p", "q"], "e": {"f": true}});
        assert_eq!(text(&value, "/a"), "x");
        assert_eq!(text(&value, "/b"), "3");
        assert_eq!(text(&value, "/c"), "");
        assert_eq!(text(&value, "/d"), "p, q");
        assert_eq!(text(&value, "/e/f"), "true");
        assert_eq!(text(&value, "/z"), "");
    }

    #[test]
    fn times_are_shown_to_the_second() {
        let value = json!({"t": "2026-01-02T03:04:05.678901Z", "u": "2026-01-02T03:04:05Z"});
        assert_eq!(moment(&value, "/t"), "2026-01-02T03:04:05Z");
        assert_eq!(moment(&value, "/u"), "2026-01-02T03:04:05Z");
    }
}
