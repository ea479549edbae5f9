// cloudflare:workers

const current = globalThis[Symbol.for("wasmyard.current")];

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class RpcTarget {}

function given() {
  const event = current();
  // What is read at the top level would be part of the script, and would outlive a change of its settings.
  if (!event) throw new Error("env of cloudflare:workers is not there at the top level; read it in a handler.");
  return event.env;
}

export const env = new Proxy({}, {
  get: (_, name) => given()[name],
  has: (_, name) => name in given(),
  ownKeys: () => Reflect.ownKeys(given()),
  getOwnPropertyDescriptor: (_, name) => Object.getOwnPropertyDescriptor(given(), name),
});

export function waitUntil(promise) {
  const event = current();
  if (!event) throw new Error("waitUntil() is for handlers.");
  event.ctx.waitUntil(promise);
}
