// Fetch standard, section 2.2 (headers).

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Names that need no look: most of what scripts write. */
const KNOWN = new Map();
for (const name of [
  "Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Allow-Origin", "Allow", "Authorization", "Cache-Control", "CF-Connecting-IP",
  "Content-Encoding", "Content-Language", "Content-Length", "Content-Security-Policy", "Content-Type", "Cookie", "Date", "ETag", "Expires",
  "Host", "If-Modified-Since", "If-None-Match", "Last-Modified", "Link", "Location", "Origin", "Range", "Referer", "Server", "Set-Cookie",
  "Transfer-Encoding", "User-Agent", "Vary", "X-Forwarded-For", "X-Forwarded-Proto", "X-Frame-Options",
]) {
  KNOWN.set(name, name.toLowerCase());
  KNOWN.set(name.toLowerCase(), name.toLowerCase());
}

function nameOf(name) {
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  name = String(name);
  if (!NAME.test(name)) throw new TypeError(`Invalid header name: ${JSON.stringify(name)}`);
  return name.toLowerCase();
}

function valueOf(value) {
  value = String(value);
  // Most have no white space around them.
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  if (first <= 0x20 || last <= 0x20) value = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  // UTF-8 where it is not of bytes: as the product has it.
  if (/[\0\n\r]/.test(value)) throw new TypeError("Invalid header value.");
  return value;
}

export class Headers {
  /** By lower-case name: the values as they were given. */
  #map = new Map();
  #immutable = false;
  constructor(init) {
    if (init === undefined || init === null) return;
    if (init instanceof Headers) {
      for (const [name, values] of init.#map) this.#map.set(name, [...values]);
    } else if (typeof init === "object" && typeof init[Symbol.iterator] === "function") {
      for (const pair of init) {
        const both = [...pair];
        if (both.length !== 2) throw new TypeError("Each pair of Headers has a name and a value.");
        this.append(both[0], both[1]);
      }
    } else if (typeof init === "object") {
      for (const name of Reflect.ownKeys(init)) this.append(String(name), init[name]);
    } else {
      throw new TypeError("Headers are made of pairs or of an object.");
    }
  }
  /** Headers of the host's flat list. */
  static _of(flat, immutable) {
    const headers = new Headers();
    for (let at = 0; at < flat.length; at += 2) {
      const name = flat[at].toLowerCase();
      const values = headers.#map.get(name);
      if (values) values.push(flat[at + 1]); else headers.#map.set(name, [flat[at + 1]]);
    }
    headers.#immutable = immutable;
    return headers;
  }
  /** The host's flat list, behind what is in `into`, without names that `but` has. */
  static _flat(headers, but, into = []) {
    for (const [name, values] of headers.#map) {
      if (but.has(name)) continue;
      if (values.length === 1 || name === "set-cookie") for (const value of values) into.push(name, value);
      else into.push(name, values.join(", "));
    }
    return into;
  }
  /** A field that is known to be good, where there is none of that name. */
  static _default(headers, name, value) {
    if (!headers.#map.has(name)) headers.#map.set(name, [value]);
  }
  static _freeze(headers) { headers.#immutable = true; return headers; }
  #change() { if (this.#immutable) throw new TypeError("Can't modify immutable headers."); }
  append(name, value) {
    this.#change();
    name = nameOf(name);
    const values = this.#map.get(name);
    if (values) values.push(valueOf(value)); else this.#map.set(name, [valueOf(value)]);
  }
  set(name, value) { this.#change(); this.#map.set(nameOf(name), [valueOf(value)]); }
  delete(name) { this.#change(); this.#map.delete(nameOf(name)); }
  get(name) { return this.#map.get(nameOf(name))?.join(", ") ?? null; }
  getAll(name) {
    if (nameOf(name) !== "set-cookie") throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    return this.getSetCookie();
  }
  getSetCookie() { return [...(this.#map.get("set-cookie") ?? [])]; }
  has(name) { return this.#map.has(nameOf(name)); }
  forEach(callback, self) { for (const [name, value] of this) callback.call(self, value, name, this); }
  *entries() {
    for (const name of [...this.#map.keys()].sort()) {
      const values = this.#map.get(name);
      if (!values) continue;
      if (name === "set-cookie") for (const value of values) yield [name, value];
      else yield [name, values.join(", ")];
    }
  }
  *keys() { for (const [name] of this.entries()) yield name; }
  *values() { for (const [, value] of this.entries()) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  get [Symbol.toStringTag]() { return "Headers"; }
}
