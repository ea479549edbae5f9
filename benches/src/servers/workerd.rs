//! workerd with its defaults: isolates that live from request to request, no limits. One process serves the
//! three chains, each on a port of its own; it runs one thread.

use std::path::{Path, PathBuf};

use super::{free_address, program};
use crate::load::{Aim, GREETING};
use crate::process::{Place, Process};
use crate::{Error, scratch};

/// How to get it.
pub const REMEDY: &str = "benches/peers.sh workerd (or WORKERD=path)";

/// The chains, one beside the other.
pub struct Chains {
    /// A worker.
    pub one: Aim,
    /// A worker that calls another by a service binding.
    pub two: Aim,
    /// The same, whose callee fetches, which a third worker answers as its `globalOutbound`.
    pub three: Aim,
}

/// Where it is.
pub fn find() -> Option<PathBuf> {
    let own = scratch().ok()?.join("npm/node_modules/.bin/workerd");
    program("WORKERD", "workerd", &own)
}

/// Starts it.
///
/// # Errors
/// When it does not start.
pub fn start(program: &Path) -> Result<(Process, Chains), Error> {
    let folder = scratch()?.join("workerd");
    std::fs::create_dir_all(&folder)?;
    let [one, two, three] = [free_address()?, free_address()?, free_address()?];
    let greeting = format!("{GREETING:?}");
    let script = |name: &str, code: String| std::fs::write(folder.join(name), code);
    script("hello.js", format!("export default {{ fetch() {{ return new Response({greeting}); }} }};\n"))?;
    // As examples/dispatcher-subdomain does it: the first label of the host names the customer.
    script(
        "dispatcher.js",
        "export default { fetch(request, env) {\n\
         \x20 const customer = new URL(request.url).hostname.split('.')[0];\n\
         \x20 const worker = env[customer];\n\
         \x20 if (worker === undefined) return new Response('no such customer', { status: 404 });\n\
         \x20 return worker.fetch(request);\n} };\n"
            .to_owned(),
    )?;
    script(
        "fetcher.js",
        "export default { fetch() { return fetch('http://origin.example/'); } };\n".to_owned(),
    )?;
    let config = format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n\
         \x20 services = [\n\
         \x20   (name = \"hello\", worker = .hello), (name = \"two\", worker = .two),\n\
         \x20   (name = \"fetcher\", worker = .fetcher), (name = \"three\", worker = .three),\n\
         \x20 ],\n\
         \x20 sockets = [\n\
         \x20   (name = \"one\", address = \"{one}\", http = (), service = \"hello\"),\n\
         \x20   (name = \"two\", address = \"{two}\", http = (), service = \"two\"),\n\
         \x20   (name = \"three\", address = \"{three}\", http = (), service = \"three\"),\n\
         \x20 ],\n);\n\
         const hello :Workerd.Worker = ({hello});\n\
         const fetcher :Workerd.Worker = ({fetcher}, globalOutbound = \"hello\");\n\
         const two :Workerd.Worker = ({dispatcher}, bindings = [(name = \"customer-a\", service = \"hello\")]);\n\
         const three :Workerd.Worker = ({dispatcher}, bindings = [(name = \"customer-a\", service = \"fetcher\")]);\n",
        hello = worker("hello.js"),
        fetcher = worker("fetcher.js"),
        dispatcher = worker("dispatcher.js"),
    );
    let file = folder.join("config.capnp");
    std::fs::write(&file, config)?;
    let mut process = Process::start("workerd", program, Place::ServerCpu, |command| {
        command.arg("serve").arg(&file);
    })?;
    for address in [one, two, three] {
        process.opens(address)?;
    }
    let chain = |address| Aim::at(address, "customer-a.localhost");
    Ok((process, Chains { one: chain(one), two: chain(two), three: chain(three) }))
}

fn worker(file: &str) -> String {
    format!(
        "modules = [(name = \"{file}\", esModule = embed \"{file}\")], compatibilityDate = \"2026-01-01\""
    )
}
