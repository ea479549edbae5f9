// Promises that are rejected while nobody listens (HTML, section 8.1.4.7).

import { host } from "./host.js";
import { console } from "./console.js";
import { PromiseRejectionEvent, trusted } from "./event-target.js";
import { dispatchEvent } from "./service-worker.js";

/** Tells the script, and its log where it does not deal with it; whether there was anything to tell. */
export function reportRejections() {
  const told = host.rejections();
  if (told === null) return false;
  for (let at = 0; at < told.length; at += 3) {
    const [isHandled, promise, reason] = [told[at], told[at + 1], told[at + 2]];
    if (isHandled) dispatchEvent(trusted(new PromiseRejectionEvent("rejectionhandled", { promise, reason })));
    else if (dispatchEvent(trusted(new PromiseRejectionEvent("unhandledrejection", { promise, reason, cancelable: true })))) console.error("Uncaught (in promise)", reason);
  }
  return true;
}
