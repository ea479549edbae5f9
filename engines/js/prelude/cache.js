// The Cache API: `caches`, with the product's bounds and texts.

import { host, isFailure } from "./host.js";
import { Request, Response, requested } from "./fetch.js";
import { Body, hostStream, whole } from "./body.js";
import { Headers } from "./headers.js";
import { IN_ONE_CALL, bufferOf, writeContent } from "./contents.js";

/** Fields that belong to a connection, or are the host's to set. */
const OWN = new Set(["connection", "content-length", "host", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]);
/** Makes a cache: only the prelude has it. */
const GIVEN = Symbol();
const MOST_NAME = 1024;

/** What the host says of a call; a failure is thrown. */
function answered(result) {
  if (!isFailure(result)) return result;
  throw new (result[0] === "invalid-argument" ? TypeError : Error)(result[1]);
}

/** A request as the host takes it. */
function asked(request) {
  return Headers._flat(Request._headers(request), OWN, [Request._method(request), Request._url(request)]);
}

function ignoresMethod(options) {
  for (const name of ["ignoreSearch", "ignoreVary", "cacheName"]) {
    if (options?.[name] !== undefined) throw new Error(`The '${name}' field on 'CacheQueryOptions' is not implemented.`);
  }
  return Boolean(options?.ignoreMethod);
}


export class Cache {
  #name;
  constructor(given, name) {
    if (given !== GIVEN) throw new TypeError("Illegal constructor");
    this.#name = name;
  }
  async match(request, options) {
    const ignoreMethod = ignoresMethod(options);
    const found = answered(host.cacheMatch(this.#name, asked(requested(request)), ignoreMethod));
    return found === null ? undefined : Response._received(found, "", false, false);
  }
  async put(input, response) {
    if (!(response instanceof Response)) throw new TypeError("Failed to execute 'put' on 'Cache': parameter 2 is not of type 'Response'.");
    if (response.type === "error") throw new TypeError("Cache is unable to store an error response");
    const request = requested(input);
    const status = Response._status(response);
    const headers = Response._headers(response);
    if (Request._method(request) !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    if (status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    if (headers.get("vary")?.includes("*")) throw new TypeError("Cannot cache response with 'Vary: *' header.");
    // Of no use to anybody, and passed over without a word as in the product.
    if (status === 304) return;
    const source = Body._take(response);
    const head = [this.#name, asked(request), status, Headers._flat(headers, OWN)];
    const bytes = source === null ? new Uint8Array(0) : whole(source);
    if (bytes !== undefined && bytes.byteLength <= IN_ONE_CALL) {
      answered(host.cachePut(...head, bufferOf(bytes)));
      return;
    }
    const content = bytes !== undefined ? bufferOf(bytes) : (source.stream ?? hostStream(source.host));
    const sink = host.cacheStartPut(...head);
    if (sink === null || isFailure(sink)) {
      if (bytes === undefined) await content.cancel();
      answered(sink);
      return;
    }
    await writeContent(content, sink);
    host.cacheFinish(sink);
  }
  async delete(request, options) {
    const ignoreMethod = ignoresMethod(options);
    return answered(host.cacheDelete(this.#name, asked(requested(request)), ignoreMethod));
  }
  get [Symbol.toStringTag]() { return "Cache"; }
}

export class CacheStorage {
  #default = new Cache(GIVEN);
  constructor(given) {
    if (given !== GIVEN) throw new TypeError("Illegal constructor");
  }
  /** The cache without a name. Whether the script has it is said when it is used: this is read before anything is handled, too. */
  get default() { return this.#default; }
  async open(name) {
    const text = String(name);
    if (text.length >= MOST_NAME) throw new TypeError("Cache name is too long.");
    return new Cache(GIVEN, text);
  }
  get [Symbol.toStringTag]() { return "CacheStorage"; }
}

export const caches = new CacheStorage(GIVEN);
