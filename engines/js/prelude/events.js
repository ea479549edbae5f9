// From an event of the host's to the script's handler and back.

import { host } from "./host.js";
import { console, inspect } from "./console.js";
import { answer, fetch, Request, Response } from "./fetch.js";
import { FetchEvent, ScheduledEvent, dispatchEvent, listened } from "./service-worker.js";
import { makeEnv } from "./env.js";
import { bodyOf } from "./queue.js";
import { serve } from "./rpc/callee.js";
import { RpcPromise, RpcProperty, RpcStub } from "./rpc/stubs.js";
import { Handlers, RpcTarget, WorkerEntrypoint } from "./rpc/targets.js";

const KINDS = ["fetch", "scheduled", "queue", "tail"];

/** The module's default export; null for a script that listens for events. */
let main = null;
/** Everything that the main module exports. */
let exported = null;
/** The event that is handled: for `cloudflare:workers`. */
let current = null;

export const currentEvent = () => current && { env: current[0], ctx: current[1] };

/** Whether the default export is a class to be instantiated for each event. */
const isClass = () => typeof main === "function";

function handlerOf(kind) {
  if (main === null) return listened().has(kind) ? kind : undefined;
  return isClass() ? main.prototype?.[kind] : main[kind];
}

/** Takes the exports of a script; returns the kinds of events that it handles. */
export function onLoad(exports) {
  delete globalThis[Symbol.for("wasmyard.part")];
  main = exports?.default ?? null;
  exported = exports ?? null;
  const kinds = KINDS.filter((kind) => handlerOf(kind) !== undefined);
  // Whose methods are called handles requests: that is how calls come.
  if (!kinds.includes("fetch") && exported !== null && Object.values(exported).some(isEntrypoint)) kinds.push("fetch");
  const paths = main?.warm;
  if (handlerOf("fetch") !== undefined && (typeof paths === "string" || Array.isArray(paths))) {
    for (const path of [paths].flat().slice(0, MOST_WARM)) makeWarm(path);
  }
  return kinds;
}

/** So many made-up requests are answered at most. */
const MOST_WARM = 16;

/**
 * Answers a request that the script made up, while it is deployed: what that leaves in memory is where every request begins. It
 * is given nothing, and what needs a request's time, chance or I/O throws, as at the top level.
 */
async function makeWarm(path) {
  const [env, ctx] = [{}, new ExecutionContext()];
  current = [env, ctx];
  try {
    const response = await call("fetch", new Request(new URL(path, "https://warm.invalid/")), env, ctx);
    await response.text();
    await ExecutionContext._settled(ctx);
  } catch {
    // It got as far as it could: what it made until then is there.
  }
  current = null;
}

const isEntrypoint = (value) => typeof value === "function" && value.prototype instanceof WorkerEntrypoint;

/** By context: what the binding says by which this script was reached, where it says something. */
const propsOf = new WeakMap();

