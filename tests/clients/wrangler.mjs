// wrangler deploys projects as people write them: modules, TypeScript, files that are imported, the older syntax, Node.js
// modules, to the platform and into a namespace. Each is then asked as a visitor asks.
//
// Usage: wrangler.mjs API VISITORS; WASMYARD_WRANGLER is the program, WASMYARD_API_TOKEN the token.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import assert from "node:assert/strict";

const [api, visitors] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), "wasmyard-wrangler-"));
let checks = 0;

/** Writes a project and has wrangler deploy it; what wrangler says. */
async function deploy(name, files, ...more) {
  return wrangler(name, files, "deploy", ...more);
}

/** Writes files of a project and runs wrangler in it. A word that is an object is more of its environment. */
async function wrangler(name, files, ...given) {
  const words = given.filter((word) => typeof word === "string");
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name, path)), { recursive: true });
    await writeFile(join(folder, name, path), text);
  }
  const env = {
    ...process.env, CI: "1", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", HOME: folder,
    CLOUDFLARE_API_BASE_URL: api, CLOUDFLARE_API_TOKEN: process.env.WASMYARD_API_TOKEN, CLOUDFLARE_ACCOUNT_ID: "local",
    ...Object.assign({}, ...given.filter((word) => typeof word === "object")),
  };
  const said = await new Promise((resolve) => {
    execFile(process.env.WASMYARD_WRANGLER, words, { cwd: join(folder, name), env }, (error, out, err) =>
      resolve({ code: error ? error.code : 0, text: `${out}\n${err}` }));
  });
  checks++;
  return said;
}

async function deployed(...project) {
  const { code, text } = await deploy(...project);
  assert.equal(code, 0, text);
}

/** What wrangler prints where it succeeds. */
async function printed(...command) {
  const { code, text } = await wrangler(...command);
  assert.equal(code, 0, text);
  return text;
}

/** What a visitor of a host is answered. */
async function says(host, path, expected) {
  const { hostname, port } = new URL(visitors);
  const answer = await new Promise((resolve, reject) => {
    http.get({ hostname, port, path, headers: { host } }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      resolve(`${response.statusCode} ${text.trim()}`);
    }).on("error", reject);
  });
  assert.equal(answer, expected, `${host}${path}`);
  checks++;
}

