// DOM, section 2 (events) and 3 (aborting).

import { setTimeout } from "./timers.js";
import { console } from "./console.js";

let trust;

export class Event {
  #type; #bubbles; #cancelable; #composed; #prevented = false; #trusted = false; #passive = false;
  #target = null; #current = null; #stopped = false; #halted = false; #phase = 0;
  constructor(type, init = {}) {
    if (arguments.length === 0) throw new TypeError("Event needs a type");
    if (init !== undefined && init !== null && typeof init !== "object") throw new TypeError("What an Event is made with is an object.");
    this.#type = String(type);
    this.#bubbles = Boolean(init?.bubbles);
    this.#cancelable = Boolean(init?.cancelable);
    this.#composed = Boolean(init?.composed);
  }
  static {
    trust = (event) => { event.#trusted = true; return event; };
  }
  /** Hands the event to what listens; `listeners` is the list as it was at the start. */
  static _dispatch(event, target, listeners, remove) {
    if (event.#phase !== 0) throw new DOMException("The event is already being dispatched.", "InvalidStateError");
    event.#target = target;
    event.#current = target;
    event.#phase = 2;
    for (const entry of listeners) {
      if (event.#halted) break;
      if (entry.removed) continue;
      if (entry.once) remove(entry);
      event.#passive = entry.passive;
      try {
        if (typeof entry.listener === "function") entry.listener.call(target, event);
        else entry.listener.handleEvent(event);
      } catch (error) {
        reportError(error);
      }
      event.#passive = false;
    }
    event.#phase = 0;
    event.#current = null;
    event.#stopped = false;
    event.#halted = false;
    return !event.#prevented;
  }
  get type() { return this.#type; }
  get bubbles() { return this.#bubbles; }
  get cancelable() { return this.#cancelable; }
  get composed() { return this.#composed; }
  get defaultPrevented() { return this.#prevented; }
  get target() { return this.#target; }
  get currentTarget() { return this.#current; }
  get srcElement() { return this.#target; }
  get eventPhase() { return this.#phase; }
  get isTrusted() { return this.#trusted; }
  get timeStamp() { return 0; }
  get returnValue() { return !this.#prevented; }
  get cancelBubble() { return this.#stopped; }
  set cancelBubble(value) { if (value) this.#stopped = true; }
  composedPath() { return this.#current ? [this.#current] : []; }
  preventDefault() { if (this.#cancelable && !this.#passive) this.#prevented = true; }
  stopPropagation() { this.#stopped = true; }
  stopImmediatePropagation() { this.#stopped = true; this.#halted = true; }
  get [Symbol.toStringTag]() { return "Event"; }
  static NONE = 0; static CAPTURING_PHASE = 1; static AT_TARGET = 2; static BUBBLING_PHASE = 3;
}
for (const phase of ["NONE", "CAPTURING_PHASE", "AT_TARGET", "BUBBLING_PHASE"]) Object.defineProperty(Event.prototype, phase, { value: Event[phase], enumerable: true });

/** An event of the platform's own. */
export const trusted = (event) => trust(event);

/** Who is told of an error that nobody catches: the console, until there is a global scope. */
let report = (error) => console.error("Uncaught", error);
export const onReport = (handler) => { report = handler; };
export function reportError(error) {
  if (arguments.length === 0) throw new TypeError("reportError() needs an error.");
  report(error);
}

export class CustomEvent extends Event {
  #detail;
  constructor(type, init = {}) { super(type, init); this.#detail = init?.detail ?? null; }
  get detail() { return this.#detail; }
  get [Symbol.toStringTag]() { return "CustomEvent"; }
}

export class ErrorEvent extends Event {
  #init;
  constructor(type, init = {}) { super(type, init); this.#init = init ?? {}; }
  get message() { return String(this.#init.message ?? ""); }
  get filename() { return String(this.#init.filename ?? ""); }
  get lineno() { return Number(this.#init.lineno ?? 0); }
  get colno() { return Number(this.#init.colno ?? 0); }
  get error() { return this.#init.error; }
  get [Symbol.toStringTag]() { return "ErrorEvent"; }
}

export class MessageEvent extends Event {
  #init;
  constructor(type, init = {}) { super(type, init); this.#init = init ?? {}; }
  get data() { return this.#init.data ?? null; }
  get origin() { return this.#init.origin ?? ""; }
  get lastEventId() { return this.#init.lastEventId ?? ""; }
  get ports() { return this.#init.ports ?? []; }
  get source() { return this.#init.source ?? null; }
  get [Symbol.toStringTag]() { return "MessageEvent"; }
}

export class PromiseRejectionEvent extends Event {
  #init;
  constructor(type, init = {}) { super(type, init); this.#init = init ?? {}; }
  get promise() { return this.#init.promise; }
  get reason() { return this.#init.reason; }
  get [Symbol.toStringTag]() { return "PromiseRejectionEvent"; }
}

export class EventTarget {
  #listeners = new Map();
  /** By type: what its `on` attribute holds, and its place among the listeners. */
  #handlers = null;
  addEventListener(type, listener, options) {
    if (arguments.length < 2) throw new TypeError("addEventListener() needs a type and a listener.");
    if (listener !== null && listener !== undefined && typeof listener !== "function" && typeof listener !== "object") throw new TypeError("A listener is a function or an object.");
    const { once = false, signal, capture = false, passive = false } = typeof options === "object" && options ? options : { capture: Boolean(options) };
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("The signal of a listener is an AbortSignal.");
    if (listener === null || listener === undefined || signal?.aborted) return;
    this.#add(String(type), listener, { once: Boolean(once), capture: Boolean(capture), passive: Boolean(passive) });
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener, { capture }), { once: true });
  }
  #add(type, listener, how) {
    const list = this.#listeners.get(type) ?? [];
    const there = list.find((other) => other.listener === listener && other.capture === how.capture);
    if (there) return there;
    const entry = { type, listener, removed: false, ...how };
    this.#listeners.set(type, [...list, entry]);
    return entry;
  }
  #remove(entry) {
    entry.removed = true;
    this.#listeners.set(entry.type, (this.#listeners.get(entry.type) ?? []).filter((other) => other !== entry));
  }
  removeEventListener(type, listener, options) {
    const capture = Boolean(typeof options === "object" && options ? options.capture : options);
    const entry = this.#listeners.get(String(type))?.find((other) => other.listener === listener && other.capture === capture);
    if (entry) this.#remove(entry);
  }
  dispatchEvent(event) {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent needs an Event");
    return Event._dispatch(event, this, this.#listeners.get(event.type) ?? [], (entry) => this.#remove(entry));
  }
  static _handler(target, type) { return target.#handlers?.get(type)?.handler ?? null; }
  static _handle(target, type, handler) {
    const handlers = (target.#handlers ??= new Map());
    const there = handlers.get(type);
    handler = typeof handler === "function" || (typeof handler === "object" && handler) ? handler : null;
    if (there && handler) { there.handler = handler; return; }
    if (there) { target.#remove(there.entry); handlers.delete(type); return; }
    if (!handler) return;
    const made = { handler };
    made.entry = target.#add(type, function (event) {
      if (typeof made.handler === "function" && made.handler.call(this, event) === false) event.preventDefault();
    }, { once: false, capture: false, passive: false });
    handlers.set(type, made);
  }
  get [Symbol.toStringTag]() { return "EventTarget"; }
}

/** Gives a class attributes such as `onabort`; `set` is told when one is set. */
export function handlers(kind, types, set) {
  for (const type of types) {
    Object.defineProperty(kind.prototype, `on${type}`, {
      get() { return EventTarget._handler(this, type); },
      set(handler) { EventTarget._handle(this, type, handler); set?.(this, type); },
      enumerable: true, configurable: true,
    });
  }
}

const make = Symbol("make");

export class AbortSignal extends EventTarget {
  #aborted = false; #reason; #followers = null;
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
    reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
    // All that follow are aborted before anybody is told.
    const all = new Set([signal]);
    for (const each of all) for (const follower of each.#followers ?? []) if (!follower.#aborted) all.add(follower);
    for (const each of all) { each.#aborted = true; each.#reason = reason; each.#followers = null; }
    for (const each of all) each.dispatchEvent(trusted(new Event("abort")));
  }
  static abort(reason) {
    const signal = new AbortSignal(make);
    signal.#aborted = true;
    signal.#reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
    return signal;
  }
  static timeout(ms) {
    const delay = Math.trunc(Number(ms));
    if (!(delay >= 0 && delay <= Number.MAX_SAFE_INTEGER)) throw new TypeError("A timeout is a number of milliseconds.");
    const signal = new AbortSignal(make);
    setTimeout(() => AbortSignal._abort(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")), delay);
    return signal;
  }
  static any(signals) {
    const list = [...signals];
    if (!list.every((signal) => signal instanceof AbortSignal)) throw new TypeError("AbortSignal.any() takes a list of AbortSignals.");
    const joined = new AbortSignal(make);
    const aborted = list.find((signal) => signal.#aborted);
    if (aborted) {
      joined.#aborted = true;
      joined.#reason = aborted.#reason;
      return joined;
    }
    for (const signal of list) (signal.#followers ??= new Set()).add(joined);
    return joined;
  }
  get [Symbol.toStringTag]() { return "AbortSignal"; }
}
handlers(AbortSignal, ["abort"]);

export class AbortController {
  #signal = AbortSignal._new();
  get signal() { return this.#signal; }
  abort(reason) { AbortSignal._abort(this.#signal, reason); }
  get [Symbol.toStringTag]() { return "AbortController"; }
}
