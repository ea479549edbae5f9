//! workerd itself, with the same scripts. `make workerd-test` installs it from npm and runs this.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

use super::{FILES, of_workerd};
use crate::data::javascript::rpc;
use crate::support::eventually;

/// The program that `scripts/workerd-tests.sh` names.
fn program() -> PathBuf {
    PathBuf::from(std::env::var_os("WORKERD").expect("`make workerd-test` names the program by WORKERD"))
}

/// The script with all of its files on a port of its own.
fn config(port: u16) -> String {
    let modules: Vec<String> =
        FILES.iter().map(|(name, _)| format!("(name = \"{name}\", esModule = embed \"{name}\")")).collect();
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n\
         \x20 services = [(name = \"main\", worker = .worker)],\n\
         \x20 sockets = [(name = \"http\", address = \"127.0.0.1:{port}\", http = (), service = \"main\")],\n\
         );\n\
         const worker :Workerd.Worker = (modules = [{}], compatibilityDate = \"2026-11-01\");\n",
        modules.join(", ")
    )
}

fn started(folder: &Path, files: &[(&str, &str)], config: &str) -> Child {
    for (name, source) in files {
        std::fs::write(folder.join(name), source).unwrap();
    }
    std::fs::write(folder.join("config.capnp"), config).unwrap();
    let mut command = Command::new(program());
    command.arg("serve").arg(folder.join("config.capnp")).stdout(Stdio::null()).stderr(Stdio::inherit());
    command.kill_on_drop(true).spawn().unwrap()
}

#[tokio::test]
async fn what_is_kept_of_workerd_is_what_it_says() {
    is_what_it_says(&FILES, config, of_workerd(), "web/workerd.json").await;
}

#[tokio::test]
async fn what_is_kept_of_calls_in_workerd_is_what_it_says() {
    is_what_it_says(&rpc::FILES, rpc::config_of_workerd, rpc::of_workerd(), "rpc/workerd.json").await;
}

async fn is_what_it_says(
    files: &[(&str, &str)],
    config: fn(u16) -> String,
    kept: BTreeMap<String, Value>,
    file: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _workerd = started(folder.path(), files, &config(port));
    let client = reqwest::Client::new();
    let ask = |path: String| {
        let asked = client.get(format!("http://127.0.0.1:{port}/{path}")).header("host", "a.test").send();
        async { asked.await.ok()?.json::<Value>().await.ok() }
    };
    let names = eventually("workerd", || ask(String::new())).await;
    let mut said = BTreeMap::new();
    for name in names.as_array().unwrap() {
        let name = name.as_str().unwrap().to_owned();
        said.insert(name.clone(), ask(name).await.unwrap_or(Value::Null));
    }
    let mut wrong = Vec::new();
    for name in said.keys().chain(kept.keys()) {
        let (said, kept) = (said.get(name), kept.get(name));
        if said != kept {
            let shown = |answer: Option<&Value>| answer.map_or("nothing".to_owned(), Value::to_string);
            wrong.push(format!("{name}\n   says {}\n   kept {}", shown(said), shown(kept)));
        }
    }
    wrong.dedup();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file.replace('/', "-"));
    std::fs::write(&all, serde_json::to_string_pretty(&said).unwrap()).unwrap();
    let (all, wrong_list) = (all.display(), wrong.join("\n"));
    assert!(wrong.is_empty(), "{file} is to be changed; all that it says is in {all}\n{wrong_list}");
}
