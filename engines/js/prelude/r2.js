// Objects: the R2 bucket binding.

import { ReadableStream } from "web-streams-polyfill";

import { host, isFailure } from "./host.js";
import { Blob } from "./blob.js";
import { decode, encode, view } from "./encoding.js";
import { readAll } from "./body.js";
import { Headers } from "./headers.js";
import { IN_ONE_CALL, write } from "./contents.js";

/** How many bytes are asked of the host at once. */
const PIECE = 65536;
const SUMS = ["md5", "sha1", "sha256", "sha384", "sha512"];
const SUM_BYTES = [16, 20, 32, 48, 64];
/** HTTP metadata by the names of header fields, in the order of the host's lists. */
const FIELDS = [
  ["contentType", "content-type"], ["contentLanguage", "content-language"], ["contentDisposition", "content-disposition"],
  ["contentEncoding", "content-encoding"], ["cacheControl", "cache-control"],
];

/** What the host says of a call; a failure is thrown, under the name of the method. */
function answered(method, result) {
  if (isFailure(result)) throw new Error(`${method}: ${result[1]}`);
  return result;
}

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const bufferOf = (bytes) => (bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer);
const moment = (value) => (value === undefined || value === null ? -1 : Number(value));

function dateOfField(headers, name) {
  const text = headers.get(name);
  const time = text === null ? NaN : Date.parse(text);
  return Number.isNaN(time) ? -1 : time;
}

/** The etags of a field; a comma within quotes is the etag's own. */
function etagsOfField(text) {
  return text === null ? [] : (text.match(/(?:W\/)?"[^"]*"|[^\s,]+/g) ?? []);
}

/** A condition as the host takes it. */
function conditionOf(value) {
  if (value instanceof Headers) {
    return [
      etagsOfField(value.get("if-match")), etagsOfField(value.get("if-none-match")),
      dateOfField(value, "if-unmodified-since"), dateOfField(value, "if-modified-since"), true,
    ];
  }
  const etags = (value) => (value === undefined || value === null ? [] : Array.isArray(value) ? value.map(String) : [String(value)]);
  return [
    etags(value?.etagMatches), etags(value?.etagDoesNotMatch), moment(value?.uploadedBefore), moment(value?.uploadedAfter),
    Boolean(value?.secondsGranularity),
  ];
}

/** A range as the host takes it: offset, length, suffix. */
function rangeOf(value) {
  if (value instanceof Headers) {
    const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec((value.get("range") ?? "").trim()) ?? [];
    if (first === undefined || (first === "" && last === "")) return [-1, -1, -1];
    if (first === "") return [-1, -1, Number(last)];
    if (last === "") return [Number(first), -1, -1];
    return Number(last) < Number(first) ? [-1, -1, -1] : [Number(first), Number(last) - Number(first) + 1, -1];
  }
  return ["offset", "length", "suffix"].map((name) => {
    const number = value?.[name];
    if (number === undefined || number === null) return -1;
    if (!Number.isFinite(Number(number)) || Number(number) < 0) throw new TypeError(`get: range.${name} is a number that is not negative, and ${String(number)} was given.`);
    return Math.floor(Number(number));
  });
}

function sumOf(name, bytes, value) {
  if (typeof value === "string") {
    if (!/^[0-9a-f]*$/i.test(value) || value.length !== bytes * 2) throw new TypeError(`put: ${name} has ${bytes * 2} hexadecimal digits.`);
    return new Uint8Array(value.match(/../g).map((pair) => parseInt(pair, 16))).buffer;
  }
  const given = view(value);
  if (given.byteLength !== bytes) throw new TypeError(`put: ${name} has ${bytes} bytes, and ${given.byteLength} were given.`);
  return bufferOf(given.slice());
}

/** What is put beside a content, as the host takes it. */
function putOptionsOf(options) {
  const given = options?.httpMetadata;
  const http = given instanceof Headers
    ? [...FIELDS.map(([, field]) => given.get(field) ?? undefined), dateOfField(given, "expires")]
    : [...FIELDS.map(([name]) => (given?.[name] === undefined || given[name] === null ? undefined : String(given[name]))), moment(given?.cacheExpiry)];
  const custom = [];
  for (const [name, value] of Object.entries(options?.customMetadata ?? {})) custom.push(name, String(value));
  const sums = [];
  for (let at = 0; at < SUMS.length; at++) {
    const value = options?.[SUMS[at]];
    sums.push(value === undefined || value === null ? undefined : sumOf(SUMS[at], SUM_BYTES[at], value));
  }
  if (sums.filter((sum) => sum !== undefined).length > 1) throw new TypeError("put: You cannot specify multiple hashing algorithms.");
  const storageClass = options?.storageClass;
  return [conditionOf(options?.onlyIf), http, custom, sums, storageClass === undefined || storageClass === null ? undefined : String(storageClass)];
}

/** A content that is there as a whole; undefined for a stream. */
function wholeOf(method, value) {
  if (value === null) return new ArrayBuffer(0);
  if (typeof value === "string") return bufferOf(encode(value));
  if (value instanceof ReadableStream) return undefined;
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value)) return bufferOf(view(value));
  if (value instanceof Blob) return bufferOf(Blob._bytes(value));
  throw new TypeError(`${method}: the value is a string, an ArrayBuffer, a view of one, a Blob, a ReadableStream or null.`);
}

