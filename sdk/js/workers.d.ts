// The module `cloudflare:workers`.

declare module "cloudflare:workers" {
  /** A class of which each event makes an instance; its methods can be called by other scripts. */
  export abstract class WorkerEntrypoint<Env = unknown, Props = any> {
    constructor(ctx: ExecutionContext<Props>, env: Env);
    protected ctx: ExecutionContext<Props>;
    protected env: Env;
    fetch?(request: Request<IncomingRequestCf>): Response | Promise<Response>;
    scheduled?(controller: ScheduledController): void | Promise<void>;
    queue?(batch: MessageBatch): void | Promise<void>;
    tail?(events: TraceItem[]): void | Promise<void>;
  }

  /** An object that is sent as a stub: its methods run where it was made. */
  export abstract class RpcTarget {
    /** Only for the compiler: nothing else is such an object. */
    private readonly isRpcTarget: never;
  }

  export const RpcStub: { new <T extends object>(target: T): Rpc.Stub<T> };
  export const RpcPromise: abstract new () => Promise<unknown>;
  export const RpcProperty: abstract new () => Promise<unknown>;

  /** What the script was given, in handlers. Declare what it has: `interface Env`, by `wasmyard types`. */
  export const env: Env;

  /** The `waitUntil` of the event that is handled. */
  export function waitUntil(promise: Promise<unknown>): void;

  /** There for frameworks that import the name: nothing makes an instance. */
  export abstract class DurableObject<Env = unknown> {
    constructor(ctx: unknown, env: Env);
    protected ctx: unknown;
    protected env: Env;
  }

  /** There for frameworks that import the name: nothing makes an instance. */
  export abstract class WorkflowEntrypoint<Env = unknown> {
    constructor(ctx: unknown, env: Env);
    protected ctx: unknown;
    protected env: Env;
  }
}

/** What a script was given. `wasmyard types` declares it from wasmyard.toml. */
interface Env {}
