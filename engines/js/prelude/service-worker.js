// The older syntax: a script that listens for events.

import { Event, EventTarget } from "./event-target.js";

const target = new EventTarget();
const handled = new Set();

export function addEventListener(type, listener, options) {
  handled.add(String(type));
  target.addEventListener(type, listener, options);
}
export const removeEventListener = (type, listener, options) => target.removeEventListener(type, listener, options);
export const dispatchEvent = (event) => target.dispatchEvent(event);

/** The kinds of events that somebody listens for. */
export const listened = () => handled;

class ExtendableEvent extends Event {
  _ctx;
  constructor(type, ctx) {
    super(type);
    Object.defineProperty(this, "_ctx", { value: ctx, enumerable: false });
  }
  waitUntil(promise) { this._ctx.waitUntil(promise); }
}

export class FetchEvent extends ExtendableEvent {
  #request; #response;
  constructor(request, ctx) { super("fetch", ctx); this.#request = request; }
  get request() { return this.#request; }
  respondWith(response) {
    if (this.#response) throw new TypeError("FetchEvent.respondWith() has already been called; it can only be called once.");
    this.#response = Promise.resolve(response);
    this.stopImmediatePropagation();
  }
  passThroughOnException() { this._ctx.passThroughOnException(); }
  static _response(event) { return event.#response; }
}

export class ScheduledEvent extends ExtendableEvent {
  #event;
  constructor(event, ctx) { super("scheduled", ctx); this.#event = event; }
  get cron() { return this.#event.cron; }
  get scheduledTime() { return this.#event.scheduledTime; }
}
