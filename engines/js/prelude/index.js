// The Web APIs of a worker, and the dispatcher of its events. Evaluated once, when the engine is built: nothing here may
// depend on time, on chance or on a script.

import { setHost } from "./host.js";
import { install } from "./globals.js";
import { onEntry, onEvent, onFetch, onLoad } from "./events.js";
import { onTimers } from "./timers.js";
import { installIntl } from "./intl.js";
import { moduleOf } from "./web-assembly.js";
import { installNode } from "./node/install.js";

/** Looks at every property of everything: QuickJS makes most of what is built in when somebody first looks, which no request has to. */
function touch(object, seen) {
  if ((typeof object !== "object" && typeof object !== "function") || object === null || seen.has(object)) return;
  seen.add(object);
  touch(Object.getPrototypeOf(object), seen);
  for (const key of Reflect.ownKeys(object)) {
    const { value, get, set } = Object.getOwnPropertyDescriptor(object, key);
    for (const each of [value, get, set]) touch(each, seen);
  }
}

export default function start(host) {
  setHost(host);
  install(globalThis);
  installIntl(globalThis);
  const modules = installNode(globalThis);
  touch(globalThis, new Set());
  return { onEntry, onEvent, onFetch, onLoad, onTimers, moduleOf, modules };
}
