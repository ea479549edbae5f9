// A session between two scripts: one call, and everything that its values refer to. Messages go both ways over the bodies of
// one request and its answer:
//
//   call ID OBJECT PATH ARGUMENTS   ok ID VALUE   no ID ERROR   drop OBJECT COUNT
//
// An object is what the other side has sent as a stub; 0 is what is called first. The other side may be hostile: what breaks
// a rule ends the session.

import { Frames, Reader, Writer, framed } from "./values.js";
import { invoke } from "./invoke.js";
import { dispose, importStub, isStub, localStub, marked, onLoopback, stateOf } from "./stubs.js";

/** How many calls of the other side are under way at once, and how many objects it is given in one session. */
const MOST_CALLS = 256;
const MOST_OBJECTS = 65536;

export class Session {
  #frames = new Frames(); #write; #changed; #ended = null;
  /** What the other side holds of this one: by number, and the number by what it is. */
  #exports = new Map(); #numbers = new Map(); #last = 0;
  /** What this side holds of the other one: by number, how many stubs. */
  #imports = new Map();
  #calls = new Map(); #lastCall = 0; #running = 0;
  /** How many calls have come. */
  calls = 0;
  /** `write` takes a message, `changed` is told whenever there may be something to be done. */
  constructor(main, write, changed) {
    this.#exports.set(0, { target: main, count: 1 });
    this.#write = write;
    this.#changed = changed;
  }
  /** Whether nobody waits for anything, or holds anything of the other side. */
  get isIdle() {
    return this.#ended !== null || (this.#calls.size === 0 && this.#running === 0 && this.#imports.size === 0 && this.#exports.size === 1);
  }
  /** Whether anything of the other side's can still matter: it holds something, or something of it is held or waited for. */
  get isOpen() {
    return this.#ended === null && (this.#calls.size > 0 || this.#imports.size > 0 || this.#exports.size > 1);
  }
  /** Calls an object of the other side's, or asks for a property where there are no arguments. */
  call(object, path, args) {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#lastCall;
    let message;
    try {
      message = this.#message(["call", id, object, path], args === null ? undefined : args, args === null);
    } catch (error) {
      this.#changed();
      return Promise.reject(error);
    }
    const answer = new Promise((resolve, reject) => this.#calls.set(id, [resolve, reject]));
    this.#write(message);
    this.#changed();
    return answer;
  }
  #message(head, value, isProperty) {
    const given = [];
    const writer = new Writer((target) => { const named = this.#export(target); given.push(named); return named; });
    try {
      return framed([...head, isProperty ? null : writer.write(value)], writer.blobs);
    } catch (error) {
      for (const [tag, number] of given) if (tag === "t") this.#dropped(number, 1);
      throw error;
    }
  }
  /** How something is named that is sent as a stub. */
  #export(target) {
    if (isStub(target)) {
      const state = stateOf(target);
      if (state.gone) throw new Error("RPC stub used after being disposed.");
      if (state.session === this) return ["T", state.id];
      // Somebody else's goes by way of this script, for as long as it runs.
      if (state.local !== undefined) target = state.local;
      else if (state.session) target = importStub(state.session, (state.session.hold(state.id), state.id));
    }
    let number = this.#numbers.get(target);
    if (number === undefined) {
      if (this.#exports.size > MOST_OBJECTS) throw new Error(`A session with another script has at most ${MOST_OBJECTS} stubs at once; dispose of some.`);
      number = ++this.#last;
      this.#numbers.set(target, number);
      this.#exports.set(number, { target, count: 0 });
    }
    this.#exports.get(number).count++;
    return ["t", number];
  }
  #dropped(number, count) {
    const held = this.#exports.get(number);
    if (number === 0 || !held) return;
    held.count -= count;
    if (held.count > 0) return;
    this.#exports.delete(number);
    this.#numbers.delete(held.target);
    gone(held.target);
  }
  hold(id) { if (!this.#ended) this.#imports.set(id, (this.#imports.get(id) ?? 0) + 1); }
  /** A stub of this side's is not used any more. */
  release(id) {
    const count = this.#imports.get(id);
    if (count === undefined || this.#ended) return;
    if (count > 1) { this.#imports.set(id, count - 1); return; }
    this.#imports.delete(id);
    this.#write(framed(["drop", id, this.#named.get(id) ?? 1], []));
    this.#named.delete(id);
    this.#changed();
  }
  /** How often the other side has named each of its objects. */
  #named = new Map();
  #reader(bytes, scope) {
    return new Reader(bytes, (tag, number) => {
      if (tag === "T") {
        const held = this.#exports.get(number);
        if (!held || number === 0) throw new TypeError("The other script names what it was never given.");
        return localStub(held.target);
      }
      if (!Number.isInteger(number) || number < 1 || this.#imports.size > MOST_OBJECTS) throw new TypeError("The other script names its objects by no number.");
      this.hold(number);
      this.#named.set(number, (this.#named.get(number) ?? 0) + 1);
      const stub = importStub(this, number);
      scope.push(stub);
      return stub;
    });
  }
  /** Takes bytes of the other side's. */
  receive(piece) {
    if (this.#ended) return;
    try {
      this.#frames.add(piece);
      for (let next; (next = this.#frames.next()) !== undefined; ) this.#take(...next);
    } catch (error) {
      this.end(error);
    }
    this.#changed();
  }
  #take([kind, id, ...rest], bytes) {
    if (kind === "drop") { this.#dropped(id, rest[0]); return; }
    const scope = [];
    if (kind === "call") {
      const [object, path, given] = rest;
      const held = this.#exports.get(object);
      if (!held) throw new TypeError("The other script calls what it was never given.");
      if (!Array.isArray(path) || path.some((name) => typeof name !== "string")) throw new TypeError("The other script calls by no name.");
      if (this.#running >= MOST_CALLS) throw new Error(`The other script has more than ${MOST_CALLS} calls under way.`);
      const args = given === null ? null : this.#reader(bytes, scope).read(given);
      if (args !== null && !Array.isArray(args)) throw new TypeError("The other script calls with no list.");
      this.#running++;
      this.calls++;
      this.#run(id, held.target, path, args, scope);
      return;
    }
    const waiting = this.#calls.get(id);
    if (!waiting) throw new TypeError("The other script answers what was never asked.");
    if (kind !== "ok" && kind !== "no") throw new TypeError("The other script sends no message.");
    const value = this.#reader(bytes, scope).read(rest[0]);
    this.#calls.delete(id);
    if (kind === "no") waiting[1](marked(value)); else waiting[0](disposable(value, scope));
  }
  /** Runs what the other side calls. Stubs that came as arguments are let go of behind it, but those that were kept by `dup`. */
  async #run(id, target, path, args, scope) {
    let message;
    try {
      message = this.#message(["ok", id], await invoke(target, path, args));
    } catch (error) {
      message = this.#failure(id, error);
    }
    if (!this.#ended) this.#write(message);
    for (const stub of scope) if (!stateOf(stub).forStream) dispose(stub);
    this.#running--;
    this.#changed();
  }
  #failure(id, error) {
    // What is no error and no object is sent as one, so that it can be told where it came from.
    const sent = typeof error === "object" && error !== null ? error : new Error(String(error));
    try {
      return this.#message(["no", id], sent);
    } catch {
      return this.#message(["no", id], new Error("What was thrown cannot be sent to another script."));
    }
  }
  /** The session is over: what waits for the other side fails. */
  end(error) {
    if (this.#ended) return;
    this.#ended = error;
    for (const [, reject] of this.#calls.values()) reject(error);
    this.#calls.clear();
    const held = [...this.#exports.values()].slice(1);
    this.#exports.clear();
    this.#imports.clear();
    for (const { target } of held) gone(target);
    this.#changed();
  }
  close() { this.end(new Error("RPC stub used after being disposed.")); }
}

/** Nobody holds this any more. */
function gone(target) {
  try {
    if (isStub(target)) dispose(target);
    else if (typeof target === "object") target[Symbol.dispose]?.();
  } catch { /* it is the object's own business */ }
}

/** A result, of which the caller lets go of everything at once. */
function disposable(value, scope) {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value) && !(Symbol.dispose in value)) {
    Object.defineProperty(value, Symbol.dispose, { value: () => scope.forEach(dispose), configurable: true, enumerable: false, writable: true });
  }
  return value;
}

onLoopback((local) => {
  // A message is taken when whoever sent it has gone on.
  const ends = [];
  const to = (index) => (message) => { queueMicrotask(() => ends[index].receive(message)); };
  ends[0] = new Session(undefined, to(1), () => {});
  ends[1] = new Session(local, to(0), () => {});
  return ends[0];
});
