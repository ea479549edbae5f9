// node:async_hooks: AsyncLocalStorage and AsyncResource. What is stored is a map that never changes: the engine takes the one
// that is current along to whatever waits for a promise.

import { host } from "../host.js";

/** Runs something with another map. */
export function within(context, work, self, args) {
  const before = host.asyncContext();
  host.setAsyncContext(context);
  try {
    return Reflect.apply(work, self, args);
  } finally {
    host.setAsyncContext(before);
  }
}

export class AsyncLocalStorage {
  #standard; #name;
  constructor(options) { this.#standard = options?.defaultValue; this.#name = String(options?.name ?? ""); }
  get name() { return this.#name; }
  run(store, work, ...args) {
    const context = new Map(host.asyncContext());
    context.set(this, store);
    return within(context, work, undefined, args);
  }
  exit(work, ...args) {
    const context = new Map(host.asyncContext());
    context.delete(this);
    return within(context, work, undefined, args);
  }
  getStore() {
    const context = host.asyncContext();
    return context?.has(this) ? context.get(this) : this.#standard;
  }
  enterWith() { throw new Error("asyncLocalStorage.enterWith() is not implemented"); }
  disable() { throw new Error("asyncLocalStorage.disable() is not implemented"); }
  static bind(work) {
    const context = host.asyncContext();
    return function (...args) { return within(context, work, this, args); };
  }
  static snapshot() {
    const context = host.asyncContext();
    return (work, ...args) => within(context, work, undefined, args);
  }
}

export class AsyncResource {
  #context = host.asyncContext();
  constructor(type) { if (typeof type !== "string") throw new TypeError("An AsyncResource has a type."); }
  runInAsyncScope(work, self, ...args) { return within(this.#context, work, self, args); }
  bind(work) { return (...args) => this.runInAsyncScope(work, undefined, ...args); }
  static bind(work) { return AsyncLocalStorage.bind(work); }
  asyncId() { return 0; }
  triggerAsyncId() { return 0; }
  emitDestroy() { return this; }
}

const none = (name) => () => { throw new Error(`async_hooks.${name}() is not implemented`); };

export const asyncHooks = {
  AsyncLocalStorage, AsyncResource, createHook: none("createHook"), executionAsyncId: () => 0, triggerAsyncId: () => 0,
  executionAsyncResource: () => ({}),
};
