//! A folder with a configuration and a data directory, and the real binary running in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::{Api, SmallDisk, eventually, guest, program, within};

/// What every server takes as its admin token.
const TOKEN: &str = "integration-test-token-0123456789abcdef";
/// Compiled code that servers of all tests share: a guest is compiled once, not once for each test. The key that
/// the code is signed with comes with it.
#[must_use]
pub fn shared_artifacts() -> PathBuf {
    program::scratch().join("artifacts")
}

/// A folder of its own, gone with the last owner.
#[derive(Clone)]
pub struct Site(Arc<TempDir>);

impl Site {
    /// A folder with this `wasmyard.toml`. Its compiled code is shared with other tests.
    pub fn new(config: &str) -> Site {
        let site = Site::with_own_artifacts(config);
        share_artifacts(&site.data());
        site
    }

    /// The same, with a cache of compiled code that begins empty.
    pub fn with_own_artifacts(config: &str) -> Site {
        let site = Site(Arc::new(tempfile::tempdir().unwrap()));
        std::fs::create_dir(site.data()).unwrap();
        site.write("wasmyard.toml", with_many_calls(config));
        site
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.path(".wasmyard")
    }

    /// Writes a file whole: whoever reads it sees the old one or the new one.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(&new, &path).unwrap();
    }

    /// `wasmyard serve` in this folder.
    pub async fn serve(&self) -> Server {
        Server::start(self, self.command(&["serve"])).await
    }

    /// The same, with the API at this address.
    pub async fn serve_with_api_at(&self, address: &str) -> Server {
        let command = self.command(&["serve", "--listen", "127.0.0.1:0", "--api-listen", address]);
        Server::start_as_it_is(self, command, Stdio::piped()).await
    }

    /// The same, with visitors at this address.
    pub async fn serve_with_visitors_at(&self, address: &str) -> Server {
        let command = self.command(&["serve", "--listen", address, "--api-listen", "127.0.0.1:0"]);
        Server::start_as_it_is(self, command, Stdio::piped()).await
    }

    /// The same, where its data directory is a small disk.
    pub async fn serve_on(&self, disk: &SmallDisk) -> Server {
        let mut command = disk.enter(self.0.path());
        command.arg(program::path()).arg("serve");
        Server::start(self, environment(command)).await
    }

    /// The same, with these variables in its environment.
    pub async fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        command.envs(variables.iter().copied());
        Server::start(self, command).await
    }

    /// The same, with its log on a stream of the test's own.
    pub async fn serve_logging_to(&self, log: impl Into<Stdio>) -> Server {
        Server::start_logging_to(self, self.command(&["serve"]), log.into()).await
    }

    /// The same, where only what a panic prints is kept.
    pub async fn serve_quietly(&self, log: impl Into<Stdio>) -> Server {
        let mut command = self.command(&["serve"]);
        command.env("WASMYARD_LOG", "off");
        Server::start_logging_to(self, command, log.into()).await
    }

    /// `wasmyard dev` in this folder.
    pub async fn dev(&self) -> Server {
        Server::start(self, self.command(&["dev"])).await
    }

    /// The same, with these variables in its environment.
    pub async fn dev_with(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["dev"]);
        command.envs(variables.iter().copied());
        Server::start(self, command).await
    }

    /// `wasmyard dev` of a folder in this one, whose scripts are built for guests.
    pub async fn dev_with_toolchain(&self, folder: &str) -> Server {
        let mut command = self.command(&["dev", folder]);
        command.env("RUSTUP_TOOLCHAIN", guest::toolchain());
        // What the test runner sets for its own program is not the build's.
        for inherited in ["LD_LIBRARY_PATH", "CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            command.env_remove(inherited);
        }
        Server::start(self, command).await
    }

    /// Any other command, to its end, in this folder.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        within(&format!("wasmyard {arguments:?}"), self.command(arguments).output()).await.unwrap()
    }

    /// The same, left to itself.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The same, with what it prints to be read.
    pub fn spawn_to_be_read(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program::path());
        command.args(arguments).current_dir(self.0.path());
        environment(command)
    }
}

/// A configuration by which a token may call as often as tests do, who look again and again until something is so.
fn with_many_calls(config: &str) -> String {
    const KEY: &str = "api_calls_per_token = 1000000\n";
    const SERVER: &str = "[server]\n";
    match config.find(SERVER) {
        _ if config.contains("api_calls_per_token") => config.to_owned(),
        Some(at) => {
            let (before, after) = config.split_at(at + SERVER.len());
            format!("{before}{KEY}{after}")
        }
        None => format!("{config}\n{SERVER}{KEY}"),
    }
}

/// What every command of a test starts with.
fn environment(mut command: Command) -> Command {
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.env("WASMYARD_API_TOKEN", TOKEN).env_remove("WASMYARD_API_URL").env_remove("WASMYARD_LOG");
    command
}

/// The binary, running. It is killed when this is dropped.
pub struct Server {
    child: Child,
    /// Where visitors connect.
    pub visitors: SocketAddr,
    api: SocketAddr,
    printed: Log,
    log: Log,
    _site: Site,
}

