// Compression standard: CompressionStream, DecompressionStream.

import { ReadableStream, WritableStream } from "web-streams-polyfill";

import { host, isFailure } from "./host.js";
import { view } from "./encoding.js";

const FORMATS = ["gzip", "deflate", "deflate-raw"];
/** How much is compressed at once. */
const PIECE = 65536;

function formatOf(format) {
  if (!FORMATS.includes(String(format))) throw new TypeError("The compression format must be either 'deflate', 'deflate-raw' or 'gzip'.");
  return String(format);
}

function bytesOf(chunk) {
  if (!(chunk instanceof ArrayBuffer) && !ArrayBuffer.isView(chunk)) throw new TypeError("A stream of bytes takes an ArrayBuffer or a view of one.");
  return view(chunk);
}

/**
 * A pair of streams: `write` makes pieces of a chunk, `close` those of the end. A piece is made only when somebody reads,
 * so that no more than one of them is there: what a small text expands to may be large.
 */
function pair(write, close) {
  let output;
  let read = Promise.withResolvers();
  const give = async (pieces) => {
    for (;;) {
      await read.promise;
      const { done, value } = pieces.next();
      if (done) return;
      if (value.byteLength === 0) continue;
      read = Promise.withResolvers();
      output.enqueue(new Uint8Array(value));
    }
  };
  const fail = (error) => { output.error(error); throw error; };
  const readable = new ReadableStream({
    start(controller) { output = controller; },
    pull() { read.resolve(); },
    cancel(reason) { input.error(reason); read.resolve(); },
  }, { highWaterMark: 0 });
  let input;
  const writable = new WritableStream({
    start(controller) { input = controller; },
    write: (chunk) => give(write(chunk)).catch(fail),
    close: () => give(close()).then(() => output.close()).catch(fail),
    abort(reason) { output.error(reason); },
  });
  return { readable, writable };
}

export class CompressionStream {
  #pair;
  constructor(format) {
    format = formatOf(format);
    let id = null;
    const begun = () => (id ??= host.compressor(format));
    this.#pair = pair(function* (chunk) {
      const bytes = bytesOf(chunk);
      for (let at = 0; at < bytes.byteLength; at += PIECE) {
        yield host.compress(begun(), bytes.buffer, bytes.byteOffset + at, Math.min(PIECE, bytes.byteLength - at));
      }
    }, function* () {
      yield host.compressEnd(begun());
    });
  }
  get readable() { return this.#pair.readable; }
  get writable() { return this.#pair.writable; }
  get [Symbol.toStringTag]() { return "CompressionStream"; }
}

export class DecompressionStream {
  #pair;
  constructor(format) {
    format = formatOf(format);
    let id = null;
    const begun = () => (id ??= host.expander(format));
    this.#pair = pair(function* (chunk) {
      const bytes = bytesOf(chunk);
      for (let at = 0; ;) {
        const step = host.expand(begun(), bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at);
        if (isFailure(step)) throw new TypeError(step[1]);
        const [taken, made] = step;
        at += taken;
        if (taken === 0 && made.byteLength === 0) return;
        yield made;
      }
    }, function* () {
      if (!host.expandEnd(begun())) throw new TypeError("The compressed data ends before its end.");
    });
  }
  get readable() { return this.#pair.readable; }
  get writable() { return this.#pair.writable; }
  get [Symbol.toStringTag]() { return "DecompressionStream"; }
}
