// A script of a namespace whose methods are called.

import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
let kept = 0;
class Counter extends RpcTarget { #at = 0; next() { return ++this.#at; } }
export default class extends WorkerEntrypoint {
  fetch(request) { return new Response(request.headers.get("content-type") + " " + request.method); }
  add(a, b) { return Number(a) + Number(b); }
  spin() { for (;;); }
  keep() { return ++kept; }
  counter() { return new Counter(); }
  fails() { throw new RangeError("SECRET of the user"); }
  waits() { return new Promise(() => {}); }
  async pries(door, callback) {
    const told = [await door.open(), await callback()];
    for (const name of ["secret", "#secret", "constructor", "__proto__", "hasOwnProperty", "valueOf"]) {
      try { told.push(`${name}: ${JSON.stringify(await door[name])}`); } catch (error) { told.push(`${name}: ${error.name}`); }
    }
    try { told.push(JSON.stringify(await callback.constructor("return 1")())); } catch (error) { told.push(error.name); }
    return told;
  }
  async more() { return this.env.BACK.add(1, 1); }
  scheduled() { return "reached"; }
}
