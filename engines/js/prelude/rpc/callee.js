// Being called by another script.

import { concat } from "../blob.js";
import { console } from "../console.js";
import { thrown } from "../fetch.js";
import { host, isFailure } from "../host.js";
import { MEDIA_TYPE, Outlet, readInto } from "./caller.js";
import { Session } from "./session.js";

const HEAD = ["content-type", MEDIA_TYPE];

/** Serves the session that a request begins: `main` is what it calls first. Settled when it is over. */
export function serve(handle, main) {
  return new Promise((resolve, reject) => {
    const outlet = new Outlet();
    let called = false;
    let reading = false;
    let over = false;
    const go = () => {
      if (over) return;
      const idle = called && session.isIdle;
      // What is done by the first message is answered as a whole.
      if (idle && !outlet.isOpen) {
        over = true;
        const refused = host.answer(200, HEAD, concat(outlet.waiting).buffer);
        if (refused) reject(new TypeError(refused)); else resolve();
        return;
      }
      if (!outlet.isOpen && outlet.waiting.length > 0) {
        const sink = host.startAnswer(200, HEAD);
        if (isFailure(sink) || sink === null) { over = true; reject(sink === null ? new Error("There is nobody to answer.") : thrown(sink)); return; }
        outlet.open(sink);
      }
      if (idle) {
        over = true;
        outlet.complete(resolve);
      }
    };
    const session = new Session(main, (message) => { called = true; outlet.write(message); }, () => { go(); read(); });
    const source = host.openBody(handle);
    // Whoever called is gone: so is everything that was held for it.
    const ended = (error) => { called = true; session.end(error ?? new Error("Whoever called this script is gone.")); };
    // Nobody waits for a caller that has nothing more to say: a method that waits for nothing else is noticed then.
    const read = () => {
      if (reading || over || source === null || (session.calls > 0 && !session.isOpen)) return;
      reading = true;
      readInto(session, source, () => session.calls === 0 || session.isOpen)
        .then((atEnd) => { reading = false; if (atEnd) ended(); else read(); }, (error) => { console.error("Uncaught", error); ended(error); });
    };
    read();
  });
}
