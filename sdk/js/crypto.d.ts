// Cryptography.

type KeyUsage = "encrypt" | "decrypt" | "sign" | "verify" | "deriveKey" | "deriveBits" | "wrapKey" | "unwrapKey";
type KeyType = "secret" | "private" | "public";
type KeyFormat = "raw" | "pkcs8" | "spki" | "jwk";
type HashAlgorithm = string | { name: string };

interface JsonWebKey {
  kty: string;
  use?: string;
  key_ops?: string[];
  alg?: string;
  ext?: boolean;
  kid?: string;
  crv?: string;
  x?: string;
  y?: string;
  d?: string;
  n?: string;
  e?: string;
  p?: string;
  q?: string;
  dp?: string;
  dq?: string;
  qi?: string;
  k?: string;
}

/** What an algorithm is told: which of these depends on its name. */
interface AlgorithmParameters {
  name: string;
  hash?: HashAlgorithm;
  length?: number;
  namedCurve?: string;
  modulusLength?: number;
  publicExponent?: Uint8Array;
  iv?: BufferSource;
  counter?: BufferSource;
  additionalData?: BufferSource;
  tagLength?: number;
  label?: BufferSource;
  saltLength?: number;
  salt?: BufferSource;
  info?: BufferSource;
  iterations?: number;
  public?: CryptoKey;
}

type Algorithm = string | AlgorithmParameters;

interface KeyAlgorithm {
  name: string;
  hash?: { name: string };
  length?: number;
  namedCurve?: string;
  modulusLength?: number;
  publicExponent?: Uint8Array;
}

interface CryptoKeyPair {
  publicKey: CryptoKey;
  privateKey: CryptoKey;
}

declare class CryptoKey {
  private constructor();
  readonly type: KeyType;
  readonly extractable: boolean;
  readonly algorithm: KeyAlgorithm;
  readonly usages: KeyUsage[];
}

declare class SubtleCrypto {
  private constructor();
  decrypt(algorithm: Algorithm, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  deriveBits(algorithm: AlgorithmParameters, key: CryptoKey, length?: number | null): Promise<ArrayBuffer>;
  deriveKey(algorithm: AlgorithmParameters, key: CryptoKey, derived: Algorithm, extractable: boolean, usages: KeyUsage[]): Promise<CryptoKey>;
  digest(algorithm: HashAlgorithm, data: BufferSource): Promise<ArrayBuffer>;
  encrypt(algorithm: Algorithm, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  exportKey(format: "jwk", key: CryptoKey): Promise<JsonWebKey>;
  exportKey(format: Exclude<KeyFormat, "jwk">, key: CryptoKey): Promise<ArrayBuffer>;
  exportKey(format: KeyFormat, key: CryptoKey): Promise<ArrayBuffer | JsonWebKey>;
  generateKey(algorithm: Algorithm, extractable: boolean, usages: KeyUsage[]): Promise<CryptoKey | CryptoKeyPair>;
  importKey(format: KeyFormat, data: BufferSource | JsonWebKey, algorithm: Algorithm, extractable: boolean, usages: KeyUsage[]): Promise<CryptoKey>;
  sign(algorithm: Algorithm, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  timingSafeEqual(one: BufferSource, other: BufferSource): boolean;
  unwrapKey(format: KeyFormat, wrapped: BufferSource, key: CryptoKey, algorithm: Algorithm, unwrapped: Algorithm, extractable: boolean, usages: KeyUsage[]): Promise<CryptoKey>;
  verify(algorithm: Algorithm, key: CryptoKey, signature: BufferSource, data: BufferSource): Promise<boolean>;
  wrapKey(format: KeyFormat, key: CryptoKey, wrapping: CryptoKey, algorithm: Algorithm): Promise<ArrayBuffer>;
}

/** A digest of what is written to it. */
interface DigestStream extends WritableStream<BufferSource | string> {
  readonly digest: Promise<ArrayBuffer>;
  readonly bytesWritten: bigint;
}

declare class Crypto {
  private constructor();
  readonly subtle: SubtleCrypto;
  readonly DigestStream: new (algorithm: HashAlgorithm) => DigestStream;
  getRandomValues<T extends ArrayBufferView>(into: T): T;
  randomUUID(): `${string}-${string}-${string}-${string}-${string}`;
}

declare const crypto: Crypto;
