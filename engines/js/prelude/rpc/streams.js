// Streams that are sent to another script: it asks for each piece, and so reads as fast as it likes.

import { ReadableStream, WritableStream } from "web-streams-polyfill";

import { RpcTarget } from "./targets.js";
import { dispose, invokeStub, keepForStream } from "./stubs.js";

/** The end of a stream that stays where the stream was. */
export class ReadableEnd extends RpcTarget {
  #reader; #ended = false;
  constructor(stream) { super(); this.#reader = stream.getReader(); }
  async pull() {
    const { done, value } = await this.#reader.read();
    if (done) this.#ended = true;
    return done ? undefined : [value];
  }
  async stop(reason) { this.#ended = true; await this.#reader.cancel(reason); }
  [Symbol.dispose]() { if (!this.#ended) this.#reader.cancel(new Error("The other end of the stream is gone.")).catch(() => {}); }
}

export class WritableEnd extends RpcTarget {
  #writer; #ended = false;
  constructor(stream) { super(); this.#writer = stream.getWriter(); }
  async put(piece) { await this.#writer.write(piece); }
  async close() { this.#ended = true; await this.#writer.close(); }
  async stop(reason) { this.#ended = true; await this.#writer.abort(reason); }
  [Symbol.dispose]() { if (!this.#ended) this.#writer.abort(new Error("The other end of the stream is gone.")).catch(() => {}); }
}

/** The stream that another script sees of such an end. */
export function readableOf(end) {
  keepForStream(end);
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const piece = await invokeStub(end, ["pull"], []);
      if (piece === undefined) {
        dispose(end);
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      if (!ArrayBuffer.isView(piece[0])) throw new TypeError("A stream that is sent to another script has bytes only.");
      if (piece[0].byteLength > 0) controller.enqueue(piece[0]);
    },
    async cancel(reason) {
      await invokeStub(end, ["stop"], [reason]);
      dispose(end);
    },
  }, { highWaterMark: 0 });
}

export function writableOf(end) {
  keepForStream(end);
  return new WritableStream({
    write: (piece) => invokeStub(end, ["put"], [piece]),
    async close() { await invokeStub(end, ["close"], []); dispose(end); },
    async abort(reason) { await invokeStub(end, ["stop"], [reason]); dispose(end); },
  });
}
