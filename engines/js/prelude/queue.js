// Messages of queues: how a body becomes bytes, and bytes a body.

import { concat } from "./blob.js";
import { decode, encode, view } from "./encoding.js";
import { host, isFailure } from "./host.js";
import { Reader, Writer } from "./rpc/values.js";

const noStubs = () => { throw new DOMException("Functions and stubs cannot be sent to a queue.", "DataCloneError"); };

/** A value as the engine keeps it: the length of its tree, the tree as JSON, then the bytes of its buffers. */
function writeValue(value) {
  const writer = new Writer(noStubs);
  const tree = encode(JSON.stringify(writer.write(value)));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, tree.byteLength);
  return concat([new Uint8Array(length.buffer), tree, ...writer.blobs]);
}

function readValue(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const tree = JSON.parse(decode(bytes.subarray(4, 4 + length)));
  return new Reader(bytes.slice(4 + length), noStubs).read(tree);
}

function jsonOf(body) {
  const text = JSON.stringify(body);
  if (text === undefined) throw new TypeError(`A message of the content type "json" needs a body that JSON has a form for, and ${typeof body} has none.`);
  return encode(text);
}

const writers = {
  json: jsonOf,
  text(body) {
    if (typeof body !== "string") throw new TypeError(`A message of the content type "text" needs a string as its body, and ${typeof body} was given.`);
    return encode(body);
  },
  bytes(body) {
    if (!(body instanceof ArrayBuffer) && !ArrayBuffer.isView(body)) throw new TypeError('A message of the content type "bytes" needs an ArrayBuffer or a view of one as its body.');
    return view(body);
  },
  v8: writeValue,
};

/** The body of a message that came. */
export function bodyOf(contentType, buffer) {
  const bytes = new Uint8Array(buffer);
  switch (contentType) {
    case "json": return JSON.parse(decode(bytes));
    case "text": return decode(bytes);
    case "v8": return readValue(bytes);
    default: return bytes.buffer;
  }
}

function delayOf(value) {
  if (value === undefined || value === null) return -1;
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 86400) throw new TypeError(`delaySeconds is a whole number from 0 to 86400, and ${String(value)} was given.`);
  return seconds;
}

function flat(body, options, delay) {
  const contentType = options?.contentType ?? "json";
  const write = Object.hasOwn(writers, contentType) ? writers[contentType] : undefined;
  if (!write) throw new TypeError(`contentType is "json", "text", "bytes" or "v8", and ${String(contentType)} was given.`);
  const bytes = write(body);
  const buffer = bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
  return [contentType, buffer, delayOf(options?.delaySeconds ?? delay)];
}

/** A queue to send to. */
export class Queue {
  #open; #handle;
  constructor(open) { this.#open = open; }
  #send(messages) {
    const sent = host.queueSend(this.#handle ??= this.#open(), messages);
    if (isFailure(sent)) throw new Error(`Queue send failed: ${sent[1]}`);
  }
  async send(body, options) { this.#send(flat(body, options)); }
  async sendBatch(messages, options) {
    const all = [];
    for (const message of messages) all.push(...flat(message.body, message, options?.delaySeconds));
    if (all.length === 0) throw new TypeError("sendBatch() requires at least one message.");
    this.#send(all);
  }
}
