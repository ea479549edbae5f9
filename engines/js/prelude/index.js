// The Web APIs of a worker, and the dispatcher of its events. Evaluated once, when the engine is built: nothing here may
// depend on time, on chance or on a script.

import { setHost } from "./host.js";
import { install } from "./globals.js";
import { onEvent, onLoad } from "./events.js";
import { onTimers } from "./timers.js";

export default function start(host) {
  setHost(host);
  install(globalThis);
  return { onEvent, onLoad, onTimers };
}
