// HTMLRewriter: the host reads the page, and calls the script's handlers, each of which gives back a list of changes.

import { ReadableStream } from "web-streams-polyfill";

import { host } from "./host.js";
import { view } from "./encoding.js";

const invalid = () => new TypeError("This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.");

/** What a handler is given: it notes what is to be changed. */
class Token {
  #changes = []; #isOver = false; #removed;
  constructor(removed = false) { this.#removed = removed; }
  static _changes(token) { token.#isOver = true; return token.#changes; }
  _live() { if (this.#isOver) throw invalid(); }
  _change(word, text = "", value = "", flag = 0) {
    this._live();
    this.#changes.push([word, text, value, flag]);
    return this;
  }
  _content(word, content, options) {
    if (typeof content === "object" && content !== null) throw new TypeError("Content of HTMLRewriter is a text here: streams and responses are not supported.");
    return this._change(word, String(content).toWellFormed(), "", options?.html ? 1 : 0);
  }
  _gone() { this.#removed = true; }
  _isGone() { this._live(); return this.#removed; }
}
for (const name of ["_live", "_change", "_content", "_gone", "_isGone"]) Object.defineProperty(Token.prototype, name, { enumerable: false });

class Element extends Token {
  #name; #namespace; #canHaveContent; #attributes = new Map(); #handlers;
  constructor([name, namespace, canHaveContent, removed, ...attributes], handlers) {
    super(removed !== undefined && removed !== null);
    this.#name = name;
    this.#namespace = namespace;
    this.#canHaveContent = canHaveContent !== undefined && canHaveContent !== null;
    for (let at = 0; at < attributes.length; at += 2) if (!this.#attributes.has(attributes[at])) this.#attributes.set(attributes[at], attributes[at + 1]);
    this.#handlers = handlers;
  }
  get tagName() { this._live(); return this.#name; }
  set tagName(name) {
    name = String(name);
    if (!/^[a-zA-Z][^\s/>\0]*$/.test(name)) throw new TypeError("The tag name is not valid.");
    this._change("name", name);
    this.#name = name;
  }
  get namespaceURI() { this._live(); return this.#namespace; }
  get removed() { return this._isGone(); }
  get attributes() { this._live(); return [...this.#attributes][Symbol.iterator](); }
  getAttribute(name) { this._live(); return this.#attributes.get(String(name).toLowerCase()) ?? null; }
  hasAttribute(name) { this._live(); return this.#attributes.has(String(name).toLowerCase()); }
  setAttribute(name, value) {
    name = String(name).toLowerCase();
    value = String(value).toWellFormed();
    if (!name || /[\s/>=\0]/.test(name)) throw new TypeError("The attribute name is not valid.");
    this.#attributes.set(name, value);
    return this._change("set", name, value);
  }
  removeAttribute(name) {
    name = String(name).toLowerCase();
    this.#attributes.delete(name);
    return this._change("unset", name);
  }
  before(content, options) { return this._content("before", content, options); }
  after(content, options) { return this._content("after", content, options); }
  prepend(content, options) { return this._content("prepend", content, options); }
  append(content, options) { return this._content("append", content, options); }
  setInnerContent(content, options) { return this._content("inner", content, options); }
  replace(content, options) { this._content("replace", content, options); this._gone(); return this; }
  remove() { this._change("remove"); this._gone(); return this; }
  removeAndKeepContent() { this._change("keep"); this._gone(); return this; }
  onEndTag(handler) {
    this._live();
    if (typeof handler !== "function") throw new TypeError("onEndTag() takes a function.");
    if (!this.#canHaveContent) throw new TypeError("Parser error: No end tag.");
    this.#handlers.push(handler);
    this._change("end", "", "", this.#handlers.length - 1);
  }
  get [Symbol.toStringTag]() { return "Element"; }
}

class EndTag extends Token {
  #name;
  constructor([name]) { super(); this.#name = name; }
  get name() { this._live(); return this.#name; }
  set name(name) { this._change("name", String(name)); this.#name = String(name); }
  before(content, options) { return this._content("before", content, options); }
  after(content, options) { return this._content("after", content, options); }
  remove() { return this._change("remove"); }
  get [Symbol.toStringTag]() { return "EndTag"; }
}

/** What comments and texts have in common. */
class Piece extends Token {
  _text;
  constructor([text, removed]) {
    super(removed !== undefined && removed !== null);
    Object.defineProperty(this, "_text", { value: text, writable: true, enumerable: false });
  }
  get removed() { return this._isGone(); }
  before(content, options) { return this._content("before", content, options); }
  after(content, options) { return this._content("after", content, options); }
  replace(content, options) { this._content("replace", content, options); this._gone(); return this; }
  remove() { this._change("remove"); this._gone(); return this; }
}

class Comment extends Piece {
  get text() { this._live(); return this._text; }
  set text(text) {
    text = String(text).toWellFormed();
    if (text.includes("-->")) throw new TypeError("The text of a comment has no \"-->\" in it.");
    this._change("text", text);
    this._text = text;
  }
  get [Symbol.toStringTag]() { return "Comment"; }
}

class Text extends Piece {
  #isLast;
  constructor(about) { super(about); this.#isLast = about[2] !== undefined && about[2] !== null; }
  get text() { this._live(); return this._text; }
  get lastInTextNode() { this._live(); return this.#isLast; }
  get [Symbol.toStringTag]() { return "Text"; }
}

class Doctype extends Token {
  #about;
  constructor(about) { super(); this.#about = about; }
  get name() { this._live(); return this.#about[0] ?? null; }
  get publicId() { this._live(); return this.#about[1] ?? null; }
  get systemId() { this._live(); return this.#about[2] ?? null; }
  get [Symbol.toStringTag]() { return "Doctype"; }
}

class DocumentEnd extends Token {
  append(content, options) { return this._content("append", content, options); }
  get [Symbol.toStringTag]() { return "DocumentEnd"; }
}

const TOKENS = { element: Element, endTag: EndTag, comments: Comment, text: Text, doctype: Doctype, end: DocumentEnd };
const OF_ELEMENTS = ["element", "comments", "text"];
const OF_DOCUMENTS = ["doctype", "comments", "text", "end"];

function handlersOf(object, names) {
  if (typeof object !== "object" && typeof object !== "function" || object === null) throw new TypeError("The handlers of HTMLRewriter are an object.");
  return names.map((name) => {
    const handler = object[name];
    if (handler === undefined || handler === null) return null;
    if (typeof handler !== "function") throw new TypeError(`The handler ${JSON.stringify(name)} is no function.`);
    return handler.bind(object);
  });
}

/** The stream of the new page. It goes on only as fast as it is read. */
function rewritten(body, encoding, selectors, document) {
  const handlers = [];
  const numbered = (list) => list.map((handler) => (handler ? handlers.push(handler) - 1 : -1));
  const call = (number, kind, about) => {
    const token = new TOKENS[kind](about, handlers);
    const given = handlers[number](token);
    if (typeof given?.then === "function") return Promise.resolve(given).then(() => Token._changes(token));
    return Token._changes(token);
  };
  let id = null;
  let reader = null;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      id ??= host.htmlBegin(encoding, call, selectors.map(([selector]) => selector), selectors.map(([, list]) => numbered(list)), document.map(numbered));
      reader ??= body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        const bytes = done ? null : view(value);
        const made = done ? host.htmlEnd(id) : host.htmlWrite(id, bytes.buffer, bytes.byteOffset, bytes.byteLength);
        if (made.byteLength) controller.enqueue(new Uint8Array(made));
        if (done) { controller.close(); controller.byobRequest?.respond(0); return; }
        if (made.byteLength) return;
      }
    },
    cancel(reason) { return reader ? reader.cancel(reason) : body.cancel(reason); },
  }, { highWaterMark: 0 });
}

export class HTMLRewriter {
  #selectors = []; #document = [];
  on(selector, handlers) {
    selector = String(selector);
    const wrong = host.htmlSelector(selector);
    if (wrong !== null && wrong !== undefined) throw new TypeError(`Parser error: ${wrong}`);
    this.#selectors.push([selector, handlersOf(handlers, OF_ELEMENTS)]);
    return this;
  }
  onDocument(handlers) {
    this.#document.push(handlersOf(handlers, OF_DOCUMENTS));
    return this;
  }
  transform(response) {
    if (!(response instanceof Response)) throw new TypeError("HTMLRewriter transforms a Response.");
    const body = response.body;
    if (body === null) return response;
    const charset = /;\s*charset="?([^\s;"]+)/i.exec(response.headers.get("content-type") ?? "")?.[1] ?? "utf-8";
    const made = new Response(rewritten(body, charset, [...this.#selectors], [...this.#document]), response);
    made.headers.delete("content-length");
    return made;
  }
  get [Symbol.toStringTag]() { return "HTMLRewriter"; }
}
