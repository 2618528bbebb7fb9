// Reading ahead saves a round trip and changes nothing else.

import { openStore } from "@vsync/store";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FakeS3, startFakeS3 } from "../../../store/test/fake-s3.ts";
import { openReadAhead } from "../../src/vault/read-ahead.ts";

const LIMIT = { maxBytes: 1024 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("reading ahead", () => {
  let s3: FakeS3;
  beforeAll(async () => {
    s3 = await startFakeS3();
  });
  afterAll(() => s3.close());
  beforeEach(() => s3.objects.clear());

  const open = async () => {
    const store = await openStore(s3.location, { env: {} });
    return { store, readAhead: openReadAhead(store) };
  };
  const asked = (): number => s3.requests.filter(({ method }) => method === "GET").length;

  it("has the answer for who comes first, and none for who comes later", async () => {
    const { store, readAhead } = await open();
    const { etag } = await store.put("key", bytes("one"));
    readAhead.expect("key", LIMIT);
    expect(await readAhead.take("key")).toMatchObject({ etag, body: bytes("one") });
    expect(readAhead.take("key")).toBeUndefined();
    expect(readAhead.take("other")).toBeUndefined();
    expect(asked()).toBe(1);
  });

  it("is nothing to who asks the store itself", async () => {
    const { store, readAhead } = await open();
    await store.put("key", bytes("one"));
    readAhead.expect("key", LIMIT);
    await store.put("key", bytes("two"));
    expect(await store.get("key", LIMIT)).toMatchObject({ body: bytes("two") });
  });

  it("tells of a failure whoever comes for the answer", async () => {
    const { readAhead } = await open();
    s3.inject({ fault: { answer: { status: 403 } } });
    readAhead.expect("key", LIMIT);
    await expect(readAhead.take("key")).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  it("is given up when it is closed, though no answer has come", async () => {
    const { readAhead } = await open();
    s3.inject({ fault: { silence: "before" } });
    readAhead.expect("key", LIMIT);
    const answer = readAhead.take("key");
    readAhead.close();
    await expect(answer).rejects.toMatchObject({ code: "UNREACHABLE" });
  });
});
