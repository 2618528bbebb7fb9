// A store whose requests go wrong on purpose: refused, unanswered, answered twice over, or never returning at all.

import { type ObjectStore, StoreError } from "@vsync/store";
import { preconditionFailed } from "./memory-store.ts";

export interface Request {
  /** From 0. */
  readonly index: number;
  readonly operation: "get" | "head" | "put" | "putIfAbsent" | "putIfMatch";
  readonly key: string;
}

/**
 * What becomes of a request.
 * - `refused`: 403, nothing done
 * - `unavailable`: 503 or a timeout, nothing done, though the caller cannot know
 * - `conflict`: 409, nothing done
 * - `lost-answer`: done, and then the connection breaks
 * - `lost-answer-412`: done, and then something on the way sends it again and hands on the 412
 * - `late`: a timeout, and the request is carried out only when the next one of the same kind arrives
 * - `crash-before`, `crash-after`: the caller's process is gone, before or after it was done
 */
export type Fault =
  | "refused"
  | "unavailable"
  | "conflict"
  | "lost-answer"
  | "lost-answer-412"
  | "late"
  | "crash-before"
  | "crash-after";

export const WRITE_FAULTS: readonly Fault[] = [
  "refused",
  "unavailable",
  "conflict",
  "lost-answer",
  "lost-answer-412",
  "late",
  "crash-before",
  "crash-after",
];
export const READ_FAULTS: readonly Fault[] = ["refused", "unavailable", "crash-before"];

export interface FaultyStore extends ObjectStore {
  /** All requests so far. */
  readonly requests: readonly Request[];
  /** Resolves when the process of this store's user is gone. From then on no request returns. */
  readonly crashed: Promise<"crashed">;
}

/** `decide` may also wait, to let others go first. */
export function faultyStore(
  store: ObjectStore,
  decide: (request: Request) => Fault | null | Promise<Fault | null>,
): FaultyStore {
  const requests: Request[] = [];
  const late: (() => Promise<unknown>)[] = [];
  let isDead = false;
  let die: (value: "crashed") => void = () => undefined;
  const crashed = new Promise<"crashed">((resolve) => {
    die = resolve;
  });
  const never = <T>(): Promise<T> => {
    isDead = true;
    die("crashed");
    return new Promise(() => undefined);
  };

  const run = async <T>(operation: Request["operation"], key: string, act: () => Promise<T>): Promise<T> => {
    if (isDead) return await never();
    const isWrite = operation.startsWith("put");
    const request = { index: requests.length, operation, key };
    requests.push(request);
    const fault = await decide(request);
    if (isDead) return await never();
    if (isWrite) for (const arrive of late.splice(0)) await arrive().catch(() => undefined);
    switch (fault) {
      case null:
        return await act();
      case "refused":
        throw new StoreError("ACCESS_DENIED", `403 on ${key}`, { hint: "", status: 403 });
      case "unavailable":
        throw new StoreError("UNREACHABLE", `503 on ${key}`, {
          hint: "",
          landed: isWrite ? "unknown" : "no",
        });
      case "conflict":
        throw new StoreError("REJECTED", `409 on ${key}`, { hint: "", status: 409 });
      case "lost-answer":
        await act();
        throw new StoreError("UNREACHABLE", `no answer on ${key}`, { hint: "", landed: "unknown" });
      case "lost-answer-412":
        await act();
        throw preconditionFailed(key);
      case "late":
        late.push(act);
        throw new StoreError("UNREACHABLE", `no answer on ${key}`, { hint: "", landed: "unknown" });
      case "crash-before":
        return await never();
      case "crash-after":
        await act();
        return await never();
    }
  };

  return {
    requests,
    crashed,
    description: store.description,
    get: (key, options) => run("get", key, () => store.get(key, options)),
    head: (key, options) => run("head", key, () => store.head(key, options)),
    put: (key, body, options) => run("put", key, () => store.put(key, body, options)),
    putIfAbsent: (key, body, options) => run("putIfAbsent", key, () => store.putIfAbsent(key, body, options)),
    putIfMatch: (key, body, etag, options) =>
      run("putIfMatch", key, () => store.putIfMatch(key, body, etag, options)),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key, options) => store.delete(key, options),
    close: async () => undefined,
  };
}
