//! From the moment at which an authority has seen the token of a custom hostname to the first answer over HTTPS with its
//! certificate: what is asked of the authority, the certificate that is fetched, sealed and served.
//!
//! The authority is Pebble, of the system's packages. It looks at port 80 by way of this program, which notes when.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wasmyard_harness::dns::NameServer;

use super::Effort;
use crate::client::{Api, call};
use crate::process::{Place, Process};
use crate::report::{Reading, Target as Goal};
use crate::secure::{self, Endpoint};
use crate::servers::wasmyard::{Budget, Site};
use crate::{Error, scratch};

/// How long a certificate may take in all.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where authorities look for tokens.
const TOKENS: &str = "GET /.well-known/acme-challenge/";

/// When a token of a host was last handed out.
type Seen = Arc<Mutex<HashMap<String, Instant>>>;

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let dns = runtime.block_on(NameServer::start());
    let folder = scratch()?.join("pebble");
    std::fs::create_dir_all(&folder)?;
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (chain, key) = (folder.join("pebble.pem"), folder.join("pebble.key"));
    std::fs::write(&chain, own.cert.pem())?;
    std::fs::write(&key, own.signing_key.serialize_pem())?;
    let front = TcpListener::bind("127.0.0.1:0")?;
    let (acme, tls) = (free_address()?, free_address()?);
    let config = json!({"pebble": {
        "listenAddress": acme.to_string(),
        "managementListenAddress": free_address()?.to_string(),
        "certificate": chain, "privateKey": key,
        "httpPort": front.local_addr()?.port(), "tlsPort": tls.port(),
    }});
    let file = folder.join("pebble.json");
    std::fs::write(&file, config.to_string())?;
    let mut pebble = Process::start("Pebble", &PathBuf::from("pebble"), Place::Anywhere, |command| {
        command.arg("-config").arg(&file).args(["-dnsserver", &dns.address.to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        command.env("PEBBLE_AUTHZREUSE", "100");
    })
    .map_err(|error| format!("{error}; apt-get install pebble"))?;
    pebble.opens(acme)?;
    let mut site = Site::new("site-issued", Budget::AsShipped)?;
    site.forget()?;
    site.server("listen_tls = \"127.0.0.1:0\"\nreserved_names = true\n");
    site.lines(&format!(
        "[hostnames]\nname_servers = [\"{}\"]\n[certificates.authorities.lets_encrypt]\ndirectory = \
         \"https://localhost:{}/dir\"\nroots = {:?}\n",
        dns.address,
        acme.port(),
        chain.display().to_string(),
    ));
    site.script("scripts.hello", &crate::guest("hello")?, "")?;
    site.route("service.saas.test/*", "script = \"hello\"")?;
    let platform = site.without_logs().serve()?;
    let secure = platform.secure.ok_or("the platform announced no https")?;
    let seen = Seen::default();
    pass_on(front, platform.visitors, &seen);
    let zone = zone(&platform.api)?;
    let mut times = Vec::new();
    for number in 0..effort.pick(20, 3) {
        let name = format!("n{number}.customers.test");
        dns.cname(&name, "service.saas.test");
        dns.address_of(&name, "127.0.0.1".parse()?);
        let body = json!({"hostname": name, "ssl": {"method": "http", "type": "dv"}});
        ask(&platform.api, "POST", &format!("{zone}/custom_hostnames"), &body)?;
        let target = Endpoint { address: secure, name: name.clone(), path: "/" };
        let until = Instant::now() + PATIENCE;
        let answered = loop {
            match secure::answered(&target) {
                Ok(()) => break Instant::now(),
                Err(error) if Instant::now() > until => return Err(format!("{name}: {error}").into()),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let validated = seen.lock().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        let validated = validated.ok_or_else(|| format!("{name}: the authority looked at nothing"))?;
        times.push(answered.duration_since(validated).as_secs_f64() * 1e3);
    }
    let what = "from the token that the authority saw to the first answer over HTTPS";
    Ok(vec![Reading::of(what, &times, "ms", Goal::AtMost(50.0))])
}

fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Passes connections on to the platform, and notes when tokens were handed out.
fn pass_on(front: TcpListener, platform: SocketAddr, seen: &Seen) {
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = front.accept() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || passed(stream, platform, &seen));
        }
    });
}

/// One request, and its answer to the end.
fn passed(mut client: TcpStream, platform: SocketAddr, seen: &Seen) -> Option<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 4_096];
    while !head.ends_with(b"\r\n\r\n") {
        let length = client.read(&mut buffer).ok().filter(|length| *length > 0)?;
        head.extend_from_slice(buffer.get(..length)?);
    }
    let text = String::from_utf8(head).ok()?;
    let host =
        text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned))?;
    let host = host.split(':').next()?.to_owned();
    // The answer ends with its connection.
    let text = text.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    let mut server = TcpStream::connect(platform).ok()?;
    server.write_all(text.as_bytes()).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()?;
    if text.starts_with(TOKENS) {
        seen.lock().unwrap_or_else(PoisonError::into_inner).insert(host, Instant::now());
    }
    Some(())
}

/// A zone whose fallback origin is a script; its path in the API.
fn zone(api: &Api) -> Result<String, Error> {
    let made = ask(api, "POST", "/client/v4/zones", &json!({"name": "saas.test"}))?;
    let zone = format!(
        "/client/v4/zones/{}",
        made.pointer("/id").and_then(Value::as_str).ok_or("the zone has no id")?
    );
    let record = json!({"type": "AAAA", "name": "service", "content": "100::", "proxied": true});
    ask(api, "POST", &format!("{zone}/dns_records"), &record)?;
    let origin = json!({"origin": "service.saas.test"});
    ask(api, "PUT", &format!("{zone}/custom_hostnames/fallback_origin"), &origin)?;
    Ok(zone)
}

fn ask(api: &Api, method: &str, path: &str, body: &Value) -> Result<Value, Error> {
    let authorization = format!("Bearer {}", api.token);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let (status, answer) = call(api.address, method, path, &headers, body.to_string().as_bytes())?;
    let answer: Value = serde_json::from_slice(&answer)?;
    match status {
        200..300 => Ok(answer.get("result").cloned().unwrap_or_default()),
        _ => Err(format!("{method} {path}: {status}: {answer}").into()),
    }
}
