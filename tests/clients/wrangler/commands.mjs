// The commands of wrangler beside `deploy`, each with its exit code and with what it is to bring about: looked at by the API, or as a
// visitor. What this server has not is tried as well, so that it is known how wrangler ends then.
//
// Usage: commands.mjs API VISITORS TABLE; writes the exit codes to the file TABLE.

import { writeFile } from "node:fs/promises";
import assert from "node:assert/strict";

import { Wrangler } from "./tool.mjs";

const tool = await Wrangler.start(process.argv.slice(2));
const table = process.argv[4];
const codes = [];
const account = "accounts/local";
const workers = `${account}/workers`;

/** Runs a command in the project that all of them have, and notes how it ended. What is only true of this run is written in capitals. */
async function command(words, { input = "", files = {}, shown = words.join(" "), code = 0 } = {}) {
  const done = await tool.told("commands", files, input, ...words);
  codes.push({ command: shown, code: done.code });
  assert.equal(done.code, code, `wrangler ${words.join(" ")}\n${done.text}`);
  return done.text;
}

/** What the API answers; null where that is not there. */
async function result(path) {
  const answer = await tool.fetch(path);
  return answer.ok ? (await answer.json()).result : null;
}

try {
  assert.match(await command(["whoami"]), /local|wasmyard/);

  // Namespaces.
  await command(["dispatch-namespace", "create", "testing"]);
  assert.equal((await result(`${workers}/dispatch/namespaces/testing`)).namespace_name, "testing");
  assert.match(await command(["dispatch-namespace", "list"]), /testing/);
  assert.match(await command(["dispatch-namespace", "get", "testing"]), /testing/);
  await command(["dispatch-namespace", "rename", "testing", "tested"]);
  assert.equal(await result(`${workers}/dispatch/namespaces/testing`), null);
  await command(["dispatch-namespace", "rename", "tested", "testing"]);

  // A script of the platform, and one of a user.
  const project = (word, more = "") => ({
    "wrangler.toml": `name = "commands"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\nworkers_dev = false\n${more}`,
    "index.js": `export default { fetch: (_, env) => new Response(["${word}", env.FIRST, env.SECOND, env.THIRD].filter(Boolean).join(" ")) };`,
  });
  await command(["deploy", "--dispatch-namespace", "testing"], { files: project("user") });
  assert.equal((await result(`${workers}/dispatch/namespaces/testing/scripts/commands`)).script.id, "commands");
  await command(["deploy"], { files: project("one") });
  await tool.says("commands.test", "/", "200 one");
  await command(["deploy", "--tag", "t1", "--message", "m1"], { files: project("two") });
  await tool.says("commands.test", "/", "200 two");

  // Versions and deployments.
  const uploaded = await command(["versions", "upload"], { files: project("three") });
  const [, version] = /Worker Version ID: (\S+)/.exec(uploaded);
  await tool.says("commands.test", "/", "200 two");
  assert.match(await command(["versions", "list"]), new RegExp(version));
  assert.match(await command(["versions", "view", version], { shown: "versions view VERSION" }), new RegExp(version));
  await command(["versions", "deploy", `${version}@100%`, "--yes"], { shown: "versions deploy VERSION@100% --yes" });
  await tool.says("commands.test", "/", "200 three");
  assert.match(await command(["deployments", "list"]), new RegExp(version));
  assert.match(await command(["deployments", "status"]), new RegExp(version));
  await command(["rollback", "--message", "no", "--yes"]);
  await tool.says("commands.test", "/", "200 two");

  // Secrets: each of them is a version, which serves at once.
  await command(["secret", "put", "FIRST"], { input: "1st" });
  await tool.says("commands.test", "/", "200 two 1st");
  await command(["secret", "bulk", "secrets.json"], { files: { "secrets.json": '{"SECOND":"2nd","THIRD":"3rd"}' } });
  await tool.says("commands.test", "/", "200 two 1st 2nd 3rd");
  const listed = await command(["secret", "list"]);
  assert.match(listed, /FIRST/);
  assert.doesNotMatch(listed, /1st/);
  await command(["secret", "delete", "SECOND"], { input: "y\n" });
  await tool.says("commands.test", "/", "200 two 1st 3rd");

  // Triggers.
  await tool.fetch("zones", "POST", { name: "triggered.test" });
  const routes = 'routes = [{ pattern = "shop.triggered.test/*", zone_name = "triggered.test" }]\n';
  await command(["triggers", "deploy"], { files: project("two", routes) });
  await tool.says("shop.triggered.test", "/", "200 two 1st 3rd");
  const crons = '[triggers]\ncrons = ["*/5 * * * *", "0 3 * * mon"]\n';
  await command(["deploy"], { files: project("two", crons), shown: "deploy with cron triggers" });
  const set = (await result(`${workers}/scripts/commands/schedules`)).schedules.map(({ cron }) => cron);
  assert.deepEqual(set, ["*/5 * * * *", "0 3 * * mon"]);
  await command(["triggers", "deploy"], { files: project("two", "[triggers]\ncrons = []\n"), shown: "triggers deploy without crons" });
  assert.deepEqual((await result(`${workers}/scripts/commands/schedules`)).schedules, []);

  // Keys and values.
  await command(["kv", "namespace", "create", "NS1"]);
  assert.match(await command(["kv", "namespace", "list"]), /NS1/);
  const [{ id }] = await result(`${account}/storage/kv/namespaces`);
  const of = ["--namespace-id", id, "--remote"];
  const kv = (words, options = {}) =>
    command([...words, ...of], { ...options, shown: `${words.join(" ")} --namespace-id ID --remote` });
  const value = async (key) => (await tool.fetch(`${account}/storage/kv/namespaces/${id}/values/${encodeURIComponent(key)}`)).text();
  await kv(["kv", "key", "put", "some key/å", "value1", "--ttl", "120", "--metadata", '{"a":1}']);
  assert.equal(await value("some key/å"), "value1");
  await kv(["kv", "key", "put", "k2", "value2"]);
  assert.match(await kv(["kv", "key", "list"]), /some key/);
  assert.match(await kv(["kv", "key", "get", "k2"]), /value2/);
  await kv(["kv", "key", "delete", "k2"]);
  assert.equal((await tool.fetch(`${account}/storage/kv/namespaces/${id}/values/k2`)).status, 404);
  await kv(["kv", "bulk", "put", "b.json"], { files: { "b.json": '[{"key":"a","value":"1"},{"key":"b","value":"2"}]' } });
  assert.equal(await value("b"), "2");
  assert.match(await kv(["kv", "bulk", "get", "d.json"], { files: { "d.json": '["a","b"]' } }), /"b": "2"|"2"/);
  await kv(["kv", "bulk", "delete", "d.json", "--force"]);
  assert.equal((await tool.fetch(`${account}/storage/kv/namespaces/${id}/values/a`)).status, 404);
  await command(["kv", "namespace", "delete", "--namespace-id", id, "-y"], { shown: "kv namespace delete --namespace-id ID -y" });
  assert.deepEqual(await result(`${account}/storage/kv/namespaces`), []);

  // Objects.
  const buckets = `${account}/r2/buckets`;
  await command(["r2", "bucket", "create", "photos"]);
  assert.match(await command(["r2", "bucket", "list"]), /photos/);
  await command(["r2", "object", "put", "photos/a b/å.txt", "--file", "o.txt", "--content-type", "text/x-photo", "--remote"], { files: { "o.txt": "an object" } });
  const there = (await result(`${buckets}/photos/objects`))[0];
  assert.equal(there.key, "a b/å.txt");
  assert.equal(there.http_metadata.contentType, "text/x-photo");
  assert.match(await command(["r2", "object", "get", "photos/a b/å.txt", "--pipe", "--remote"]), /an object/);
  assert.match(await command(["r2", "bucket", "info", "photos"]), /object_count:\s+1/);
  const bound = '[[r2_buckets]]\nbinding = "B"\nbucket_name = "photos"\n';
  await command(["deploy"], { files: project("two", bound), shown: "deploy with an R2 binding" });
  const kept = await tool.fetch(`${buckets}/photos`, "DELETE");
  assert.equal(kept.status, 409);
  await command(["deploy"], { files: project("two"), shown: "deploy without it" });
  await command(["r2", "object", "delete", "photos/a b/å.txt", "--remote"]);
  await command(["r2", "bucket", "delete", "photos"]);
  assert.deepEqual((await result(buckets)).buckets, []);

  // What is not there is told, and changes nothing.
  for (const words of [
    ["tail", "commands", "--format", "json"],
    ["queues", "list"], ["queues", "create", "q1"],
    ["d1", "list"], ["d1", "create", "d1"],
    ["hyperdrive", "list"], ["vectorize", "list"], ["workflows", "list"], ["pipelines", "list"],
  ]) {
    const done = await tool.told("commands", {}, "", ...words);
    codes.push({ command: words.join(" "), code: done.code });
  }
  const before = (await result(`${workers}/scripts/commands/deployments`)).deployments[0].id;
  for (const [more, named] of [
    ['[[d1_databases]]\nbinding = "D"\ndatabase_name = "d"\ndatabase_id = "00000000-0000-0000-0000-000000000000"\n', "with a D1 binding"],
  ]) {
    const done = await tool.told("commands", project("two", more), "", "deploy");
    codes.push({ command: `deploy ${named}`, code: done.code });
    assert.notEqual(done.code, 0, done.text);
    assert.equal((await result(`${workers}/scripts/commands/deployments`)).deployments[0].id, before, named);
  }

  // The end of all.
  await command(["delete", "nonesuch", "--force"], { code: 1, files: project("two") });
  await command(["delete", "commands", "--force"], { shown: "delete SCRIPT --force" });
  assert.equal(await result(`${workers}/scripts/commands/settings`), null);
  await command(["dispatch-namespace", "delete", "testing"], { input: "y\n" });
  assert.equal(await result(`${workers}/dispatch/namespaces/testing`), null);
  console.log(`wrangler ${tool.version}: ${codes.length} commands, ${tool.checks} checks`);
} finally {
  await writeFile(table, JSON.stringify({ version: tool.version, codes }));
  await tool.end();
}
