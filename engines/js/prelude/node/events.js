// node:events: the package has what Node.js 14 had; here is what came since and is used.

import EventEmitter from "events";

EventEmitter.EventEmitter = EventEmitter;
EventEmitter.captureRejectionSymbol = Symbol.for("nodejs.rejection");
EventEmitter.errorMonitor = Symbol("events.errorMonitor");
EventEmitter.getEventListeners = (emitter, name) => emitter.listeners(name);
EventEmitter.setMaxListeners = (count, ...emitters) => { for (const emitter of emitters) emitter.setMaxListeners?.(count); };

/** The events of a name, one after the other. */
EventEmitter.on = (emitter, name, options) => {
  const waiting = [];
  const asked = [];
  let failure;
  let isDone = false;
  const onEvent = (...args) => { if (asked.length) asked.shift().resolve({ value: args, done: false }); else waiting.push(args); };
  const onError = (error) => { if (asked.length) asked.shift().reject(error); else failure = error; };
  const end = () => {
    isDone = true;
    emitter.off(name, onEvent);
    emitter.off("error", onError);
    for (const each of asked.splice(0)) each.resolve({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  };
  emitter.on(name, onEvent);
  if (name !== "error") emitter.on("error", onError);
  options?.signal?.addEventListener("abort", () => { onError(options.signal.reason); end(); }, { once: true });
  return {
    next() {
      if (waiting.length) return Promise.resolve({ value: waiting.shift(), done: false });
      if (failure) { const error = failure; failure = undefined; return Promise.reject(error); }
      if (isDone) return Promise.resolve({ value: undefined, done: true });
      const made = Promise.withResolvers();
      asked.push(made);
      return made.promise;
    },
    return: end,
    throw(error) { onError(error); return end(); },
    [Symbol.asyncIterator]() { return this; },
  };
};

export default EventEmitter;
