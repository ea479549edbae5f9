// wrangler, in projects of a folder that goes afterwards, against one server.
//
// WASMYARD_WRANGLER is its script, WASMYARD_NODE the program that runs it, WASMYARD_API_TOKEN the token.

import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import assert from "node:assert/strict";

export class Wrangler {
  checks = 0;

  static async start([api, visitors]) {
    const tool = new Wrangler();
    const script = process.env.WASMYARD_WRANGLER;
    const { version } = JSON.parse(await readFile(join(dirname(dirname(script)), "package.json"), "utf8"));
    const folder = await mkdtemp(join(tmpdir(), "wasmyard-wrangler-"));
    return Object.assign(tool, { api, visitors, script, version, folder });
  }

  /** What the program is started with. */
  environment(more = {}) {
    return {
      ...process.env, CI: "1", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", HOME: this.folder,
      CLOUDFLARE_API_BASE_URL: this.api, CLOUDFLARE_API_TOKEN: process.env.WASMYARD_API_TOKEN, CLOUDFLARE_ACCOUNT_ID: "local", ...more,
    };
  }

  /** Runs wrangler until its output has all that is wanted, while something is done over and over, and interrupts it then: its
   * exit code, or the signal that it ended by, and all that it said. */
  async watch(project, words, wanted, act) {
    const cwd = join(this.folder, project);
    const child = spawn(process.env.WASMYARD_NODE, [this.script, ...words], { cwd, env: this.environment() });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece));
    const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
    const seen = (async () => {
      while (!wanted.every((one) => one.test(text))) {
        await act();
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      return "seen";
    })();
    const patience = new Promise((resolve) => setTimeout(() => resolve("too late"), 60_000).unref());
    const first = await Promise.race([seen, ended, patience]);
    assert.equal(first, "seen", `wrangler ${words.join(" ")} did not say what it should\n${text}`);
    child.kill("SIGINT");
    this.checks++;
    return { code: await ended, text };
  }

  /** Writes files of a project and runs wrangler in it: its exit code, and all that it says. A word that is an object is more of
   * its environment. */
  async run(project, files, ...words) {
    return this.told(project, files, "", ...words);
  }

  /** The same with something to read. */
  async told(project, files, input, ...given) {
    const words = given.filter((word) => typeof word === "string");
    const more = Object.assign({}, ...given.filter((word) => typeof word === "object"));
    const cwd = join(this.folder, project);
    await mkdir(cwd, { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(cwd, path)), { recursive: true });
      await writeFile(join(cwd, path), text);
    }
    const env = this.environment(more);
    this.checks++;
    return new Promise((resolve) => {
      const child = execFile(process.env.WASMYARD_NODE, [this.script, ...words], { cwd, env }, (error, out, err) =>
        resolve({ code: error ? error.code : 0, out, text: `${out}\n${err}` }));
      child.stdin.end(input);
    });
  }

  /** A call of the API. */
  async fetch(path, method = "GET", body = undefined) {
    return fetch(`${this.api}/${path}`, {
      method, body: body && JSON.stringify(body),
      headers: { authorization: `Bearer ${process.env.WASMYARD_API_TOKEN}`, "content-type": "application/json" },
    });
  }

  /** Waits until something is so. */
  async until(holds, what) {
    for (const end = Date.now() + 60_000; !(await holds()); ) {
      assert.ok(Date.now() < end, `never: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    this.checks++;
  }

  /** What a visitor of a host gets. */
  async visit(host, path, more = {}) {
    const { hostname, port } = new URL(this.visitors);
    return new Promise((resolve, reject) => {
      http.get({ hostname, port, path, headers: { host, ...more } }, async (response) => {
        let text = "";
        for await (const piece of response.setEncoding("utf8")) text += piece;
        resolve(`${response.statusCode} ${text.trim()}`);
      }).on("error", reject);
    });
  }

  /** What a visitor of a host is answered. */
  async says(host, path, expected) {
    const answer = await this.visit(host, path);
    assert.equal(answer, expected, `${host}${path}`);
    this.checks++;
  }

  async end() {
    await rm(this.folder, { recursive: true, force: true });
  }
}
