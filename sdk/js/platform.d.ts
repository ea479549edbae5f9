// Handlers, and what `env` has.

/** What a handler is given beside the event and `env`. */
interface ExecutionContext<Props = any> {
  /** What the service binding says by which the script was reached. */
  readonly props: Props;
  /** Has the platform wait for something after the answer. */
  waitUntil(promise: Promise<unknown>): void;
  /** Hands the request on to the origin where the handler throws. */
  passThroughOnException(): void;
}

/** A time that came. */
interface ScheduledController {
  readonly type: "scheduled";
  readonly cron: string;
  readonly scheduledTime: number;
  noRetry(): void;
}

interface QueueRetryOptions {
  delaySeconds?: number;
}

interface Message<Body = unknown> {
  readonly id: string;
  readonly timestamp: Date;
  readonly body: Body;
  readonly attempts: number;
  ack(): void;
  retry(options?: QueueRetryOptions): void;
}

interface MessageBatch<Body = unknown> {
  readonly queue: string;
  readonly messages: readonly Message<Body>[];
  ackAll(): void;
  retryAll(options?: QueueRetryOptions): void;
}

/** What became of an invocation of another script. */
interface TraceItem {
  readonly scriptName: string;
  readonly dispatchNamespace?: string;
  readonly scriptVersion: { id: string };
  readonly rayId?: string;
  readonly eventTimestamp: number;
  readonly outcome: string;
  readonly cpuTime: number;
  readonly wallTime: number;
  readonly truncated: boolean;
  readonly event: {
    request?: { method: string; url: string };
    response?: { status: number };
    cron?: string;
    scheduledTime?: number;
    queue?: string;
    batchSize?: number;
    consumedEvents?: number;
  };
  readonly logs: { timestamp: number; level: string; message: [string] }[];
  readonly exceptions: { name: string; message: string; timestamp: number }[];
  readonly diagnosticsChannelEvents: never[];
}

type ExportedHandlerFetch<Env = unknown, Props = any> = (request: Request<IncomingRequestCf>, env: Env, ctx: ExecutionContext<Props>) => Response | Promise<Response>;

/** The default export of a module. */
interface ExportedHandler<Env = unknown, QueueMessage = unknown, Props = any> {
  /** Paths that are asked for while the script is deployed: what that leaves in memory is where every request begins. */
  warm?: string | string[];
  fetch?: ExportedHandlerFetch<Env, Props>;
  scheduled?: (controller: ScheduledController, env: Env, ctx: ExecutionContext<Props>) => void | Promise<void>;
  queue?: (batch: MessageBatch<QueueMessage>, env: Env, ctx: ExecutionContext<Props>) => void | Promise<void>;
  tail?: (events: TraceItem[], env: Env, ctx: ExecutionContext<Props>) => void | Promise<void>;
}

/** Somebody who answers requests: another script, the files, or with a client certificate whoever a URL leads to. */
interface Fetcher {
  fetch(input: RequestInfo, init?: RequestInit<any>): Promise<Response>;
}

/** What stands for something of another script's: calls go there. */
declare namespace Rpc {
  /** A value that was returned, and what can be done with it without waiting for it. */
  type Result<R> = Promise<Received<Awaited<R>>> & (Awaited<R> extends object ? Provided<Awaited<R>> : unknown);
  /** How a value arrives: functions and objects of classes that extend `RpcTarget` are stubs. */
  type Received<T> = T extends (...args: any[]) => any
    ? Stub<T>
    : T extends import("cloudflare:workers").RpcTarget
      ? Stub<T>
      : T extends object
        ? T & Disposable
        : T;
  /** The methods of an object, as they are called from elsewhere. */
  type Provided<T> = {
    [K in Exclude<keyof T, "ctx" | "env" | "fetch" | "scheduled" | "queue" | "tail" | symbol>]: T[K] extends (...args: infer A) => infer R
      ? (...args: A) => Result<R>
      : Promise<Received<T[K]>>;
  };
  type Stub<T> = (T extends (...args: infer A) => infer R ? (...args: A) => Result<R> : Provided<T>) &
    Disposable & {
      /** Another stub for the same, which lives by itself. */
      dup(): Stub<T>;
    };
}

/**
 * A service binding. `Service<typeof import("./accounts").default>` has the methods of that entrypoint; without a type every
 * name is a method.
 */
type Service<T = unknown> = Fetcher &
  (unknown extends T ? { [method: string]: (...args: any[]) => any } : T extends new (...args: any[]) => infer I ? Rpc.Provided<I> : Rpc.Provided<T>);

interface DynamicDispatchLimits {
  /** Milliseconds of CPU time. */
  cpuMs?: number;
  /** How many requests the script may send. */
  subRequests?: number;
}

interface DynamicDispatchOptions {
  limits?: DynamicDispatchLimits;
  /** The parameters of the outbound worker, by the names that the binding declares. */
  outbound?: Record<string, unknown>;
}

