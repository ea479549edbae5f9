// crypto.DigestStream: a digest of what is written.

import { WritableStream } from "web-streams-polyfill";

import { host } from "../host.js";
import { encode, view } from "../encoding.js";
import { hashOf } from "./keys.js";

export class DigestStream extends WritableStream {
  #digest; #written = 0;
  constructor(algorithm) {
    const hash = hashOf(algorithm, true);
    const { promise, resolve, reject } = Promise.withResolvers();
    // Whoever does not ask for the digest is not told that there is none.
    promise.catch(() => {});
    let id = null;
    const begun = () => (id ??= host.digestBegin(hash));
    super({
      write: (chunk) => {
        if (typeof chunk !== "string" && !(chunk instanceof ArrayBuffer) && !ArrayBuffer.isView(chunk)) {
          throw new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.");
        }
        const bytes = typeof chunk === "string" ? encode(chunk) : view(chunk);
        this.#written += bytes.byteLength;
        host.digestUpdate(begun(), bytes.buffer, bytes.byteOffset, bytes.byteLength);
      },
      close: () => resolve(host.digestEnd(begun())),
      abort: (reason) => { if (id !== null) host.digestEnd(id); reject(reason); },
    });
    this.#digest = promise;
  }
  get digest() { return this.#digest; }
  get bytesWritten() { return BigInt(this.#written); }
}
