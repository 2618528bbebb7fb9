// What every store must do: the suite that the folder, the fake server in each profile, and a real S3 server pass.

import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ObjectStore, StoreError, type StoreErrorCode } from "../src/index.ts";

export interface Subject {
  /** A new store on the same bucket: as another process would have it. */
  open(): Promise<ObjectStore>;
  openMissingBucket(): Promise<ObjectStore>;
  /** Null where there are no credentials. */
  readonly openWithWrongSecret: (() => Promise<ObjectStore>) | null;
  /** Everything the suite writes starts with this; ends in `/`. */
  readonly prefix: string;
  /** Whether an ETag changes with the metadata alone. On S3 it need not. */
  readonly etagCoversMetadata: boolean;
  /** Whether the store can hold keys with empty parts. */
  readonly holdsEmptyParts: boolean;
  /** Keys of one page of a listing: the suite lists more. */
  readonly pageSize: number;
  /** What conditional writes do. `ignored` and `refused` are servers that vsync does not publish to. */
  readonly conditions: "kept" | "ignored" | "refused";
}

const HOSTILE_PARTS = [
  "plain",
  "with space",
  "ünïcode-é-e\u0301-日本-🔑",
  "per%cent%2F%41%",
  "plus+plus",
  "?query=a&b=c",
  "#fragment",
  "quote\"'`",
  "<angle>&amp;",
  "back\\slash",
  "co:lon;semi",
  "star*(paren)!~",
  "$dollar^caret|pipe",
  "[bracket]{brace}",
  "@at=equals,comma",
  "...",
  ".hidden",
  "tr.ailing.",
  "line\nbreak\ttab",
  "v=20261122-070000",
];

