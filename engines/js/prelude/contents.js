// Contents that go between a script and the host in pieces: bodies, objects, values.

import { ReadableStream } from "web-streams-polyfill";

import { host } from "./host.js";
import { encode, view } from "./encoding.js";

/** How many bytes are asked of the host at once. */
const PIECE = 65536;

/** What one call takes; more than that is written piece by piece. */
export const IN_ONE_CALL = 512 << 10;

export const bufferOf = (bytes) => (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer);

/** A stream over a content of the host's. Where it has no number yet, `open` gives one when somebody reads; null is an empty one. */
export function contentStream(id, open) {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      if (id === undefined) {
        id = open();
        if (id === null) { controller.close(); controller.byobRequest?.respond(0); return; }
      }
      for (;;) {
        const piece = host.read(id, PIECE);
        if (piece === undefined) { await host.wait(id); continue; }
        if (piece === null) {
          host.drop(id);
          controller.close();
          controller.byobRequest?.respond(0);
        } else {
          controller.enqueue(new Uint8Array(piece));
        }
        return;
      }
    },
    cancel() { if (id !== undefined && id !== null) host.drop(id); },
  }, { highWaterMark: 0 });
}

/** Writes bytes to a content of the host's, as fast as that takes them. False where it takes no more. */
async function writeBytes(bytes, sink) {
  let at = 0;
  while (at < bytes.byteLength) {
    const space = host.space(sink);
    if (space < 0) return false;
    if (space === 0) { await host.wait(sink); continue; }
    const length = Math.min(space, bytes.byteLength - at);
    host.write(sink, bytes.buffer, bytes.byteOffset + at, length);
    at += length;
  }
  return true;
}

/** Writes a stream to a content of the host's, as fast as that takes it. False where it takes no more. */
export async function writeStream(stream, sink) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return true;
    const bytes = typeof value === "string" ? encode(value) : view(value);
    if (!(await writeBytes(bytes, sink))) {
      // What its source does about that holds nobody up.
      reader.cancel().catch(() => {});
      return false;
    }
  }
}

/** Writes a buffer or a stream to a content that is kept once it is finished: finishing says why no more was taken. */
export async function writeContent(source, sink) {
  try {
    await (source instanceof ArrayBuffer ? writeBytes(new Uint8Array(source), sink) : writeStream(source, sink));
  } catch (error) {
    // What was written is not kept.
    host.drop(sink);
    throw error;
  }
}
