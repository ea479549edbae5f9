// Contents that are written to the host, whole or piece by piece.

import { host } from "./host.js";
import { encode, view } from "./encoding.js";

/** What one call takes; more than that is written piece by piece. */
export const IN_ONE_CALL = 512 << 10;

/** Writes bytes to a content of the host's, as fast as that takes them. False where it takes no more: finishing says why. */
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

/** Writes a buffer or a stream to a content of the host's. */
export async function write(source, sink) {
  const reader = source instanceof ArrayBuffer ? undefined : source.getReader();
  try {
    if (reader === undefined) { await writeBytes(new Uint8Array(source), sink); return; }
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const bytes = typeof value === "string" ? encode(value) : view(value);
      if (!(await writeBytes(bytes, sink))) { await reader.cancel(); return; }
    }
  } catch (error) {
    // What was written is not put.
    host.drop(sink);
    throw error;
  }
}
