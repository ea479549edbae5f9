//! The whole program on threads of this process, asked over loopback by a thread that is not counted.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wasmyard_benches::client;
use wasmyard_benches::load::{Aim, busy};
use wasmyard_benches::servers::hyper;
use wasmyard_benches::servers::wasmyard::{Budget, Site};
use wasmyard_events::Form;
use wasmyard_node::config::{self, ConfigSource, Purpose};
use wasmyard_node::{Serving, Storage};

use super::{Cost, Stopwatch, others};
use crate::counting;
use crate::fixture::Error;

const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

fn site() -> Result<Site, Error> {
    let mut site = Site::new("site-ledger", Budget::AsShipped)?;
    site.guarded()?;
    Ok(site)
}

/// Has the shipped binary compile what the ledger runs: the same engine, the same folder.
pub(super) fn prepare() -> Result<(), Error> {
    site()?.serve()?.process.end()
}

/// Serves and measures; prints figures as JSON on the last line.
pub(crate) fn serve(quick: bool) -> Result<(), Error> {
    counting::exempt_this_thread();
    let time = Duration::from_millis(if quick { 300 } else { 3_000 });
    let config = site()?.write()?;
    let [visitors, api, bare] = [free()?, free()?, free()?];
    let platform = std::thread::spawn(move || platform(&config, visitors, api));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { hyper::answer(tokio::net::TcpListener::bind(bare).await?).await })
    });
    for address in [visitors, bare] {
        opened(address, &platform)?;
    }
    let [hyper, one, two, tail, three] = [
        Aim::at(bare, "one.localhost"),
        Aim::at(visitors, "customer-a.apps.localhost"),
        Aim::at(visitors, "customer-a.localhost"),
        Aim::at(visitors, "customer-a.tail.localhost"),
        Aim::at(visitors, "caller.guarded.localhost"),
    ];
    let mut figures = json!({ "anew": anew(&one, if quick { 200 } else { 5_000 })?.to_json() });
    for (name, aim) in [("hyper", hyper), ("one", one), ("two", two), ("tail", tail), ("three", three)] {
        aim.check()?;
        busy(&aim, CONNECTIONS, time / 10)?;
        if let Value::Object(figures) = &mut figures {
            figures.insert(name.to_owned(), kept_alive(&aim, time)?.to_json());
        }
    }
    println!("{figures}");
    Ok(())
}

/// A node, as `wasmyard serve` runs it, but for the number of its threads.
fn platform(config: &Path, visitors: SocketAddr, api: SocketAddr) -> Result<(), Error> {
    let source = ConfigSource::find(Some(config), Path::new("."))?;
    let (mut config, _warnings) = config::load(source, Purpose::Serve)?;
    (config.server.listen, config.server.api_listen) = (visitors, api);
    wasmyard_node::start_logs(Form::Json)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let storage = Storage::open(&config, None).await?;
        Serving::start(storage, config).await?.run().await;
        Ok(())
    })
}

fn kept_alive(aim: &Aim, time: Duration) -> Result<Cost, Error> {
    let watch = Stopwatch::start(others);
    let begun = Instant::now();
    let rate = busy(aim, CONNECTIONS, time)?;
    let requests = rate * begun.elapsed().as_secs_f64();
    Ok(watch.stop(requests as u64))
}

/// A connection for each request.
fn anew(aim: &Aim, requests: u64) -> Result<Cost, Error> {
    let host = aim.hosts.first().ok_or("nobody to ask")?;
    let ask = || client::call(aim.address, "GET", &aim.path, &[("host", host)], b"");
    ask()?;
    let watch = Stopwatch::start(others);
    for _ in 0..requests {
        ask()?;
    }
    Ok(watch.stop(requests))
}

fn free() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn opened<T>(address: SocketAddr, platform: &std::thread::JoinHandle<T>) -> Result<(), Error> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if platform.is_finished() || begun.elapsed() > PATIENCE {
            return Err(format!("nothing listens on {address}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
