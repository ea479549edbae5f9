// Calling methods of another script: the host carries a request whose body is this side's messages, and an answer whose body
// is the other's.

import { arrived, thrown } from "../fetch.js";
import { host, inHandler, isFailure } from "../host.js";
import { Session } from "./session.js";
import { onBinding } from "./stubs.js";

/** What the bodies are: no answer of any other kind is one. */
export const MEDIA_TYPE = "application/x-wasmyard-calls";
/** How many bytes are asked of the host at once. */
const PIECE = 65536;

/** Writes messages to a body of the host's, as fast as that takes them. */
export class Outlet {
  #sink = null; #waiting = []; #complete = false; #blocked = false; #done = null;
  /** What there is to be written while there is no body yet. */
  get waiting() { return this.#waiting; }
  get isOpen() { return this.#sink !== null; }
  open(sink) { this.#sink = sink; this.#go(); }
  write(message) { this.#waiting.push(message); if (this.#sink !== null) this.#go(); }
  /** Nothing more will be written; `done` is called when all is. */
  complete(done) { this.#complete = true; this.#done = done ?? null; if (this.#sink === null) done?.(); else this.#go(); }
  #go() {
    while (this.#sink !== null && !this.#blocked) {
      const bytes = this.#waiting[0];
      if (bytes === undefined) {
        if (this.#complete) this.#close(true);
        return;
      }
      const space = host.space(this.#sink);
      if (space < 0) { this.#close(false); return; }
      if (space === 0) {
        this.#blocked = true;
        host.wait(this.#sink).then(() => { this.#blocked = false; this.#go(); });
        return;
      }
      const length = Math.min(space, bytes.byteLength);
      host.write(this.#sink, bytes.buffer, bytes.byteOffset, length);
      if (length === bytes.byteLength) this.#waiting.shift(); else this.#waiting[0] = bytes.subarray(length);
    }
  }
  #close(whole) {
    host.finish(this.#sink, whole);
    this.#sink = null;
    this.#waiting = [];
    this.#done?.();
  }
}

/** Gives a session what comes in by a body of the host's, to its end or for as long as it wants more; whether it was the end. */
export async function readInto(session, source, wantsMore = () => true) {
  while (wantsMore()) {
    const piece = host.read(source, PIECE);
    if (piece === undefined) await host.wait(source);
    else if (piece === null) { host.drop(source); return true; }
    else session.receive(new Uint8Array(piece));
  }
  return false;
}

/** Begins a session with what a handle of the host's leads to. */
function begin(handle) {
  inHandler();
  const opened = host.call(handle, ["POST", "https", "rpc", "/", "content-type", MEDIA_TYPE]);
  if (isFailure(opened)) throw thrown(opened);
  const [future, sink] = opened;
  const outlet = new Outlet();
  const session = new Session(undefined, (message) => outlet.write(message), () => { if (session.isIdle) outlet.complete(); });
  outlet.open(sink);
  follow(session, future).catch((error) => session.end(error));
  return session;
}

async function follow(session, future) {
  const answer = await arrived(future);
  const fields = host.responseFields(answer);
  const type = fields.indexOf("content-type");
  if (host.responseStatus(answer) !== 200 || type < 0 || fields[type + 1] !== MEDIA_TYPE) throw new TypeError("The receiver is not an RPC object.");
  const source = host.openBody(answer);
  if (source !== null) await readInto(session, source);
  throw new Error("The other script ended before the call returned.");
}

/** Has objects of a class be called: `open` names what they lead to. */
export function callable(kind, open) {
  onBinding(kind, (binding) => begin(open(binding)));
}
