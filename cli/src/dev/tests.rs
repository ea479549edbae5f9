//! The loop with real files and real build commands, and a platform that only writes down what it is told.

use std::fs;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::*;
use crate::output::tests::{Sink, captured};
use crate::testing::{PATIENCE, eventually, gone, line_in};

/// What the platform was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Deployed(String, String),
    Failed(String, String),
    Reloaded(usize),
}

struct Recorder(mpsc::UnboundedSender<Told>);

#[async_trait]
impl DevPlatform for Recorder {
    async fn deploy(&self, script: &ScriptConfig) -> Result<(), String> {
        let text = fs::read_to_string(script.main.as_ref().unwrap()).unwrap();
        if text.contains("refuse me") {
            return Err("it is no component".to_owned());
        }
        self.0.send(Told::Deployed(script.key.to_string(), text.trim().to_owned())).unwrap();
        Ok(())
    }

    async fn fail(&self, script: &ScriptKey, message: String) {
        self.0.send(Told::Failed(script.to_string(), message)).unwrap();
    }

    async fn reload_config(&self, config: &ResolvedConfig) -> Result<(), String> {
        self.0.send(Told::Reloaded(config.routes.len())).unwrap();
        Ok(())
    }
}

struct Session {
    folder: tempfile::TempDir,
    told: mpsc::UnboundedReceiver<Told>,
    notes: Sink,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), Failure>>,
}

const CONFIG: &str = r#"
[scripts.a]
main = "out/a.wasm"
build = { command = "sh build.sh", watch = ["src"] }

[[routes]]
pattern = "*/*"
script = "a"
"#;

impl Session {
    /// Starts in a project whose build copies `src/a` to `out/a.wasm`, and fails when there is none.
    async fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("src")).unwrap();
        fs::write(path("src/a"), "one").unwrap();
        fs::write(path("build.sh"), "mkdir -p out && cp src/a out/a.tmp && mv out/a.tmp out/a.wasm").unwrap();
        fs::write(path("wasmyard.toml"), config).unwrap();
        let source = ConfigSource::find(None, folder.path()).unwrap();
        let (config, _) = config::load(source, Purpose::Dev).unwrap();
        let (output, _, notes) = captured();
        let (sender, told) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let ended =
            tokio::spawn(async move { run(config, Arc::new(Recorder(sender)), &output, stopped).await });
        Self { folder, told, notes, stop, ended }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    async fn next(&mut self) -> Told {
        match tokio::time::timeout(PATIENCE, self.told.recv()).await {
            Ok(Some(told)) => told,
            _ => panic!("the platform was told nothing more; the terminal shows:\n{}", self.notes.text()),
        }
    }

    async fn expect_deployed(&mut self, text: &str) {
        assert_eq!(self.next().await, Told::Deployed("a".to_owned(), text.to_owned()));
    }

    async fn expect_failed(&mut self) -> String {
        match self.next().await {
            Told::Failed(script, message) if script == "a" => message,
            other => panic!("{other:?}"),
        }
    }

    async fn end(self) -> String {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
        self.notes.text()
    }
}

#[tokio::test]
async fn a_change_of_a_source_is_built_and_deployed() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    session.write("src/a", "two");
    session.expect_deployed("two").await;
    let shown = session.end().await;
    assert!(shown.contains("[a] building: sh build.sh") && shown.contains("[a] deployed"), "{shown}");
}

#[tokio::test]
async fn a_broken_build_is_told_and_the_next_good_one_deployed() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    session.write("build.sh", "echo 'error[E0425]: no such thing' >&2; exit 1");
    session.write("src/a", "two");
    let message = session.expect_failed().await;
    assert!(message.contains("error[E0425]: no such thing"), "{message}");
    // Mended by going back: what is built is what serves, and yet the message must go.
    session.write("build.sh", "cp src/a out/a.wasm");
    session.write("src/a", "one");
    session.expect_deployed("one").await;
    let shown = session.end().await;
    assert!(shown.contains("[a] error[E0425]: no such thing"), "{shown}");
    assert!(shown.contains("[a] build failed: the last good version goes on serving"), "{shown}");
}

