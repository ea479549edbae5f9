// Modules of Node.js.

import assert from "node:assert";
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { Buffer } from "node:buffer";
import nodeCrypto, { createHash, createHmac } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import EventEmitter, { once, on } from "node:events";
import path from "node:path";
import process from "node:process";
import querystring from "node:querystring";
import { PassThrough, Readable, Transform, Writable, pipeline } from "node:stream";
import { pipeline as pipelined } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as wait } from "node:timers/promises";
import nodeUrl from "node:url";
import util, { types } from "node:util";
import withoutScheme from "path";

const name = (work) => { try { return work(); } catch (error) { return error.name; } };
const asyncName = async (work) => { try { return await work(); } catch (error) { return error.name; } };

export default {
  buffer_from: () => ["hex:6162", "base64:YWI=", "base64url:YWI_", "latin1:é", "ascii:a", "utf16le:é", "utf8:é€"].map((each) => Buffer.from(each.split(":")[1], each.split(":")[0])),
  buffer_to: () => ["hex", "base64", "base64url", "latin1", "ascii", "utf16le", "utf8", "binary"].map((encoding) => Buffer.from("é€ab").toString(encoding)),
  buffer_numbers: () => { const buffer = Buffer.alloc(16); buffer.writeUInt32BE(0xdeadbeef, 0); buffer.writeInt16LE(-2, 4); buffer.writeDoubleBE(1.5, 8); return [buffer, buffer.readUInt32BE(0), buffer.readInt16LE(4), buffer.readDoubleBE(8), buffer.readUInt8(0), buffer.readUIntBE(0, 3), name(() => buffer.readUInt32BE(14))]; },
  buffer_big: () => { const buffer = Buffer.alloc(8); buffer.writeBigUInt64LE(2n ** 63n + 5n); return [buffer, buffer.readBigUInt64LE(), buffer.readBigInt64LE()]; },
  buffer_methods: () => { const buffer = Buffer.from("hello world"); return [buffer.indexOf("wor"), buffer.includes("x"), buffer.lastIndexOf("o"), buffer.slice(1, 3).toString(), buffer.subarray(-5).toString(), buffer.equals(Buffer.from("hello world")), buffer.compare(Buffer.from("z")), Buffer.compare(Buffer.from("b"), Buffer.from("a")), buffer.toString("utf8", 6), buffer.fill("ab", 0, 3).toString()]; },
  buffer_concat: () => [Buffer.concat([Buffer.from("a"), new Uint8Array([98])]), Buffer.concat([Buffer.from("abc")], 2), Buffer.byteLength("é"), Buffer.byteLength("YWI=", "base64"), Buffer.isBuffer(Buffer.alloc(1)), Buffer.isBuffer(new Uint8Array(1)), Buffer.isEncoding("HEX"), Buffer.isEncoding("x")],
  buffer_json: () => JSON.stringify(Buffer.from("ab")),
  buffer_shares: () => { const bytes = new Uint8Array([1, 2, 3]); const buffer = Buffer.from(bytes.buffer, 1, 1); buffer[0] = 9; return [bytes, Buffer.from(bytes).buffer === bytes.buffer]; },
  buffer_swap_copy: () => { const buffer = Buffer.from("abcd"); buffer.swap16(); const to = Buffer.alloc(2); const copied = buffer.copy(to, 0, 2); return [buffer.toString(), to.toString(), copied, buffer.write("Z", 1), buffer.toString()]; },
  buffer_global: () => [globalThis.Buffer === Buffer, typeof global, typeof globalThis.process],
  events: () => { const emitter = new EventEmitter(); const seen = []; emitter.on("a", (value) => seen.push(value)); emitter.once("a", (value) => seen.push(`once ${value}`)); emitter.prependListener("a", (value) => seen.push(`first ${value}`)); return [emitter.emit("a", 1), emitter.emit("a", 2), emitter.emit("b"), seen, emitter.listenerCount("a"), emitter.eventNames()]; },
  events_error: () => [name(() => new EventEmitter().emit("error", new RangeError("x")))],
  events_once: async () => { const emitter = new EventEmitter(); queueMicrotask(() => emitter.emit("a", 1, 2)); return once(emitter, "a"); },
  events_on: async () => { const emitter = new EventEmitter(); queueMicrotask(() => { emitter.emit("a", 1); emitter.emit("a", 2); }); const seen = []; for await (const [value] of on(emitter, "a")) { seen.push(value); if (seen.length === 2) break; } return seen; },
  util_promisify: async () => [await util.promisify((a, callback) => callback(null, a + 1))(1), await asyncName(() => util.promisify((callback) => callback(new RangeError("x")))())],
  util_format: () => [util.format("%s %d %i %f %j %% %o", "a", 1.5, 1.5, "2.5", { a: 1 }, [1]), util.format("a", "b", 1), util.format("%s")],
  util_inspect: () => [util.inspect("a"), util.inspect(1n), util.inspect({ a: 1, b: "x" }), util.inspect([1, 2]), util.inspect(new Map([[1, 2]])), util.inspect(null), util.inspect({ a: { b: {} } })],
  util_types: () => [types.isDate(new Date()), types.isRegExp(/a/), types.isPromise(Promise.resolve()), types.isUint8Array(Buffer.alloc(1)), types.isAsyncFunction(async () => {}), types.isNativeError(new TypeError()), types.isArrayBuffer(new ArrayBuffer(1)), types.isMap(new Set())],
  util_equal: () => [util.isDeepStrictEqual({ a: [1, new Map([[1, { b: 2 }]])] }, { a: [1, new Map([[1, { b: 2 }]])] }), util.isDeepStrictEqual([1], ["1"]), util.isDeepStrictEqual(new Set([1, 2]), new Set([2, 1])), util.isDeepStrictEqual(NaN, NaN), util.isDeepStrictEqual(0, -0)],
  util_inherits: () => { function A() {} function B() {} util.inherits(B, A); return [new B() instanceof A, B.super_ === A]; },
  util_deprecate: () => util.deprecate((a) => a + 1, "old")(1),
  util_text: () => [new util.TextDecoder().decode(new util.TextEncoder().encode("é"))],
  assert_passes: () => { assert(true); assert.ok(1); assert.strictEqual(1, 1); assert.deepStrictEqual([1, { a: 2 }], [1, { a: 2 }]); assert.notEqual(1, 2); assert.throws(() => { throw new TypeError("x"); }, TypeError); assert.throws(() => { throw new Error("abc"); }, /b/); assert.match("abc", /b/); return "all"; },
  assert_loosely: () => [name(() => assert.deepEqual({ a: 1 }, { a: "1" })) ?? "passed", name(() => assert.equal(1, "1")) ?? "passed"],
  assert_fails: () => [() => assert(false), () => assert.equal(1, 2), () => assert.strictEqual(1, "1"), () => assert.deepStrictEqual([1], ["1"]), () => assert.throws(() => {}), () => assert.fail("x"), () => assert.match("a", /b/), () => assert.ifError(new RangeError("x")), () => assert.throws(() => { throw new TypeError("x"); }, RangeError)].map((work) => { try { work(); return "passed"; } catch (error) { return [error.name, error.code ?? "none"]; } }),
  assert_rejects: async () => [await asyncName(() => assert.rejects(Promise.reject(new TypeError("x")), TypeError)) ?? "passed", await asyncName(() => assert.rejects(Promise.resolve()))],
  path: () => [path.join("/a", "..", "b", "./c"), path.resolve("/a", "b", "../c"), path.basename("/a/b.txt", ".txt"), path.dirname("/a/b"), path.extname("a.b.c"), path.normalize("/a//b/../c/"), path.relative("/a/b", "/a/c/d"), path.isAbsolute("a"), path.parse("/a/b.c"), path.format({ dir: "/a", base: "b" }), path.sep, withoutScheme === path],
  querystring: () => [querystring.parse("a=1&b=2&a=3&c=%C3%A9+x&d"), querystring.stringify({ a: [1, 2], b: "é &", c: true, d: null }), querystring.escape("a b"), querystring.unescape("%41%zz")],
  url: () => [nodeUrl.fileURLToPath("file:///a%20b"), nodeUrl.pathToFileURL("/a b#").href, nodeUrl.format({ protocol: "https", host: "a.test", pathname: "/x", query: { a: 1 } }), nodeUrl.resolve("https://a.test/b/c", "../d"), name(() => nodeUrl.fileURLToPath("https://a.test/")), nodeUrl.domainToASCII("ü.test"), nodeUrl.URL === URL],
  url_parse: () => { const { protocol, host, pathname, query, hash, auth, port } = nodeUrl.parse("https://u:p@a.test:81/x?y=1#z"); return [protocol, host, pathname, query, hash, auth, port, { ...nodeUrl.parse("/x?a=1&b=2", true).query }]; },
  string_decoder: () => { const decoder = new StringDecoder("utf8"); return [decoder.write(Buffer.from([0xe2, 0x82])), decoder.write(Buffer.from([0xac])), decoder.end(Buffer.from([0xc3]))]; },
  stream: async () => { const chunks = []; for await (const chunk of Readable.from(["a", "b"]).pipe(new Transform({ transform(chunk, _, done) { done(null, String(chunk).toUpperCase()); } }))) chunks.push(String(chunk)); return chunks; },
  stream_pipeline: async () => { const got = []; await pipelined(Readable.from(["a", "b"]), new PassThrough(), new Writable({ write(chunk, _, done) { got.push(String(chunk)); done(); } })); return got; },
  stream_error: () => new Promise((resolve) => pipeline(Readable.from(["a"]), new Writable({ write(chunk, _, done) { done(new RangeError("full")); } }), (error) => resolve(error.name))),
  stream_object_mode: async () => { const all = []; for await (const each of new Readable({ objectMode: true, read() { this.push({ a: 1 }); this.push(null); } })) all.push(each); return all; },
  crypto_hash: () => ["md5", "sha1", "sha256", "sha384", "sha512"].map((each) => createHash(each).update("a").update(Buffer.from("bc")).digest("hex")),
  crypto_encodings: () => [createHash("sha256").update("abc").digest("base64"), createHash("sha256").update("616263", "hex").digest().length, name(() => createHash("nonsense")), name(() => { const hash = createHash("md5"); hash.digest(); hash.digest(); })],
  // RFC 4231, test case 2.
  crypto_hmac: () => createHmac("sha256", "Jefe").update("what do ya want ").update("for nothing?").digest("hex"),
  crypto_random: () => [nodeCrypto.randomBytes(8).length, nodeCrypto.randomUUID().length, nodeCrypto.randomInt(5) < 5, Buffer.isBuffer(nodeCrypto.randomBytes(1)), nodeCrypto.webcrypto.subtle === crypto.subtle],
  crypto_timing_safe: () => [nodeCrypto.timingSafeEqual(Buffer.from("a"), Buffer.from("a")), name(() => nodeCrypto.timingSafeEqual(Buffer.from("a"), Buffer.from("ab")))],
  crypto_derived: () => [nodeCrypto.pbkdf2Sync("password", "salt", 2, 20, "sha1"), nodeCrypto.hkdfSync("sha256", Buffer.from("0b".repeat(22), "hex"), Buffer.from("000102030405060708090a0b0c", "hex"), Buffer.from("f0f1f2f3f4f5f6f7f8f9", "hex"), 42)],
  process: async () => { let later = false; process.nextTick((value) => { later = value; }, true); await null; await null; return [typeof process.env, later, process.platform, typeof process.version, process.cwd(), typeof process.hrtime.bigint(), process.argv.length, process.env.NONE ?? "none", typeof process.exit]; },
  timers: async () => [await wait(1, "value"), await asyncName(() => wait(1000, null, { signal: AbortSignal.timeout(1) }))],
  storage: async () => { const storage = new AsyncLocalStorage(); const seen = [storage.getStore() ?? "none"]; await storage.run({ id: 1 }, async () => { seen.push(storage.getStore().id); await null; seen.push(storage.getStore().id); await scheduler.wait(1); seen.push(storage.getStore().id); setTimeout(() => seen.push(`timer ${storage.getStore().id}`), 1); queueMicrotask(() => seen.push(`job ${storage.getStore().id}`)); await Promise.all([Promise.resolve().then(() => seen.push(storage.getStore().id)), scheduler.wait(3)]); }); seen.push(storage.getStore() ?? "none"); return seen; },
  storage_nested: async () => { const storage = new AsyncLocalStorage(); return storage.run(1, async () => { const inner = storage.run(2, async () => { await null; return storage.getStore(); }); const out = storage.exit(() => storage.getStore() ?? "none"); return [await inner, storage.getStore(), out]; }); },
  storage_together: async () => { const storage = new AsyncLocalStorage(); return Promise.all([1, 2, 3].map((id) => storage.run(id, async () => { await scheduler.wait(4 - id); await null; return storage.getStore(); }))); },
  storage_snapshot: () => { const storage = new AsyncLocalStorage(); const [snapshot, bound] = storage.run(5, () => [AsyncLocalStorage.snapshot(), AsyncLocalStorage.bind(() => storage.getStore())]); const resource = storage.run(6, () => new AsyncResource("R")); return [snapshot(() => storage.getStore()), bound(), resource.runInAsyncScope(() => storage.getStore()), storage.getStore() ?? "none"]; },
  storage_in_a_listener: () => { const storage = new AsyncLocalStorage(); const target = new EventTarget(); let seen; target.addEventListener("a", () => { seen = storage.getStore(); }); storage.run(7, () => target.dispatchEvent(new Event("a"))); return seen; },
  storage_thenable: async () => { const storage = new AsyncLocalStorage(); return storage.run(8, async () => { await { then(done) { done(); } }; return storage.getStore(); }); },
  storage_rejected: async () => { const storage = new AsyncLocalStorage(); return storage.run(9, () => Promise.reject(new Error("x")).catch(() => storage.getStore())); },
  storage_fetch: async () => { const storage = new AsyncLocalStorage(); return storage.run(10, async () => { await new Response(new ReadableStream({ async start(controller) { await scheduler.wait(1); controller.enqueue(new Uint8Array(1)); controller.close(); } })).arrayBuffer(); return storage.getStore(); }); },
  diagnostics: () => { const channel = diagnostics.channel("a"); const seen = []; const listener = (message, of) => seen.push([message, of]); channel.subscribe(listener); channel.publish({ b: 1 }); const had = channel.hasSubscribers; channel.unsubscribe(listener); channel.publish(2); return [seen, had, channel.hasSubscribers, diagnostics.channel("a") === channel]; },
};
