// wrangler deploys projects as people write them: modules, TypeScript, files that are imported, the older syntax, Node.js
// modules, components, to the platform and into a namespace. Each is then asked as a visitor asks.
//
// Usage: wrangler.mjs API VISITORS, with the environment of wrangler/tool.mjs; WASMYARD_PROGRAM is this program, and WASMYARD_COMPONENT a
// component that greets.

import { execFileSync } from "node:child_process";
import { mkdir, copyFile, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import assert from "node:assert/strict";

import { Wrangler } from "./wrangler/tool.mjs";

const tool = await Wrangler.start(process.argv.slice(2));
const { api } = tool;
const wrangler = (...command) => tool.run(...command);
const says = (...asked) => tool.says(...asked);

/** Writes a project and has wrangler deploy it; what wrangler says. */
async function deploy(name, files, ...more) {
  return wrangler(name, files, "deploy", ...more);
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

/** The names of the files of a script, as the API gives them back. */
async function filesOf(script) {
  const content = await tool.fetch(`accounts/local/workers/dispatch/namespaces/production/scripts/${script}/content`);
  return [...(await content.formData()).keys()];
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
  const elsewhere = await into("forbidden");
  assert.notEqual(elsewhere.code, 0, elsewhere.text);
  assert.match(elsewhere.text, /lacks the permission "Workers Scripts (Read|Write)"/);
  const whoami = await wrangler("user", {}, "whoami", narrow);
  assert.equal(whoami.code, 0, whoami.text);
  tool.checks += 3;

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
  await tool.fetch("zones", "POST", { name: "routed.test" });
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

  // A component: bundled, as it is, and named by the metadata. What came with it is kept.
  const component = (name, more) => ({
    "wrangler.toml": `name = "${name}"\nmain = "src/shim.js"\n${date}${more}`,
    "src/shim.js": 'export { default } from "./worker.wasm";\n',
  });
  const bytes = await readFile(process.env.WASMYARD_COMPONENT);
  const asItIs = 'no_bundle = true\nrules = [{ type = "CompiledWasm", globs = ["**/*.wasm"], fallthrough = true }]\n';
  const named = '[unsafe.metadata]\nmain_module = "worker.wasm"\n';
  for (const [name, more, main] of [["bundled", "", "shim.js"], ["as-it-is", asItIs, "shim.js"], ["named", asItIs + named, "worker.wasm"]]) {
    const files = { ...component(name, more), "src/worker.wasm": bytes };
    await deployed(name, files, "--dispatch-namespace", "production");
    await says(`${name}.apps.test`, "/", "200 Hello from Wasmyard!");
    const kept = await filesOf(name);
    assert.equal(kept.length, 2, kept);
    assert.equal(kept[0], main, kept);
  }
  const more = component("more", "");
  more["src/shim.js"] = 'import worker from "./worker.wasm";\nexport default { fetch: () => new Response(typeof worker) };\n';
  more["src/worker.wasm"] = bytes;
  const refused = await deploy("more", more, "--dispatch-namespace", "production");
  assert.notEqual(refused.code, 0);
  assert.match(refused.text, /is a component, which JavaScript cannot import/);
  assert.match(refused.text, /code: 10021/);

  // The project that `wasmyard init` writes, with a component that was built before.
  const project = join(tool.folder, "customer-a");
  execFileSync(process.env.WASMYARD_PROGRAM, ["init", project, "--template", "wrangler"], { stdio: "pipe" });
  const configuration = await readFile(join(project, "wrangler.toml"), "utf8");
  const built = join(project, "target/wasm32-wasip2/release/customer.wasm");
  await mkdir(dirname(built), { recursive: true });
  await copyFile(process.env.WASMYARD_COMPONENT, built);
  await writeFile(join(project, "wrangler.toml"), configuration.replace(/\[build\][^[]*/, ""));
  await deployed("customer-a", {}, "--dispatch-namespace", "production");
  await says("customer-a.apps.test", "/", "200 Hello from Wasmyard!");
  console.log(`wrangler ${tool.version}: ${tool.checks} checks`);
} finally {
  await tool.end();
}
