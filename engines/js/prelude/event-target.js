// DOM, section 2 (events) and 3 (aborting).

import { setTimeout } from "./timers.js";
import { console } from "./console.js";

export class Event {
  #type; #bubbles; #cancelable; #composed; #prevented = false;
  _target = null; _stopped = false; _phase = 0;
  constructor(type, init = {}) {
    if (arguments.length === 0) throw new TypeError("Event needs a type");
    this.#type = String(type);
    this.#bubbles = Boolean(init?.bubbles);
    this.#cancelable = Boolean(init?.cancelable);
    this.#composed = Boolean(init?.composed);
  }
  get type() { return this.#type; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get defaultPrevented() { return this.#prevented; }
  get target() { return this._target; }
  get currentTarget() { return this._phase ? this._target : null; }
  get srcElement() { return this._target; }
  get eventPhase() { return this._phase; }
  get isTrusted() { return false; }
  get timeStamp() { return 0; }
  get returnValue() { return !this.#prevented; }
  get cancelBubble() { return this._stopped; }
  composedPath() { return this._phase ? [this._target] : []; }
  preventDefault() { if (this.#cancelable) this.#prevented = true; }
  stopPropagation() {}
  stopImmediatePropagation() { this._stopped = true; }
  get [Symbol.toStringTag]() { return "Event"; }
  static NONE = 0; static CAPTURING_PHASE = 1; static AT_TARGET = 2; static BUBBLING_PHASE = 3;
}

export class CustomEvent extends Event {
  #detail;
  constructor(type, init = {}) { super(type, init); this.#detail = init?.detail ?? null; }
  get detail() { return this.#detail; }
}

export class ErrorEvent extends Event {
  #init;
  constructor(type, init = {}) { super(type, init); this.#init = init ?? {}; }
  get message() { return String(this.#init.message ?? ""); }
  get filename() { return String(this.#init.filename ?? ""); }
  get lineno() { return Number(this.#init.lineno ?? 0); }
  get colno() { return Number(this.#init.colno ?? 0); }
  get error() { return this.#init.error; }
}

export class MessageEvent extends Event {
  #init;
  constructor(type, init = {}) { super(type, init); this.#init = init ?? {}; }
  get data() { return this.#init.data ?? null; }
  get origin() { return this.#init.origin ?? ""; }
  get lastEventId() { return this.#init.lastEventId ?? ""; }
  get ports() { return this.#init.ports ?? []; }
}

export class PromiseRejectionEvent extends Event {
  #init;
  constructor(type, init = {}) { super(type, init); this.#init = init ?? {}; }
  get promise() { return this.#init.promise; }
  get reason() { return this.#init.reason; }
}

export class EventTarget {
  #listeners = new Map();
  addEventListener(type, listener, options) {
    if (listener === null || listener === undefined) return;
    const { once = false, signal, capture = false } = typeof options === "object" && options ? options : { capture: Boolean(options) };
    if (signal?.aborted) return;
    type = String(type);
    const list = this.#listeners.get(type) ?? [];
    if (list.some((other) => other.listener === listener && other.capture === Boolean(capture))) return;
    this.#listeners.set(type, [...list, { listener, once: Boolean(once), capture: Boolean(capture) }]);
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener, { capture }));
  }
  removeEventListener(type, listener, options) {
    const capture = Boolean(typeof options === "object" && options ? options.capture : options);
    const list = this.#listeners.get(String(type)) ?? [];
    this.#listeners.set(String(type), list.filter((other) => other.listener !== listener || other.capture !== capture));
  }
  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
    event._target = this;
    event._phase = 2;
    const handler = this[`on${event.type}`];
    const listeners = [...(this.#listeners.get(event.type) ?? [])];
    if (typeof handler === "function") listeners.push({ listener: handler });
    for (const { listener, once, capture } of listeners) {
      if (event._stopped) break;
      if (once) this.removeEventListener(event.type, listener, { capture });
      try {
        if (typeof listener === "function") listener.call(this, event);
        else listener.handleEvent(event);
      } catch (error) {
        console.error("Uncaught", error);
      }
    }
    event._phase = 0;
    return !event.defaultPrevented;
  }
  get [Symbol.toStringTag]() { return "EventTarget"; }
}

const make = Symbol("make");

export class AbortSignal extends EventTarget {
  #aborted = false; #reason;
  constructor(key) {
    if (key !== make) throw new TypeError("Illegal constructor");
    super();
  }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }
  static _new() { return new AbortSignal(make); }
  static _abort(signal, reason) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
    signal.dispatchEvent(new Event("abort"));
  }
  static abort(reason) {
    const signal = new AbortSignal(make);
    AbortSignal._abort(signal, reason);
    return signal;
  }
  static timeout(ms) {
    const signal = new AbortSignal(make);
    setTimeout(() => AbortSignal._abort(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")), ms);
    return signal;
  }
  static any(signals) {
    const joined = new AbortSignal(make);
    for (const signal of signals) {
      if (signal.aborted) { AbortSignal._abort(joined, signal.reason); break; }
      signal.addEventListener("abort", () => AbortSignal._abort(joined, signal.reason), { once: true });
    }
    return joined;
  }
  get [Symbol.toStringTag]() { return "AbortSignal"; }
}

export class AbortController {
  #signal = AbortSignal._new();
  get signal() { return this.#signal; }
  abort(reason) { AbortSignal._abort(this.#signal, reason); }
  get [Symbol.toStringTag]() { return "AbortController"; }
}