/** A namespace of user scripts. */
interface DispatchNamespace {
  /** The script of that name. Nobody is looked up before something is asked of it. */
  get(name: string, args?: Record<string, unknown>, options?: DynamicDispatchOptions): Service;
}

interface R2HTTPMetadata {
  contentType?: string;
  contentLanguage?: string;
  contentDisposition?: string;
  contentEncoding?: string;
  cacheControl?: string;
  cacheExpiry?: Date;
}

interface R2StringChecksums { md5?: string; sha1?: string; sha256?: string; sha384?: string; sha512?: string }

interface R2Checksums {
  md5?: ArrayBuffer;
  sha1?: ArrayBuffer;
  sha256?: ArrayBuffer;
  sha384?: ArrayBuffer;
  sha512?: ArrayBuffer;
  toJSON(): R2StringChecksums;
}

type R2Range = { offset: number; length?: number } | { offset?: number; length: number } | { suffix: number };

interface R2Conditional {
  etagMatches?: string | string[];
  etagDoesNotMatch?: string | string[];
  uploadedBefore?: Date;
  uploadedAfter?: Date;
  secondsGranularity?: boolean;
}

interface R2GetOptions {
  onlyIf?: R2Conditional | Headers;
  range?: R2Range | Headers;
}

interface R2MultipartOptions {
  httpMetadata?: R2HTTPMetadata | Headers;
  customMetadata?: Record<string, string>;
  storageClass?: "Standard" | "InfrequentAccess";
}

interface R2PutOptions extends R2MultipartOptions {
  onlyIf?: R2Conditional | Headers;
  md5?: BufferSource | string;
  sha1?: BufferSource | string;
  sha256?: BufferSource | string;
  sha384?: BufferSource | string;
  sha512?: BufferSource | string;
}

interface R2ListOptions {
  limit?: number;
  prefix?: string;
  cursor?: string;
  delimiter?: string;
  startAfter?: string;
  include?: ("httpMetadata" | "customMetadata")[];
}

type R2Value = ReadableStream<Uint8Array> | BufferSource | string | Blob | null;

/** An object, without its content. */
interface R2Object {
  readonly key: string;
  readonly version: string;
  readonly size: number;
  readonly etag: string;
  readonly httpEtag: string;
  readonly uploaded: Date;
  readonly checksums: R2Checksums;
  readonly httpMetadata: R2HTTPMetadata;
  readonly customMetadata: Record<string, string>;
  readonly range?: R2Range;
  readonly storageClass: string;
  writeHttpMetadata(headers: Headers): void;
}

/** An object with its content. */
interface R2ObjectBody extends R2Object {
  readonly body: ReadableStream<Uint8Array>;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  json<Value = any>(): Promise<Value>;
  blob(): Promise<Blob>;
}

interface R2UploadedPart { partNumber: number; etag: string }

/** An upload in parts. */
interface R2MultipartUpload {
  readonly key: string;
  readonly uploadId: string;
  uploadPart(partNumber: number, value: Exclude<R2Value, null>): Promise<R2UploadedPart>;
  complete(parts: R2UploadedPart[]): Promise<R2Object>;
  abort(): Promise<void>;
}

type R2Objects = { objects: R2Object[]; delimitedPrefixes: string[] } & ({ truncated: true; cursor: string } | { truncated: false; cursor?: undefined });

/** Objects in a bucket: the binding of type `r2_bucket`. */
interface R2Bucket {
  head(key: string): Promise<R2Object | null>;
  get(key: string, options: R2GetOptions & { onlyIf: R2Conditional | Headers }): Promise<R2ObjectBody | R2Object | null>;
  get(key: string, options?: R2GetOptions): Promise<R2ObjectBody | null>;
  put(key: string, value: R2Value, options: R2PutOptions & { onlyIf: R2Conditional | Headers }): Promise<R2Object | null>;
  put(key: string, value: R2Value, options?: R2PutOptions): Promise<R2Object>;
  delete(keys: string | string[]): Promise<void>;
  list(options?: R2ListOptions): Promise<R2Objects>;
  createMultipartUpload(key: string, options?: R2MultipartOptions): Promise<R2MultipartUpload>;
  resumeMultipartUpload(key: string, uploadId: string): R2MultipartUpload;
}

type KVType = "text" | "json" | "arrayBuffer" | "stream";

interface KVGetOptions<T extends KVType> {
  type: T;
  cacheTtl?: number;
}

interface KVResult<Value, Metadata> {
  value: Value | null;
  metadata: Metadata | null;
  cacheStatus: string | null;
}

interface KVPutOptions {
  /** Seconds since 1970. */
  expiration?: number;
  /** Seconds from now. */
  expirationTtl?: number;
  metadata?: unknown;
}

interface KVListOptions {
  prefix?: string | null;
  cursor?: string | null;
  limit?: number;
}

