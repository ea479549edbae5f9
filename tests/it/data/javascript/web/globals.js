// What is left of the global names: timers, performance, navigator, console, errors.

const name = (work) => { try { return work(); } catch (error) { return error.name; } };

export default {
  timers: async () => { const order = []; await new Promise((done) => { setTimeout(() => { order.push("later"); done(); }, 4); setTimeout((...args) => order.push(...args), 1, "a", "b"); queueMicrotask(() => order.push("micro")); order.push("sync"); }); return order; },
  timers_of_no_function: () => [name(() => setTimeout()), name(() => typeof setTimeout("1", 1)), name(() => setTimeout({}, 1))],
  cleared: async () => { let count = 0; const id = setTimeout(() => count++, 1); clearTimeout(id); clearTimeout(id); clearTimeout(undefined); clearTimeout(12345); await scheduler.wait(4); return count; },
  interval: async () => { let count = 0; await new Promise((done) => { const id = setInterval(() => { if (++count === 3) { clearInterval(id); done(); } }, 1); }); await scheduler.wait(4); return count; },
  timer_id: () => { const id = setTimeout(() => {}, 0); clearTimeout(id); return ["number", "object"].includes(typeof id); },
  throwing_timer: async () => { let after = false; setTimeout(() => { throw new Error("on purpose"); }, 1); await new Promise((done) => setTimeout(() => { after = true; done(); }, 3)); return after; },
  microtasks: async () => { const order = []; queueMicrotask(() => order.push(1)); Promise.resolve().then(() => order.push(2)); await scheduler.wait(0); return order; },
  microtask_of_no_function: () => [name(() => queueMicrotask()), name(() => queueMicrotask("a"))],
  performance: () => [typeof performance.now(), performance.timeOrigin, typeof performance.toJSON(), performance instanceof EventTarget, Object.prototype.toString.call(performance)],
  performance_class: () => typeof globalThis.Performance,
  performance_marks: () => ["mark", "measure", "clearMarks", "clearMeasures", "getEntries", "getEntriesByName", "getEntriesByType"].map((each) => typeof performance[each]),
  navigator: () => [navigator.userAgent, typeof navigator, Object.prototype.toString.call(navigator), navigator.language, navigator.hardwareConcurrency],
  global_this: () => [globalThis === self, typeof self, Object.prototype.toString.call(globalThis), globalThis instanceof EventTarget, typeof window, typeof document, typeof global, typeof process],
  global_classes: () => ["WorkerGlobalScope", "ServiceWorkerGlobalScope", "DOMException", "PromiseRejectionEvent", "WebSocket", "WebSocketPair", "EventSource", "Cache", "CacheStorage", "HTMLRewriter", "WebAssembly", "Intl", "ReadableStreamDefaultController", "FixedLengthStream", "IdentityTransformStream", "Atomics", "SharedArrayBuffer", "importScripts", "XMLHttpRequest", "localStorage"].map((each) => `${each} ${typeof globalThis[each]}`),
  enumerable: () => Object.keys(globalThis).includes("fetch"),
  report_error: () => { let seen; const listener = (event) => { seen = [event.type, event.error?.message, event.message, event instanceof ErrorEvent]; event.preventDefault(); }; addEventListener("error", listener); reportError(new Error("reported")); removeEventListener("error", listener); return seen; },
  report_nothing: () => name(() => reportError()),
  dom_exception: () => { const error = new DOMException("m", "NotFoundError"); return [error.name, error.code, error.message, error instanceof Error, Object.prototype.toString.call(error), DOMException.NOT_FOUND_ERR, error.NOT_FOUND_ERR, new DOMException().name, typeof error.stack]; },
  console: () => ["assert", "clear", "count", "countReset", "debug", "dir", "dirxml", "error", "group", "groupCollapsed", "groupEnd", "info", "log", "table", "time", "timeEnd", "timeLog", "trace", "warn"].map((each) => typeof console[each]),
  unhandled_rejection: async () => { const seen = []; addEventListener("unhandledrejection", (event) => { seen.push(event.type, event.reason.message, event.promise instanceof Promise); event.preventDefault(); }); Promise.reject(new Error("nobody")); await scheduler.wait(5); return seen; },
  rejection_handled: async () => { const seen = []; addEventListener("rejectionhandled", (event) => seen.push(event.type, event.promise instanceof Promise)); const promise = Promise.reject(new Error("late")); await scheduler.wait(5); promise.catch(() => {}); await scheduler.wait(5); return seen; },
  on_attributes: () => ["onerror", "onunhandledrejection", "onrejectionhandled"].map((each) => each in globalThis),
  language: () => [typeof Array.fromAsync, typeof Iterator, typeof Promise.try, typeof Uint8Array.fromBase64, typeof Set.prototype.union, typeof Object.groupBy, typeof Array.prototype.toSorted, typeof RegExp.escape, typeof structuredClone, typeof Float16Array, typeof WeakRef, typeof Error.captureStackTrace, typeof Math.sumPrecise],
  scheduler: async () => [typeof scheduler.wait, await scheduler.wait(1) ?? "undefined", typeof scheduler.postTask],
  caches: () => [typeof caches, typeof caches?.default],
};
