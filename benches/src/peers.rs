//! The servers that are compared, each a process of its own that ends with the bench.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

pub(crate) const HYPER: &str = "bare hyper";
pub(crate) const WASMTIME: &str = "wasmtime serve";
/// Processor that the servers are tied to, so that the load generator does not compete with them.
const SERVER_CPU: &str = "0";

/// A running server.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// What to send as `Host`.
    pub(crate) host: String,
    /// Ends with the bench; a row that is only another host of the same server has none.
    _process: Option<Child>,
    _scratch: Option<tempfile::TempDir>,
}

/// Starts every server there is.
pub(crate) async fn start_all() -> Result<Vec<Peer>, Error> {
    let mut peers = vec![start_hyper().await?];
    peers.extend(start_wasmyard().await?);
    if let Some(wasmtime) = start_wasmtime().await? {
        peers.push(wasmtime);
    }
    Ok(peers)
}

/// The floor: hyper answering with a constant, on one thread.
pub(crate) async fn bare_hyper() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(|_| async {
            Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(
                b"Hello from Wasmyard!\n",
            ))))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn start_hyper() -> Result<Peer, Error> {
    let mut command = on_server_cpu(&std::env::current_exe()?);
    command.arg("hyper");
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let address = announced(&mut process, "").await?;
    Ok(Peer { name: HYPER, address, host: address.to_string(), _process: Some(process), _scratch: None })
}

/// One platform; its rows differ by the host that is asked for.
async fn start_wasmyard() -> Result<Vec<Peer>, Error> {
    let scratch = tempfile::tempdir()?;
    let guests = root().join("examples/target/wasm32-wasip2/release");
    let guest = |name: &str| -> Result<String, Error> {
        let path = guests.join(name);
        if path.is_file() {
            Ok(path.display().to_string())
        } else {
            Err(format!("{} is not there: run `make guests`", path.display()).into())
        }
    };
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_listen = \"127.0.0.1:0\"\ndata = \"data\"\n\
         [scripts.hello]\nmain = {hello:?}\n\
         [scripts.dispatcher]\nmain = {dispatcher:?}\n\
         bindings = [{{ type = \"dispatch_namespace\", name = \"DISPATCHER\", namespace = \"production\" }}]\n\
         [namespaces.production.scripts.customer-a]\nmain = {hello:?}\n\
         [[routes]]\npattern = \"one.localhost/*\"\nscript = \"hello\"\n\
         [[routes]]\npattern = \"*.localhost/*\"\nscript = \"dispatcher\"\n",
        hello = guest("hello.wasm")?,
        dispatcher = guest("dispatcher_subdomain.wasm")?,
    );
    let file = scratch.path().join("wasmyard.toml");
    std::fs::write(&file, config)?;
    let binary = std::env::current_exe()?.with_file_name("wasmyard");
    let mut command = on_server_cpu(&binary);
    command.arg("serve").arg("--config").arg(&file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().map_err(|error| {
        format!(
            "{}: {error}; build it in the same profile with `cargo build -p wasmyard-cli`",
            binary.display()
        )
    })?;
    let address = announced(&mut process, "visitors").await?;
    let row = |name, host: &str, process, scratch| Peer {
        name,
        address,
        host: host.to_owned(),
        _process: process,
        _scratch: scratch,
    };
    Ok(vec![
        row("wasmyard: route -> user script", "one.localhost", Some(process), Some(scratch)),
        row("wasmyard: dispatcher -> user script", "customer-a.localhost", None, None),
    ])
}

async fn start_wasmtime() -> Result<Option<Peer>, Error> {
    let found = Command::new("wasmtime").arg("--version").stdout(Stdio::null()).status().await;
    if !found.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let address = free_address().await?;
    let mut command = on_server_cpu(Path::new("wasmtime"));
    command
        .args(["serve", "-Scli", "--addr", &address.to_string()])
        .arg(root().join("examples/target/wasm32-wasip2/release/hello.wasm"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = command.spawn()?;
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_ok() {
            let host = address.to_string();
            return Ok(Some(Peer { name: WASMTIME, address, host, _process: Some(process), _scratch: None }));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("`wasmtime serve` did not open its port".into())
}

fn on_server_cpu(program: &Path) -> Command {
    let pinned = std::process::Command::new("taskset").args(["-c", SERVER_CPU, "true"]).status();
    let mut command = if pinned.is_ok_and(|status| status.success()) {
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CPU]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.kill_on_drop(true);
    command
}

/// Reads the address that a server prints when its port is open.
async fn announced(process: &mut Child, name: &str) -> Result<SocketAddr, Error> {
    let stdout = process.stdout.take().ok_or("the server's output is not piped")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix(name).and_then(|rest| rest.trim().strip_prefix("http://")) {
            return Ok(address.parse()?);
        }
    }
    Err("the server ended before it opened its port".into())
}

async fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
