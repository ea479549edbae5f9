// What is global, and has no file of its own.

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly code: number;
}

declare class WorkerGlobalScope extends EventTarget {}
declare class ServiceWorkerGlobalScope extends WorkerGlobalScope {}

declare const self: typeof globalThis;

interface Console {
  assert(condition?: unknown, ...data: unknown[]): void;
  clear(): void;
  count(label?: string): void;
  countReset(label?: string): void;
  debug(...data: unknown[]): void;
  dir(...data: unknown[]): void;
  dirxml(...data: unknown[]): void;
  error(...data: unknown[]): void;
  group(...data: unknown[]): void;
  groupCollapsed(...data: unknown[]): void;
  groupEnd(): void;
  info(...data: unknown[]): void;
  log(...data: unknown[]): void;
  table(...data: unknown[]): void;
  time(label?: string): void;
  timeEnd(label?: string): void;
  timeLog(label?: string, ...data: unknown[]): void;
  timeStamp(label?: string): void;
  trace(...data: unknown[]): void;
  warn(...data: unknown[]): void;
}

/** Lines of the script's log. */
declare const console: Console;

declare class Navigator {
  readonly userAgent: "Cloudflare-Workers";
  readonly language: "en";
  readonly hardwareConcurrency: number;
}

declare const navigator: Navigator;

declare class PerformanceEntry {
  protected constructor();
  readonly name: string;
  readonly entryType: string;
  readonly startTime: number;
  readonly duration: number;
  readonly detail: any;
  toJSON(): object;
}

declare class PerformanceMark extends PerformanceEntry {
  constructor(name: string, options?: { startTime?: number; detail?: unknown });
}

declare class PerformanceMeasure extends PerformanceEntry {}

declare class Performance extends EventTarget {
  private constructor();
  readonly timeOrigin: number;
  now(): number;
  mark(name: string, options?: { startTime?: number; detail?: unknown }): PerformanceMark;
  measure(name: string, from?: string | { start?: string | number; end?: string | number; duration?: number; detail?: unknown }, to?: string): PerformanceMeasure;
  clearMarks(name?: string): void;
  clearMeasures(name?: string): void;
  clearResourceTimings(): void;
  getEntries(): PerformanceEntry[];
  getEntriesByName(name: string, type?: string): PerformanceEntry[];
  getEntriesByType(type: string): PerformanceEntry[];
  toJSON(): object;
}

declare const performance: Performance;

declare const scheduler: {
  /** Waits for so many milliseconds. */
  wait(delay: number, options?: { signal?: AbortSignal }): Promise<void>;
};

declare function setTimeout<A extends unknown[]>(callback: (...args: A) => void, delay?: number, ...args: A): number;
declare function setInterval<A extends unknown[]>(callback: (...args: A) => void, delay?: number, ...args: A): number;
declare function setImmediate<A extends unknown[]>(callback: (...args: A) => void, ...args: A): number;
declare function clearTimeout(id: number | null | undefined): void;
declare function clearInterval(id: number | null | undefined): void;
declare function clearImmediate(id: number | null | undefined): void;
declare function queueMicrotask(callback: () => void): void;
declare function reportError(error: unknown): void;
declare function structuredClone<T>(value: T, options?: { transfer?: unknown[] }): T;

// The older syntax, of scripts that are no modules.

declare class FetchEvent extends Event {
  private constructor();
  waitUntil(promise: Promise<unknown>): void;
  readonly request: Request<IncomingRequestCf>;
  respondWith(response: Response | Promise<Response>): void;
  passThroughOnException(): void;
}

declare class ScheduledEvent extends Event {
  private constructor();
  waitUntil(promise: Promise<unknown>): void;
  readonly cron: string;
  readonly scheduledTime: number;
}

interface WorkerEventMap {
  fetch: FetchEvent;
  scheduled: ScheduledEvent;
  error: ErrorEvent;
  unhandledrejection: PromiseRejectionEvent;
  rejectionhandled: PromiseRejectionEvent;
}

declare function addEventListener<K extends keyof WorkerEventMap>(type: K, listener: EventListenerOrEventListenerObject<WorkerEventMap[K]>, options?: AddEventListenerOptions | boolean): void;
declare function removeEventListener<K extends keyof WorkerEventMap>(type: K, listener: EventListenerOrEventListenerObject<WorkerEventMap[K]>, options?: { capture?: boolean } | boolean): void;
declare function dispatchEvent(event: Event): boolean;
