// Requests, responses, and what they are made of.

type BufferSource = ArrayBufferView | ArrayBuffer;

type BodyInit = ReadableStream<Uint8Array> | Blob | BufferSource | FormData | URLSearchParams | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

declare class Blob {
  constructor(parts?: Iterable<BufferSource | Blob | string>, options?: { type?: string; endings?: "transparent" | "native" });
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array>;
  slice(start?: number, end?: number, type?: string): Blob;
  stream(): ReadableStream<Uint8Array>;
  text(): Promise<string>;
}

declare class File extends Blob {
  constructor(parts: Iterable<BufferSource | Blob | string>, name: string, options?: { type?: string; lastModified?: number });
  readonly name: string;
  readonly lastModified: number;
}

declare class FormData {
  constructor();
  append(name: string, value: string): void;
  append(name: string, value: Blob, filename?: string): void;
  delete(name: string): void;
  get(name: string): File | string | null;
  getAll(name: string): (File | string)[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  set(name: string, value: Blob, filename?: string): void;
  forEach(callback: (value: File | string, name: string, form: FormData) => void, self?: unknown): void;
  entries(): IterableIterator<[string, File | string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<File | string>;
  [Symbol.iterator](): IterableIterator<[string, File | string]>;
}

type HeadersInit = Headers | Iterable<[string, string] | string[]> | Record<string, string>;

declare class Headers {
  constructor(init?: HeadersInit | null);
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getAll(name: "set-cookie" | "Set-Cookie"): string[];
  getSetCookie(): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}

interface Body {
  readonly body: ReadableStream<Uint8Array> | null;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
  bytes(): Promise<Uint8Array>;
  formData(): Promise<FormData>;
  json<T = any>(): Promise<T>;
  text(): Promise<string>;
}

/** What the platform knows of a request: for platform scripts. */
interface IncomingRequestCf {
  /** The metadata of the custom hostname that was asked for. */
  hostMetadata?: any;
}

interface RequestInit<Cf = unknown> {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  redirect?: "follow" | "manual" | "error";
  signal?: AbortSignal | null;
  cf?: Cf;
}

interface Request<Cf = unknown> extends Body {}

declare class Request<Cf = unknown> {
  constructor(input: Request<any> | URL | string, init?: RequestInit<Cf> | Request<Cf>);
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: AbortSignal;
  readonly cf: Cf | undefined;
  readonly integrity: string;
  readonly keepalive: boolean;
  readonly cache: undefined;
  clone(): Request<Cf>;
}

interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
  cf?: unknown;
}

interface Response extends Body {}

declare class Response {
  constructor(body?: BodyInit | null, init?: ResponseInit | Response);
  static error(): Response;
  static json(data: unknown, init?: ResponseInit): Response;
  static redirect(url: URL | string, status?: 301 | 302 | 303 | 307 | 308): Response;
  readonly status: number;
  readonly statusText: string;
  readonly ok: boolean;
  readonly headers: Headers;
  readonly url: string;
  readonly redirected: boolean;
  readonly type: "default" | "error";
  readonly webSocket: null;
  readonly cf: unknown;
  clone(): Response;
}

type RequestInfo = Request<any> | URL | string;

declare function fetch(input: RequestInfo, init?: RequestInit<any>): Promise<Response>;
