// The commands of wrangler beside `deploy`, each with its exit code and with what it is to bring about: looked at by the API, or as a
// visitor. What this server has not is tried as well, so that it is known how wrangler ends then.
//
// Usage: commands.mjs API VISITORS TABLE; writes the exit codes to the file TABLE.

import { readFile, writeFile } from "node:fs/promises";
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

  // Secrets of stores, which scripts read when they ask.
  const of_store = (words, options = {}) => command(["secrets-store", ...words, "--remote"], options);
  await of_store(["store", "create", "shared"]);
  assert.match(await of_store(["store", "list"]), /shared/);
  const [{ id: store }] = await result(`${account}/secrets_store/stores`);
  const of_secret = (word, more, options = {}) =>
    of_store(["secret", word, store, ...more], { shown: `secrets-store secret ${word} STORE ${more.map((each) => (/^[0-9a-f]{32}$/.test(each) ? "ID" : each)).join(" ")} --remote`.replace("  ", " "), ...options });
  await of_secret("create", ["--name", "shared-key", "--value", "s3cret", "--scopes", "workers", "--comment", "one"]);
  const secrets = `${account}/secrets_store/stores/${store}/secrets`;
  const [{ id: secret }] = await result(secrets);
  const shown = await of_secret("list", []);
  assert.match(shown, /shared-key/);
  assert.doesNotMatch(shown, /s3cret/);
  assert.match(await of_secret("get", ["--secret-id", secret]), /shared-key/);
  const reads = {
    "wrangler.toml": `name = "commands"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\nworkers_dev = false\n[[secrets_store_secrets]]\nbinding = "KEY"\nstore_id = "${store}"\nsecret_name = "shared-key"\n`,
    "index.js": "export default { fetch: async (_, env) => new Response(await env.KEY.get()) };",
  };
  await command(["deploy"], { files: reads, shown: "deploy with a secret of a store" });
  await tool.says("commands.test", "/", "200 s3cret");
  await of_secret("update", ["--secret-id", secret, "--value", "an0ther", "--scopes", "workers"]);
  await tool.says("commands.test", "/", "200 an0ther");
  await of_secret("duplicate", ["--secret-id", secret, "--name", "copied", "--scopes", "workers"]);
  assert.deepEqual((await result(secrets)).map(({ name }) => name), ["copied", "shared-key"]);
  await of_secret("delete", ["--secret-id", secret], { code: 1, shown: "secrets-store secret delete STORE --secret-id ID --remote, of one that a script is bound to" });
  await command(["deploy"], { files: project("two"), shown: "deploy without it" });
  await of_secret("delete", ["--secret-id", secret]);
  await of_store(["store", "delete", store], { shown: "secrets-store store delete STORE --remote" });
  assert.deepEqual(await result(`${account}/secrets_store/stores`), []);

  // Certificates that scripts show, and authorities of clients.
  const ca = process.env.WASMYARD_CLIENT_CA;
  const [pem, key] = [await readFile(ca, "utf8"), await readFile(ca.replace(/pem$/, "key"), "utf8")];
  const pair = { files: { "cert.pem": pem, "key.pem": key } };
  assert.match(await command(["mtls-certificate", "upload", "--cert", "cert.pem", "--key", "key.pem", "--name", "bank"], pair), /Success! Uploaded mTLS Certificate bank/);
  await command(["cert", "upload", "mtls-certificate", "--cert", "cert.pem", "--key", "key.pem", "--name", "shop"], pair);
  await command(["cert", "upload", "certificate-authority", "--ca-cert", "cert.pem", "--name", "partners"], pair);
  await command(["mtls-certificate", "upload", "--cert", "cert.pem", "--key", "cert.pem"], { ...pair, code: 1, shown: "mtls-certificate upload --cert cert.pem --key NO-KEY" });
  const uploaded_certificates = `${account}/mtls_certificates`;
  const listed_certificates = await command(["mtls-certificate", "list"]);
  assert.match(listed_certificates, /bank[^]*shop/);
  assert.doesNotMatch(listed_certificates, /partners/);
  assert.match(await command(["cert", "list"]), /partners[^]*CA: true/);
  const [{ id: bank }] = await result(`${uploaded_certificates}?name=bank`);
  const shows = {
    "wrangler.toml": `name = "commands"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\nworkers_dev = false\n[[mtls_certificates]]\nbinding = "BANK"\ncertificate_id = "${bank}"\n`,
    "index.js": "export default { fetch: async (_, env) => new Response(typeof env.BANK.fetch) };",
  };
  await command(["deploy"], { files: shows, shown: "deploy with an mTLS certificate" });
  await tool.says("commands.test", "/", "200 function");
  await command(["mtls-certificate", "delete", "--id", bank], { input: "y\n", code: 1, shown: "mtls-certificate delete --id ID, of one that a script is bound to" });
  await command(["deploy"], { files: project("two"), shown: "deploy without the certificate" });
  await command(["mtls-certificate", "delete", "--id", bank], { input: "y\n", shown: "mtls-certificate delete --id ID" });
  await command(["mtls-certificate", "delete", "--name", "shop"], { input: "y\n" });
  await command(["cert", "delete", "--name", "partners"], { input: "y\n" });
  assert.deepEqual(await result(uploaded_certificates), []);

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
  // A deploy leaves the secrets as they are, whether the client names them or not.
  await tool.says("shop.triggered.test", "/", "200 two 1st 3rd");
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

  // Storage of a user's script of its own, which is there again at the next deploy and goes with the script.
  const keeps = {
    "wrangler.toml": 'name = "keeps"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\n[[unsafe.bindings]]\ntype = "kv_namespace"\nname = "KEYS"\nown = true\n',
    "index.js": 'export default { fetch: async (_, env) => new Response(await env.KEYS.get("k")) };',
  };
  const keeper = `${workers}/dispatch/namespaces/testing/scripts/keeps`;
  await command(["deploy", "--dispatch-namespace", "testing"], { files: keeps, shown: "deploy --dispatch-namespace testing with storage of its own" });
  const [made] = await result(`${keeper}/storage`);
  assert.deepEqual([made.type, made.binding, made.entries], ["kv_namespace", "KEYS", 0]);
  await command(["deploy", "--dispatch-namespace", "testing"], { files: keeps, shown: "deploy --dispatch-namespace testing with storage of its own, again" });
  assert.equal((await result(`${keeper}/storage`))[0].id, made.id);
  assert.equal((await tool.fetch(`${keeper}?purge=true`, "DELETE")).status, 200);
  assert.deepEqual(await result(`${account}/storage/kv/namespaces`), []);

  // What becomes of invocations, as they happen.
  const speaks = {
    "wrangler.toml": 'name = "commands"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\nworkers_dev = false\n',
    "index.js": 'export default { fetch(request) { console.warn("asked for", new URL(request.url).pathname); if (request.url.endsWith("/broken")) throw new TypeError("no such thing"); return new Response("spoken"); } };',
  };
  await command(["deploy"], { files: speaks, shown: "deploy of what speaks" });
  for (const [words, wanted] of [
    [["tail", "commands", "--format", "json"], [/"scriptName": "commands"/, /asked for \/a/, /"outcome": "ok"/]],
    [["tail", "commands", "--format", "pretty"], [/GET http:\/\/commands\.test\/a - Ok/, /\(warn\) asked for \/a/]],
    [["tail", "commands", "--format", "pretty", "--status", "error"], [/GET http:\/\/commands\.test\/broken/, /no such thing/]],
    [["tail", "commands", "--format", "pretty", "--method", "GET", "--header", "x-kind:special", "--search", "asked"], [/asked for \/special/]],
  ]) {
    const visit = async () => {
      for (const path of ["/a", "/broken"]) await tool.visit("commands.test", path);
      await tool.visit("commands.test", "/special", { "x-kind": "special one" });
    };
    const done = await tool.watch("commands", words, wanted, visit);
    if (words.includes("error")) assert.doesNotMatch(done.text, /\/a - Ok/);
    if (words.includes("--header")) assert.doesNotMatch(done.text, /asked for \/a/);
    codes.push({ command: `${words.join(" ")}, interrupted`, code: done.code });
  }
  // wrangler ends a tail when it goes, and this server notices who goes without.
  await tool.until(async () => (await result(`${workers}/scripts/commands/tails`)).length === 0, "the tails are gone");

  // Queues: of both kinds of consumers, and deployed with a script.
  assert.match(await command(["queues", "create", "q1", "--delivery-delay-secs", "3", "--message-retention-period-secs", "3600"]), /q1/);
  await command(["queues", "create", "q2"]);
  assert.match(await command(["queues", "list"]), /q1/);
  const queue = async (name) => (await result(`${account}/queues?name=${name}`))[0];
  assert.equal((await queue("q1")).settings.delivery_delay, 3);
  await command(["queues", "update", "q1", "--delivery-delay-secs", "0", "--message-retention-period-secs", "600"]);
  assert.deepEqual((await queue("q1")).settings, { delivery_delay: 0, delivery_paused: false, message_retention_period: 600 });
  await command(["queues", "consumer", "worker", "add", "q1", "commands", "--batch-size", "5", "--batch-timeout", "0", "--message-retries", "2", "--dead-letter-queue", "q2", "--max-concurrency", "2", "--retry-delay-secs", "1"]);
  const [worker] = (await queue("q1")).consumers;
  assert.deepEqual([worker.script, worker.settings.batch_size, worker.dead_letter_queue], ["commands", 5, "q2"]);
  assert.match(await command(["queues", "info", "q1"]), /commands/);
  await command(["queues", "pause-delivery", "q1"]);
  assert.equal((await queue("q1")).settings.delivery_paused, true);
  await command(["queues", "resume-delivery", "q1"]);
  assert.equal((await queue("q1")).settings.delivery_paused, false);
  await command(["queues", "consumer", "worker", "remove", "q1", "commands"]);
  assert.deepEqual((await queue("q1")).consumers, []);
  await command(["queues", "consumer", "http", "add", "q1", "--batch-size", "7", "--visibility-timeout-secs", "20"]);
  assert.equal((await queue("q1")).consumers[0].settings.visibility_timeout_ms, 20000);
  await command(["queues", "consumer", "http", "remove", "q1"]);
  assert.deepEqual((await queue("q1")).consumers, []);
  const at = async (name) => `${account}/queues/${(await queue(name)).queue_id}`;
  await tool.fetch(`${await at("q2")}/messages`, "POST", { body: 1 });
  await command(["queues", "purge", "q2", "--force"]);
  assert.equal((await result(`${await at("q2")}/metrics`)).backlog_count, 0);
  const queues =
    '[[queues.producers]]\nqueue = "q1"\nbinding = "Q"\n[[queues.consumers]]\nqueue = "q1"\nmax_batch_size = 1\nmax_batch_timeout = 0\ndead_letter_queue = "q2"\nmax_retries = 0\n';
  const consuming = project("two", queues);
  consuming["index.js"] = `export default {
    async fetch(_, env) { await env.Q.send({ a: 1 }); return new Response("sent"); },
    async queue(batch) { if (batch.messages[0].body.a === 1) throw new Error("to the dead letters"); },
  };`;
  await command(["deploy"], { files: consuming, shown: "deploy with a queue that it sends to and consumes" });
  await command(["deploy"], { files: consuming, shown: "deploy with a queue once more" });
  await tool.says("commands.test", "/", "200 sent");
  for (let tries = 0; (await result(`${await at("q2")}/metrics`)).backlog_count !== 1; tries++) {
    assert.ok(tries < 600, "the message goes to the dead letters");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await command(["queues", "delete", "q1"], { code: 1, shown: "queues delete QUEUE-IN-USE" });
  await command(["deploy"], { files: project("two"), shown: "deploy without the queue" });
  await tool.fetch(`${await at("q1")}/consumers/${(await queue("q1")).consumers[0].consumer_id}`, "DELETE");
  await command(["queues", "delete", "q1"]);
  await command(["queues", "delete", "q2"]);
  assert.deepEqual(await result(`${account}/queues`), []);

  // SQL databases.
  await command(["d1", "create", "db1"]);
  assert.match(await command(["d1", "list"]), /db1/);
  const database = `${account}/d1/database/db1`;
  const { uuid } = await result(database);
  const rows = async (sql) => (await (await tool.fetch(`${database}/query`, "POST", { sql })).json()).result[0].results;
  const project1 = { "wrangler.toml": `name = "commands"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\nworkers_dev = false\n[[d1_databases]]\nbinding = "D"\ndatabase_name = "db1"\ndatabase_id = "${uuid}"\n` };
  const d1 = (words, options = {}) => command(["d1", ...words], { ...options, files: { ...project1, ...options.files } });
  assert.match(await d1(["info", "db1"]), /num_tables/);
  await d1(["execute", "db1", "--remote", "--yes", "--command", "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('one')"], { shown: "d1 execute db1 --remote --yes --command SQL" });
  assert.deepEqual(await rows("SELECT a FROM t"), [{ a: "one" }]);
  assert.match(await d1(["execute", "db1", "--remote", "--json", "--command", "SELECT a FROM t"], { shown: "d1 execute db1 --remote --json --command SQL" }), /"one"/);
  await d1(["execute", "db1", "--remote", "--command", "SELEC 1"], { code: 1, shown: "d1 execute db1 --remote --command (refused)" });
  const travelled = await d1(["time-travel", "info", "db1"]);
  const [bookmark] = /[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}/.exec(travelled);
  await d1(["execute", "db1", "--remote", "--yes", "--file", "more.sql"], { files: { "more.sql": "INSERT INTO t VALUES ('two');\nINSERT INTO t VALUES ('three');\n" } });
  assert.deepEqual(await rows("SELECT a FROM t"), [{ a: "one" }, { a: "two" }, { a: "three" }]);
  const migration = { "migrations/0001_first.sql": "CREATE TABLE m (a);\nCREATE TRIGGER n AFTER INSERT ON m BEGIN INSERT INTO t VALUES ('by a trigger'); END;\n" };
  assert.match(await d1(["migrations", "list", "db1", "--remote"], { files: migration }), /0001_first/);
  await d1(["migrations", "apply", "db1", "--remote"], { files: migration });
  assert.match(await d1(["migrations", "list", "db1", "--remote"]), /No migrations/);
  await d1(["export", "db1", "--remote", "--output", "out.sql"], { input: "y\n" });
  await d1(["time-travel", "restore", "db1", "--bookmark", bookmark], { input: "y\n", shown: "d1 time-travel restore db1 --bookmark BOOKMARK" });
  assert.deepEqual(await rows("SELECT a FROM t"), [{ a: "one" }]);
  const bound = `[[d1_databases]]\nbinding = "FIRST_DB"\ndatabase_name = "db1"\ndatabase_id = "${uuid}"\n`;
  await command(["deploy"], { files: project("two", bound), shown: "deploy with a D1 binding" });
  assert.deepEqual((await result(`${workers}/scripts/commands/settings`)).bindings.filter(({ type }) => type === "d1").map(({ id }) => id), [uuid]);
  await d1(["delete", "db1", "--skip-confirmation"], { code: 1, shown: "d1 delete db1 --skip-confirmation (while a script is bound to it)" });
  await command(["deploy"], { files: project("two"), shown: "deploy without the D1 binding" });
  await d1(["delete", "db1", "--skip-confirmation"]);
  assert.equal(await result(database), null);

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
  const bucketed = '[[r2_buckets]]\nbinding = "B"\nbucket_name = "photos"\n';
  await command(["deploy"], { files: project("two", bucketed), shown: "deploy with an R2 binding" });
  const kept = await tool.fetch(`${buckets}/photos`, "DELETE");
  assert.equal(kept.status, 409);
  await command(["deploy"], { files: project("two"), shown: "deploy without it" });
  await command(["r2", "object", "delete", "photos/a b/å.txt", "--remote"]);
  await command(["r2", "bucket", "delete", "photos"]);
  assert.deepEqual((await result(buckets)).buckets, []);

  // What is not there is told, and changes nothing.
  for (const words of [
    ["hyperdrive", "list"], ["vectorize", "list"], ["workflows", "list"], ["pipelines", "list"],
  ]) {
    const done = await tool.told("commands", {}, "", ...words);
    codes.push({ command: words.join(" "), code: done.code });
  }
  const before = (await result(`${workers}/scripts/commands/deployments`)).deployments[0].id;
  for (const [more, named] of [
    ['[[d1_databases]]\nbinding = "D"\ndatabase_name = "d"\ndatabase_id = "00000000-0000-0000-0000-000000000000"\n', "with a D1 database that is not there"],
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
