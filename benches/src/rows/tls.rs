//! TLS: handshakes beside nginx and Caddy, what it adds to requests over connections that are kept, and what a flood of
//! hellos with names that nobody has costs, and does to everybody else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Effort;
use crate::process::Process;
use crate::report::{Reading, Target as Goal};
use crate::secure::{self, Endpoint, Sessions};
use crate::servers::proxies::{self, Certificate, HOST};
use crate::servers::wasmyard::{Budget, Platform, Site};
use crate::{Error, scratch};

/// Connections at the same time: enough that a server never waits for its client.
const AT_ONCE: usize = 32;

/// A site that serves [`HOST`] over TLS: two bytes from a file, and the hello script below `/hello`.
fn site(name: &str, certificate: &Certificate) -> Result<Site, Error> {
    let folder = scratch()?.join(name).join("public");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("two.txt"), "ok")?;
    let mut site = Site::new(name, Budget::AsShipped)?;
    site.server(
        "listen_tls = \"127.0.0.1:0\"\nmax_connections_per_client = 100000\nmax_connections = 100000\n",
    );
    site.lines(&format!(
        "[[tls.certificates]]\nchain = {:?}\nkey = {:?}\n[scripts.files]\nassets = {{ directory = {:?} }}\n",
        certificate.chain.display().to_string(),
        certificate.key.display().to_string(),
        folder.display().to_string(),
    ));
    site.script("scripts.hello", &crate::guest("hello")?, "")?;
    site.route(&format!("{HOST}/hello"), "script = \"hello\"")?;
    site.route(&format!("{HOST}/*"), "script = \"files\"")?;
    Ok(site.without_logs())
}

/// A server and what is asked of it.
struct Peer {
    name: &'static str,
    process: Process,
    target: Endpoint,
}

pub(super) fn handshakes(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let certificate = Certificate::make()?;
    let at = |address: SocketAddr, path| Endpoint { address, name: HOST.to_owned(), path };
    let platform = site("site-tls", &certificate)?.serve()?;
    let secure = platform.secure.ok_or("the platform announced no https")?;
    let mut peers =
        vec![Peer { name: "wasmyard", process: platform.process, target: at(secure, "/two.txt") }];
    let missing = || format!("not installed: {}", proxies::REMEDY);
    let (process, address) = proxies::nginx(&certificate)?.ok_or_else(missing)?;
    peers.push(Peer { name: "nginx", process, target: at(address, "/") });
    let (process, address) = proxies::caddy(&certificate)?.ok_or_else(missing)?;
    peers.push(Peer { name: "Caddy", process, target: at(address, "/") });
    for peer in &peers {
        peer.process.pause();
    }
    let mut readings = Vec::new();
    for (sessions, kind, goals) in [
        (Sessions::New, "new", [Goal::None, Goal::AtLeast(2.0), Goal::AtLeast(2.0)]),
        (Sessions::Resumed, "resumed", [Goal::None, Goal::AtLeast(1.5), Goal::AtLeast(1.5)]),
    ] {
        let mut rates = vec![Vec::new(); peers.len()];
        let mut cpu = vec![Vec::new(); peers.len()];
        let mut resumed = vec![Vec::new(); peers.len()];
        for turn in 0..=effort.rounds {
            for (number, peer) in peers.iter().enumerate() {
                peer.process.resume();
                let (before, begun) = (peer.process.cpu(), Instant::now());
                let made = secure::connections(&peer.target, sessions, AT_ONCE, effort.busy);
                let made = made.map_err(|error| format!("{}: {error}", peer.name))?;
                let (used, wall) = (peer.process.cpu() - before, begun.elapsed());
                peer.process.pause();
                if turn == 0 {
                    continue;
                }
                let count = made.connections as f64;
                let of =
                    |rounds: &mut Vec<Vec<f64>>, value| rounds.get_mut(number).map(|all| all.push(value));
                of(&mut rates, count / wall.as_secs_f64());
                of(&mut cpu, used.as_secs_f64() * 1e6 / count);
                of(&mut resumed, made.resumed as f64 / count * 100.0);
            }
        }
        for (((peer, rates), cpu), resumed) in peers.iter().zip(&rates).zip(&cpu).zip(&resumed) {
            let named = |what: &str| format!("{kind} sessions, {}: {what}", peer.name);
            readings.push(Reading::of(&named("connections with one request"), rates, "/s", Goal::None));
            readings.push(Reading::of(&named("CPU of the server"), cpu, "us", Goal::None));
            if sessions == Sessions::Resumed {
                readings.push(Reading::of(&named("share that did resume"), resumed, "%", Goal::None));
            }
        }
        let ours = cpu.first().cloned().unwrap_or_default();
        for ((peer, cpu), goal) in peers.iter().zip(&cpu).zip(goals).skip(1) {
            // CPU time, because a client on one processor is the limit before a server that is fast enough.
            let ratios: Vec<f64> = cpu.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect();
            let what = format!("{kind} sessions: CPU of {} over ours", peer.name);
            readings.push(Reading::of(&what, &ratios, "x", goal));
        }
    }
    Ok(readings)
}