/// What the server has printed, line by line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Server {
    /// A server with this configuration, in a folder of its own.
    pub async fn serving(config: &str) -> Server {
        Site::new(config).serve().await
    }

    async fn start(site: &Site, command: Command) -> Server {
        Server::start_logging_to(site, command, Stdio::piped()).await
    }

    async fn start_logging_to(site: &Site, mut command: Command, stderr: Stdio) -> Server {
        command.args(["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]);
        Server::start_as_it_is(site, command, stderr).await
    }

    /// Starts what says by itself where to listen.
    async fn start_as_it_is(site: &Site, mut command: Command, stderr: Stdio) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let (printed, log) = (Log::default(), Log::default());
        printed.follow(child.stdout.take().unwrap());
        if let Some(stderr) = child.stderr.take() {
            log.follow(stderr);
        }
        let address = |name: &'static str| {
            let printed = printed.clone();
            eventually(name, move || std::future::ready(printed.address(name)))
        };
        let started = async { (address("visitors").await, address("api").await) };
        let (visitors, api) = tokio::select! {
            addresses = started => addresses,
            ended = child.wait() => panic!("it did not start ({ended:?}):\n{}", log.text()),
        };
        Server { child, visitors, api, printed, log, _site: site.clone() }
    }

    /// The control plane.
    pub fn api(&self) -> Api {
        Api::new(self.api, TOKEN)
    }

    /// Where visitors connect over TLS.
    pub async fn https(&self) -> SocketAddr {
        eventually("https", || std::future::ready(self.printed.address("https"))).await
    }

    /// Where the name server of delegated validation listens.
    pub async fn dcv(&self) -> SocketAddr {
        eventually("dcv", || std::future::ready(self.printed.address("dcv"))).await
    }

    /// Where clients of the S3 protocol are answered.
    pub async fn s3(&self) -> SocketAddr {
        eventually("s3", || std::future::ready(self.printed.address("s3"))).await
    }

    /// Where the API listens.
    pub fn api_address(&self) -> SocketAddr {
        self.api
    }

    /// The first line of the log that this says yes to, as JSON. Waits for it.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let looked = || {
            let lines = self.log.0.lock().unwrap();
            lines.iter().filter_map(|line| serde_json::from_str(line).ok()).find(&wanted)
        };
        eventually(what, || std::future::ready(looked())).await
    }

    /// Waits until a text was printed for people to read.
    pub async fn noted(&self, text: &str) {
        eventually(text, || std::future::ready(self.log.text().contains(text).then_some(()))).await;
    }

    /// All that was logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The value of one series of `/metrics`, written as it is there.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.api().text("/metrics").await;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// The value of one series once nothing is under way. A visit and an invocation are counted when they end, which may be
    /// after the visitor has the whole answer.
    pub async fn total(&self, series: &str) -> f64 {
        let idle = async || {
            let under_way = self.metric("wasmyard_requests_in_flight").await
                + self.metric("wasmyard_invocations_in_flight").await;
            (under_way == 0.0).then_some(())
        };
        eventually("nothing is under way", idle).await;
        self.metric(series).await
    }

    /// Waits until a series has this value.
    pub async fn counts(&self, series: &str, value: f64) {
        let what = format!("{series} is {value}");
        eventually(&what, async || (self.metric(series).await == value).then_some(())).await;
    }

    /// Bytes of memory that the process holds now, without what is shared with files.
    pub fn resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// SIGTERM: finish and go.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// SIGHUP: read the configuration again.
    pub fn hang_up(&self) {
        kill_process(self.pid(), Signal::HUP).unwrap();
    }

    /// SIGKILL, and the end of the process.
    pub async fn kill(mut self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
        within("the end of a killed process", self.child.wait()).await.unwrap();
    }

    /// How the process ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        within("the end of the process", self.child.wait()).await.unwrap()
    }

    /// How many descriptors the process has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process_id())).unwrap().count()
    }

    /// The id of the process, which must be running.
    pub fn process_id(&self) -> u32 {
        self.child.id().expect("the process has ended")
    }

    fn pid(&self) -> Pid {
        let id = self.child.id().expect("the process has ended");
        Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "beside the failure that it explains")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the server logged ---\n{}\n---", self.log.text());
        }
    }
}

impl Log {
    fn follow(&self, stream: impl AsyncRead + Unpin + Send + 'static) {
        let log = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.0.lock().unwrap().push(line);
            }
        });
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }

    /// The address in a line like `visitors  http://127.0.0.1:1234`.
    fn address(&self, name: &str) -> Option<SocketAddr> {
        let lines = self.0.lock().unwrap();
        let rest = lines.iter().find_map(|line| line.strip_prefix(name))?;
        let (_scheme, address) = rest.trim().split_once("://")?;
        Some(address.parse().unwrap())
    }
}

fn share_artifacts(data: &Path) {
    let shared = shared_artifacts();
    std::fs::create_dir_all(&shared).unwrap();
    let key = shared.join("node.key");
    if !key.exists() {
        // The same bytes whoever is first, so that servers that start together agree.
        let file = tempfile::NamedTempFile::new_in(&shared).unwrap();
        std::fs::write(file.path(), [7; 32]).unwrap();
        file.persist(&key).unwrap();
    }
    std::os::unix::fs::symlink(&shared, data.join("artifacts")).unwrap();
}