/** A stream over a content of the host's. */
function contentStream(id) {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
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
    cancel() { host.drop(id); },
  }, { highWaterMark: 0 });
}

export class R2Checksums {
  constructor(buffers) {
    for (let at = 0; at < SUMS.length; at++) if (buffers[at] !== undefined) this[SUMS[at]] = buffers[at];
  }
  toJSON() {
    const shown = {};
    for (const name of SUMS) if (this[name] !== undefined) shown[name] = hex(this[name]);
    return shown;
  }
}

export class R2Object {
  constructor(list, range) {
    const [texts, size, uploaded, http, custom, sums] = list;
    [this.key, this.version, this.etag, this.storageClass] = texts;
    this.size = size;
    this.httpEtag = `"${this.etag}"`;
    this.uploaded = new Date(uploaded);
    this.httpMetadata = {};
    for (let at = 0; at < FIELDS.length; at++) if (typeof http[at] === "string") this.httpMetadata[FIELDS[at][0]] = http[at];
    if (typeof http[5] === "number") this.httpMetadata.cacheExpiry = new Date(http[5]);
    this.customMetadata = {};
    for (let at = 0; at < custom.length; at += 2) this.customMetadata[custom[at]] = custom[at + 1];
    this.checksums = new R2Checksums(sums);
    if (range !== undefined) this.range = range;
  }
  writeHttpMetadata(headers) {
    for (const [name, field] of FIELDS) if (this.httpMetadata[name] !== undefined) headers.set(field, this.httpMetadata[name]);
    if (this.httpMetadata.cacheExpiry !== undefined) headers.set("expires", this.httpMetadata.cacheExpiry.toUTCString());
  }
}

