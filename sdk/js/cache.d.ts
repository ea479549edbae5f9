// The script's own caches.

interface CacheQueryOptions {
  /** Whether a request of another method is taken as a GET. */
  ignoreMethod?: boolean;
}

declare class Cache {
  private constructor();
  /** The response that fits the request and is fresh. */
  match(request: RequestInfo, options?: CacheQueryOptions): Promise<Response | undefined>;
  /** Keeps the response, where its fields let it be kept. */
  put(request: RequestInfo, response: Response): Promise<void>;
  /** Whether there was anything to be removed. */
  delete(request: RequestInfo, options?: CacheQueryOptions): Promise<boolean>;
}

declare class CacheStorage {
  private constructor();
  /** For platform scripts, and those of a namespace that is trusted: elsewhere it throws when it is used. */
  readonly default: Cache;
  open(name: string): Promise<Cache>;
}

declare const caches: CacheStorage;
