// node:diagnostics_channel.

const channels = new Map();

class Channel {
  #name; #subscribers = [];
  constructor(name) { this.#name = name; }
  get name() { return this.#name; }
  get hasSubscribers() { return this.#subscribers.length > 0; }
  subscribe(subscriber) {
    if (typeof subscriber !== "function") throw new TypeError("A subscriber is a function.");
    this.#subscribers = [...this.#subscribers, subscriber];
  }
  unsubscribe(subscriber) {
    const at = this.#subscribers.indexOf(subscriber);
    if (at < 0) return false;
    this.#subscribers = this.#subscribers.toSpliced(at, 1);
    return true;
  }
  publish(message) {
    for (const subscriber of this.#subscribers) {
      try { subscriber(message, this.#name); } catch (error) { reportError(error); }
    }
  }
}

function channel(name) {
  if (typeof name !== "string" && typeof name !== "symbol") throw new TypeError("A channel has a name.");
  let found = channels.get(name);
  if (!found) channels.set(name, (found = new Channel(name)));
  return found;
}

const PARTS = ["start", "end", "asyncStart", "asyncEnd", "error"];

class TracingChannel {
  constructor(of) { for (const part of PARTS) this[part] = typeof of === "string" ? channel(`tracing:${of}:${part}`) : of[part]; }
  get hasSubscribers() { return PARTS.some((part) => this[part].hasSubscribers); }
  subscribe(handlers) { for (const part of PARTS) if (handlers[part]) this[part].subscribe(handlers[part]); }
  unsubscribe(handlers) { return PARTS.map((part) => !handlers[part] || this[part].unsubscribe(handlers[part])).every(Boolean); }
  traceSync(work, context = {}, self, ...args) {
    this.start.publish(context);
    try {
      context.result = Reflect.apply(work, self, args);
      return context.result;
    } catch (error) {
      context.error = error;
      this.error.publish(context);
      throw error;
    } finally {
      this.end.publish(context);
    }
  }
  tracePromise(work, context = {}, self, ...args) {
    this.start.publish(context);
    const ended = (name, value) => { context[name] = value; if (name === "error") this.error.publish(context); this.asyncStart.publish(context); this.asyncEnd.publish(context); };
    try {
      return Promise.resolve(Reflect.apply(work, self, args)).then((value) => { ended("result", value); return value; }, (error) => { ended("error", error); throw error; });
    } catch (error) {
      context.error = error;
      this.error.publish(context);
      throw error;
    } finally {
      this.end.publish(context);
    }
  }
}

export const diagnosticsChannel = {
  Channel, channel,
  hasSubscribers: (name) => channels.get(name)?.hasSubscribers ?? false,
  subscribe: (name, subscriber) => channel(name).subscribe(subscriber),
  unsubscribe: (name, subscriber) => channel(name).unsubscribe(subscriber),
  tracingChannel: (of) => new TracingChannel(of),
};
