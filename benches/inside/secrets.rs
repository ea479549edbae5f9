//! Many scripts that plant secrets wherever they can, asked in random order through the same few slots of memory: whatever
//! became of the request before, each finds what its own top level left and nothing else, and a program that looks through
//! all memory it can get finds no secret. Any other answer is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Request;
use http_body_util::BodyExt as _;
use wasmyard_runtime::{EngineConfig, body};

use crate::fixture::{Error, Script, artifacts, module, runtime, script, worker};

/// Fewer slots than requests at once times what they leave behind: each is used again and again.
const AT_ONCE: u64 = 6;
/// How often memory is looked through.
const SCAN_EVERY: u64 = 997;
/// What a secret begins with, in two parts, so that this program is no find either.
const PLANTED: [&str; 2] = ["PLANT", "ED-"];

/// A script whose top level, and whose every request, plants something.
const SOURCE: &str = r#"
const own = ["PLANT", "ED-top-", NUMBER].join("");
const table = Array.from({ length: 20 }, (_, at) => own + at);
let requests = 0;
export default {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const mine = ["PLANT", "ED-request-", NUMBER, search].join("");
    const leaks = Object.keys(globalThis).filter((name) => name.startsWith("leak")).length;
    const fresh = new Uint8Array(2048);
    const dirty = fresh.findIndex((byte) => byte !== 0);
    const before = [requests, leaks, table.every((text, at) => text === own + at), typeof [].leak, dirty].join();
    requests++;
    globalThis["leak" + NUMBER] = mine;
    Array.prototype.leak = mine;
    Promise.prototype.leak = mine;
    new TextEncoder().encodeInto(mine.repeat(20), fresh);
    globalThis.leaked = [fresh, mine.repeat(50), new Map([[mine, new Set([mine])]]), new Request("http://a.test/", { headers: { leak: mine } })];
    if (pathname === "/throw") throw new Error(mine);
    if (pathname === "/wait") await scheduler.wait(1);
    if (pathname === "/fill") for (let at = 0; at < 20; at++) leaked.push((mine + at).repeat(500));
    if (pathname === "/never") await new Promise(() => {});
    if (pathname === "/deep") { const deeper = (text) => deeper(text) + mine; try { deeper(mine); } catch (error) { globalThis.leakedError = error; } }
    return new Response([NUMBER, before, search].join(" "));
  },
};
"#;

/// What is asked of a script, and whether it answers that.
const KINDS: [(&str, bool); 8] = [
    ("/", true),
    ("/fill", true),
    ("/", true),
    ("/throw", false),
    ("/wait", true),
    ("/", true),
    ("/deep", true),
    ("/never", false),
];

/// Asks so many times; says what came of it.
pub(crate) fn search(requests: u64, scripts: u64) -> Result<String, Error> {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    tokio.block_on(async {
        let runtime = runtime(&artifacts("secrets")?, engine(), u64::MAX)?;
        let mut all = Vec::new();
        for number in 0..scripts {
            let source = SOURCE.replace("NUMBER", &number.to_string());
            let module = script(&runtime, source).await?;
            all.push(Script::alone(worker(&format!("script-{number}"), module, &[])?));
        }
        let scan = Script::alone(worker("scan", module(&runtime, "hostile").await?, &[])?)
            .limited(|limits| {
                limits.cpu = std::time::Duration::from_secs(60);
                limits.first_byte = std::time::Duration::from_secs(600);
            });
        // Its own request is in its memory: a search that does not find that one finds none.
        if scan.said(&format!("/scan?{}", PLANTED.concat())).await? == "0" {
            return Err("the search does not find what is there".into());
        }
        let (all, scan) = (Arc::new(all), Arc::new(scan));
        let (next, scans) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let tasks = (0..AT_ONCE).map(|_| {
            let (all, scan, next, scans) =
                (Arc::clone(&all), Arc::clone(&scan), Arc::clone(&next), Arc::clone(&scans));
            tokio::spawn(async move {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= requests {
                        return Ok::<_, String>(());
                    }
                    ask(&all, at).await.map_err(|error| format!("request {at}: {error}"))?;
                    if at % SCAN_EVERY == 0 {
                        look(&scan).await?;
                        scans.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await??;
        }
        let scans = scans.load(Ordering::Relaxed);
        Ok(format!("{requests} requests of {scripts} scripts, {scans} searches of memory: no secret was seen elsewhere"))
    })
}

fn engine() -> EngineConfig {
    EngineConfig { max_instances: u32::try_from(AT_ONCE).unwrap_or(u32::MAX) * 2, ..EngineConfig::default() }
}

/// One request, of a kind and to a script that its number chooses.
async fn ask(all: &[Script], at: u64) -> Result<(), Error> {
    let chosen = shuffled(at);
    let number = chosen % all.len() as u64;
    let script = usize::try_from(number).ok().and_then(|number| all.get(number)).ok_or("no such script")?;
    let kind = usize::try_from(chosen >> 32).unwrap_or_default() % KINDS.len();
    let (path, answers) = KINDS.get(kind).copied().unwrap_or(("/", true));
    let said = script.said(&format!("{path}?{at}")).await;
    let expected = format!("{number} 0,0,true,undefined,-1 ?{at}");
    match (said, answers) {
        (Ok(said), true) if said == expected => Ok(()),
        (Err(error), false)
            if !error.contains(&PLANTED.concat()) || error.contains(&format!("-{number}?{at}")) =>
        {
            Ok(())
        }
        (said, _) => Err(format!("script {number}{path} says {said:?} and not {expected:?}").into()),
    }
}

/// Looks through memory.
async fn look(scan: &Script) -> Result<(), String> {
    match scan.said("/scan").await?.as_str() {
        "0" => Ok(()),
        found => Err(format!("memory of one guest has {found} secrets of others")),
    }
}

/// A number that follows from another one and looks like chance (splitmix64).
fn shuffled(at: u64) -> u64 {
    let mut mixed = at.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Script {
    /// What it answers, or why it does not.
    async fn said(&self, path: &str) -> Result<String, String> {
        let request = Request::get(format!("http://a.test{path}"))
            .body(body::empty())
            .map_err(|error| error.to_string())?;
        let response = self.answer(request).await.map_err(|failure| failure.to_string())?;
        let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
