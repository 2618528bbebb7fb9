// Reading ahead saves a round trip and changes nothing else.

import { openStore } from "@vsync/store";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FakeS3, startFakeS3 } from "../../../store/test/fake-s3.ts";
import { withReadAhead } from "../../src/vault/read-ahead.ts";

const LIMIT = { maxBytes: 1024 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("reading ahead", () => {
  let s3: FakeS3;
  beforeAll(async () => {
    s3 = await startFakeS3();
  });
  afterAll(() => s3.close());
  beforeEach(() => s3.objects.clear());

  const open = async () => withReadAhead(await openStore(s3.location, { env: {} }));
  const asked = (): number => s3.requests.filter(({ method }) => method === "GET").length;

  it("answers the next reading, and only that one", async () => {
    const { store, readAhead } = await open();
    const { etag } = await store.put("key", bytes("one"));
    const before = asked();
    readAhead("key", LIMIT);
    await store.head("key");
    expect(await store.get("key", LIMIT)).toMatchObject({ etag, body: bytes("one") });
    expect(asked()).toBe(before + 1);
    await store.get("key", LIMIT);
    expect(asked()).toBe(before + 2);
    await store.close();
  });

  it.each(["put", "putIfAbsent", "putIfMatch", "delete"] as const)(
    "is forgotten by a %s of this key: what is there now is read",
    async (how) => {
      const { store, readAhead } = await open();
      const before = how === "putIfAbsent" ? null : (await store.put("key", bytes("one"))).etag;
      readAhead("key", LIMIT);
      readAhead("other", LIMIT);
      if (how === "delete") await store.delete("key");
      else if (how === "putIfMatch") await store.putIfMatch("key", bytes("two"), before as string);
      else await store[how]("key", bytes("two"));
      expect((await store.get("key", LIMIT))?.body ?? null).toEqual(how === "delete" ? null : bytes("two"));
      await store.close();
    },
  );

  it("tells of a failure whoever comes for the answer", async () => {
    const { store, readAhead } = await open();
    s3.inject({ fault: { answer: { status: 403 } } });
    readAhead("key", LIMIT);
    await expect(store.get("key", LIMIT)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    await store.close();
  });

  it("is given up when the store is closed, though no answer has come", async () => {
    const { store, readAhead } = await open();
    s3.inject({ fault: { silence: "before" } });
    readAhead("key", LIMIT);
    const answer = store.get("key", LIMIT);
    await store.close();
    await expect(answer).rejects.toMatchObject({ code: "UNREACHABLE" });
  });
});