#[tokio::test]
async fn a_component_that_is_refused_is_told() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    session.write("src/a", "refuse me");
    assert_eq!(session.expect_failed().await, "it is no component");
    session.write("src/a", "three");
    session.expect_deployed("three").await;
    session.end().await;
}

#[tokio::test]
async fn an_outdated_build_is_stopped_and_never_deployed() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    session.write(
        "build.sh",
        "cp src/a seen; if grep -q slow seen; then touch started; sleep 1000; fi; cp seen out/a.wasm",
    );
    session.write("src/a", "slow");
    let started = session.path("started");
    eventually("the slow build", || started.exists().then_some(())).await;
    session.write("src/a", "quick");
    session.expect_deployed("quick").await;
    let shown = session.end().await;
    assert!(shown.contains("[a] changed while it was being built"), "{shown}");
}

#[tokio::test]
async fn a_component_without_a_build_is_deployed_when_it_changes() {
    let config = CONFIG.replace("build = { command = \"sh build.sh\", watch = [\"src\"] }", "");
    let mut session = Session::start(&config).await;
    let message = session.expect_failed().await;
    assert!(message.contains("as soon as it appears"), "{message}");
    fs::create_dir(session.path("out")).unwrap();
    session.write("out/a.wasm", "by hand");
    session.expect_deployed("by hand").await;
    session.write("out/beside", "new");
    fs::rename(session.path("out/beside"), session.path("out/a.wasm")).unwrap();
    session.expect_deployed("new").await;
    session.end().await;
}

#[tokio::test]
async fn a_build_that_makes_nothing_is_told() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    // By itself that is no failure: what serves does not need the file.
    fs::remove_dir_all(session.path("out")).unwrap();
    session.write("build.sh", "true");
    session.write("src/a", "two");
    let message = session.expect_failed().await;
    assert!(message.contains("does the build command make it there?"), "{message}");
    session.end().await;
}

#[tokio::test]
async fn a_changed_configuration_is_taken_over() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    // New lines move everything and mean nothing.
    session.write("wasmyard.toml", &format!("# a comment\n{CONFIG}"));
    let more = format!("{CONFIG}\n[[routes]]\npattern = \"b.localhost/*\"\nrespond = 404\n");
    session.write("wasmyard.toml", &more);
    assert_eq!(session.next().await, Told::Reloaded(2));
    // Another var means another version of the same component.
    let var = more.replace("main = ", "vars = { X = \"1\" }\nmain = ");
    session.write("wasmyard.toml", &var);
    assert_eq!(session.next().await, Told::Reloaded(2));
    session.expect_deployed("one").await;
    let second = format!("{var}\n[scripts.b]\nmain = \"b.wasm\"\n");
    session.write("b.wasm", "b");
    session.write("wasmyard.toml", &second);
    assert_eq!(session.next().await, Told::Reloaded(2));
    assert_eq!(session.next().await, Told::Deployed("b".to_owned(), "b".to_owned()));
    // The new one is watched, too.
    session.write("b.wasm", "b2");
    assert_eq!(session.next().await, Told::Deployed("b".to_owned(), "b2".to_owned()));
    let notes = session.notes.clone();
    assert!(!notes.text().contains("[server]"), "{}", notes.text());
    session.write("wasmyard.toml", &format!("{second}\n[server]\nlisten = \"127.0.0.1:1\"\n"));
    eventually("the advice", || notes.text().contains("takes effect with the next start").then_some(()))
        .await;
    session.end().await;
}

#[tokio::test]
async fn a_configuration_with_mistakes_changes_nothing() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    session.write("wasmyard.toml", "[servr]\n");
    let notes = session.notes.clone();
    eventually("the report", || notes.text().contains("stays in force").then_some(())).await;
    assert!(notes.text().contains("did you mean `server`?"), "{}", notes.text());
    session.write("src/a", "two");
    session.expect_deployed("two").await;
    session.end().await;
}

#[tokio::test]
async fn ending_ends_builds_that_are_running() {
    let mut session = Session::start(CONFIG).await;
    session.expect_deployed("one").await;
    session.write("build.sh", "sleep 1000 & echo $! > pid; wait");
    session.write("src/a", "two");
    let pid_file = session.path("pid");
    let pid = line_in(&pid_file).await;
    session.end().await;
    gone(&pid).await;
}