try {
  const date = 'compatibility_date = "2026-01-01"\nworkers_dev = false\n';
  await deployed("dispatcher", {
    "wrangler.toml": `name = "dispatcher"\nmain = "src/index.js"\n${date}[vars]\nGREETING = "hi"\n[[dispatch_namespaces]]\nbinding = "DISPATCHER"\nnamespace = "production"\n`,
    "src/index.js": `
      import { nameOf } from "./names.js";
      import page from "./page.txt";
      export default {
        async fetch(request, env) {
          if (new URL(request.url).pathname === "/page") return new Response(page.trim() + " " + env.GREETING);
          try {
            return await env.DISPATCHER.get(nameOf(request)).fetch(request);
          } catch (error) {
            if (error.message.startsWith("Worker not found")) return new Response("nobody", { status: 404 });
            throw error;
          }
        },
      };`,
    "src/names.js": 'export const nameOf = (request) => new URL(request.url).hostname.split(".")[0];',
    "src/page.txt": "a page",
  });
  await deployed("user", {
    "wrangler.toml": `name = "customer-a"\nmain = "src/index.js"\n${date}compatibility_flags = ["nodejs_compat"]\n`,
    "src/index.js": `
      import { Buffer } from "node:buffer";
      export default { fetch: () => new Response("user " + Buffer.from("abc").toString("base64")) };`,
  }, "--dispatch-namespace", "production");
  await says("customer-a.apps.test", "/", "200 user YWJj");
  await says("nobody.apps.test", "/", "404 nobody");
  await says("any.apps.test", "/page", "200 a page hi");

  // A token for one namespace deploys there and nowhere else, and says who it is.
  const account = { authorization: `Bearer ${process.env.WASMYARD_API_TOKEN}`, "content-type": "application/json" };
  const made = await fetch(`${api}/user/tokens`, {
    method: "POST", headers: account,
    body: JSON.stringify({
      name: "one namespace",
      policies: [{
        effect: "allow",
        permission_groups: [{ id: "e086da7e2179491d91ee5f35b3ca210a" }],
        resources: { "com.cloudflare.api.account.dispatch_namespace.production": "*" },
      }],
    }),
  });
  const narrow = { CLOUDFLARE_API_TOKEN: (await made.json()).result.value };
  await fetch(`${api}/accounts/0/workers/dispatch/namespaces`, {
    method: "POST", headers: account, body: JSON.stringify({ name: "forbidden" }),
  });
  const into = (namespace) => wrangler("user", {}, "deploy", "--dispatch-namespace", namespace, narrow);
  const allowed = await into("production");
  assert.equal(allowed.code, 0, allowed.text);
  const refused = await into("forbidden");
  assert.notEqual(refused.code, 0, refused.text);
  assert.match(refused.text, /lacks the permission "Workers Scripts Write"/);
  const whoami = await wrangler("user", {}, "whoami", narrow);
  assert.equal(whoami.code, 0, whoami.text);
  checks += 3;

  // The second time: a version, and a deployment of it.
  await deployed("dispatcher", { "src/page.txt": "another page" });
  await says("any.apps.test", "/page", "200 another page hi");
  const uploaded = await printed("dispatcher", { "src/page.txt": "a third page" }, "versions", "upload", "--message", "try");
  const [, version] = /Worker Version ID: (\S+)/.exec(uploaded);
  await says("any.apps.test", "/page", "200 another page hi");
  assert.match(await printed("dispatcher", {}, "versions", "list"), new RegExp(version));
  await printed("dispatcher", {}, "versions", "deploy", `${version}@100%`, "--yes");
  await says("any.apps.test", "/page", "200 a third page hi");
  assert.match(await printed("dispatcher", {}, "deployments", "list"), new RegExp(`\\(100%\\) ${version}`));
  await printed("dispatcher", {}, "rollback", "--message", "no", "--yes");
  await says("any.apps.test", "/page", "200 another page hi");

  // Routes of a zone.
  await fetch(`${api}/zones`, {
    method: "POST", body: JSON.stringify({ name: "routed.test" }),
    headers: { authorization: `Bearer ${process.env.WASMYARD_API_TOKEN}`, "content-type": "application/json" },
  });
  const routed = (pattern) => `name = "routed"\nmain = "src/index.js"\n${date}routes = [{ pattern = "${pattern}", zone_name = "routed.test" }]\n`;
  const source = { "src/index.js": 'export default { fetch: () => new Response("routed") };' };
  await deployed("routed", { "wrangler.toml": routed("shop.routed.test/*"), ...source });
  await says("shop.routed.test", "/", "200 routed");
  await deployed("routed", { "wrangler.toml": routed("www.routed.test/*") });
  await says("www.routed.test", "/", "200 routed");
  assert.match((await wrangler("routed", { "wrangler.toml": routed("shop.other.test/*") }, "deploy")).text, /no host of the zone/);

  // workers.dev is what wrangler wants where nothing is said of it: there is none, and that is no error.
  const typed = {
    "wrangler.jsonc": '{ "name": "typed", "main": "src/index.ts", "compatibility_date": "2026-01-01", "vars": { "A": { "b": 1 } } }',
    "src/index.ts": `
      interface Env { A: { b: number } }
      export default {
        async fetch(request: Request, env: Env): Promise<Response> { return Response.json({ b: env.A.b, method: request.method }); },
      };`,
  };
  await deployed("typed", typed);
  await says("typed.test", "/", '200 {"b":1,"method":"GET"}');

  await deployed("older", {
    "wrangler.toml": `name = "older"\nmain = "src/index.js"\n${date}[vars]\nGREETING = "older"\n`,
    "src/index.js": 'addEventListener("fetch", (event) => event.respondWith(new Response(GREETING)));',
  });
  await says("older.test", "/", "200 older");

  const broken = await deploy("broken", {
    "wrangler.toml": `name = "broken"\nmain = "src/index.js"\n${date}`,
    "src/index.js": 'throw new Error("no such luck");\nexport default { fetch: () => new Response("") };',
  });
  assert.notEqual(broken.code, 0);
  assert.match(broken.text, /no such luck/);
  console.log(`wrangler: ${checks} checks`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