pub(super) fn kept(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let certificate = Certificate::make()?;
    let platform = site("site-tls", &certificate)?.serve()?;
    let secure = platform.secure.ok_or("the platform announced no https")?;
    let mut readings = Vec::new();
    for (what, path, goal) in
        [("hello of a script", "/hello", Goal::AtLeast(0.9)), ("a file of two bytes", "/two.txt", Goal::None)]
    {
        let mut cpu = [Vec::new(), Vec::new()];
        for turn in 0..=effort.rounds {
            for (encrypted, cpu) in [false, true].into_iter().zip(&mut cpu) {
                let address = if encrypted { secure } else { platform.visitors };
                let target = Endpoint { address, name: HOST.to_owned(), path };
                let (before, begun) = (platform.process.cpu(), Instant::now());
                let rate = secure::kept(&target, encrypted, 16, effort.busy)?;
                let used = platform.process.cpu() - before;
                if turn > 0 {
                    cpu.push(used.as_secs_f64() * 1e6 / (rate * begun.elapsed().as_secs_f64()));
                }
            }
        }
        let [plain, encrypted] = &cpu;
        let ratios: Vec<f64> = plain.iter().zip(encrypted).map(|(plain, tls)| plain / tls).collect();
        readings.extend([
            Reading::of(&format!("{what}, plain: CPU"), plain, "us", Goal::None),
            Reading::of(&format!("{what}, over kept TLS: CPU"), encrypted, "us", Goal::None),
            Reading::of(&format!("{what}: CPU of plain over that of TLS"), &ratios, "x", goal),
        ]);
    }
    Ok(readings)
}

/// Hellos a second of the flood: what the goals speak of is more than one processor accepts and closes.
const FLOOD: f64 = 5_000.0;

pub(super) fn unknown(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let certificate = Certificate::make()?;
    let platform = site("site-tls", &certificate)?.serve()?;
    let secure = platform.secure.ok_or("the platform announced no https")?;
    let time = effort.pick(Duration::from_secs(5), Duration::from_secs(1));
    let known = vec![HOST.to_owned(); effort.pick(1_500, 300)];
    let mut figures: [Vec<f64>; 4] = Default::default();
    let [alone50, beside50, slower, cost] = &mut figures;
    let (reads, resident) = (platform.process.read_bytes(), platform.process.memory().resident);
    let mut refused = 0;
    for turn in 0..=effort.rounds {
        let alone = secure::one_by_one(secure, &known, "/two.txt", time)?;
        let flood = Flood::begin(secure, FLOOD, Answer::Hello);
        let beside = secure::one_by_one(secure, &known, "/two.txt", time)?;
        refused += flood.end()?;
        let hellos = cost_of(&platform, secure, Answer::Hello, time / 2)?;
        let closes = cost_of(&platform, secure, Answer::Nothing, time / 2)?;
        if turn > 0 {
            alone50.push(alone.microseconds(0.5));
            beside50.push(beside.microseconds(0.5));
            slower.push(beside.microseconds(0.5) / alone.microseconds(0.5));
            cost.push(hellos / closes);
        }
    }
    if refused == 0 {
        return Err("no hello of the flood was refused".into());
    }
    let grown = platform.process.memory().resident.saturating_sub(resident) as f64 / 1e6;
    let read = (platform.process.read_bytes() - reads) as f64;
    Ok(vec![
        Reading::of("known name, alone: connect and handshake, p50", alone50, "us", Goal::None),
        Reading::of("known name beside 5,000 unknown ones a second, p50", beside50, "us", Goal::None),
        Reading::of("the second over the first", slower, "x", Goal::AtMost(1.05)),
        Reading::of(
            "CPU of a refused hello over that of accept and close alone",
            cost,
            "x",
            Goal::AtMost(1.5),
        ),
        Reading::once("read from the disk meanwhile", read, "bytes", Goal::AtMost(0.0)),
        Reading::once("memory that grew meanwhile", grown, "MB", Goal::AtMost(8.0)),
    ])
}

/// Server CPU in microseconds of each connection of a flood, as fast as the client can.
fn cost_of(platform: &Platform, address: SocketAddr, answer: Answer, time: Duration) -> Result<f64, Error> {
    let before = platform.process.cpu();
    let flood = Flood::begin(address, f64::INFINITY, answer);
    std::thread::sleep(time);
    let count = flood.end()?;
    Ok((platform.process.cpu() - before).as_secs_f64() * 1e6 / count as f64)
}

/// What a connection of the flood does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Sends a hello with a name that nobody has, and reads how it is refused.
    Hello,
    /// Closes at once.
    Nothing,
}

/// Connections with names that nobody has, from one thread.
struct Flood {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<Result<(), String>>,
}

impl Flood {
    fn begin(address: SocketAddr, per_second: f64, answer: Answer) -> Flood {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            std::thread::spawn(move || {
                let begun = Instant::now();
                let mut sent = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let due = sent as f64 / per_second;
                    if begun.elapsed().as_secs_f64() < due {
                        std::thread::sleep(Duration::from_micros(100));
                        continue;
                    }
                    sent += 1;
                    one(address, sent, answer).map_err(|error| error.to_string())?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        Flood { stop, count, thread }
    }

    /// How many there were.
    fn end(self) -> Result<u64, Error> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(Ok(())) => Ok(self.count.load(Ordering::Relaxed)),
            Ok(Err(error)) => Err(format!("the flood: {error}").into()),
            Err(_) => Err("the flood's thread is gone".into()),
        }
    }
}

fn one(address: SocketAddr, number: u64, answer: Answer) -> Result<(), Error> {
    let mut stream = TcpStream::connect(address)?;
    if answer == Answer::Hello {
        stream.write_all(&hello(number)?)?;
        let mut alert = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        (&mut stream).take(7).read_to_end(&mut alert)?;
        // A fatal alert, unrecognized_name: RFC 8446, section 6.2.
        if alert.get(5..) != Some(&[2, 112]) {
            return Err(format!("a name that nobody has was answered with {alert:?}").into());
        }
    }
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(())
}

/// A whole hello of a client that asks for a name that nobody has.
fn hello(number: u64) -> Result<Vec<u8>, Error> {
    let name = rustls::pki_types::ServerName::try_from(format!("n{number}.nobody.test"))?;
    let mut client = rustls::ClientConnection::new(secure::config(Sessions::New)?, name)?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    Ok(bytes)
}
