// What the types say of a worker: compiled, never run. `@ts-expect-error` marks what they have to refuse.

import { RpcTarget, WorkerEntrypoint, env as current } from "cloudflare:workers";
import { AsyncLocalStorage } from "node:async_hooks";

interface Given {
  DISPATCHER: DispatchNamespace;
  KV: KVNamespace;
  JOBS: Queue<{ id: string }>;
  DB: D1Database;
  PHOTOS: R2Bucket;
  ACCOUNTS: Service<typeof Accounts>;
  ANY: Service;
  ASSETS: Fetcher;
  GREETING: string;
}

class Counter extends RpcTarget {
  #count = 0;
  add(by: number) { return (this.#count += by); }
}

export class Accounts extends WorkerEntrypoint<Given, { role: string }> {
  greet(name: string) { return `${this.env.GREETING} ${name}, ${this.ctx.props.role}`; }
  open() { return new Counter(); }
  later(told: (word: string) => void) { told("now"); }
}

const stored = new AsyncLocalStorage<number>();

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const greeting: string = await env.ACCOUNTS.greet("Ada");
    using counter = await env.ACCOUNTS.open();
    const three: number = await counter.add(3);
    const ahead: number = await env.ACCOUNTS.open().add(4);
    await env.ACCOUNTS.later((word) => console.log(word));
    // @ts-expect-error it takes a text
    await env.ACCOUNTS.greet(5);
    // @ts-expect-error there is no such method
    await env.ACCOUNTS.close();
    // @ts-expect-error what a class keeps for itself is nobody else's
    env.ACCOUNTS.ctx;
    const anything = await env.ANY.whatever(1, "two");

    const known = await env.KV.get<{ workerName: string }>(`hostname:${url.hostname}`, { type: "json" });
    const photo = await env.PHOTOS.get("a", { range: { suffix: 10 }, onlyIf: request.headers });
    if (photo && "body" in photo) await env.PHOTOS.put("b", photo.body, { httpMetadata: photo.httpMetadata, sha256: photo.checksums.sha256 });
    const { value, metadata } = await env.KV.getWithMetadata<{ tier: string }>("a");
    const listed = await env.KV.list({ prefix: "a" });
    if (!listed.list_complete) await env.KV.list({ cursor: listed.cursor });
    const row = await env.DB.prepare("SELECT name FROM t WHERE id = ?").bind(1, null, true, new Uint8Array()).first<{ name: string }>();
    const [first] = await env.DB.withSession("first-primary").batch<{ n: number }>([env.DB.prepare(row?.name ?? "SELECT 1 AS n")]);
    if (first.results[0].n > first.meta.rows_read) await env.DB.exec("SELECT 1");
    ctx.waitUntil(env.KV.put("a", value ?? "", { expirationTtl: 60, metadata }));

    const customer: string = request.cf?.hostMetadata.customer_id;
    const headers = new Headers(request.headers);
    headers.append("X-Customer-Id", customer);
    const sent = new Request(request.url, { method: request.method, headers });
    if (url.pathname === "/files") return env.ASSETS.fetch(request);
    if (url.pathname === "/page") return new HTMLRewriter().on("a[href]", { element(link) { link.setAttribute("rel", "nofollow"); } }).transform(await fetch(sent));
    const key = await crypto.subtle.importKey("raw", new TextEncoder().encode("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const signature = await crypto.subtle.sign("HMAC", key, new Uint8Array(4));
    for await (const piece of request.body?.pipeThrough(new DecompressionStream("gzip")) ?? []) stored.run(piece.length, () => stored.getStore());

    const cache = url.pathname === "/own" ? caches.default : await caches.open("pages");
    const kept = await cache.match(request, { ignoreMethod: true });
    if (kept) return kept;
    ctx.waitUntil(cache.put(request.url, new Response("page", { headers: { "cache-control": "max-age=60" } })));
    if (await cache.delete(url)) console.log("deleted");
    // @ts-expect-error not on this platform
    await cache.add(request);
    // @ts-expect-error not on this platform
    new WebSocket("wss://a.test");
    // @ts-expect-error the binding has no such option
    env.DISPATCHER.get("a", {}, { limits: { cpu: 1 } });
    // @ts-expect-error code comes with the upload
    const { exports } = await WebAssembly.instantiate(new Uint8Array(8));

    const user = env.DISPATCHER.get(known?.workerName ?? "a", {}, {
      limits: { cpuMs: 10, subRequests: 5 },
      outbound: { greeting, three, ahead, anything, signature: signature.byteLength, current: Object.keys(current) },
    });
    return await user.fetch(request);
  },
  async queue(batch, env) {
    for (const message of batch.messages) message.retry({ delaySeconds: 1 });
    await env.JOBS.send({ id: batch.queue }, { contentType: "json", delaySeconds: 2 });
    await env.JOBS.sendBatch([{ body: { id: "a" } }, { body: { id: "b" }, contentType: "v8" }]);
  },
  async scheduled(controller, env) { await env.KV.delete(controller.cron); },
  tail(events) { for (const { outcome, logs } of events) console.log(outcome, logs.length); },
} satisfies ExportedHandler<Given>;
