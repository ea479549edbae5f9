// What the cases of caller.js call.

import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

class Counter extends RpcTarget {
  #value;
  #secret() { return "secret"; }
  own = "own field";
  constructor(value = 0) { super(); this.#value = value; }
  increment(by = 1) { return (this.#value += by); }
  get value() { return this.#value; }
  uses() { return this.#secret(); }
  async each(callback) { for (let at = 0; at < 3; at++) await callback(at); return "done"; }
}

class Plain { constructor() { this.a = 1; } method() { return 1; } }

class Fault extends Error { constructor(message) { super(message); this.name = "Fault"; this.code = 7; } }

export default class Main extends WorkerEntrypoint {
  own = () => "own";
  #hidden() { return "hidden"; }
  async fetch(request) { return new Response(`fetched ${request.method} ${new URL(request.url).pathname} ${await request.text()}`); }
  add(a, b) { return a + b; }
  count(...given) { return given.length; }
  echo(value) { return value; }
  kinds(value) { return Object.prototype.toString.call(value); }
  get property() { return { a: [1, 2] }; }
  get nested() { return { inner: { method: (x) => x * 2, value: 5 } }; }
  variable() { return this.env.GREETING; }
  context() { return [typeof this.ctx.waitUntil, Object.keys(this.ctx.props).length]; }
  nothing() {}
  throws(kind) {
    if (kind === "text") throw "a text";
    if (kind === "object") throw { a: 1 };
    if (kind === "undefined") throw undefined;
    if (kind === "type") throw new TypeError("wrong type");
    if (kind === "range") throw new RangeError("out of range");
    if (kind === "own") throw new Fault("of its own");
    if (kind === "dom") throw new DOMException("gone", "AbortError");
    if (kind === "cause") throw new Error("outer", { cause: new Error("inner") });
    throw new Error("an error");
  }
  async rejects() { throw new SyntaxError("later"); }
  counter(value) { return new Counter(value); }
  counters() { return { one: new Counter(1), two: new Counter(2) }; }
  double() { return (x) => x * 2; }
  async calls(callback, value) { return `called: ${await callback(value)}`; }
  async usesTarget(target) { return [await target.increment(), await target.increment(5), await target.value]; }
  kindOfStub(stub) { return [typeof stub, typeof stub.anything, stub.then === undefined, typeof stub.dup]; }
  plain() { return new Plain(); }
  symbol() { return Symbol("a"); }
  wrongClass() { return [new Plain()]; }
  stream() { return new ReadableStream({ type: "bytes", start(c) { c.enqueue(new TextEncoder().encode("streamed ")); c.enqueue(new TextEncoder().encode("bytes")); c.close(); } }); }
  async reads(stream) { return new Response(stream).text(); }
  async writes(writable) { const writer = writable.getWriter(); await writer.write(new TextEncoder().encode("written")); await writer.close(); return "closed"; }
  response() { return new Response("body", { status: 201, headers: { "x-a": "b" } }); }
  async asks(request) { return [request.method, request.url, request.headers.get("x-a"), await request.text()]; }
  headers(headers) { return [headers instanceof Headers, headers.get("x-a")]; }
  async keeps(callback) { this.ctx.waitUntil(callback("kept")); return "returned"; }
  async dups(callback) { const kept = callback.dup(); return await kept("dup"); }
  returnsParameter(stub) { return stub; }
  promise() { return { later: 1 }; }
  self() { return this.add(1, 1); }
}

export class Named extends WorkerEntrypoint {
  name() { return "named"; }
  fetch() { return new Response("named fetch"); }
}

export const objects = {
  one(arg, env, ctx) { return [arg, env.GREETING, typeof ctx.waitUntil]; },
  two(a, b) { return [a, b]; },
  none() { return "none"; },
};

export class NotAnEntrypoint { method() { return 1; } }