export class R2ObjectBody extends R2Object {
  #stream;
  constructor(list, range, content) {
    super(list, range);
    this.#stream = contentStream(content);
  }
  get body() { return this.#stream; }
  get bodyUsed() { return Boolean(this.#stream._disturbed); }
  async #read() {
    if (this.bodyUsed || this.#stream.locked) throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    return readAll(this.#stream);
  }
  async arrayBuffer() { return bufferOf(await this.#read()); }
  async bytes() { return this.#read(); }
  async text() {
    const bytes = await this.#read();
    const skip = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    return decode(skip ? bytes.subarray(skip) : bytes);
  }
  async json() { return JSON.parse(await this.text()); }
  async blob() { return new Blob([await this.#read()], { type: this.httpMetadata.contentType ?? "" }); }
}

/** An upload in parts: what is known of it is its key and its identifier. */
export class R2MultipartUpload {
  #open;
  constructor(key, uploadId, open) {
    this.key = key;
    this.uploadId = uploadId;
    this.#open = open;
  }
  async uploadPart(partNumber, value) {
    const number = Number(partNumber);
    if (!Number.isInteger(number) || number < 1 || number > 10000) throw new TypeError(`uploadPart: the part's number is from 1 to 10000, and ${String(partNumber)} was given.`);
    const whole = wholeOf("uploadPart", value);
    let part;
    if (whole !== undefined && whole.byteLength <= IN_ONE_CALL) part = answered("uploadPart", host.r2UploadPart(this.#open(), this.key, this.uploadId, number, whole));
    else {
      const sink = answered("uploadPart", host.r2StartPart(this.#open(), this.key, this.uploadId, number));
      await write(whole ?? value, sink);
      part = answered("uploadPart", host.r2FinishPart(sink));
    }
    return { partNumber: part[0], etag: part[1] };
  }
  async complete(parts) {
    const numbers = [];
    const etags = [];
    for (const { partNumber, etag } of parts) { numbers.push(Number(partNumber)); etags.push(String(etag)); }
    return new R2Object(answered("completeMultipartUpload", host.r2CompleteUpload(this.#open(), this.key, this.uploadId, numbers, etags)));
  }
  async abort() { answered("abortMultipartUpload", host.r2AbortUpload(this.#open(), this.key, this.uploadId)); }
}

export class R2Bucket {
  #name; #open; #handle;
  constructor(name, open) { this.#name = name; this.#open = open; }
  #bucket() { return (this.#handle ??= this.#open("r2_bucket", this.#name)); }
  async head(key) {
    const found = answered("head", host.r2Head(this.#bucket(), String(key)));
    return found === null ? null : new R2Object(found);
  }
  async get(key, options = {}) {
    const asked = rangeOf(options?.range);
    const found = answered("get", host.r2Get(this.#bucket(), String(key), conditionOf(options?.onlyIf), asked));
    if (found === null) return null;
    const [object, offset, length, content] = found;
    if (content === undefined) return new R2Object(object);
    const range = { offset, length };
    return new R2ObjectBody(object, range, content);
  }
  async put(key, value, options = {}) {
    const whole = wholeOf("put", value);
    const wanted = putOptionsOf(options);
    let made;
    if (whole !== undefined && whole.byteLength <= IN_ONE_CALL) made = answered("put", host.r2Put(this.#bucket(), String(key), whole, wanted));
    else {
      const sink = answered("put", host.r2StartPut(this.#bucket(), String(key), wanted));
      await write(whole ?? value, sink);
      made = answered("put", host.r2Finish(sink));
    }
    return made === null ? null : new R2Object(made);
  }
  async delete(keys) {
    answered("delete", host.r2Delete(this.#bucket(), Array.isArray(keys) ? keys.map(String) : [String(keys)]));
  }
  async list(options = {}) {
    const text = (value) => (value === undefined || value === null ? undefined : String(value));
    const texts = [text(options?.prefix), text(options?.delimiter), text(options?.cursor), text(options?.startAfter)];
    const limit = options?.limit === undefined || options?.limit === null ? -1 : Number(options.limit);
    const [found, delimitedPrefixes, cursor] = answered("list", host.r2List(this.#bucket(), texts, limit));
    const objects = found.map((object) => new R2Object(object));
    const include = options?.include;
    for (const object of objects) {
      // Where it is said what is wanted, the rest is left out.
      if (Array.isArray(include) && !include.includes("httpMetadata")) object.httpMetadata = {};
      if (Array.isArray(include) && !include.includes("customMetadata")) object.customMetadata = {};
    }
    return typeof cursor === "string"
      ? { objects, truncated: true, cursor, delimitedPrefixes }
      : { objects, truncated: false, delimitedPrefixes };
  }
  async createMultipartUpload(key, options = {}) {
    const upload = answered("createMultipartUpload", host.r2CreateUpload(this.#bucket(), String(key), putOptionsOf(options)));
    return new R2MultipartUpload(String(key), upload, () => this.#bucket());
  }
  resumeMultipartUpload(key, uploadId) {
    return new R2MultipartUpload(String(key), String(uploadId), () => this.#bucket());
  }
}
