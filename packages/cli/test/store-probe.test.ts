import { randomBytes } from "node:crypto";
import { type ObjectStore, openStore, StoreError } from "@vsync/store";
import { describe, expect, test } from "vitest";
import { describeWithS3 } from "../../../test/s3-suite.ts";
import { probeStore, type StoreProbe } from "../src/setup/store-probe.ts";
import { makeWorkplace } from "./workplace.ts";

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size));

async function openFolder(): Promise<ObjectStore> {
  const location = { ...makeWorkplace(null).bucket, region: "", accessKeyId: "", secretAccessKey: "" };
  return await openStore(location, { createBucket: true });
}

/** A real folder bucket with some operations replaced. */
async function probeOdd(odd: (store: ObjectStore) => Partial<ObjectStore>): Promise<StoreProbe> {
  const store = await openFolder();
  return await probeStore({ ...delegate(store), ...odd(store) }, "p/", random);
}

// A store may be a class: its methods do not come along with a spread.
function delegate(store: ObjectStore): ObjectStore {
  return {
    description: store.description,
    get: (...args) => store.get(...args),
    head: (...args) => store.head(...args),
    put: (...args) => store.put(...args),
    putIfAbsent: (...args) => store.putIfAbsent(...args),
    putIfMatch: (...args) => store.putIfMatch(...args),
    list: (...args) => store.list(...args),
    delete: (...args) => store.delete(...args),
    close: () => store.close(),
  };
}

const refusal = (code: StoreError["code"]) => async (): Promise<never> => {
  throw new StoreError(code, code, { hint: "" });
};

test("a folder bucket does conditional writes, and nothing of the probe stays", async () => {
  const store = await openFolder();
  expect(await probeStore(store, "p/", random)).toEqual({ conditionalWrites: true, leftover: null });
  for await (const { key } of store.list("")) expect.unreachable(key);
});

describeWithS3("the S3 server", ({ location, prefix }) => {
  test("does conditional writes, every time it is asked", async () => {
    const store = await openStore(location);
    for (let round = 0; round < 5; round++) {
      expect(await probeStore(store, prefix, random)).toEqual({ conditionalWrites: true, leftover: null });
    }
    for await (const { key } of store.list(prefix)) expect.unreachable(key);
    await store.close();
  });
});

describe("conditional writes are found missing when the server", () => {
  test("ignores If-None-Match", async () => {
    const probe = await probeOdd((store) => ({ putIfAbsent: (key, body) => store.put(key, body) }));
    expect(probe.conditionalWrites).toBe(false);
  });

  test("ignores If-Match", async () => {
    const probe = await probeOdd((store) => ({ putIfMatch: (key, body) => store.put(key, body) }));
    expect(probe.conditionalWrites).toBe(false);
  });

  test("heeds If-Match among simultaneous writers only", async () => {
    let racing = true;
    const probe = await probeOdd((store) => ({
      get: async (...args) => {
        racing = false;
        return await store.get(...args);
      },
      putIfMatch: (key, body, etag) => (racing ? store.putIfMatch(key, body, etag) : store.put(key, body)),
    }));
    expect(probe.conditionalWrites).toBe(false);
  });

  test("answers 501 to them, and can be written otherwise", async () => {
    const no = refusal("NOT_SUPPORTED");
    expect(await probeOdd(() => ({ putIfAbsent: no, putIfMatch: no }))).toEqual({
      conditionalWrites: false,
      leftover: null,
    });
  });

  test("answers 501 to If-Match alone", async () => {
    expect((await probeOdd(() => ({ putIfMatch: refusal("NOT_SUPPORTED") }))).conditionalWrites).toBe(false);
  });
});

describe("a bucket that cannot be used is an error, not a finding:", () => {
  test.each(["ACCESS_DENIED", "UNREACHABLE", "BUCKET_MISSING", "REJECTED"] as const)(
    "%s on writing",
    async (code) => {
      await expect(probeOdd(() => ({ putIfAbsent: refusal(code) }))).rejects.toMatchObject({ code });
    },
  );

  test.each(["put", "get"] as const)("no conditional writes, and no %s either", async (operation) => {
    const odd = { putIfAbsent: refusal("NOT_SUPPORTED"), [operation]: refusal("ACCESS_DENIED") };
    await expect(probeOdd(() => odd)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  test("no reading", async () => {
    await expect(probeOdd(() => ({ get: refusal("ACCESS_DENIED") }))).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
  });
});

test("losers that fail in another way than 412 are losers", async () => {
  const probe = await probeOdd((store) => ({
    putIfAbsent: async (key, body) => {
      try {
        return await store.putIfAbsent(key, body);
      } catch (error) {
        throw new StoreError("UNREACHABLE", "500 to a loser of the race", {
          hint: "",
          status: 500,
          cause: error,
        });
      }
    },
  }));
  expect(probe.conditionalWrites).toBe(true);
});

test("a probe that may not be removed is named", async () => {
  const probe = await probeOdd(() => ({ delete: refusal("ACCESS_DENIED") }));
  expect(probe).toEqual({
    conditionalWrites: true,
    leftover: expect.stringMatching(/^p\/probe-[0-9a-f]{16}$/),
  });
});
