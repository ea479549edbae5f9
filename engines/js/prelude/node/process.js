// node:process.

import EventEmitter from "./events.js";
import { host } from "../host.js";
import { console } from "../console.js";
import { currentEvent } from "../events.js";

/** What a script wrote over, on top of what it was given. */
const own = new Map();
const given = () => currentEvent()?.env ?? {};
const textOf = (name) => {
  if (own.has(name)) return own.get(name);
  // Keys are made when they are read, and are no texts.
  const value = Object.getOwnPropertyDescriptor(given(), name)?.value;
  return typeof value === "string" ? value : undefined;
};

/** The variables that are texts. There are none at the top level. */
const env = new Proxy({}, {
  get: (_, name) => (typeof name === "string" ? textOf(name) : undefined),
  set: (_, name, value) => { own.set(String(name), String(value)); return true; },
  has: (_, name) => typeof name === "string" && textOf(name) !== undefined,
  deleteProperty: (_, name) => { own.set(String(name), undefined); return true; },
  ownKeys: () => [...new Set([...Object.keys(given()), ...own.keys()])].filter((name) => textOf(name) !== undefined),
  getOwnPropertyDescriptor: (_, name) => {
    const value = typeof name === "string" ? textOf(name) : undefined;
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
  },
});

const stream = (write) => ({ write(chunk) { write(String(chunk).replace(/\n$/, "")); return true; }, isTTY: false, fd: -1 });

export const process = Object.assign(new EventEmitter(), {
  env, title: "workerd", version: "v22.19.0", versions: { node: "22.19.0" }, platform: "linux", arch: "x64", argv: ["workerd"], argv0: "workerd",
  execArgv: [], execPath: "", pid: 1, ppid: 0, exitCode: undefined, features: {}, release: { name: "node" }, browser: false, config: {},
  stdout: stream(console.log), stderr: stream(console.error),
  cwd: () => "/bundle",
  nextTick(callback, ...args) {
    if (typeof callback !== "function") throw new TypeError('The "callback" argument must be of type function.');
    queueMicrotask(() => callback(...args));
  },
  hrtime: Object.assign((before) => {
    const now = Math.round(host.monotonic() * 1e6);
    const passed = before ? now - (before[0] * 1e9 + before[1]) : now;
    return [Math.floor(passed / 1e9), passed % 1e9];
  }, { bigint: () => BigInt(Math.round(host.monotonic() * 1e6)) }),
  uptime: () => host.monotonic() / 1000,
  memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }),
  emitWarning(warning) { console.warn(warning instanceof Error ? warning : `Warning: ${warning}`); },
  exit() { throw new Error("process.exit() is not supported: a worker ends with its event"); },
  abort() { throw new Error("process.abort() is not supported: a worker ends with its event"); },
});
Object.defineProperty(process, Symbol.toStringTag, { value: "process" });
