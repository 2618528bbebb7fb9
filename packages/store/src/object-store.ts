// What a bucket can do, whoever keeps it: five operations, and the one error they end in (docs/formats.md section 10).

/** What is known about an object without its bytes. */
export interface ObjectInfo {
  /**
   * Names this content of this key. Opaque, without quotes: what `putIfMatch` takes.
   * On S3 it covers the body only, so a change of metadata alone keeps it.
   */
  readonly etag: string;
  /** Bytes of the body. */
  readonly size: number;
  /** As written: keys in lower case, values of printable ASCII. A value that was empty may be absent. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly lastModified: Date | null;
  /** The server's clock when it answered; null from a store that has none of its own. */
  readonly date: Date | null;
}

export interface StoredObject extends ObjectInfo {
  /** The caller's own: no other code keeps a reference to it. */
  readonly body: Uint8Array;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly lastModified: Date | null;
}

export interface WrittenObject {
  readonly etag: string;
}

/** Bytes of a body that have gone up or come down, of how many. */
export type Progress = (done: number, total: number) => void;

export interface RequestOptions {
  /** Aborting ends the request with `StoreError` UNREACHABLE, the signal's reason as its cause. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called as a large body moves, where that takes time (never by a folder, nor for an answer without a declared length).
   * A request that is sent again counts anew. Bytes that went up may still be on their way to the server.
   */
  readonly onProgress?: Progress | undefined;
}

/** 512 MiB: twice the largest bundle. */
export const DEFAULT_MAX_BYTES: number = 512 * 1024 * 1024;

export interface ReadOptions extends RequestOptions {
  /** A body of more bytes, declared or received, is TOO_LARGE and is not held in memory. Default: DEFAULT_MAX_BYTES. */
  readonly maxBytes?: number | undefined;
}

export interface WriteOptions extends RequestOptions {
  /** Keys `[a-z0-9-]+`, values printable ASCII without space at either end; anything else is a `TypeError`. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * A bucket. Every rejection is a `StoreError`, but for a `TypeError` on metadata that no store can hold.
 *
 * Reads, `put` and `delete` are tried up to three times. A conditional write is sent **once**: a second sending
 * would turn a lost answer into a 412 that reads like somebody else's win. When one fails with `landed: "unknown"`
 * the caller reads the key to find out, and may then send it again.
 */
export interface ObjectStore {
  /** Where it is, for messages: endpoint and bucket, no credential. */
  readonly description: string;
  /** Null: there is no such key. A missing bucket is BUCKET_MISSING. */
  get(key: string, options?: ReadOptions): Promise<StoredObject | null>;
  /** Null: there is no such key, or (S3 cannot tell them apart here) no such bucket. */
  head(key: string, options?: RequestOptions): Promise<ObjectInfo | null>;
  put(key: string, body: Uint8Array, options?: WriteOptions): Promise<WrittenObject>;
  /** PRECONDITION_FAILED when the key exists. */
  putIfAbsent(key: string, body: Uint8Array, options?: WriteOptions): Promise<WrittenObject>;
  /**
   * PRECONDITION_FAILED when the key's ETag is another one or the key is gone. `etag` is one that this interface
   * returned; which spelling of it the server understands is the store's business.
   */
  putIfMatch(key: string, body: Uint8Array, etag: string, options?: WriteOptions): Promise<WrittenObject>;
  /** Every key that starts with `prefix`, in byte order of its UTF-8. */
  list(prefix: string, options?: RequestOptions): AsyncIterable<ListedObject>;
  /** No error when the key is not there. */
  delete(key: string, options?: RequestOptions): Promise<void>;
  /** Ends idle connections. Idempotent. */
  close(): Promise<void>;
}

/**
 * - ACCESS_DENIED: the credentials or a permission were refused (on a folder: EACCES, EPERM)
 * - UNREACHABLE: DNS, TCP, TLS, silence, cut off midway, cancelled, 429 and 5xx; after the tries there are
 * - PRECONDITION_FAILED: a conditional write lost, certainly or (`landed`) perhaps to its own first sending
 * - BUCKET_MISSING: there is no such bucket, or no such folder
 * - NOT_SUPPORTED: the server answered 501
 * - REJECTED: any other answer; a key the store cannot hold; a redirect to another region or host
 * - TOO_LARGE: more than `maxBytes`, or an answer beyond what S3 ever sends
 * - CORRUPT: re-encoded on the way, or an object file that is damaged
 * - LOCAL_IO: disk full, EIO, a lock that does not come free: the folder store only
 */
export type StoreErrorCode =
  | "ACCESS_DENIED"
  | "UNREACHABLE"
  | "PRECONDITION_FAILED"
  | "BUCKET_MISSING"
  | "NOT_SUPPORTED"
  | "REJECTED"
  | "TOO_LARGE"
  | "CORRUPT"
  | "LOCAL_IO";

export interface StoreErrorDetails extends ErrorOptions {
  /** What to do about it. */
  readonly hint: string;
  /** The HTTP status, when there was an answer. */
  readonly status?: number | undefined;
  /** Of a write; a read never lands. Default "no". */
  readonly landed?: "no" | "unknown";
  readonly retried?: boolean;
}

/** How every operation of a store fails. The message says what happened and where, `hint` what to do; neither holds a secret. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly hint: string;
  readonly status: number | undefined;
  /** Whether a write may be there in spite of the error. "no" is certain. */
  readonly landed: "no" | "unknown";
  /** Whether the request had been sent before, so that the answer may be about its own earlier self. */
  readonly retried: boolean;

  constructor(code: StoreErrorCode, message: string, details: StoreErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.status = details.status;
    this.landed = details.landed ?? "no";
    this.retried = details.retried ?? false;
  }

  override get name(): string {
    return "StoreError";
  }
}

const METADATA_KEY = /^[a-z0-9-]+$/;
const METADATA_VALUE = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;

/** What both kinds of store can hold and give back unchanged. */
export function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    if (!METADATA_KEY.test(key)) throw new TypeError(`metadata key ${JSON.stringify(key)} is not [a-z0-9-]+`);
    if (!METADATA_VALUE.test(value))
      throw new TypeError(`the value of metadata ${key} is not printable ASCII`);
  }
}
