// Fetch standard: Request, Response, fetch.

import { TransformStream } from "web-streams-polyfill";

import { host, inHandler, isFailure } from "./host.js";
import { AbortSignal } from "./event-target.js";
import { Body, makeBody } from "./body.js";
import { Headers } from "./headers.js";
import { URL } from "./url.js";
import { encode, view } from "./encoding.js";

/** Fields that belong to a connection, or are the host's to set. */
const OWN = new Set(["connection", "content-length", "host", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]);
const NULL_STATUS = new Set([101, 204, 205, 304]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 20;
const NORMALIZED = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

export class Request extends Body {
  #method = "GET"; #url; #headers; #redirect = "follow"; #signal; #cf; #handle;
  constructor(input, init = {}) {
    super();
    init ??= {};
    const from = input instanceof Request ? input : null;
    if (from) this.#url = from.#url;
    else {
      const url = URL.parse(String(input));
      if (!url) throw new TypeError(`Invalid URL: ${String(input)}`);
      this.#url = url.href;
    }
    if (init.method !== undefined || from) {
      const method = String(init.method ?? from.#method);
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`Invalid HTTP method string: ${method}`);
      this.#method = NORMALIZED.has(method.toUpperCase()) ? method.toUpperCase() : method;
    }
    this.#headers = new Headers(init.headers ?? from?.headers);
    this.#redirect = init.redirect ?? from?.#redirect ?? "follow";
    if (!["follow", "manual", "error"].includes(this.#redirect)) throw new TypeError(`Invalid redirect value, must be one of "follow" or "manual" ("error" won't be implemented since it does not make sense at the edge; use "manual" and check the response status code).`);
    this.#signal = init.signal ?? from?.#signal;
    this.#cf = init.cf ?? from?.#cf;
    if (init.body !== undefined && init.body !== null) {
      if (this.#method === "GET" || this.#method === "HEAD") throw new TypeError("Request with a GET or HEAD method cannot have a body.");
      const [source, type] = makeBody(init.body);
      Body._set(this, source);
      if (type && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
    } else if (from && init.body === undefined) {
      Body._set(this, Body._take(from));
    }
  }
  /** The request that is handled. */
  static _incoming(handle, [method, scheme, authority, path, fields], cf) {
    const request = new Request(`${scheme}://${authority}${path}`);
    request.#method = method;
    request.#headers = Headers._of(fields, true);
    request.#redirect = "manual";
    request.#handle = handle;
    request.#cf = cf;
    const length = request.#headers.get("content-length");
    const hasBody = length !== "0" && (length !== null || request.#headers.has("transfer-encoding") || !["GET", "HEAD"].includes(method));
    if (hasBody) Body._set(request, { host: handle });
    return request;
  }
  get method() { return this.#method; }
  get url() { return this.#url; }
  get headers() { return this.#headers; }
  get redirect() { return this.#redirect; }
  get signal() { return (this.#signal ??= AbortSignal._new()); }
  get cf() { return this.#cf; }
  get integrity() { return ""; }
  get keepalive() { return false; }
  get cache() { return undefined; }
  clone() {
    const copy = new Request(this.#url, { method: this.#method, headers: this.#headers, redirect: this.#redirect, signal: this.#signal, cf: this.#cf });
    Body._set(copy, Body._tee(this));
    return copy;
  }
  /** The signal that was given, if one was. */
  static _signal(request) { return request.#signal; }
  get [Symbol.toStringTag]() { return "Request"; }
}

export class Response extends Body {
  #status; #statusText; #headers; #url = ""; #redirected = false; #type = "default"; #webSocket = null; #cf;
  constructor(body = null, init = {}) {
    super();
    init ??= {};
    const status = init.status === undefined ? 200 : Number(init.status);
    if (!(Number.isInteger(status) && ((status >= 200 && status <= 599) || (status === 101 && init.webSocket)))) {
      throw new RangeError("Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
    }
    this.#status = status;
    this.#statusText = String(init.statusText ?? "");
    if (/[^\t\x20-\x7e\x80-\xff]/.test(this.#statusText)) throw new TypeError("Invalid statusText");
    this.#headers = new Headers(init.headers);
    this.#cf = init.cf;
    if (body !== null && body !== undefined) {
      if (NULL_STATUS.has(status)) throw new TypeError(`Response with null body status (101, 204, 205, or 304) cannot have a body.`);
      const [source, type] = makeBody(body);
      Body._set(this, source);
      if (type && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
    }
  }
  /** A response of the host's. */
  static _received(handle, url, redirected, headOnly) {
    const [status, fields] = host.responseHead(handle);
    const response = new Response();
    response.#status = status;
    response.#headers = Headers._of(fields, true);
    response.#url = url;
    response.#redirected = redirected;
    if (!NULL_STATUS.has(status) && !headOnly) Body._set(response, { host: handle });
    return response;
  }
  static error() {
    const response = new Response();
    response.#type = "error";
    response.#status = 0;
    return response;
  }
  static redirect(url, status = 302) {
    if (!REDIRECTS.has(Number(status))) throw new RangeError(`${status} is not a redirect status code.`);
    const to = URL.parse(String(url));
    if (!to) throw new TypeError(`Unable to parse URL: ${url}`);
    const response = new Response(null, { status, headers: { location: to.href } });
    Headers._freeze(response.#headers);
    return response;
  }
  static json(data, init = {}) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("The data is not JSON serializable.");
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }
  get status() { return this.#status; }
  get statusText() { return this.#statusText; }
  get ok() { return this.#status >= 200 && this.#status < 300; }
  get headers() { return this.#headers; }
  get url() { return this.#url; }
  get redirected() { return this.#redirected; }
  get type() { return this.#type; }
  get webSocket() { return this.#webSocket; }
  get cf() { return this.#cf; }
  clone() {
    const copy = new Response(null, { headers: this.#headers });
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#url = this.#url;
    Body._set(copy, Body._tee(this));
    return copy;
  }
  get [Symbol.toStringTag]() { return "Response"; }
}

/** The host's flat list of a request's head. */
function headOf(request, url) {
  const head = [request.method, url.protocol.slice(0, -1), url.host, url.pathname + url.search];
  for (const [name, value] of request.headers) if (!OWN.has(name)) head.push(name, value);
  return head;
}

/** Writes a stream to a body of the host's, as fast as that takes it. */
export async function pump(stream, sink) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = typeof value === "string" ? encode(value) : view(value);
      let at = 0;
      while (at < bytes.byteLength) {
        const space = host.space(sink);
        if (space < 0) { host.finish(sink, false); await reader.cancel(); return false; }
        if (space === 0) { await host.wait(sink); continue; }
        const length = Math.min(space, bytes.byteLength - at);
        host.write(sink, bytes.buffer, bytes.byteOffset + at, length);
        at += length;
      }
    }
  } catch (error) {
    host.finish(sink, false);
    throw error;
  }
  return host.finish(sink, true);
}

/** How a text begins of something that a script threw: what follows is the thrown error's own message. */
const THREW = "Worker threw an exception: ";

export function thrown([word, text]) {
  if (text.startsWith(THREW)) text = text.slice(THREW.length);
  const error = word === "outbound" ? new TypeError(`Network connection lost: ${text}`) : new Error(text);
  error.remote = word !== "outbound" && word !== "invalid-argument";
  return error;
}

/** Waits for what was sent. */
async function arrived(future, signal) {
  let canceled;
  const aborted = signal && new Promise((_, reject) => {
    canceled = () => reject(signal.reason);
    signal.addEventListener("abort", canceled, { once: true });
  });
  try {
    for (;;) {
      const answer = host.take(future);
      if (answer === undefined) {
        const ready = host.wait(future);
        await (aborted ? Promise.race([ready, aborted]) : ready);
        continue;
      }
      if (isFailure(answer)) throw thrown(answer);
      return answer;
    }
  } catch (error) {
    host.drop(future);
    throw error;
  } finally {
    if (canceled) signal.removeEventListener("abort", canceled);
  }
}

/** Sends a request to where `to` leads: -1 for its URL, otherwise a handle. */
export async function sendTo(to, request) {
  inHandler();
  const signal = Request._signal(request);
  signal?.throwIfAborted();
  const url = new URL(request.url);
  if (to < 0 && url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`Fetch API cannot load: ${request.url}`);
  const head = headOf(request, url);
  const untouched = Body._untouched(request);
  const source = Body._take(request);
  let handle;
  if (source === null || source.bytes) {
    const bytes = source?.bytes;
    const buffer = bytes && (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer);
    const sent = host.send(to, head, buffer);
    if (isFailure(sent)) throw thrown(sent);
    handle = await arrived(sent, signal);
  } else if (source.host !== undefined && untouched === source.host) {
    // The body of the request that is handled: it goes on as it is.
    const answered = host.forward(to, source.host, head);
    if (isFailure(answered)) throw thrown(answered);
    handle = answered;
  } else {
    const sent = host.stream(to, head);
    if (isFailure(sent)) throw thrown(sent);
    const [future, sink] = sent;
    const body = source.stream ?? new Response(null);
    pump(body, sink).catch(() => {});
    handle = await arrived(future, signal);
  }
  return handle;
}

export async function fetch(input, init) {
  let request = new Request(input, init);
  let redirected = false;
  for (let count = 0; ; count++) {
    const again = request.redirect === "follow" && request.body === null ? request : null;
    const body = request.redirect === "follow" && request.body !== null && Body._untouched(request) === undefined ? await request.clone().bytes() : null;
    const handle = await sendTo(-1, request);
    const response = Response._received(handle, request.url, redirected, request.method === "HEAD");
    if (request.redirect !== "follow" || !REDIRECTS.has(response.status)) return response;
    const location = response.headers.get("location");
    const to = location === null ? null : URL.parse(location, request.url);
    if (!to) return response;
    if (count >= MOST_REDIRECTS) throw new TypeError("Too many redirects.");
    host.drop(handle);
    const toGet = response.status === 303 ? request.method !== "HEAD" : response.status < 303 && request.method === "POST";
    if (!toGet && !again && body === null) return response;
    const headers = new Headers(request.headers);
    if (new URL(request.url).origin !== to.origin) for (const name of ["authorization", "cookie", "proxy-authorization"]) headers.delete(name);
    if (toGet) for (const name of ["content-type", "content-length", "content-encoding", "content-language"]) headers.delete(name);
    request = new Request(to.href, { method: toGet ? "GET" : request.method, headers, signal: Request._signal(request), body: toGet ? undefined : body ?? undefined });
    redirected = true;
  }
}

/** Gives a response to whoever asked. */
export async function answer(response) {
  const fields = [];
  for (const [name, value] of response.headers) if (!OWN.has(name)) fields.push(name, value);
  const untouched = Body._untouched(response);
  const source = Body._take(response);
  if (source === null || source.bytes) {
    const bytes = source?.bytes;
    const buffer = bytes && (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer);
    const refused = host.answer(response.status, fields, buffer);
    if (refused) throw new TypeError(refused);
    return;
  }
  if (source.host !== undefined && untouched === source.host) {
    const length = response.headers.get("content-length");
    if (length !== null) fields.push("content-length", length);
    const refused = host.answerWith(source.host, response.status, fields);
    if (refused) throw new TypeError(refused);
    return;
  }
  const sink = host.startAnswer(response.status, fields);
  if (isFailure(sink)) throw thrown(sink);
  if (sink !== null) await pump(source.stream, sink);
}

export class IdentityTransformStream extends TransformStream {
  constructor() {
    super({ transform(chunk, controller) { controller.enqueue(typeof chunk === "string" ? encode(chunk) : chunk); } });
  }
}

export class FixedLengthStream extends TransformStream {
  constructor(length) {
    let left = Number(length);
    super({
      transform(chunk, controller) {
        left -= chunk.byteLength;
        if (left < 0) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
        controller.enqueue(chunk);
      },
      flush() { if (left > 0) throw new TypeError("FixedLengthStream did not see all expected bytes before close()."); },
    });
  }
}
