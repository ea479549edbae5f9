// From an event of the host's to the script's handler and back.

import { host } from "./host.js";
import { console, inspect } from "./console.js";
import { answer, fetch, Request, Response } from "./fetch.js";
import { FetchEvent, ScheduledEvent, dispatchEvent, listened } from "./service-worker.js";
import { makeEnv } from "./env.js";
import { decode } from "./encoding.js";

const KINDS = ["fetch", "scheduled", "queue", "tail"];

/** The module's default export; null for a script that listens for events. */
let main = null;
/** The event that is handled: for `cloudflare:workers`. */
let current = null;

export const currentEvent = () => current;

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
  return KINDS.filter((kind) => handlerOf(kind) !== undefined);
}

class ExecutionContext {
  #state;
  constructor(state) { this.#state = state; }
  get props() { return this.#state.props; }
  waitUntil(promise) {
    const state = this.#state;
    state.pending++;
    Promise.resolve(promise).catch((error) => console.error("Uncaught (in waitUntil)", error)).finally(() => {
      if (--state.pending === 0) state.idle?.();
    });
  }
  passThroughOnException() { this.#state.passThrough = true; }
}

/** Waits until nothing is left that was to be waited for. */
async function settled(state) {
  while (state.pending) await new Promise((resolve) => { state.idle = resolve; });
}

function call(kind, event, env, ctx) {
  if (isClass()) return new main(ctx, env)[kind](event);
  return main[kind](event, env, ctx);
}

/** What a caller is told of an error. */
function told(error) {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : inspect(error);
}

async function onFetch(handle, env, ctx, state) {
  const info = host.info();
  // What a visitor's connection tells is for the platform's own scripts.
  const cf = info[5] === null || info[5] === undefined ? { hostMetadata: typeof info[3] === "string" ? JSON.parse(info[3]) : undefined } : undefined;
  const request = Request._incoming(handle, host.requestHead(handle), cf);
  try {
    let response;
    if (main === null) {
      const event = new FetchEvent(request, ctx);
      dispatchEvent(event);
      response = FetchEvent._response(event);
      // Nobody answered: it goes on to where it was addressed.
      if (!response) response = fetch(request);
      response = await response;
    } else {
      response = await call("fetch", request, env, ctx);
    }
    if (!(response instanceof Response)) throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
    await answer(response);
  } catch (error) {
    console.error("Uncaught", error);
    if (state.passThrough && !request.bodyUsed) {
      try {
        await answer(await fetch(request));
        return;
      } catch (failure) {
        console.error("Uncaught", failure);
      }
    }
    host.fail(told(error));
  }
}

async function onScheduled(event, env, ctx) {
  event.type = "scheduled";
  event.noRetry = () => {};
  if (main === null) dispatchEvent(new ScheduledEvent(event, ctx));
  else await call("scheduled", event, env, ctx);
}

async function onQueue(batch, env, ctx) {
  // Negative for `ack`; a delay in seconds or null for a retry.
  let rest = -1;
  const each = new Map();
  const retry = (options) => (options?.delaySeconds === undefined ? null : Number(options.delaySeconds));
  const messages = batch.messages.map((message) => {
    const bytes = new Uint8Array(message.body);
    const body =
      message.contentType === "json" ? JSON.parse(decode(bytes)) : message.contentType === "text" ? decode(bytes) : bytes.buffer;
    return {
      id: message.id, timestamp: new Date(message.timestamp), body, attempts: message.attempts,
      ack() { each.set(message.id, -1); },
      retry(options) { each.set(message.id, retry(options)); },
    };
  });
  const given = { queue: batch.queue, messages, ackAll() { rest = -1; }, retryAll(options) { rest = retry(options); } };
  await call("queue", given, env, ctx);
  return [rest, ...[...each].flat()];
}

/** Handles an event: what it returns is settled when all of it is done. */
export async function onEvent(kind, event) {
  const state = { pending: 0, idle: null, passThrough: false, props: {} };
  const env = makeEnv();
  const ctx = new ExecutionContext(state);
  current = { env, ctx };
  if (main === null) for (const [name, value] of Object.entries(env)) globalThis[name] = value;
  let result;
  if (kind === "fetch") result = await onFetch(event, env, ctx, state);
  else if (kind === "scheduled") result = await onScheduled(event, env, ctx);
  else if (kind === "queue") result = await onQueue(event, env, ctx);
  else result = await call("tail", event, env, ctx);
  await settled(state);
  return result;
}

/** For `cloudflare:workers`, which is evaluated with the script. */
Object.defineProperty(globalThis, Symbol.for("wasmyard.current"), { value: currentEvent, configurable: false });
