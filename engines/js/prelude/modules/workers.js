// cloudflare:workers

export const { RpcPromise, RpcProperty, RpcStub, RpcTarget, WorkerEntrypoint } = globalThis[Symbol.for("wasmyard.workers")];
const { currentEvent: current } = globalThis[Symbol.for("wasmyard.workers")];

// Frameworks import these by name, also for scripts that have no such objects: nothing here makes an instance of them.
class Made { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }
export class DurableObject extends Made {}
export class WorkflowEntrypoint extends Made {}

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
