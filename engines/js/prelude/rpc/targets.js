// What of a script can be called by another one (module `cloudflare:workers`).

/** A class of which each event makes an instance. */
export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** An object that is sent as a stub: its methods run where it was made. */
export class RpcTarget {}

/** The functions of an exported object: each takes one argument of the caller's, then `env` and `ctx`. */
export class Handlers {
  constructor(functions, env, ctx) {
    this.functions = functions;
    this.env = env;
    this.ctx = ctx;
  }
}
