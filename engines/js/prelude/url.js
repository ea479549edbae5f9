// URL standard. Parsing is the host's; the setters hand over the part and take the whole again.

import { host } from "./host.js";

const HREF = 0, PROTOCOL = 1, USERNAME = 2, PASSWORD = 3, HOST = 4, HOSTNAME = 5, PORT = 6, PATHNAME = 7, SEARCH = 8, HASH = 9, ORIGIN = 10;

/** Makes a URL of parts: only the prelude has it. */
const PARSED = Symbol();

export class URL {
  #parts; #params;
  constructor(url, base) {
    if (url === PARSED) {
      this.#parts = base;
      return;
    }
    if (arguments.length === 0) throw new TypeError("URL needs an address");
    const parts = host.parseUrl(String(url), base === undefined ? undefined : String(base));
    if (!parts) {
      const error = new TypeError("Invalid URL string.");
      error.code = "ERR_INVALID_URL";
      throw error;
    }
    this.#parts = parts;
  }
  static canParse(url, base) {
    if (arguments.length === 0) throw new TypeError("URL.canParse() needs an address.");
    return Boolean(host.parseUrl(String(url), base === undefined ? undefined : String(base)));
  }
  static parse(url, base) {
    const parts = host.parseUrl(String(url), base === undefined ? undefined : String(base));
    return parts ? new URL(PARSED, parts) : null;
  }
  #set(part, value) {
    const parts = host.setUrl(this.#parts[HREF], part, String(value));
    if (parts) this.#parts = parts;
    this.#params?._reset(this.#parts[SEARCH]);
  }
  get href() { return this.#parts[HREF]; }
  set href(value) {
    const parts = host.parseUrl(String(value), undefined);
    if (!parts) throw new TypeError("Invalid URL string.");
    this.#parts = parts;
    this.#params?._reset(parts[SEARCH]);
  }
  get origin() { return this.#parts[ORIGIN]; }
  get protocol() { return this.#parts[PROTOCOL]; }
  set protocol(value) { this.#set("protocol", value); }
  get username() { return this.#parts[USERNAME]; }
  set username(value) { this.#set("username", value); }
  get password() { return this.#parts[PASSWORD]; }
  set password(value) { this.#set("password", value); }
  get host() { return this.#parts[HOST]; }
  set host(value) { this.#set("host", value); }
  get hostname() { return this.#parts[HOSTNAME]; }
  set hostname(value) { this.#set("hostname", value); }
  get port() { return this.#parts[PORT]; }
  set port(value) { this.#set("port", value); }
  get pathname() { return this.#parts[PATHNAME]; }
  set pathname(value) { this.#set("pathname", value); }
  get search() { return this.#parts[SEARCH]; }
  set search(value) { this.#set("search", value); }
  get hash() { return this.#parts[HASH]; }
  set hash(value) { this.#set("hash", value); }
  get searchParams() {
    if (!this.#params) {
      this.#params = new URLSearchParams(this.#parts[SEARCH]);
      this.#params._changed = (query) => {
        const parts = host.setUrl(this.#parts[HREF], "search", query);
        if (parts) this.#parts = parts;
      };
    }
    return this.#params;
  }
  toString() { return this.#parts[HREF]; }
  toJSON() { return this.#parts[HREF]; }
  get [Symbol.toStringTag]() { return "URL"; }
}

function need(count, given) {
  if (given < count) throw new TypeError(`${count} argument(s) required, but only ${given} present.`);
}

const text = (value) => String(value).toWellFormed();

export class URLSearchParams {
  #list = [];
  constructor(init = "") {
    Object.defineProperty(this, "_changed", { value: undefined, writable: true, enumerable: false });
    if (typeof init === "object" && init !== null) {
      if (typeof init[Symbol.iterator] === "function") {
        for (const pair of init) {
          const both = [...pair];
          if (both.length !== 2) throw new TypeError("Each pair of URLSearchParams has a name and a value.");
          this.#list.push([text(both[0]), text(both[1])]);
        }
      } else {
        for (const name of Object.keys(init)) this.#list.push([text(name), text(init[name])]);
      }
    } else {
      this._reset(text(init));
    }
  }
  _reset(query) {
    const flat = host.parseQuery(query.startsWith("?") ? query.slice(1) : query);
    this.#list = [];
    for (let at = 0; at < flat.length; at += 2) this.#list.push([flat[at], flat[at + 1]]);
  }
  #update() { this._changed?.(this.toString()); }
  get size() { return this.#list.length; }
  append(name, value) { need(2, arguments.length); this.#list.push([text(name), text(value)]); this.#update(); }
  delete(name, value) {
    need(1, arguments.length);
    name = text(name);
    this.#list = this.#list.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== text(value)));
    this.#update();
  }
  get(name) { need(1, arguments.length); name = text(name); return this.#list.find((pair) => pair[0] === name)?.[1] ?? null; }
  getAll(name) { need(1, arguments.length); name = text(name); return this.#list.filter((pair) => pair[0] === name).map((pair) => pair[1]); }
  has(name, value) {
    need(1, arguments.length);
    name = text(name);
    return this.#list.some((pair) => pair[0] === name && (value === undefined || pair[1] === text(value)));
  }
  set(name, value) {
    need(2, arguments.length);
    name = text(name);
    const first = this.#list.findIndex((pair) => pair[0] === name);
    if (first < 0) this.#list.push([name, text(value)]);
    else {
      this.#list[first][1] = text(value);
      this.#list = this.#list.filter((pair, index) => index <= first || pair[0] !== name);
    }
    this.#update();
  }
  sort() {
    this.#list.sort((one, other) => (one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0));
    this.#update();
  }
  forEach(callback, self) { for (const [name, value] of this) callback.call(self, value, name, this); }
  *entries() { for (let at = 0; at < this.#list.length; at++) yield [...this.#list[at]]; }
  *keys() { for (const [name] of this.entries()) yield name; }
  *values() { for (const [, value] of this.entries()) yield value; }
  [Symbol.iterator]() { return this.entries(); }
  toString() { return host.writeQuery(this.#list.flat()); }
  get [Symbol.toStringTag]() { return "URLSearchParams"; }
}
