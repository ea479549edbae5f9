// node:timers and node:timers/promises.

import { clearTimeout, setImmediate, setInterval, setTimeout } from "../timers.js";

export const timers = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval: clearTimeout, clearImmediate: clearTimeout };

const after = (start) => (...args) => {
  const options = args.pop();
  return new Promise((resolve, reject) => {
    const signal = options?.signal;
    const aborted = () => Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError", code: "ABORT_ERR" });
    if (signal?.aborted) { reject(aborted()); return; }
    const id = start(resolve, ...args);
    signal?.addEventListener("abort", () => { clearTimeout(id); reject(aborted()); }, { once: true });
  });
};

const wait = after((resolve, delay, value) => setTimeout(resolve, delay, value));
const soon = after((resolve, value) => setImmediate(resolve, value));

export const timersPromises = {
  setTimeout: (delay, value, options) => wait(delay, value, options),
  setImmediate: (value, options) => soon(value, options),
  async *setInterval(delay, value, options) { for (;;) yield wait(delay, value, options); },
  scheduler: { wait: (delay, options) => wait(delay, undefined, options), yield: () => soon(undefined, undefined) },
};
