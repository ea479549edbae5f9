// Timers (HTML, section 8.6). One wait of the host's serves all of them: for the one that is due first.

import { host, inHandler } from "./host.js";

/** What is told of errors, and what looks for rejections: modules that need this one give them. */
export const hooks = { reportError() {}, reportRejections: () => false };

let lastId = 0;
/** Timers that are not due yet, in the order in which they will be. */
const waiting = [];
/** By id, those that wait. */
const byId = new Map();

function add(timer) {
  // After all that are due at the same time.
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (waiting[middle].due <= timer.due) low = middle + 1; else high = middle;
  }
  waiting.splice(low, 0, timer);
  byId.set(timer.id, timer);
}

function start(callback, delay, every, args) {
  inHandler();
  if (typeof callback !== "function") throw new TypeError("A timer needs a function.");
  let ms = Math.trunc(Number(delay));
  if (!(ms > 0)) ms = 0;
  if (ms > 0x7fffffff) ms = 0x7fffffff;
  const timer = { id: ++lastId, callback, args, context: host.asyncContext(), every: every ? Math.max(ms, 1) : 0, due: host.monotonic() + ms };
  add(timer);
  return timer.id;
}

/** Runs something after what runs now: in an event as a task of its own, at the top level, where there are none, as a job. */
export function task(callback) {
  if (!host.isSealed()) { queueMicrotask(callback); return; }
  add({ id: ++lastId, callback, args: [], context: host.asyncContext(), every: 0, due: host.monotonic() });
}

export const setTimeout = (callback, delay, ...args) => start(callback, delay, false, args);
export const setInterval = (callback, delay, ...args) => start(callback, delay, true, args);
export const setImmediate = (callback, ...args) => start(callback, 0, false, args);

export function clearTimeout(id) {
  const timer = byId.get(id);
  if (!timer) return;
  byId.delete(id);
  const index = waiting.indexOf(timer);
  if (index >= 0) waiting.splice(index, 1);
}

/** Runs the first timer that is due and returns 0; milliseconds until the next one otherwise, or -1 without any. */
export function onTimers() {
  if (hooks.reportRejections()) return 0;
  if (waiting.length === 0) return -1;
  const now = host.monotonic();
  const timer = waiting[0];
  if (timer.due > now) return timer.due - now;
  waiting.shift();
  byId.delete(timer.id);
  if (timer.every) { timer.due = now + timer.every; add(timer); }
  if (timer.context !== undefined) host.setAsyncContext(timer.context);
  try {
    timer.callback(...timer.args);
  } catch (error) {
    hooks.reportError(error);
  }
  if (timer.context !== undefined) host.setAsyncContext(undefined);
  return 0;
}

export const scheduler = {
  wait(delay, options) {
    return new Promise((resolve, reject) => {
      const signal = options?.signal;
      if (signal?.aborted) return reject(signal.reason);
      const id = setTimeout(resolve, delay);
      signal?.addEventListener("abort", () => { clearTimeout(id); reject(signal.reason); }, { once: true });
    });
  },
};
