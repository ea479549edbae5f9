// Fetch standard: Request, Response, fetch.

import { TransformStream } from "web-streams-polyfill";

import { host, inHandler, isFailure } from "./host.js";
import { AbortSignal } from "./event-target.js";
import { Body, hostStream, makeBody, whole } from "./body.js";
import { writeStream } from "./contents.js";
import { encode } from "./encoding.js";
import { Headers } from "./headers.js";
import { URL } from "./url.js";

/** Fields that belong to a connection, or are the host's to set. */
const OWN = new Set(["connection", "content-length", "host", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]);
const NULL_STATUS = new Set([101, 204, 205, 304]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 20;
const NORMALIZED = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

/** Makes the request that is handled: only the prelude has it. */
const INCOMING = Symbol();
/** The same for responses of the host's. */
const RECEIVED = Symbol();

/** What most requests that are handled have. */
const AS_IT_CAME = Object.freeze({ redirect: "manual", signal: undefined, cf: undefined });
/** The same for responses. */
const PLAIN = Object.freeze({ statusText: "", url: "", redirected: false, type: "default", webSocket: null, cf: undefined });

export class Request extends Body {
  // Of the request that is handled these are asked for when somebody reads them. Few fields: each takes its time to make.
  #method; #url; #headers; #handle; #rest = AS_IT_CAME;
  constructor(input, init) {
    super();
    if (input === INCOMING) {
      this.#handle = init;
      return;
    }
    init ??= {};
    const from = input instanceof Request ? input : null;
    if (from) this.#url = Request._url(from);
    else {
      const url = URL.parse(String(input));
      if (!url) throw new TypeError(`Invalid URL: ${String(input)}`);
      this.#url = url.href;
    }
    this.#method = "GET";
    if (init.method !== undefined || from) {
      const method = String(init.method ?? Request._method(from));
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`Invalid HTTP method string: ${method}`);
      this.#method = NORMALIZED.has(method.toUpperCase()) ? method.toUpperCase() : method;
    }
    this.#headers = new Headers(init.headers ?? (from ? Request._headers(from) : undefined));
    const redirect = init.redirect ?? from?.#rest.redirect ?? "follow";
    if (redirect !== "follow" && redirect !== "manual" && redirect !== "error") throw new TypeError(`Invalid redirect value, must be one of "follow" or "manual" ("error" won't be implemented since it does not make sense at the edge; use "manual" and check the response status code).`);
    this.#rest = { redirect, signal: init.signal ?? from?.#rest.signal, cf: init.cf ?? from?.cf };
    if (init.body !== undefined && init.body !== null) {
      if (this.#method === "GET" || this.#method === "HEAD") throw new TypeError("Request with a GET or HEAD method cannot have a body.");
      const [source, type] = makeBody(init.body);
      Body._set(this, source);
      if (type) Headers._default(this.#headers, "content-type", type);
    } else if (from && init.body === undefined) {
      Body._set(this, Body._take(from));
    }
  }
  /** The request that is handled. */
  static _incoming(handle) {
    const request = new Request(INCOMING, handle);
    Body._set(request, () => (host.requestHasBody(handle) ? { host: handle } : null));
    return request;
  }
  // What the properties say, also where a script has put others in their place.
  static _method(request) { return (request.#method ??= host.requestMethod(request.#handle)); }
  static _url(request) { return (request.#url ??= host.requestUrl(request.#handle)); }
  static _headers(request) { return (request.#headers ??= Headers._of(host.requestFields(request.#handle), true)); }
  /** The host's handle of the request that is handled, for as long as it can be handed on as it is. */
  static _whole(request) {
    const handle = request.#handle;
    return handle !== undefined && host.isHere(handle) ? handle : undefined;
  }
  get method() { return Request._method(this); }
  get url() { return Request._url(this); }
  get headers() { return Request._headers(this); }
  get redirect() { return this.#rest.redirect; }
  get signal() {
    if (!this.#rest.signal) this.#rest = { ...this.#rest, signal: AbortSignal._new() };
    return this.#rest.signal;
  }
  get cf() {
    if (this.#rest === AS_IT_CAME && this.#handle !== undefined) this.#rest = { ...AS_IT_CAME, cf: facts() };
    return this.#rest.cf;
  }
  get integrity() { return ""; }
  get keepalive() { return false; }
  get cache() { return undefined; }
  clone() {
    const copy = new Request(Request._url(this), { method: Request._method(this), headers: Request._headers(this), redirect: this.#rest.redirect, signal: this.#rest.signal, cf: this.cf });
    Body._set(copy, Body._tee(this));
    return copy;
  }
  /** The signal that was given, if one was. */
  static _signal(request) { return request.#rest.signal; }
  get [Symbol.toStringTag]() { return "Request"; }
}

/** What a visitor's connection tells: for the platform's own scripts. */
function facts() {
  const info = host.info();
  if (info[5] !== null && info[5] !== undefined) return undefined;
  return { hostMetadata: typeof info[3] === "string" ? JSON.parse(info[3]) : undefined };
}

export class Response extends Body {
  // Of a response of the host's status and headers are asked for when somebody reads them; of others the headers are made
  // then, where there are none but the body's type.
  #status; #headers; #type; #handle; #rest = PLAIN;
  constructor(body, init) {
    super();
    if (body === RECEIVED) {
      this.#handle = init;
      return;
    }
    this.#status = 200;
    if (init !== undefined && init !== null) this.#take(init);
    if (body !== null && body !== undefined) {
      if (NULL_STATUS.has(this.#status)) throw new TypeError(`Response with null body status (101, 204, 205, or 304) cannot have a body.`);
      const [source, type] = makeBody(body);
      Body._set(this, source);
      if (type) {
        if (this.#headers) Headers._default(this.#headers, "content-type", type); else this.#type = type;
      }
    }
  }
  #take(init) {
    const status = init.status === undefined ? 200 : Number(init.status);
    if (!(Number.isInteger(status) && ((status >= 200 && status <= 599) || (status === 101 && init.webSocket)))) {
      throw new RangeError("Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
    }
    this.#status = status;
    const { statusText, headers, cf } = init;
    if ((statusText !== undefined && statusText !== null) || cf !== undefined) {
      const text = String(statusText ?? "");
      if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) throw new TypeError("Invalid statusText");
      this.#rest = { ...PLAIN, statusText: text, cf };
    }
    if (headers !== undefined && headers !== null) this.#headers = new Headers(headers);
  }
  /** A response of the host's. */
  static _received(handle, url, redirected, headOnly) {
    const response = new Response(RECEIVED, handle);
    if (url !== "") response.#rest = { ...PLAIN, url, redirected };
    Body._set(response, () => (headOnly || NULL_STATUS.has(Response._status(response)) ? null : { host: handle }));
    return response;
  }
  // What the properties say, also where a script has put others in their place.
  static _status(response) { return (response.#status ??= host.responseStatus(response.#handle)); }
  static _headers(response) {
    if (response.#headers) return response.#headers;
    if (response.#handle !== undefined) return (response.#headers = Headers._of(host.responseFields(response.#handle), true));
    const headers = new Headers();
    if (response.#type) Headers._default(headers, "content-type", response.#type);
    return (response.#headers = headers);
  }
  /** The host's flat list of its headers. */
  static _fields(response) {
    if (response.#headers || response.#handle !== undefined) return Headers._flat(Response._headers(response), OWN);
    return response.#type ? ["content-type", response.#type] : [];
  }
  /** The handle of a response of the host's. Nothing of its head can have been changed. */
  static _handle(response) { return response.#handle; }
  static error() {
    const response = new Response();
    response.#rest = { ...PLAIN, type: "error" };
    response.#status = 0;
    return response;
  }
  static redirect(url, status = 302) {
    if (!REDIRECTS.has(Number(status))) throw new RangeError(`${status} is not a redirect status code.`);
    const to = URL.parse(String(url));
    if (!to) throw new TypeError(`Unable to parse URL: ${url}`);
    const response = new Response(null, { status, headers: { location: to.href } });
    Headers._freeze(Response._headers(response));
    return response;
  }
  static json(data, init = {}) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("The data is not JSON serializable.");
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }
  get status() { return Response._status(this); }
  get statusText() { return this.#rest.statusText; }
  get ok() { return this.status >= 200 && this.status < 300; }
  get headers() { return Response._headers(this); }
  get url() { return this.#rest.url; }
  get redirected() { return this.#rest.redirected; }
  get type() { return this.#rest.type; }
  get webSocket() { return this.#rest.webSocket; }
  get cf() { return this.#rest.cf; }
  clone() {
    const copy = new Response(null, { headers: Response._headers(this) });
    copy.#status = Response._status(this);
    copy.#rest = this.#rest;
    Body._set(copy, Body._tee(this));
    return copy;
  }
  get [Symbol.toStringTag]() { return "Response"; }
}

/** The host's flat list of a request's head. */
function headOf(request, url) {
  return Headers._flat(Request._headers(request), OWN, [Request._method(request), url.protocol.slice(0, -1), url.host, url.pathname + url.search]);
}

/** Writes a stream to a body of the host's, as fast as that takes it. */
export async function pump(stream, sink) {
  let whole;
  try {
    whole = await writeStream(stream, sink);
  } catch (error) {
    host.finish(sink, false);
    throw error;
  }
  return host.finish(sink, whole);
}

/** How a text begins of something that a script threw: what follows is the thrown error's own message. */
const THREW = "Worker threw an exception: ";

export function thrown([word, text]) {
  if (text.startsWith(THREW)) text = text.slice(THREW.length);
  const error = word === "outbound" ? new TypeError(`Network connection lost: ${text}`) : new Error(text);
  error.remote = word !== "outbound" && word !== "invalid-argument";
  return error;
}

/** What came of something sent: a handle, or undefined while it is on its way. */
function arrivedBy(future) {
  const answer = host.take(future);
  if (isFailure(answer)) throw thrown(answer);
  return answer;
}

/** Waits for what was sent. */
export async function arrived(future, signal) {
  let canceled;
  const aborted = signal && new Promise((_, reject) => {
    canceled = () => reject(signal.reason);
    signal.addEventListener("abort", canceled, { once: true });
  });
  try {
    for (;;) {
      const ready = host.wait(future);
      await (aborted ? Promise.race([ready, aborted]) : ready);
      const answer = arrivedBy(future);
      if (answer !== undefined) return answer;
    }
  } catch (error) {
    host.drop(future);
    throw error;
  } finally {
    if (canceled) signal.removeEventListener("abort", canceled);
  }
}

/** The bytes of a body in a buffer of their own. */
function bufferOf(bytes) {
  return bytes && (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer);
}

/**
 * Sends a request to where `to` leads: -1 for its URL, otherwise a handle. Returns the handle of the response, or a promise
 * for it.
 */
export function sendTo(to, request) {
  inHandler();
  const signal = Request._signal(request);
  signal?.throwIfAborted();
  const handled = Request._whole(request);
  const untouched = Body._untouched(request);
  let future;
  if (handled !== undefined && (untouched === handled || (Body._source(request) === null && !request.bodyUsed))) {
    // The request that is handled, with nothing changed: it goes on as it is.
    Body._take(request);
    future = host.forward(to, handled, undefined);
  } else {
    const url = new URL(Request._url(request));
    if (to < 0 && url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`Fetch API cannot load: ${url.href}`);
    const head = headOf(request, url);
    const source = Body._take(request);
    if (source === null || whole(source)) {
      future = host.send(to, head, bufferOf(source?.bytes));
    } else if (source.host !== undefined && untouched === source.host && host.isHere(source.host)) {
      // The body of the request that is handled, under another head: it goes on as it is.
      future = host.forward(to, source.host, head);
    } else {
      const sent = host.stream(to, head);
      if (isFailure(sent)) throw thrown(sent);
      future = sent[0];
      pump(source.stream ?? hostStream(source.host), sent[1]).catch(() => {});
    }
  }
  if (isFailure(future)) throw thrown(future);
  return arrivedBy(future) ?? arrived(future, signal);
}

/** What is sent: the request itself where nothing is to be different. */
export function requested(input, init) {
  return input instanceof Request && init === undefined ? input : new Request(input, init);
}

export async function fetch(input, init) { return fetchBy(() => -1, input, init); }

/** Fetches by what is opened, as far as redirects lead to the same origin; to others by nobody's leave but the script's own. */
export async function fetchBy(open, input, init) {
  let request = requested(input, init);
  let by = open();
  let redirected = false;
  for (let count = 0; ; count++) {
    const follows = request.redirect === "follow";
    const source = follows ? Body._source(request) : null;
    const handle = await sendTo(by, request);
    const response = Response._received(handle, Request._url(request), redirected, Request._method(request) === "HEAD");
    if (!follows || !REDIRECTS.has(Response._status(response))) return response;
    const location = Response._headers(response).get("location");
    const to = location === null ? null : URL.parse(location, Request._url(request));
    if (!to) return response;
    if (count >= MOST_REDIRECTS) throw new TypeError("Too many redirects.");
    const toGet = response.status === 303 ? request.method !== "HEAD" : response.status < 303 && request.method === "POST";
    // A body that came as a stream is gone, and cannot be sent once more.
    if (!toGet && source !== null && !whole(source)) return response;
    host.drop(handle);
    const headers = new Headers(Request._headers(request));
    if (new URL(Request._url(request)).origin !== to.origin) {
      by = -1;
      for (const name of ["authorization", "cookie", "proxy-authorization"]) headers.delete(name);
    }
    if (toGet) for (const name of ["content-type", "content-length", "content-encoding", "content-language"]) headers.delete(name);
    request = new Request(to.href, { method: toGet ? "GET" : request.method, headers, signal: Request._signal(request), body: toGet ? undefined : source?.bytes });
    redirected = true;
  }
}

/** Gives a response to whoever asked. Returns a promise where there is something left to be written. */
export function answer(response) {
  const handle = Response._handle(response);
  const untouched = Body._untouched(response);
  if (handle !== undefined && (untouched === handle || (Body._source(response) === null && !response.bodyUsed))) {
    // Another's response, with nothing changed: it goes on as it is.
    Body._take(response);
    const refused = host.answerWith(handle, Response._status(response), undefined);
    if (refused) throw new TypeError(refused);
    return;
  }
  const fields = Response._fields(response);
  const source = Body._take(response);
  if (source !== null && source.text !== undefined) {
    const refused = host.answerText(Response._status(response), fields, source.text.toWellFormed());
    if (refused) throw new TypeError(refused);
    return;
  }
  if (source === null || source.bytes) {
    const refused = host.answer(Response._status(response), fields, bufferOf(source?.bytes));
    if (refused) throw new TypeError(refused);
    return;
  }
  // The body of the request that is handled is no response that could go on as it is.
  if (source.host !== undefined && untouched === source.host && !host.isHere(source.host)) {
    const length = Response._headers(response).get("content-length");
    if (length !== null) fields.push("content-length", length);
    const refused = host.answerWith(source.host, Response._status(response), fields);
    if (refused) throw new TypeError(refused);
    return;
  }
  const sink = host.startAnswer(Response._status(response), fields);
  if (isFailure(sink)) throw thrown(sink);
  if (sink !== null) return pump(source.stream ?? hostStream(source.host), sink);
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
