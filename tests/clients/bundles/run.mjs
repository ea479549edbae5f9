// Applications that are built of packages from npm, each bundled as wrangler bundles, deployed, and asked. workerd is given the
// same bundles and asked the same: its answers are what is expected.
//
// Usage: run.mjs API VISITORS WORKERD; WASMYARD_API_TOKEN is the token. With names behind these: only those.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";

import * as esbuild from "esbuild";

const [api, visitors, workerd, ...only] = process.argv.slice(2);
const here = import.meta.dirname;
const folder = await mkdtemp(join(tmpdir(), "wasmyard-bundles-"));
/** Headers that say nothing of an application. */
const IGNORED = new Set(["connection", "content-length", "date", "keep-alive", "ray-id", "transfer-encoding", "cf-ray", "server", "x-ray-id"]);

/** What is bundled of an application, by a line that names it. */
async function bundled(file, line, to, platform) {
  await esbuild.build({
    stdin: { contents: `import * as app from ${JSON.stringify(file)};\n${line}`, resolveDir: here, loader: "js" },
    bundle: true, minify: true, keepNames: true, format: "esm", target: "es2024", platform, conditions: ["workerd", "worker", "browser", "production"],
    mainFields: ["browser", "module", "main"], external: ["cloudflare:*", "node:*"], jsx: "automatic", define: { "process.env.NODE_ENV": '"production"' }, outfile: to, logLevel: "error",
  });
}

async function deploy(name, file) {
  const form = new FormData();
  form.set("metadata", JSON.stringify({ main_module: "worker.js", compatibility_date: "2026-11-01", bindings: [{ type: "plain_text", name: "NAME", text: "bundles" }] }));
  form.set("worker.js", new File([await readFile(file)], "worker.js", { type: "application/javascript+module" }));
  const answer = await fetch(`${api}/accounts/local/workers/scripts/${name}`, { method: "PUT", headers: { authorization: `Bearer ${process.env.WASMYARD_API_TOKEN}` }, body: form });
  assert.equal(answer.status, 200, `${name} is deployed: ${await answer.text()}`);
}

/** One answer, as far as it is the application's. */
async function ask(to, host, [path, { method = "GET", headers = {}, body, form } = {}]) {
  if (form) {
    const made = new FormData();
    for (const [name, value] of Object.entries(form)) made.set(name, Array.isArray(value) ? new File([value[1]], value[0], { type: "text/plain" }) : value);
    const request = new Request("http://a/", { method: "POST", body: made });
    body = Buffer.from(await request.arrayBuffer());
    headers = { "content-type": request.headers.get("content-type") };
  }
  const { hostname, port } = new URL(to);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, method, headers: { host, ...headers } }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      const kept = Object.entries(response.headers).filter(([name]) => !IGNORED.has(name)).sort();
      resolve({ status: response.statusCode, headers: Object.fromEntries(kept), text });
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** workerd with each of the bundles on a port of its own. */
async function started(names) {
  const ports = {};
  for (const name of names) ports[name] = await freePort();
  const id = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${names.map((name) => `(name = "${name}", worker = .${id(name)})`)}],
  sockets = [${names.map((name) => `(name = "${name}", address = "127.0.0.1:${ports[name]}", http = (), service = "${name}")`)}],
);
${names.map((name) => `const ${id(name)} :Workerd.Worker = (modules = [(name = "worker.js", esModule = embed "${name}.js")], compatibilityDate = "2026-11-01", bindings = [(name = "NAME", text = "bundles")]);`).join("\n")}
`;
  await writeFile(join(folder, "config.capnp"), config);
  const child = spawn(workerd, ["serve", join(folder, "config.capnp")], { stdio: ["ignore", "ignore", "inherit"] });
  for (const port of Object.values(ports)) {
    for (let tries = 0; ; tries++) {
      try { await fetch(`http://127.0.0.1:${port}/`); break; } catch (error) {
        if (tries > 200 || child.exitCode !== null) throw error;
        await new Promise((done) => setTimeout(done, 50));
      }
    }
  }
  return [child, ports];
}

let beside;
let checks = 0;
const wrong = [];
try {
  const files = (await readdir(join(here, "apps"))).filter((file) => only.length === 0 || only.includes(basename(file, extname(file))));
  const names = files.map((file) => basename(file, extname(file)));
  const asked = {};
  for (const [at, name] of names.entries()) {
    const file = `./apps/${files[at]}`;
    await bundled(file, "export default app.default;", join(folder, `${name}.js`), "browser");
    await bundled(file, "export const asks = app.asks, says = app.says;", join(folder, `${name}.asks.mjs`), "browser");
    asked[name] = await import(pathToFileURL(join(folder, `${name}.asks.mjs`)));
  }
  const [child, ports] = await started(names);
  beside = child;
  for (const name of names) {
    const host = `${name}.bundles.test`;
    await deploy(name, join(folder, `${name}.js`));
    for (const one of asked[name].asks) {
      const [here, there] = [await ask(visitors, host, one), await ask(`http://127.0.0.1:${ports[name]}`, host, one)];
      checks++;
      const shown = (answer) => JSON.stringify(answer).slice(0, 1500);
      if (shown(here) !== shown(there) || here.text !== there.text) {
        const at = [...here.text].findIndex((letter, index) => letter !== there.text[index]);
        wrong.push(`${name} ${JSON.stringify(one)}\n   here    ${shown(here)}\n   workerd ${shown(there)}\n   from ${at}: ${here.text.slice(at, at + 80)} | ${there.text.slice(at, at + 80)}`);
      }
      const says = asked[name].says?.[one[0]];
      if (says !== undefined) assert.equal(here.text, says, `${name} ${one[0]}`);
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} of ${checks} answers are others than workerd's:\n${wrong.join("\n")}`);
  console.log(`bundles: ${checks} answers of ${names.length} applications`);
} finally {
  beside?.kill();
  await rm(folder, { recursive: true, force: true });
}
