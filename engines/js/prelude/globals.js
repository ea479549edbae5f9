// The global names.

import {
  ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, TransformStream,
  TransformStreamDefaultController, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter,
} from "web-streams-polyfill";
import { URLPattern } from "urlpattern-polyfill/urlpattern";

import { host } from "./host.js";
import { AbortController, AbortSignal, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent, PromiseRejectionEvent, onReport, reportError } from "./event-target.js";
import { Blob, File } from "./blob.js";
import { Cache, CacheStorage, caches } from "./cache.js";
import { HTMLRewriter } from "./html-rewriter.js";
import { Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, performance } from "./performance.js";
import { CompressionStream, DecompressionStream } from "./compression.js";
import { FormData } from "./form-data.js";
import { Headers } from "./headers.js";
import { Request, Response, fetch, FixedLengthStream, IdentityTransformStream } from "./fetch.js";
import { TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream } from "./encoding.js";
import { URL, URLSearchParams } from "./url.js";
import { console } from "./console.js";
import { Crypto, CryptoKey, SubtleCrypto, crypto } from "./crypto.js";
import { clearTimeout, hooks, scheduler, setInterval, setTimeout, setImmediate } from "./timers.js";
import { MessageChannel, MessagePort } from "./message-channel.js";
import { refuseToClone, structuredClone } from "./clone.js";
import { reportRejections } from "./rejections.js";
import { WebAssembly } from "./web-assembly.js";
import { FetchEvent, ScheduledEvent, addEventListener, dispatchEvent, removeEventListener } from "./service-worker.js";

class Navigator {
  get userAgent() { return "Cloudflare-Workers"; }
  get language() { return "en"; }
  get hardwareConcurrency() { return 1; }
  get [Symbol.toStringTag]() { return "Navigator"; }
}

class WorkerGlobalScope extends EventTarget {}
class ServiceWorkerGlobalScope extends WorkerGlobalScope {}

/** An error that nobody caught: who listens for `error` may say that it is dealt with. */
onReport((error) => {
  const event = new ErrorEvent("error", { error, message: `Uncaught ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`, cancelable: true });
  if (dispatchEvent(event)) console.error("Uncaught", error);
});

const enqueue = queueMicrotask;

/** A job, with what AsyncLocalStorage stores at this place. */
function queueMicrotaskHere(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask() takes a function.");
  const context = host.asyncContext();
  if (context === undefined) { enqueue(callback); return; }
  enqueue(() => {
    host.setAsyncContext(context);
    try {
      callback();
    } finally {
      host.setAsyncContext(undefined);
    }
  });
}
Object.defineProperty(queueMicrotaskHere, "name", { value: "queueMicrotask" });

hooks.reportError = reportError;
hooks.reportRejections = reportRejections;

const classes = {
  AbortController, AbortSignal, Blob, ByteLengthQueuingStrategy, Cache, CacheStorage, CompressionStream, CountQueuingStrategy, Crypto, CryptoKey, CustomEvent,
  DecompressionStream, ErrorEvent,
  Event, EventTarget, FetchEvent, File, FixedLengthStream, FormData, HTMLRewriter, Headers, IdentityTransformStream, MessageChannel, MessageEvent, MessagePort, Navigator,
  Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PromiseRejectionEvent, ReadableByteStreamController, ReadableStream, ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest, ReadableStreamDefaultController, ReadableStreamDefaultReader, Request, Response, ScheduledEvent,
  ServiceWorkerGlobalScope, SubtleCrypto, TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream, TransformStream,
  TransformStreamDefaultController, URL, URLPattern, URLSearchParams, WorkerGlobalScope, WritableStream,
  WritableStreamDefaultController, WritableStreamDefaultWriter,
};

const functions = {
  addEventListener, clearInterval: clearTimeout, clearTimeout, clearImmediate: clearTimeout, dispatchEvent, fetch,
  queueMicrotask: queueMicrotaskHere,  removeEventListener, reportError, setImmediate, setInterval, setTimeout, structuredClone,
};

export function install(scope) {
  refuseToClone(Object.values(classes).filter((each) => each !== Blob && each !== File));
  const define = (name, value) =>
    Object.defineProperty(scope, name, { value, writable: true, configurable: true, enumerable: false });
  for (const [name, value] of Object.entries({ ...classes, ...functions })) define(name, value);
  // A bundler gives a class another name where its own is taken.
  for (const [name, value] of Object.entries(classes)) if (value.name !== name) Object.defineProperty(value, "name", { value: name, configurable: true });
  define("self", scope);
  define(Symbol.toStringTag, "ServiceWorkerGlobalScope");
  define("caches", caches);
  define("console", console);
  define("crypto", crypto);
  define("navigator", new Navigator());
  define("performance", performance);
  define("scheduler", scheduler);
  define("WebAssembly", WebAssembly);
  // For modules that are made of files without code, while a script is loaded.
  Object.defineProperty(scope, Symbol.for("wasmyard.part"), { value: host.part, configurable: true });
}
