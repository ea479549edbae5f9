// HTML, section 9.4: MessageChannel and its two ports.

import { EventTarget, MessageEvent, handlers, trusted } from "./event-target.js";
import { cloneWith, onTransfer } from "./clone.js";
import { task } from "./timers.js";

const make = Symbol("make");

export class MessagePort extends EventTarget {
  #other = null; #started = false; #closed = false; #waiting = []; #moved = false;
  constructor(key) {
    if (key !== make) throw new TypeError("Illegal constructor");
    super();
  }
  static _pair() {
    const [one, other] = [new MessagePort(make), new MessagePort(make)];
    one.#other = other;
    other.#other = one;
    return [one, other];
  }
  /** The same end of a channel, in the hands of whoever it was sent to. */
  static _move(port) {
    if (port.#moved) throw new DOMException("A MessagePort can be transferred once.", "DataCloneError");
    const to = new MessagePort(make);
    to.#other = port.#other;
    to.#waiting = port.#waiting;
    to.#closed = port.#closed;
    if (to.#other) to.#other.#other = to;
    port.#other = null;
    port.#moved = true;
    return to;
  }
  postMessage(message, options) {
    if (arguments.length === 0) throw new TypeError("postMessage() needs a message.");
    const list = options === undefined || options === null ? [] : Array.isArray(options) ? options : options.transfer ?? [];
    const transfer = [...list];
    if (transfer.includes(this)) throw new DOMException("A port cannot be sent through itself.", "DataCloneError");
    const [data, ports] = cloneWith(message, transfer);
    const to = this.#other;
    if (!to || to.#closed) return;
    to.#waiting.push([data, ports]);
    if (to.#started) to.#deliver();
  }
  #deliver() {
    task(() => {
      if (this.#closed || this.#moved || this.#waiting.length === 0) return;
      const [data, ports] = this.#waiting.shift();
      this.dispatchEvent(trusted(new MessageEvent("message", { data, ports })));
    });
  }
  start() {
    if (this.#started) return;
    this.#started = true;
    for (let count = this.#waiting.length; count > 0; count--) this.#deliver();
  }
  close() {
    const other = this.#other;
    this.#closed = true;
    this.#other = null;
    if (other) { other.#other = null; task(() => { other.dispatchEvent(trusted(new MessageEvent("close"))); }); }
  }
  get [Symbol.toStringTag]() { return "MessagePort"; }
}
handlers(MessagePort, ["message", "messageerror", "close"], (port, type) => { if (type === "message") port.start(); });
onTransfer(MessagePort, MessagePort._move);

export class MessageChannel {
  #ports = MessagePort._pair();
  get port1() { return this.#ports[0]; }
  get port2() { return this.#ports[1]; }
  get [Symbol.toStringTag]() { return "MessageChannel"; }
}
