// node:events, as far as libraries for workers use it.

export class EventEmitter {
  #listeners = new Map();
  on(name, listener) { this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]); return this; }
  once(name, listener) {
    const wrapped = (...args) => { this.off(name, wrapped); listener.apply(this, args); };
    wrapped.listener = listener;
    return this.on(name, wrapped);
  }
  off(name, listener) {
    this.#listeners.set(name, (this.#listeners.get(name) ?? []).filter((other) => other !== listener && other.listener !== listener));
    return this;
  }
  addListener(name, listener) { return this.on(name, listener); }
  removeListener(name, listener) { return this.off(name, listener); }
  removeAllListeners(name) { if (name === undefined) this.#listeners.clear(); else this.#listeners.delete(name); return this; }
  emit(name, ...args) {
    const listeners = this.#listeners.get(name) ?? [];
    if (name === "error" && listeners.length === 0) throw args[0];
    for (const listener of listeners) listener.apply(this, args);
    return listeners.length > 0;
  }
  listeners(name) { return [...(this.#listeners.get(name) ?? [])]; }
  listenerCount(name) { return this.listeners(name).length; }
  setMaxListeners() { return this; }
}

export const once = (emitter, name) =>
  new Promise((resolve, reject) => {
    emitter.once(name, (...args) => resolve(args));
    if (name !== "error") emitter.once("error", reject);
  });

EventEmitter.EventEmitter = EventEmitter;
EventEmitter.once = once;
export default EventEmitter;
