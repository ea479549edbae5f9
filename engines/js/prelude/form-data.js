// FormData (XMLHttpRequest standard, section 4), its two encodings, and reading them.

import { host } from "./host.js";
import { Blob, File, concat } from "./blob.js";
import { decode, encode } from "./encoding.js";

function need(count, given) {
  if (given < count) throw new TypeError(`${count} argument(s) required, but only ${given} present.`);
}

function entry(name, value, filename, given) {
  need(2, given);
  if (value instanceof Blob) {
    if (!(value instanceof File) || filename !== undefined) {
      value = new File([value], filename === undefined ? "blob" : String(filename), { type: value.type, lastModified: value.lastModified });
    }
    return [String(name).toWellFormed(), value];
  }
  if (given > 2) throw new TypeError("A file name belongs to a Blob, and a text was given.");
  return [String(name).toWellFormed(), String(value).toWellFormed()];
}

export class FormData {
  #list = [];
  append(name, value, filename) { this.#list.push(entry(name, value, filename, arguments.length)); }
  set(name, value, filename) {
    const made = entry(name, value, filename, arguments.length);
    const first = this.#list.findIndex((other) => other[0] === made[0]);
    if (first < 0) this.#list.push(made);
    else {
      this.#list[first] = made;
      this.#list = this.#list.filter((other, index) => index <= first || other[0] !== made[0]);
    }
  }
  delete(name) { need(1, arguments.length); this.#list = this.#list.filter((other) => other[0] !== String(name)); }
  get(name) { need(1, arguments.length); return this.#list.find((other) => other[0] === String(name))?.[1] ?? null; }
  getAll(name) { need(1, arguments.length); return this.#list.filter((other) => other[0] === String(name)).map((other) => other[1]); }
  has(name) { need(1, arguments.length); return this.#list.some((other) => other[0] === String(name)); }
  forEach(callback, self) { for (const [name, value] of this) callback.call(self, value, name, this); }
  *entries() { for (let at = 0; at < this.#list.length; at++) yield [...this.#list[at]]; }
  *keys() { for (const [name] of this.entries()) yield name; }
  *values() { for (const [, value] of this.entries()) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  get [Symbol.toStringTag]() { return "FormData"; }
}

const escapeName = (name) => name.replace(/\r\n|\r|\n/g, "%0D%0A").replace(/"/g, "%22");

/** multipart/form-data (RFC 7578): the bytes and the type. */
export function writeMultipart(form) {
  const random = new Uint8Array(host.random(12));
  const boundary = "----formdata-" + [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const chunks = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"`;
    if (value instanceof File) {
      head += `; filename="${escapeName(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}`;
      chunks.push(encode(`${head}\r\n\r\n`), Blob._bytes(value), encode("\r\n"));
    } else {
      chunks.push(encode(`${head}\r\n\r\n${value.replace(/\r\n|\r|\n/g, "\r\n")}\r\n`));
    }
  }
  chunks.push(encode(`--${boundary}--\r\n`));
  return [concat(chunks), `multipart/form-data; boundary=${boundary}`];
}

function find(bytes, wanted, from) {
  const first = wanted[0];
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + wanted.length > bytes.length) return -1;
    let index = 1;
    while (index < wanted.length && bytes[at + index] === wanted[index]) index++;
    if (index === wanted.length) return at;
  }
  return -1;
}

const parameter = (text, name) => {
  const quoted = new RegExp(`;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, "i").exec(text);
  if (quoted) return quoted[1].replace(/\\(["\\])/g, "$1");
  return new RegExp(`;\\s*${name}=([^;\\s]+)`, "i").exec(text)?.[1];
};

function readMultipart(bytes, boundary) {
  const form = new FormData();
  const delimiter = encode(`\r\n--${boundary}`);
  const broken = () => new TypeError("Failed to parse the body as FormData: it does not keep to its boundary.");
  let at = find(bytes, delimiter.subarray(2), 0);
  if (at < 0) throw broken();
  at += delimiter.length - 2;
  for (;;) {
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return form;
    if (bytes[at] !== 0x0d || bytes[at + 1] !== 0x0a) throw broken();
    const headEnd = find(bytes, encode("\r\n\r\n"), at);
    if (headEnd < 0) throw broken();
    const end = find(bytes, delimiter, headEnd + 2);
    if (end < 0) throw broken();
    const fields = decode(bytes.subarray(at + 2, headEnd)).split("\r\n");
    const field = (name) => fields.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim();
    const disposition = field("content-disposition") ?? "";
    const name = parameter(disposition, "name");
    if (name === undefined) throw new TypeError("Failed to parse the body as FormData: a part has no name.");
    const filename = parameter(disposition, "filename");
    const body = bytes.slice(Math.min(headEnd + 4, end), end);
    const unescape = (text) => text.replace(/%0D%0A/gi, "\r\n").replace(/%22/g, '"');
    if (filename === undefined) form.append(unescape(name), decode(body));
    else form.append(unescape(name), new File([body], unescape(filename), { type: field("content-type") ?? "text/plain" }));
    at = end + delimiter.length;
  }
}

/** Reads a body by its type. */
export function readForm(bytes, type) {
  const essence = (type ?? "").split(";")[0].trim().toLowerCase();
  if (essence === "multipart/form-data") {
    const boundary = parameter(type, "boundary");
    if (!boundary) throw new TypeError("FormData multipart needs a boundary.");
    return readMultipart(bytes, boundary);
  }
  if (essence === "application/x-www-form-urlencoded") {
    const form = new FormData();
    const flat = host.parseQuery(decode(bytes));
    for (let at = 0; at < flat.length; at += 2) form.append(flat[at], flat[at + 1]);
    return form;
  }
  throw new TypeError(`Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded`);
}