type KVListResult<Metadata> = { keys: { name: string; expiration?: number; metadata?: Metadata }[]; cacheStatus: string | null } & (
  | { list_complete: false; cursor: string }
  | { list_complete: true }
);

/** A secret of a store. */
interface SecretsStoreSecret {
  get(): Promise<string>;
}

/** What a statement of an SQL database took and did. */
interface D1Meta {
  served_by: string;
  served_by_primary: boolean;
  timings: { sql_duration_ms: number };
  duration: number;
  changes: number;
  last_row_id: number;
  changed_db: boolean;
  size_after: number;
  rows_read: number;
  rows_written: number;
}

interface D1Result<Row = Record<string, unknown>> {
  success: true;
  meta: D1Meta;
  results: Row[];
}

/** A statement of an SQL database. */
interface D1PreparedStatement {
  bind(...values: (null | number | string | boolean | ArrayBuffer | ArrayBufferView | number[])[]): D1PreparedStatement;
  all<Row = Record<string, unknown>>(): Promise<D1Result<Row>>;
  run<Row = Record<string, unknown>>(): Promise<D1Result<Row>>;
  first<Value = unknown>(column: string): Promise<Value | null>;
  first<Row = Record<string, unknown>>(): Promise<Row | null>;
  raw<Row = unknown[]>(options: { columnNames: true }): Promise<[string[], ...Row[]]>;
  raw<Row = unknown[]>(options?: { columnNames?: false }): Promise<Row[]>;
}

/** The calls on an SQL database, with the name of the moment that the last of them saw. */
interface D1DatabaseSession {
  prepare(sql: string): D1PreparedStatement;
  batch<Row = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<Row>[]>;
  getBookmark(): string | null;
}

/** An SQL database. */
interface D1Database {
  prepare(sql: string): D1PreparedStatement;
  /** All statements in one transaction: each of them, or none. */
  batch<Row = unknown>(statements: D1PreparedStatement[]): Promise<D1Result<Row>[]>;
  exec(sql: string): Promise<{ count: number; duration: number }>;
  withSession(constraintOrBookmark?: "first-primary" | "first-unconstrained" | (string & {})): D1DatabaseSession;
  /** @deprecated Always refused: export the database. */
  dump(): Promise<ArrayBuffer>;
}

/** How often a key is let through. */
interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

type QueueContentType = "json" | "text" | "bytes" | "v8";

interface QueueSendOptions {
  contentType?: QueueContentType;
  /** How many seconds the message is not handed over: 0 to 86400. */
  delaySeconds?: number;
}

interface MessageSendRequest<Body = unknown> extends QueueSendOptions {
  body: Body;
}

/** A queue that messages are sent to. */
interface Queue<Body = unknown> {
  send(body: Body, options?: QueueSendOptions): Promise<void>;
  /** All of them, or none. */
  sendBatch(messages: Iterable<MessageSendRequest<Body>>, options?: { delaySeconds?: number }): Promise<void>;
}

/** A namespace of keys and values. */
interface KVNamespace<Key extends string = string> {
  get(key: Key, type?: "text" | KVGetOptions<"text"> | { cacheTtl?: number }): Promise<string | null>;
  get<Value = any>(key: Key, type: "json" | KVGetOptions<"json">): Promise<Value | null>;
  get(key: Key, type: "arrayBuffer" | KVGetOptions<"arrayBuffer">): Promise<ArrayBuffer | null>;
  get(key: Key, type: "stream" | KVGetOptions<"stream">): Promise<ReadableStream<Uint8Array> | null>;
  get(keys: Key[], type?: "text" | KVGetOptions<"text">): Promise<Map<string, string | null>>;
  get<Value = any>(keys: Key[], type: "json" | KVGetOptions<"json">): Promise<Map<string, Value | null>>;
  getWithMetadata<Metadata = any>(key: Key, type?: "text" | KVGetOptions<"text">): Promise<KVResult<string, Metadata>>;
  getWithMetadata<Value = any, Metadata = any>(key: Key, type: "json" | KVGetOptions<"json">): Promise<KVResult<Value, Metadata>>;
  getWithMetadata<Metadata = any>(key: Key, type: "arrayBuffer" | KVGetOptions<"arrayBuffer">): Promise<KVResult<ArrayBuffer, Metadata>>;
  getWithMetadata<Metadata = any>(key: Key, type: "stream" | KVGetOptions<"stream">): Promise<KVResult<ReadableStream<Uint8Array>, Metadata>>;
  getWithMetadata<Metadata = any>(keys: Key[], type?: "text" | KVGetOptions<"text">): Promise<Map<string, KVResult<string, Metadata>>>;
  put(key: Key, value: string | BufferSource | ReadableStream<Uint8Array>, options?: KVPutOptions): Promise<void>;
  delete(key: Key): Promise<void>;
  list<Metadata = any>(options?: KVListOptions): Promise<KVListResult<Metadata>>;
}
