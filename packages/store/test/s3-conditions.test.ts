// Which spelling of an ETag a server understands is found out without ever risking somebody else's write.

import { afterEach, describe, expect, test } from "vitest";
import { type ObjectStore, openStore } from "../src/index.ts";
import { failureOf } from "./contract.ts";
import { type FakeS3, type Profile, startFakeS3 } from "./fake-s3.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

let fake: FakeS3;

afterEach(() => fake.close());

async function startWith(
  profile: Profile,
): Promise<{ store: ObjectStore; etag: string; log: () => string[] }> {
  fake = await startFakeS3({ profile });
  const store = await openStore(fake.location);
  const { etag } = await store.put("key", text("base"));
  const from = fake.requests.length;
  /** `PUT "..." 412` and the like, since the start. */
  const log = (): string[] =>
    fake.requests.slice(from).map(({ method, headers, status }) => {
      const match = headers["if-match"]?.replace(etag, "etag");
      return [method, match, status].filter((part) => part !== undefined && part !== null).join(" ");
    });
  return { store, etag, log };
}

describe("putIfMatch", () => {
  test("sends one request to a server that takes ETags as HTTP has them", async () => {
    const { store, etag, log } = await startWith("aws");
    await store.putIfMatch("key", text("mine"), etag);
    expect(log()).toEqual(['PUT "etag" 200']);
  });

  test.each<Profile>(["ceph16", "spaces"])(
    "learns once that %s wants them without quotes",
    async (profile) => {
      const { store, etag, log } = await startWith(profile);
      const next = await store.putIfMatch("key", text("mine"), etag);
      expect(log()).toEqual(['PUT "etag" 412', "HEAD 200", "PUT etag 200"]);
      await store.putIfMatch("key", text("mine again"), next.etag);
      expect(log().slice(3)).toEqual([`PUT ${next.etag} 200`]);
    },
  );

  test.each<Profile>(["aws", "ceph16"])("that has lost does not send again, on %s", async (profile) => {
    const { store, etag, log } = await startWith(profile);
    await (await openStore(fake.location)).put("key", text("theirs"));
    expect(await failureOf(store.putIfMatch("key", text("mine"), etag))).toMatchObject({
      code: "PRECONDITION_FAILED",
      landed: "no",
      retried: false,
    });
    // On a server that ignores an If-Match it cannot parse, one more PUT would have been the lost update.
    expect(log()).toEqual(["PUT 200", 'PUT "etag" 412', "HEAD 200"]);
    expect(fake.objects.get("key")!.body).toEqual(Buffer.from("theirs"));
  });

  test("that has lost on a server whose spelling is known does not even look", async () => {
    const { store, etag, log } = await startWith("aws");
    await store.putIfMatch("key", text("mine"), etag);
    expect(await failureOf(store.putIfMatch("key", text("mine"), etag))).toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    expect(log()).toEqual(['PUT "etag" 200', 'PUT "etag" 412']);
  });

  test("loses to who writes between its look and its second sending", async () => {
    const { store, etag } = await startWith("ceph16");
    const other = await openStore(fake.location);
    let release = (): void => undefined;
    const hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    fake.inject({ method: "HEAD", fault: { hold, when: "after" } });
    const mine = failureOf(store.putIfMatch("key", text("mine"), etag));
    await expect.poll(() => fake.requests.at(-1)?.method).toBe("HEAD");
    await other.put("key", text("theirs"));
    release();
    expect(await mine).toMatchObject({ code: "PRECONDITION_FAILED", landed: "no" });
    expect(fake.objects.get("key")!.body).toEqual(Buffer.from("theirs"));
  });

  test("stays a lost race when the look fails", async () => {
    const { store, etag } = await startWith("ceph16");
    fake.inject({ method: "HEAD", fault: { answer: { status: 403 } } });
    expect(await failureOf(store.putIfMatch("key", text("mine"), etag))).toMatchObject({
      code: "PRECONDITION_FAILED",
      status: 412,
    });
    expect(fake.objects.get("key")!.body).toEqual(Buffer.from("base"));
  });

  test("does not take a stale look for leave to write: the second sending is judged by the server again", async () => {
    const { store, etag } = await startWith("ceph16");
    await (await openStore(fake.location)).put("key", text("theirs"));
    fake.inject({ method: "HEAD", fault: { stale: true } });
    expect(await failureOf(store.putIfMatch("key", text("mine"), etag))).toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    expect(fake.objects.get("key")!.body).toEqual(Buffer.from("theirs"));
  });
});

describe("a conditional write whose answer is lost", () => {
  test("has an unknown outcome and is not sent again, whether it landed or not", async () => {
    for (const cut of ["before", "after"] as const) {
      const { store, etag, log } = await startWith("aws");
      fake.inject({ method: "PUT", times: 2, fault: { cut } });
      const failure = { code: "UNREACHABLE", landed: "unknown", retried: false };
      expect(await failureOf(store.putIfMatch("key", text("mine"), etag))).toMatchObject(failure);
      expect(await failureOf(store.putIfAbsent("new", text("mine")))).toMatchObject(failure);
      expect(log()).toHaveLength(2);
      expect(fake.objects.has("new")).toBe(cut === "after");
      if (cut === "before") await fake.close();
    }
  });

  test("has one as well when a race is lost by a 500", async () => {
    const { store } = await startWith("ceph16");
    const other = await openStore(fake.location);
    // Both have passed the server's first look before either comes to its second.
    const hold = expect.poll(() => fake.requests.filter(({ key }) => key === "race").length).toBe(2);
    fake.inject({ key: "race", times: 2, fault: { hold, when: "midway" } });
    const outcomes = await Promise.allSettled([
      store.putIfAbsent("race", text("one")),
      other.putIfAbsent("race", text("two")),
    ]);
    const lost = outcomes.find((outcome) => outcome.status === "rejected");
    expect(lost?.reason).toMatchObject({ status: 500, code: "UNREACHABLE", landed: "unknown" });
  });
});

test("an unconditional write whose answer is lost is sent again", async () => {
  const { store, log } = await startWith("aws");
  fake.inject({ method: "PUT", fault: { cut: "after" } });
  fake.inject({ method: "DELETE", fault: { cut: "after" } });
  await store.put("key", text("mine"));
  await store.delete("key");
  expect(log()).toEqual(["PUT", "PUT 200", "DELETE", "DELETE 204"]);
});
