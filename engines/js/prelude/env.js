// `env`: what a script was given, made anew for each event.

import { host, isFailure } from "./host.js";
import { Request, Response, fetchBy, requested, sendTo, thrown } from "./fetch.js";
import { callable } from "./rpc/caller.js";
import { anyName } from "./rpc/stubs.js";
import { givenKey } from "./crypto/subtle.js";
import { KvNamespace } from "./kv.js";
import { Queue } from "./queue.js";
import { D1Database } from "./d1.js";
import { R2Bucket } from "./r2.js";

function open(kind, name) {
  const handle = host.open(kind, name);
  if (isFailure(handle)) throw thrown(handle);
  return handle;
}

/** Somebody who answers requests: another script, or the files. */
export class Fetcher {
  #open; #handle;
  constructor(open) { this.#open = open; }
  async fetch(input, init) {
    const request = requested(input, init);
    this.#handle ??= this.#open();
    const sent = sendTo(this.#handle, request);
    const handle = typeof sent === "number" ? sent : await sent;
    return Response._received(handle, "", false, Request._method(request) === "HEAD");
  }
  static _handle(fetcher) { return (fetcher.#handle ??= fetcher.#open()); }
}
// Every other name is a method of the other script's.
Object.setPrototypeOf(Fetcher.prototype, anyName());
callable(Fetcher, Fetcher._handle);

function given(value, name) {
  if (value === undefined || value === null) return -1;
  const number = Number(value);
  if (!Number.isFinite(number) || number < 0) throw new TypeError(`limits.${name} is a number that is not negative, and ${String(value)} was given.`);
  return number;
}

export class DispatchNamespace {
  #name; #handle;
  constructor(name) { this.#name = name; }
  get(script, props = {}, options = {}) {
    return new Fetcher(() => {
      this.#handle ??= open("dispatch_namespace", this.#name);
      const parameters = [];
      for (const [name, value] of Object.entries(options?.outbound ?? {})) {
        const text = JSON.stringify(value);
        if (text !== undefined) parameters.push(name, text);
      }
      const limits = options?.limits ?? {};
      const handle = host.get(this.#handle, String(script), given(limits.cpuMs, "cpuMs"), given(limits.subRequests ?? limits.subrequests, "subRequests"), parameters);
      if (isFailure(handle)) throw thrown(handle);
      return handle;
    });
  }
}

function answered(result) {
  if (isFailure(result)) throw new Error(result[1]);
  return result;
}

export class RateLimit {
  #name; #handle;
  constructor(name) { this.#name = name; }
  async limit(options) {
    const key = options?.key;
    if (typeof key !== "string") throw new TypeError("limit() needs { key }, a string");
    return { success: answered(host.limit(this.#handle ??= open("ratelimit", this.#name), key)) };
  }
}

export class SecretsStoreSecret {
  #name; #handle;
  constructor(name) { this.#name = name; }
  async get() { return answered(host.secret(this.#handle ??= open("secrets_store_secret", this.#name))); }
}

/** Fetches with a certificate that is shown to whoever is asked. */
export class ClientCertificate {
  #name; #handle;
  constructor(name) { this.#name = name; }
  fetch(input, init) { return fetchBy(() => (this.#handle ??= open("mtls_certificate", this.#name)), input, init); }
}

const makers = {
  service: (name) => new Fetcher(() => open("service", name)),
  assets: (name) => new Fetcher(() => open("assets", name)),
  dispatch_namespace: (name) => new DispatchNamespace(name),
  kv_namespace: (name) => new KvNamespace(name, open),
  d1: (name) => new D1Database(() => open("d1", name)),
  r2_bucket: (name) => new R2Bucket(name, open),
  ratelimit: (name) => new RateLimit(name),
  secrets_store_secret: (name) => new SecretsStoreSecret(name),
  mtls_certificate: (name) => new ClientCertificate(name),
  queue: (name) => new Queue(() => open("queue", name)),
};

/** A key is made when it is first asked for: one that is none harms nobody who does not use it. */
function giveKey(env, name, text) {
  let key;
  Object.defineProperty(env, name, { enumerable: true, configurable: true, get: () => (key ??= givenKey(JSON.parse(text))) });
}

/** Everything that the script was given for this event. */
export function makeEnv() {
  const env = {};
  const types = host.bindings();
  if (types.length === 0) return env;
  const values = host.config();
  const kinds = new Map();
  for (let at = 0; at < types.length; at += 2) {
    kinds.set(types[at], types[at + 1]);
    const make = makers[types[at + 1]];
    if (make) env[types[at]] = make(types[at]);
  }
  const spread = [];
  for (let at = 0; at < values.length; at += 2) {
    const kind = kinds.get(values[at]);
    if (kind === "secret_key") {
      giveKey(env, values[at], values[at + 1]);
      continue;
    }
    const value = kind === "json" || kind === "json_parameter" ? JSON.parse(values[at + 1]) : values[at + 1];
    env[values[at]] = value;
    if (kind === "json_parameter" && typeof value === "object" && value !== null && !Array.isArray(value)) spread.push(value);
  }
  // What an object of parameters holds is there by its own names as well, where those are free.
  for (const fields of spread) {
    for (const [name, value] of Object.entries(fields)) if (!Object.hasOwn(env, name)) env[name] = value;
  }
  return env;
}
