//! The platform that is soaked: its scripts, an origin, and what it holds when nothing is under way.

use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;
use wasmyard_harness::origin::speaking;
use wasmyard_harness::{Server, Site, guest};

/// How long the platform may take to come to rest.
const REST: Duration = Duration::from_secs(60);
/// The ceiling of CPU time, in seconds, and what may be used of it: a tenth more.
const LARGEST_BUDGET: f64 = 30.0;
const LARGEST_BOUND: f64 = 33.0;
/// Figures that are 0 when nothing is under way.
const GAUGES: [&str; 5] = [
    "wasmyard_requests_in_flight",
    "wasmyard_connections",
    "wasmyard_invocations_in_flight",
    "wasmyard_guest_memory_bytes",
    "wasmyard_unsent_bytes",
];
const LOG: &str = "said.log";

/// A running one.
pub(crate) struct Platform {
    pub(crate) server: Server,
    site: Site,
    origin: SocketAddr,
}

/// Where visitors go, and whom scripts ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) visitors: SocketAddr,
    pub(crate) origin: SocketAddr,
}

/// What the platform holds when nothing is under way.
pub(crate) struct Held {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {} MiB", self.files, self.bytes >> 20)
    }
}

/// What the origin says: an answer whose head contradicts itself, and one that breaks off.
fn said(target: &str) -> String {
    match target {
        "/both" => {
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        }
        "/broken" => "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nok",
        _ => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    }
    .to_owned()
}

impl Platform {
    pub(crate) async fn start() -> Platform {
        let origin = speaking(said).await;
        let site = Site::new(&config(origin.port()));
        let server = serve(&site).await;
        Platform { server, site, origin }
    }

    pub(crate) fn target(&self) -> Target {
        Target { visitors: self.server.visitors, origin: self.origin }
    }

    /// Everything that it said of itself, which is nothing where nothing panicked.
    pub(crate) fn said(&self) -> String {
        let said = std::fs::read(self.site.path(LOG)).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The same data directory after a kill.
    pub(crate) async fn killed_and_started(self) -> Platform {
        self.server.kill().await;
        let server = serve(&self.site).await;
        Platform { server, ..self }
    }

    /// Waits until nothing is under way; an error when something stays.
    pub(crate) async fn at_rest(&self) -> Result<Held, String> {
        let begun = Instant::now();
        loop {
            let mut busy = Vec::new();
            for gauge in GAUGES {
                let value = self.server.metric(gauge).await;
                if value != 0.0 {
                    busy.push(format!("{gauge} {value}"));
                }
            }
            if busy.is_empty() {
                return Ok(Held { files: self.server.open_files(), bytes: self.server.resident_bytes() });
            }
            if begun.elapsed() > REST {
                return Err(format!("it does not come to rest: {}", busy.join(", ")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What is said is panics: everything else is switched off, because a disk that fills up is no finding.
async fn serve(site: &Site) -> Server {
    let log = File::options().create(true).append(true).open(site.path(LOG)).unwrap();
    site.serve_quietly(log).await
}

fn config(origin: u16) -> String {
    let customers = [
        ("customer-a", "hello"),
        ("over", "over_limit"),
        ("probe", "probe"),
        ("flood", "probe"),
        ("echo", "echo_stream"),
    ];
    let customers = customers.map(|(name, component)| {
        format!("[namespaces.production.scripts.{name}]\n{}\n", guest::main(component))
    });
    format!(
        r#"
        [server]
        slow_reader_ms = 1000
        header_read_ms = 1000
        [egress]
        allow_private = ["127.0.0.1"]
        ports = [{origin}]
        [namespaces.production]
        # A stream costs CPU time for as long as it is read.
        limits = {{ cpu_ms = 50, memory = "32MiB" }}
        {customers}
        [scripts.dispatcher]
        {dispatcher}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [scripts.bare]
        {bare}
        [scripts.relay]
        {relay}
        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"
        [[routes]]
        pattern = "*.apps.localhost/*"
        namespace = "production"
        [[routes]]
        pattern = "bare.test/*"
        script = "bare"
        [[routes]]
        pattern = "bare.test/admin/*"
        respond = 403
        [[routes]]
        pattern = "relay.test/*"
        script = "relay"
        "#,
        customers = customers.concat(),
        dispatcher = guest::main("dispatcher_subdomain"),
        bare = guest::main("bare"),
        relay = guest::main("probe"),
    )
}

/// A tight loop spends the largest CPU budget there is, and no more than the bound, counted on the CPU's clock.
pub(crate) async fn largest_budget() -> Result<(), String> {
    // However little of the CPU the machine gives.
    let config = format!(
        "[limits]\nfirst_byte_ms = 300000\ncpu_ms = 30000\n[scripts.over]\n{}\n[[routes]]\npattern = \"over.test/*\"\nscript = \
         \"over\"\n",
        guest::main("over_limit")
    );
    let server = Server::serving(&config).await;
    let head =
        "GET /spin HTTP/1.1\r\nhost: over.test\r\naccept: application/json\r\nconnection: close\r\n\r\n";
    let page = tokio::task::spawn_blocking(move || asked(server.visitors, head).map(|page| (server, page)));
    let (server, page) = page.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let used = server.total("wasmyard_invocation_cpu_seconds_sum").await;
    if !page.starts_with("HTTP/1.1 503") || !page.contains("CPU time 30000 ms") {
        return Err(format!("a loop with the largest budget was answered with {page}"));
    }
    if !(LARGEST_BUDGET..=LARGEST_BOUND).contains(&used) {
        return Err(format!("a loop with a budget of {LARGEST_BUDGET} s used {used} s"));
    }
    println!("a loop with a budget of {LARGEST_BUDGET} s was stopped when it had used {used} s");
    Ok(())
}

/// One answer, for which there is more patience than any test has.
fn asked(to: SocketAddr, head: &str) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(to)?;
    stream.write_all(head.as_bytes())?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}