class ExecutionContext {
  #pending = 0; #idle = null; #passThrough = false;
  get props() { return propsOf.get(this) ?? {}; }
  waitUntil(promise) {
    this.#pending++;
    Promise.resolve(promise).catch((error) => console.error("Uncaught (in waitUntil)", error)).finally(() => {
      if (--this.#pending === 0) this.#idle?.();
    });
  }
  passThroughOnException() { this.#passThrough = true; }
  static _passesThrough(ctx) { return ctx.#passThrough; }
  /** A promise for when nothing is left that was to be waited for; undefined where nothing is. */
  static _settled(ctx) {
    if (ctx.#pending > 0) return new Promise((resolve) => { ctx.#idle = resolve; }).then(() => ExecutionContext._settled(ctx));
  }
}

function call(kind, event, env, ctx) {
  const handler = isClass() ? new main(ctx, env) : main;
  if (typeof handler[kind] !== "function") throw new TypeError(`Handler does not export a ${kind}() function.`);
  return isClass() ? handler[kind](event) : handler[kind](event, env, ctx);
}

/** What a caller is told of an error. */
function told(error) {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : inspect(error);
}

/** What a script that listens for events answers. */
function heard(request, ctx) {
  if (exported !== null && !listened().has("fetch")) throw new TypeError("Handler does not export a fetch() function.");
  const event = new FetchEvent(request, ctx);
  dispatchEvent(event);
  // Where nobody answers it goes on to where it was addressed.
  return FetchEvent._response(event) ?? fetch(request);
}

/** Gives the answer. A promise that is returned is settled when all is done; without one all is done. */
function given(response, ctx) {
  if (!(response instanceof Response)) throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
  const writing = answer(response);
  return writing === undefined ? ExecutionContext._settled(ctx) : writing.then(() => ExecutionContext._settled(ctx));
}

function failed(error, request, ctx) {
  console.error("Uncaught", error);
  if (ExecutionContext._passesThrough(ctx) && !request.bodyUsed) {
    return fetch(request).then((response) => given(response, ctx)).catch((failure) => {
      console.error("Uncaught", failure);
      host.fail(told(error));
      return ExecutionContext._settled(ctx);
    });
  }
  host.fail(told(error));
  return ExecutionContext._settled(ctx);
}

/** Handles a request, as `onEvent` does other events. What can be done at once is done without a promise. */
export function onFetch(handle) {
  const request = Request._incoming(handle);
  const [env, ctx] = begun();
  try {
    const response = main === null ? heard(request, ctx) : call("fetch", request, env, ctx);
    const rest = response instanceof Response ? given(response, ctx) : Promise.resolve(response).then((response) => given(response, ctx));
    return rest && rest.catch((error) => failed(error, request, ctx));
  } catch (error) {
    return failed(error, request, ctx);
  }
}

/** Handles what comes by way of a named export, with something beside it, or as a call of methods. */
export function onEntry(handle, name, props, isCall) {
  const request = Request._incoming(handle);
  const [env, ctx] = begun();
  if (props !== undefined) propsOf.set(ctx, JSON.parse(props));
  try {
    if (name !== undefined && name !== "default") {
      if (exported === null || !Object.hasOwn(exported, name)) throw new TypeError(`The script exports no entrypoint named "${name}".`);
      main = exported[name];
      if (typeof main !== "object" && !isEntrypoint(main)) throw new TypeError(`The export "${name}" is no entrypoint: that is a class which extends WorkerEntrypoint, or an object of handlers.`);
    }
    if (!isCall) {
      const response = main === null ? heard(request, ctx) : call("fetch", request, env, ctx);
      return Promise.resolve(response).then((response) => given(response, ctx)).catch((error) => failed(error, request, ctx));
    }
    if (main === null || (isClass() && !isEntrypoint(main))) throw new TypeError("The receiver is not an RPC object.");
    const target = isClass() ? new main(ctx, env) : new Handlers(main, env, ctx);
    return serve(handle, target).catch((error) => failed(error, request, ctx)).then(() => ExecutionContext._settled(ctx));
  } catch (error) {
    return failed(error, request, ctx);
  }
}

async function onScheduled(event, env, ctx) {
  event.type = "scheduled";
  event.noRetry = () => {};
  if (main === null) dispatchEvent(new ScheduledEvent(event, ctx));
  else await call("scheduled", event, env, ctx);
}

async function onQueue(batch, env, ctx) {
  // Negative for `ack`; a delay in seconds or null for a retry. The first word about a message counts, and about the batch.
  let rest;
  const each = new Map();
  const judge = (message, verdict) => { if (!each.has(message.id)) each.set(message.id, verdict); };
  const retry = (options) => (options?.delaySeconds === undefined ? null : Number(options.delaySeconds));
  const messages = batch.messages.map((message) => {
    return {
      id: message.id, timestamp: new Date(message.timestamp), body: bodyOf(message.contentType, message.body), attempts: message.attempts,
      ack() { judge(message, -1); },
      retry(options) { judge(message, retry(options)); },
    };
  });
  const given = { queue: batch.queue, messages, ackAll() { if (rest === undefined) rest = -1; }, retryAll(options) { if (rest === undefined) rest = retry(options); } };
  try {
    await call("queue", given, env, ctx);
  } catch (error) {
    // What was said before holds: the others come again.
    if (each.size === 0 && rest === undefined) throw error;
    console.error("Uncaught", error);
    if (rest === undefined) rest = null;
  }
  return [rest === undefined ? -1 : rest, ...[...each].flat()];
}

/** What a handler is given besides the event. */
function begun() {
  const env = makeEnv();
  const ctx = new ExecutionContext();
  current = [env, ctx];
  if (main === null) for (const [name, value] of Object.entries(env)) globalThis[name] = value;
  return current;
}

/** Handles any other event: what it returns is settled when all of it is done. */
export async function onEvent(kind, event) {
  const [env, ctx] = begun();
  let result;
  if (kind === "scheduled") result = await onScheduled(event, env, ctx);
  else if (kind === "queue") result = await onQueue(event, env, ctx);
  else result = await call("tail", event, env, ctx);
  await ExecutionContext._settled(ctx);
  return result;
}

/** For `cloudflare:workers`, which is evaluated with the script. */
const forWorkers = Object.freeze({ currentEvent, RpcPromise, RpcProperty, RpcStub, RpcTarget, WorkerEntrypoint });
Object.defineProperty(globalThis, Symbol.for("wasmyard.workers"), { value: forWorkers, configurable: false });