const EMPTY_PARTS = ["a//b", "/leading", "trailing/"];

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The code and the fields that callers act on; fails when `action` succeeds or throws anything else. */
export async function failureOf(action: Promise<unknown>): Promise<StoreError> {
  const error = await action.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function describeContract(name: string, subject: Subject): void {
  describe(name, () => {
    let store: ObjectStore;
    const key = (rest: string): string => `${subject.prefix}${rest}`;
    const fresh = (): string => key(`${randomBytes(6).toString("hex")}/x`);
    const expectCode = async (action: Promise<unknown>, code: StoreErrorCode): Promise<StoreError> => {
      const error = await failureOf(action);
      expect({ code: error.code, landed: error.landed }).toEqual({ code, landed: "no" });
      expect(error.hint).not.toBe("");
      return error;
    };

    beforeAll(async () => {
      store = await subject.open();
    });

    afterAll(async () => {
      const keys = (await collect(store.list(subject.prefix))).map((item) => item.key);
      for (let n = 0; n < keys.length; n += 20)
        await Promise.all(keys.slice(n, n + 20).map((at) => store.delete(at)));
      await store.close();
    });

    test("a key that was never written is null", async () => {
      expect(await store.get(fresh())).toBeNull();
      expect(await store.head(fresh())).toBeNull();
    });

    test("what was put comes back with its metadata, the same from get and head", async () => {
      const at = fresh();
      const metadata = {
        gen: "12",
        "rotated-at": "2026-11-22T07:00:00Z",
        "write-id": "0a".repeat(16),
        odd: "a  b = ~!",
      };
      const { etag } = await store.put(at, text("20261122-070000"), { metadata });
      const got = await store.get(at);
      expect(got).toMatchObject({ etag, size: 15, metadata, body: text("20261122-070000") });
      expect(got?.lastModified).toBeInstanceOf(Date);
      const { body: _, ...info } = got!;
      expect(await store.head(at)).toEqual({ ...info, date: expect.toBeOneOf([null, expect.any(Date)]) });
    });

    test("the body belongs to the caller: writing on it changes nothing that is read later", async () => {
      const at = fresh();
      await store.put(at, text("first"));
      (await store.get(at))!.body.fill(0);
      expect((await store.get(at))!.body).toEqual(text("first"));
    });

    test("an ETag has no quotes, and is another one for another body", async () => {
      const at = fresh();
      const one = await store.put(at, text("one"));
      const two = await store.put(at, text("two"));
      expect(one.etag).toMatch(/^[!#-~]+$/);
      expect(two.etag).not.toBe(one.etag);
      expect((await store.head(at))!.etag).toBe(two.etag);
    });

    test("a put replaces body and metadata together", async () => {
      const at = fresh();
      await store.put(at, text("same"), { metadata: { a: "1", b: "2" } });
      const { etag } = (await store.head(at))!;
      await store.put(at, text("same"), { metadata: { a: "3" } });
      const info = (await store.head(at))!;
      expect(info.metadata).toEqual({ a: "3" });
      if (subject.etagCoversMetadata) expect(info.etag).not.toBe(etag);
    });

    test("an empty value of metadata comes back empty or not at all", async () => {
      const at = fresh();
      await store.put(at, text("x"), { metadata: { "prev-ts": "", gen: "1" } });
      expect({ "prev-ts": "", ...(await store.head(at))!.metadata }).toEqual({ "prev-ts": "", gen: "1" });
    });

    test.each([
      ["a key in upper case", { Gen: "1" }],
      ["a key with a dot", { "a.b": "1" }],
      ["a line break", { a: "1\r\nx-amz-acl: public-read" }],
      ["space at the end", { a: "1 " }],
      ["what is not ASCII", { a: "é" }],
    ])("metadata that no store can hold is a TypeError: %s", async (_, metadata) => {
      const at = fresh();
      await expect(store.put(at, text("x"), { metadata })).rejects.toThrow(TypeError);
      expect(await store.head(at)).toBeNull();
    });

    test("an empty body", async () => {
      const at = fresh();
      await store.put(at, new Uint8Array());
      expect(await store.get(at)).toMatchObject({ size: 0, body: new Uint8Array() });
      expect(await collect(store.list(at))).toMatchObject([{ key: at, size: 0 }]);
    });

    test("a body of 20 MiB, byte for byte, also a view into a larger buffer", async () => {
      const at = fresh();
      const body = randomBytes(20 * 1024 * 1024 + 14).subarray(7, -7);
      const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
      await store.put(at, body);
      const got = (await store.get(at))!;
      expect(got.size).toBe(body.length);
      expect(digest(got.body)).toBe(digest(body));
    });

    test("maxBytes is the largest body that is accepted", async () => {
      const at = fresh();
      await store.put(at, new Uint8Array(1000).fill(7));
      expect((await store.get(at, { maxBytes: 1000 }))!.size).toBe(1000);
      await expectCode(store.get(at, { maxBytes: 999 }), "TOO_LARGE");
      await expectCode(store.get(at, { maxBytes: 0 }), "TOO_LARGE");
      expect((await store.get(at))!.size).toBe(1000); // the connection is as good as before
    });

    test("keys are kept apart and given back as they are, whatever they hold", async () => {
      const folder = `${fresh()}/`;
      const keys = [
        ...HOSTILE_PARTS.flatMap((part) => [`${folder}${part}`, `${folder}in/${part}/last`]),
        `${folder}${"k".repeat(240)}`,
        ...(subject.holdsEmptyParts ? EMPTY_PARTS.map((rest) => `${folder}e/${rest}`) : []),
      ];
      await Promise.all(keys.map((at) => store.put(at, text(at))));
      for (const at of keys) expect(new TextDecoder().decode((await store.get(at))?.body)).toBe(at);
      expect((await collect(store.list(folder))).map((item) => item.key)).toEqual(inByteOrder(keys));
    });

    if (!subject.holdsEmptyParts)
      test("a key that no file can be named after is refused", async () => {
        for (const rest of [...EMPTY_PARTS, `${"long".repeat(64)}/x`, "\ud800"]) {
          await expectCode(store.put(key(rest), text("x")), "REJECTED");
          await expectCode(store.get(key(rest)), "REJECTED");
        }
      });

    test("a list is every key with the prefix, exactly, in byte order", async () => {
      const folder = `${fresh()}/`;
      const names = ["a/z", "a-b", "a.b", "a/b/c", "a0", "A", "b", "a/b.c", "é", "\uffee", "🔑", "z"];
      for (const name of names) await store.put(folder + name, text(name));
      const listed = async (prefix: string): Promise<string[]> =>
        (await collect(store.list(folder + prefix))).map((item) => item.key.slice(folder.length));
      expect(await listed("")).toEqual(inByteOrder(names));
      expect(await listed("a")).toEqual(inByteOrder(names.filter((name) => name.startsWith("a"))));
      expect(await listed("a/")).toEqual(["a/b.c", "a/b/c", "a/z"]);
      expect(await listed("a/b")).toEqual(["a/b.c", "a/b/c"]);
      expect(await listed("a/b/c")).toEqual(["a/b/c"]);
      expect(await listed("a/b/c/")).toEqual([]);
      expect(await listed("nothing")).toEqual([]);
      const [first] = await collect(store.list(`${folder}a-b`));
      expect(first).toMatchObject({ size: 3, lastModified: expect.any(Date) });
    });

    test(`a list of more than ${subject.pageSize} keys`, async () => {
      const folder = `${fresh()}/`;
      const keys = Array.from(
        { length: subject.pageSize + 5 },
        (_, n) => `${folder}${String(n).padStart(5, "0")} +é`,
      );
      for (let n = 0; n < keys.length; n += 50)
        await Promise.all(keys.slice(n, n + 50).map((at) => store.put(at, new Uint8Array())));
      expect((await collect(store.list(folder))).map((item) => item.key)).toEqual(keys);
    }, 120_000);

    test("delete takes one key away; deleting what is not there is no error", async () => {
      const at = fresh();
      await store.put(at, text("x"));
      await store.put(`${at}y`, text("y"));
      await store.delete(at);
      await store.delete(at);
      expect(await store.get(at)).toBeNull();
      expect(await store.get(`${at}y`)).not.toBeNull();
    });

    if (subject.conditions === "kept")
      describe("conditional writes", () => {
        test("putIfAbsent writes a new key, and never over one", async () => {
          const at = fresh();
          const { etag } = await store.putIfAbsent(at, text("first"), { metadata: { gen: "1" } });
          await expectCode(store.putIfAbsent(at, text("second")), "PRECONDITION_FAILED");
          expect(await store.get(at)).toMatchObject({ etag, body: text("first"), metadata: { gen: "1" } });
          await store.delete(at);
          await store.putIfAbsent(at, text("third"));
        });

        test("putIfMatch takes each ETag that the store gives: from put, putIfAbsent, putIfMatch, get and head", async () => {
          const at = fresh();
          let { etag } = await store.putIfAbsent(at, text("0"));
          ({ etag } = await store.putIfMatch(at, text("1"), etag));
          ({ etag } = await store.putIfMatch(at, text("2"), etag));
          await store.putIfMatch(at, text("3"), (await store.get(at))!.etag);
          await store.putIfMatch(at, text("4"), (await store.head(at))!.etag, { metadata: { gen: "4" } });
          ({ etag } = await store.put(at, text("5")));
          await store.putIfMatch(at, text("6"), etag);
          expect((await store.get(at))!.body).toEqual(text("6"));
        });

        test("putIfMatch never writes over another state than the one it names", async () => {
          const at = fresh();
          const { etag } = await store.put(at, text("old"));
          await store.put(at, text("new"));
          // In a store that has not written yet, and in one that has learned how this server wants its ETags.
          for (const other of [await subject.open(), store]) {
            await expectCode(other.putIfMatch(at, text("mine"), etag), "PRECONDITION_FAILED");
            await expectCode(other.putIfMatch(at, text("mine"), "0".repeat(32)), "PRECONDITION_FAILED");
          }
          expect((await store.get(at))!.body).toEqual(text("new"));
        });

        test("putIfMatch does not bring back a key that is gone", async () => {
          const at = fresh();
          const { etag } = await store.put(at, text("x"));
          await store.delete(at);
          for (const other of [await subject.open(), store])
            await expectCode(other.putIfMatch(at, text("mine"), etag), "PRECONDITION_FAILED");
          expect(await store.get(at)).toBeNull();
        });

        test("of eight writers of a new key at once exactly one wins", async () => {
          for (let round = 0; round < 5; round++) {
            const at = fresh();
            await raceForOne(at, (writer, body) => writer.putIfAbsent(at, body));
          }
        });

        test("of eight writers over one state at once exactly one wins", async () => {
          const at = fresh();
          await store.put(at, text("base"));
          for (let round = 0; round < 5; round++) {
            const { etag } = (await store.head(at))!;
            await raceForOne(at, (writer, body) => writer.putIfMatch(at, body, etag));
          }
        });

        /** Each writer has a store of its own. A loser is told so, or (Ceph answers 500 to some) that it must look. */
        async function raceForOne(
          at: string,
          write: (writer: ObjectStore, body: Uint8Array) => Promise<unknown>,
        ): Promise<void> {
          const writers = await Promise.all(Array.from({ length: 8 }, () => subject.open()));
          const bodies = writers.map((_, n) => text(`writer ${n} ${randomBytes(8).toString("hex")}`));
          const outcomes = await Promise.allSettled(writers.map((writer, n) => write(writer, bodies[n]!)));
          const winners = bodies.filter((_, n) => outcomes[n]!.status === "fulfilled");
          expect(winners).toHaveLength(1);
          expect((await store.get(at))!.body).toEqual(winners[0]);
          for (const outcome of outcomes) {
            if (outcome.status === "fulfilled") continue;
            expect(outcome.reason).toBeInstanceOf(StoreError);
            const { code, landed } = outcome.reason as StoreError;
            expect(["PRECONDITION_FAILED no", "UNREACHABLE unknown"]).toContain(`${code} ${landed}`);
          }
          await Promise.all(writers.map((writer) => writer.close()));
        }
      });

    if (subject.conditions === "refused")
      test("conditional writes are NOT_SUPPORTED, and write nothing", async () => {
        const at = fresh();
        await expectCode(store.putIfAbsent(at, text("x")), "NOT_SUPPORTED");
        expect(await store.get(at)).toBeNull();
        const { etag } = await store.put(at, text("x"));
        await expectCode(store.putIfMatch(at, text("y"), etag), "NOT_SUPPORTED");
        expect((await store.get(at))!.body).toEqual(text("x"));
      });

    test("a bucket that is not there is told apart from a key that is not", async () => {
      const missing = await subject.openMissingBucket();
      await expectCode(missing.get(key("x")), "BUCKET_MISSING");
      await expectCode(missing.put(key("x"), text("x")), "BUCKET_MISSING");
      await expectCode(collect(missing.list(key(""))), "BUCKET_MISSING");
      await missing.close();
    });

    test("a signal that is aborted already, and one that aborts midway, end the request by its reason", async () => {
      const at = fresh();
      const reason = new Error("enough");
      const signal = AbortSignal.abort(reason);
      for (const operation of [
        () => store.get(at, { signal }),
        () => store.put(at, text("x"), { signal }),
        () => collect(store.list(at, { signal })),
      ])
        expect((await expectCode(operation(), "UNREACHABLE")).cause).toBe(reason);
      const controller = new AbortController();
      const upload = failureOf(
        store.put(at, new Uint8Array(64 * 1024 * 1024), { signal: controller.signal }),
      );
      setImmediate(() => controller.abort(reason));
      expect(await upload).toMatchObject({ code: "UNREACHABLE", cause: reason });
    });

    test("close can be called twice", async () => {
      const other = await subject.open();
      await other.head(fresh());
      await other.close();
      await other.close();
    });

    const openWithWrongSecret = subject.openWithWrongSecret;
    if (openWithWrongSecret !== null)
      test("a wrong secret is ACCESS_DENIED for every operation", async () => {
        const other = await openWithWrongSecret();
        await expectCode(other.get(key("x")), "ACCESS_DENIED");
        await expectCode(other.head(key("x")), "ACCESS_DENIED");
        await expectCode(other.put(key("x"), text("x")), "ACCESS_DENIED");
        await expectCode(other.putIfAbsent(key("x"), text("x")), "ACCESS_DENIED");
        await expectCode(other.putIfMatch(key("x"), text("x"), "0".repeat(32)), "ACCESS_DENIED");
        await expectCode(collect(other.list(key(""))), "ACCESS_DENIED");
        await expectCode(other.delete(key("x")), "ACCESS_DENIED");
        await other.close();
      });
  });
}

function inByteOrder(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
