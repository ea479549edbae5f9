// Global names of Node.js, and of its modules those that workers use most. The others have types in `@types/node`.

declare class Buffer extends Uint8Array {
  private constructor();
  static alloc(size: number, fill?: string | number | Uint8Array, encoding?: string): Buffer;
  static allocUnsafe(size: number): Buffer;
  static byteLength(value: string | ArrayBufferView | ArrayBuffer, encoding?: string): number;
  static compare(one: Uint8Array, other: Uint8Array): -1 | 0 | 1;
  static concat(list: readonly Uint8Array[], length?: number): Buffer;
  static from(value: string, encoding?: string): Buffer;
  static from(value: ArrayBuffer, offset?: number, length?: number): Buffer;
  static from(value: Uint8Array | readonly number[]): Buffer;
  static isBuffer(value: unknown): value is Buffer;
  static isEncoding(encoding: string): boolean;
  equals(other: Uint8Array): boolean;
  compare(other: Uint8Array): -1 | 0 | 1;
  copy(target: Uint8Array, at?: number, from?: number, to?: number): number;
  write(text: string, at?: number, length?: number, encoding?: string): number;
  toString(encoding?: string, from?: number, to?: number): string;
  toJSON(): { type: "Buffer"; data: number[] };
  subarray(from?: number, to?: number): Buffer;
  slice(from?: number, to?: number): Buffer;
  readUInt8(at?: number): number;
  readUInt16LE(at?: number): number;
  readUInt16BE(at?: number): number;
  readUInt32LE(at?: number): number;
  readUInt32BE(at?: number): number;
  readInt8(at?: number): number;
  readInt16LE(at?: number): number;
  readInt16BE(at?: number): number;
  readInt32LE(at?: number): number;
  readInt32BE(at?: number): number;
  writeUInt8(value: number, at?: number): number;
  writeUInt16LE(value: number, at?: number): number;
  writeUInt16BE(value: number, at?: number): number;
  writeUInt32LE(value: number, at?: number): number;
  writeUInt32BE(value: number, at?: number): number;
}

declare const process: {
  readonly env: Record<string, string | undefined>;
  readonly platform: string;
  readonly version: string;
  readonly versions: Record<string, string>;
  cwd(): string;
  nextTick(callback: (...args: any[]) => void, ...args: any[]): void;
  getBuiltinModule(name: string): any;
};

declare const global: typeof globalThis;

declare module "node:async_hooks" {
  export class AsyncLocalStorage<T> {
    constructor(options?: { defaultValue?: T; name?: string });
    readonly name: string;
    static bind<F extends (...args: any[]) => any>(work: F): F;
    static snapshot(): <R, A extends unknown[]>(work: (...args: A) => R, ...args: A) => R;
    exit<R, A extends unknown[]>(work: (...args: A) => R, ...args: A): R;
    getStore(): T | undefined;
    run<R, A extends unknown[]>(store: T, work: (...args: A) => R, ...args: A): R;
  }
  export class AsyncResource {
    constructor(type: string);
    static bind<F extends (...args: any[]) => any>(work: F): F;
    bind<F extends (...args: any[]) => any>(work: F): F;
    runInAsyncScope<R, A extends unknown[]>(work: (...args: A) => R, self?: unknown, ...args: A): R;
    asyncId(): number;
    triggerAsyncId(): number;
    emitDestroy(): this;
  }
}

declare module "node:buffer" {
  const it: typeof Buffer;
  export { it as Buffer };
}

declare module "node:crypto" {
  type Bytes = string | ArrayBufferView;
  interface Hash {
    update(data: Bytes, encoding?: string): this;
    digest(): Buffer;
    digest(encoding: "hex" | "base64" | "base64url" | "latin1" | "binary"): string;
  }
  export function createHash(algorithm: string): Hash;
  export function createHmac(algorithm: string, key: Bytes): Hash;
  export function hash(algorithm: string, data: Bytes, encoding?: string): string;
  export function randomBytes(size: number): Buffer;
  export function randomInt(to: number): number;
  export function randomInt(from: number, to: number): number;
  export function randomUUID(): string;
  export function timingSafeEqual(one: ArrayBufferView, other: ArrayBufferView): boolean;
  export const webcrypto: typeof crypto;
}

declare module "node:events" {
  type Listener = (...args: any[]) => void;
  export class EventEmitter {
    on(name: string | symbol, listener: Listener): this;
    once(name: string | symbol, listener: Listener): this;
    off(name: string | symbol, listener: Listener): this;
    addListener(name: string | symbol, listener: Listener): this;
    removeListener(name: string | symbol, listener: Listener): this;
    removeAllListeners(name?: string | symbol): this;
    emit(name: string | symbol, ...args: any[]): boolean;
    listenerCount(name: string | symbol): number;
    listeners(name: string | symbol): Function[];
    eventNames(): (string | symbol)[];
  }
  export default EventEmitter;
}

declare module "node:path" {
  export const sep: string;
  export const delimiter: string;
  export function basename(path: string, end?: string): string;
  export function dirname(path: string): string;
  export function extname(path: string): string;
  export function isAbsolute(path: string): boolean;
  export function join(...parts: string[]): string;
  export function normalize(path: string): string;
  export function parse(path: string): { root: string; dir: string; base: string; ext: string; name: string };
  export function relative(from: string, to: string): string;
  export function resolve(...parts: string[]): string;
}

declare module "node:util" {
  export function format(...args: unknown[]): string;
  export function inspect(value: unknown, options?: object): string;
  export function isDeepStrictEqual(one: unknown, other: unknown): boolean;
  export function promisify(work: (...args: any[]) => void): (...args: any[]) => Promise<any>;
}
