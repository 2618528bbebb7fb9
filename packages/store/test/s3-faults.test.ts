// Each answer a server can give but the right one: told apart by its true cause, with what to do about it.

import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import {
  type ObjectStore,
  openStore,
  type StoreError,
  type StoreLocation,
  type StoreOptions,
} from "../src/index.ts";
import { collect, failureOf } from "./contract.ts";
import { type FakeAnswer, type FakeS3, type FakeS3Options, type Rule, startFakeS3 } from "./fake-s3.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const MANY = Number.POSITIVE_INFINITY;

let fakes: FakeS3[] = [];
let stores: ObjectStore[] = [];

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await Promise.all(fakes.map((fake) => fake.close()));
  fakes = [];
  stores = [];
});

async function start(options: FakeS3Options = {}): Promise<FakeS3> {
  const fake = await startFakeS3(options);
  fakes.push(fake);
  return fake;
}

async function open(location: StoreLocation, options: StoreOptions = {}): Promise<ObjectStore> {
  const store = await openStore(location, { env: {}, ...options });
  stores.push(store);
  return store;
}

async function startAndOpen(options: FakeS3Options = {}): Promise<{ fake: FakeS3; store: ObjectStore }> {
  const fake = await start(options);
  return { fake, store: await open(fake.location) };
}

const OPERATIONS: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  get: (store) => store.get("key"),
  head: (store) => store.head("key"),
  list: (store) => collect(store.list("key")),
  put: (store) => store.put("key", text("mine")),
  putIfAbsent: (store) => store.putIfAbsent("key", text("mine")),
  putIfMatch: (store) => store.putIfMatch("key", text("mine"), "0".repeat(32)),
  delete: (store) => store.delete("key"),
};

const READS = ["get", "head", "list"];
const CONDITIONAL = ["putIfAbsent", "putIfMatch"];

/** Every operation, each against a server of its own whose every answer is `answer`. */
async function failures(
  answer: Partial<FakeAnswer>,
): Promise<{ name: string; error: StoreError; sent: number }[]> {
  const all = Object.entries(OPERATIONS).map(async ([name, operation]) => {
    const { fake, store } = await startAndOpen();
    fake.inject({ times: MANY, fault: { answer } });
    return { name, error: await failureOf(operation(store)), sent: fake.requests.length };
  });
  return await Promise.all(all);
}

function xml(code: string, more = ""): Uint8Array {
  return text(
    `<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>what it says</Message>${more}</Error>`,
  );
}

describe("a redirect", () => {
  test.each([301, 302, 307, 308])(
    "%i is not followed with credentials, wherever it leads",
    async (status) => {
      const elsewhere = await start();
      const headers = {
        location: `${elsewhere.endpoint}/fake-bucket/key`,
        "x-amz-bucket-region": "eu-west-3",
      };
      for (const { error, sent } of await failures({ status, headers, body: xml("PermanentRedirect") })) {
        expect(error).toMatchObject({ code: "REJECTED", status, landed: "no", retried: false });
        expect(error.hint).toContain("region eu-west-3, not us-east-1");
        expect(sent).toBe(1);
      }
      expect(elsewhere.requests).toEqual([]);
    },
  );

  test("names the endpoint that the server names, when it says no region", async () => {
    const body = xml("PermanentRedirect", "<Endpoint>bucket.s3.eu-west-3.amazonaws.com</Endpoint>");
    const [first] = await failures({ status: 301, body });
    expect(first!.error.hint).toContain("bucket.s3.eu-west-3.amazonaws.com");
  });
});

describe("another region than the bucket's", () => {
  test("is named, also where an answer has no body", async () => {
    const fake = await start({ region: "eu-central-1" });
    const store = await open({ ...fake.location, region: "us-east-1" });
    for (const operation of Object.values(OPERATIONS)) {
      const error = await failureOf(operation(store));
      expect(error).toMatchObject({ code: "REJECTED", status: 400, landed: "no" });
      expect(error.hint).toContain("the bucket is in region eu-central-1, not us-east-1");
    }
  });

  test("is asked for where a HEAD's answer does not name it", async () => {
    const fake = await start({ region: "eu-central-1", profile: "minio" });
    const explainRegion = (theirs: string): string => `it is ${theirs}`;
    const store = await open({ ...fake.location, region: "us-east-1" }, { explainRegion });
    expect(await failureOf(store.head("key"))).toMatchObject({
      code: "REJECTED",
      hint: "it is eu-central-1",
    });
    expect(fake.requests.map(({ method, headers }) => [method, headers.range])).toEqual([
      ["HEAD", undefined],
      ["GET", "bytes=0-0"],
    ]);
  });

  test("is named from the error's XML alone", async () => {
    const [get] = await failures({
      status: 400,
      body: xml("AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"),
    });
    expect(get!.error.hint).toContain("region ap-south-1");
  });
});

describe("a refusal of access", () => {
  test("to a HEAD says what is wrong with the key, as one to a GET does", async () => {
    const fake = await start({ profile: "minio" });
    const wrong = await open({ ...fake.location, secretAccessKey: "wrong" });
    expect((await failureOf(wrong.head("key"))).hint).toContain("the secret access key does not fit");
    const unknown = await open({ ...fake.location, accessKeyId: "NOBODY" });
    expect((await failureOf(unknown.head("key"))).hint).toContain("does not know the access key id");
  });

  test("of a key that is not there says that this key may not list", async () => {
    const { store } = await startAndOpen({ mayList: false });
    for (const read of [store.get, store.head]) {
      const error = await failureOf(read("missing"));
      expect(error).toMatchObject({ code: "ACCESS_DENIED", status: 403 });
      expect(error.hint).toContain("or it does not exist and this key may not list");
    }
  });

  test("of a write names the permission, and the write has not landed", async () => {
    const fake = await start();
    const store = await open({ ...fake.location, ...fake.readOnlyCredentials });
    for (const name of ["put", "putIfAbsent", "putIfMatch", "delete"]) {
      const error = await failureOf(OPERATIONS[name]!(store));
      expect(error).toMatchObject({ code: "ACCESS_DENIED", status: 403, landed: "no" });
      expect(error.hint).toContain("s3:PutObject");
    }
    expect(fake.objects.size).toBe(0);
  });

  test.each([
    [{ accessKeyId: "UNKNOWN" }, "does not know the access key id"],
    [{ secretAccessKey: "wrong" }, "does not fit the access key id"],
    [{ sessionToken: "stale" }, "session token is not valid"],
  ])("for %o says which of the credentials it is", async (wrong, hint) => {
    const fake = await start();
    const error = await failureOf((await open({ ...fake.location, ...wrong })).get("key"));
    expect(error).toMatchObject({ code: "ACCESS_DENIED" });
    expect(error.hint).toContain(hint);
  });

  test.each([
    [3600_000, "60 minutes behind"],
    [-7200_000, "120 minutes ahead of"],
  ])("for a clock that is %i ms off says so, also where an answer has no body", async (offset, hint) => {
    const { store } = await startAndOpen({ now: () => Date.now() + offset });
    for (const operation of Object.values(OPERATIONS)) {
      const error = await failureOf(operation(store));
      expect(error).toMatchObject({ code: "ACCESS_DENIED", status: 403, landed: "no" });
      expect(error.hint).toContain(`set this machine's clock: it is ${hint} the server's`);
    }
  });

  test("401 is one too", async () => {
    for (const { error } of await failures({ status: 401 }))
      expect(error).toMatchObject({ code: "ACCESS_DENIED" });
  });
});

test("a session token goes with every request", async () => {
  const { fake, store } = await startAndOpen({ sessionToken: "the token" });
  await store.put("key", text("x"));
  expect((await store.get("key"))?.body).toEqual(text("x"));
  expect(fake.requests.map((request) => request.headers["x-amz-security-token"])).toEqual([
    "the token",
    "the token",
  ]);
});

describe("not found", () => {
  test("that is a page of somebody else's is no missing key", async () => {
    const page = { status: 404, headers: { "content-type": "text/html" }, body: text("<h1>Not Found</h1>") };
    for (const { name, error } of await failuresButHead(page))
      expect({ name, code: error.code, landed: error.landed }).toEqual({
        name,
        code: "REJECTED",
        landed: READS.includes(name) ? "no" : "unknown",
      });
  });

  test("of the bucket is not taken for one of the key, even when deleting", async () => {
    for (const { error } of await failuresButHead({ status: 404, body: xml("NoSuchBucket") }))
      expect(error).toMatchObject({ code: "BUCKET_MISSING", status: 404, landed: "no" });
  });

  test("of the key is PRECONDITION_FAILED to putIfMatch", async () => {
    const { store } = await startAndOpen({ profile: "minio" });
    expect(await failureOf(store.putIfMatch("key", text("x"), "0".repeat(32)))).toMatchObject({
      code: "PRECONDITION_FAILED",
      status: 404,
      landed: "no",
    });
  });

  /** A HEAD has no body that would tell: it is null, as the interface says. */
  async function failuresButHead(
    answer: Partial<FakeAnswer>,
  ): Promise<{ name: string; error: StoreError }[]> {
    const { fake, store } = await startAndOpen();
    fake.inject({ times: MANY, fault: { answer } });
    expect(await store.head("key")).toBeNull();
    const others = Object.entries(OPERATIONS).filter(([name]) => name !== "head");
    return await Promise.all(
      others.map(async ([name, operation]) => ({ name, error: await failureOf(operation(store)) })),
    );
  }
});

describe("a conflict", () => {
  test("409 is a lost race for a conditional write, and a refusal for any other", async () => {
    for (const { name, error, sent } of await failures({
      status: 409,
      body: xml("ConditionalRequestConflict"),
    })) {
      const code = CONDITIONAL.includes(name) ? "PRECONDITION_FAILED" : "REJECTED";
      expect({ name, code: error.code, landed: error.landed, sent }).toEqual({
        name,
        code,
        landed: "no",
        sent: 1,
      });
    }
  });

  test("412 to what was not conditional is a refusal", async () => {
    for (const { name, error } of await failures({ status: 412, body: xml("PreconditionFailed") }))
      expect({ name, code: error.code }).toEqual({
        name,
        code: CONDITIONAL.includes(name) ? "PRECONDITION_FAILED" : "REJECTED",
      });
  });
});

describe("a server that cannot do it now", () => {
  test.each([429, 500, 502, 503, 504])(
    "%i is tried three times, but a conditional write once",
    async (status) => {
      for (const { name, error, sent } of await failures({ status, body: xml("SlowDown") })) {
        const once = CONDITIONAL.includes(name);
        expect(error).toMatchObject({ code: "UNREACHABLE", status, retried: !once });
        expect({ name, sent, landed: error.landed }).toEqual({
          name,
          sent: once ? 1 : 3,
          landed: READS.includes(name) ? "no" : "unknown",
        });
      }
    },
  );

  test("that recovers before the third try goes unnoticed", async () => {
    const { fake, store } = await startAndOpen();
    await store.put("old", text("x"));
    fake.inject({ method: "PUT", times: 2, fault: { answer: { status: 503, body: xml("SlowDown") } } });
    fake.inject({ method: "GET", times: 2, fault: { answer: { status: 429 } } });
    const [read] = await Promise.all([store.get("old"), store.put("new", text("y"))]);
    expect(read?.body).toEqual(text("x"));
    expect(fake.objects.get("new")!.body).toEqual(Buffer.from("y"));
    expect(fake.requests).toHaveLength(7);
  });

  test("is waited for as long as it asks, when that is not long", async () => {
    const { fake, store } = await startAndOpen();
    fake.inject({ fault: { answer: { status: 503, headers: { "retry-after": "1" } } } });
    const start = performance.now();
    await store.head("key");
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  test.each([
    ["in seconds", () => "3600"],
    ["as a date", () => new Date(Date.now() + 3600_000).toUTCString()],
  ])("that asks to wait an hour, %s, is not waited for, and the error says so", async (_form, retryAfter) => {
    const { fake, store } = await startAndOpen();
    fake.inject({
      times: MANY,
      fault: { answer: { status: 503, headers: { "retry-after": retryAfter() } } },
    });
    const error = await failureOf(store.get("key"));
    expect(error).toMatchObject({ code: "UNREACHABLE", status: 503, retried: false });
    expect(error.hint).toMatch(/asks to wait 3[56][0-9]{2} s/);
    expect(fake.requests).toHaveLength(1);
  });

  test("501 is NOT_SUPPORTED, and not tried again", async () => {
    for (const { error, sent } of await failures({ status: 501, body: xml("NotImplemented") })) {
      expect(error).toMatchObject({ code: "NOT_SUPPORTED", status: 501, landed: "no" });
      expect(sent).toBe(1);
    }
  });
});

test.each([400, 405, 411, 413, 416, 418])("%i is REJECTED, with the server's own words", async (status) => {
  for (const { name, error, sent } of await failures({ status, body: xml("SomeReason") })) {
    expect(error).toMatchObject({ code: "REJECTED", status, landed: "no" });
    // A HEAD has no words; of a 400 they are asked for.
    const isMute = name === "head" && status !== 400;
    expect(error.message).toContain(isMute ? `(${status})` : `(${status} SomeReason: what it says)`);
    expect(sent).toBe(name === "head" && status === 400 ? 2 : 1);
  }
});

test.each([
  [300, "", "redirected elsewhere", "set the endpoint to the one that serves this bucket"],
  [400, "ExpiredToken", "access denied", "the session token is not valid any more"],
  [400, "EntityTooLarge", "too large for the server", "raise the limit of the server"],
  [413, "", "too large for the server", "raise the limit of the server"],
  [404, "NoSuchBucket", "there is no such bucket", "create the bucket"],
  [404, "", "not found, in words that S3 does not use", "is the endpoint that of an S3 server?"],
  [400, "Odd", "the server refused", "check endpoint, region and bucket"],
  [501, "NotImplemented", "the server does not do this", "vsync doctor"],
])("%i %s is told by its cause, with what to do", async (status, code, why, hint) => {
  const { fake, store } = await startAndOpen();
  fake.inject({ fault: { answer: { status, body: code === "" ? text("") : xml(code) } } });
  const error = await failureOf(store.get("key"));
  expect(error.message).toContain(why);
  expect(error.hint).toContain(hint);
});

test.each([
  [412, "PreconditionFailed", "somebody else has written it"],
  [404, "NoSuchKey", "it is not there any more"],
])("%i of a conditional write says what happened: %s", async (status, code, why) => {
  const { fake, store } = await startAndOpen();
  fake.inject({ method: "PUT", fault: { answer: { status, body: xml(code) } } });
  expect(await failureOf(store.putIfAbsent("key", text("x")))).toMatchObject({
    code: "PRECONDITION_FAILED",
    message: expect.stringContaining(why),
    hint: "read it again",
  });
});

test("407 says that a proxy answered", async () => {
  const [get] = await failures({ status: 407 });
  expect(get!.error).toMatchObject({ code: "UNREACHABLE", status: 407 });
  expect(get!.error.message).toContain("proxy");
});

describe("a refusal", () => {
  const put = async (store: ObjectStore): Promise<StoreError> =>
    await failureOf(store.putIfAbsent("key", text("x")));

  test.each([404, 405, 407, 408, 413, 425, 499])(
    "%i without S3's own words may come after the write",
    async (status) => {
      const { fake, store } = await startAndOpen();
      fake.inject({ method: "PUT", fault: { answer: { status, body: text("") }, when: "after" } });
      expect(await put(store)).toMatchObject({ status, landed: "unknown" });
      expect(fake.objects.has("key")).toBe(true);
    },
  );

  test.each([
    [400, ""],
    [401, ""],
    [403, ""],
    [501, ""],
    [405, "MethodNotAllowed"],
    [413, "EntityTooLarge"],
  ])("%i %s says that nothing was written", async (status, code) => {
    const { fake, store } = await startAndOpen();
    const body = code === "" ? text("") : xml(code);
    fake.inject({ method: "PUT", fault: { answer: { status, body } } });
    expect(await put(store)).toMatchObject({ status, landed: "no" });
  });

  test("says nothing of a sending before it, whose answer was lost", async () => {
    const { fake, store } = await startAndOpen();
    fake.inject({ method: "PUT", fault: { cut: "after" } });
    fake.inject({ method: "PUT", fault: { answer: { status: 403 } } });
    expect(await failureOf(store.put("key", text("x")))).toMatchObject({
      status: 403,
      landed: "unknown",
      retried: true,
    });
  });
});

describe("a 200 that is none", () => {
  test("without an ETag, as a portal's page is, is no object and no acknowledgement", async () => {
    const page = { status: 200, headers: { "content-type": "text/html" }, body: text("<h1>Welcome</h1>") };
    for (const { name, error } of await failures(page)) {
      expect({ name, code: error.code, landed: error.landed }).toEqual({
        name,
        code: "REJECTED",
        landed: READS.includes(name) ? "no" : "unknown",
      });
    }
  });

  test("with an error in its body is that error, and a write may have landed", async () => {
    const { fake, store } = await startAndOpen();
    const answer = { status: 200, headers: { etag: '"0123"' }, body: xml("InternalError") };
    fake.inject({ method: "PUT", times: MANY, fault: { answer, when: "after" } });
    for (const name of ["put", "putIfAbsent"])
      expect(await failureOf(OPERATIONS[name]!(store))).toMatchObject({
        code: "REJECTED",
        landed: "unknown",
      });
    fake.inject({ method: "GET", key: "", fault: { answer: { status: 200, body: xml("InternalError") } } });
    expect(await failureOf(collect(store.list("")))).toMatchObject({ code: "REJECTED" });
  });

  test.each([204, 206, 304])("%i is no object", async (status) => {
    const { fake, store } = await startAndOpen();
    await store.put("key", text("x"));
    fake.inject({ times: MANY, fault: { answer: { status, headers: { etag: '"0123"' } } } });
    expect(await failureOf(store.get("key"))).toMatchObject({ code: "REJECTED", status });
    expect(await failureOf(store.head("key"))).toMatchObject({ code: "REJECTED", status });
  });
});

describe("a listing", () => {
  const listing = (inner: string, times = MANY): Rule => ({
    key: "",
    times,
    fault: {
      answer: {
        status: 200,
        body: text(`<?xml version="1.0"?><ListBucketResult>${inner}</ListBucketResult>`),
      },
    },
  });
  const entry = (key: string): string => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;

  test("that never ends is stopped when it repeats itself", async () => {
    const { fake, store } = await startAndOpen();
    fake.inject(
      listing(
        `<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>${entry("a")}`,
      ),
    );
    expect(await failureOf(collect(store.list("")))).toMatchObject({ code: "REJECTED" });
    expect(fake.requests).toHaveLength(2);
  });

  test("that never ends is stopped when it goes round in a circle", async () => {
    const { fake, store } = await startAndOpen();
    for (const token of ["one", "two", "one"])
      fake.inject(
        listing(
          `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>${entry("a")}`,
          1,
        ),
      );
    expect(await failureOf(collect(store.list("")))).toMatchObject({ code: "REJECTED" });
    expect(fake.requests).toHaveLength(3);
  });

  test("that is cut off without saying where to go on is an error, not the end", async () => {
    const { fake, store } = await startAndOpen();
    fake.inject(listing(`<IsTruncated>true</IsTruncated>${entry("a")}`));
    expect(await failureOf(collect(store.list("")))).toMatchObject({ code: "REJECTED" });
  });

  test("of a server that does not encode keys has them as they are", async () => {
    const { fake, store } = await startAndOpen();
    fake.inject(listing(entry("a+b%20c")));
    expect((await collect(store.list(""))).map((item) => item.key)).toEqual(["a+b%20c"]);
  });

  test("has the characters that XML writes otherwise", async () => {
    const { fake, store } = await startAndOpen();
    fake.inject(listing(entry("&lt;a&amp;b&#x20;&#99;&quot;&apos;&gt;")));
    expect((await collect(store.list(""))).map((item) => item.key)).toEqual([`<a&b c"'>`]);
  });

  test.each([
    ["cut off in the middle", `<ListBucketResult>${entry("a")}<Contents><Key>b</Key>`],
    ["with a size that is none", "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"],
    ["with an entity that XML does not have", `<ListBucketResult>${entry("&nbsp;")}</ListBucketResult>`],
    ["with an ampersand alone", `<ListBucketResult>${entry("a&b")}</ListBucketResult>`],
    ["with attributes", `<ListBucketResult><Contents x="1">${entry("a").slice(10)}</ListBucketResult>`],
    ["with an entry that is not closed", `<ListBucketResult><Contents>${entry("a")}</ListBucketResult>`],
    ["with an entry in a comment", `<ListBucketResult><!--${entry("a")}--></ListBucketResult>`],
    ["with CDATA", `<ListBucketResult>${entry("<![CDATA[a]]>")}</ListBucketResult>`],
    [
      "with another number of keys than it says",
      `<ListBucketResult><KeyCount>2</KeyCount>${entry("a")}</ListBucketResult>`,
    ],
    [
      "that does not say whether there is more",
      `<ListBucketResult><IsTruncated> true </IsTruncated></ListBucketResult>`,
    ],
    ["with a size in hexadecimal", `<ListBucketResult>${entry("a").replace("1", "0x1")}</ListBucketResult>`],
    ["with an entity of an object's name", `<ListBucketResult>${entry("&constructor;")}</ListBucketResult>`],
    ["of keys that were not asked for", `<ListBucketResult>${entry("other/a")}</ListBucketResult>`],
  ])("%s is an error", async (_what, xml) => {
    const { fake, store } = await startAndOpen();
    fake.inject({ key: "", fault: { answer: { status: 200, body: text(xml) } } });
    const prefix = xml.includes("other/") ? "mine/" : "";
    expect(await failureOf(collect(store.list(prefix)))).toMatchObject({ code: "REJECTED" });
  });

  test("is tried again in the middle", async () => {
    const { fake, store } = await startAndOpen({ pageSize: 2 });
    for (const key of ["a", "b", "c", "d", "e"]) await store.put(key, text(key));
    fake.inject({ key: "", skip: 1, fault: { answer: { status: 503 } } });
    expect((await collect(store.list(""))).map((item) => item.key)).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("larger than any that S3 sends is TOO_LARGE before it is held or parsed", async () => {
    const { fake, store } = await startAndOpen();
    const body = Buffer.alloc(17 * 1024 * 1024, "<Contents>");
    fake.inject({ key: "", fault: { answer: { status: 200, body } } });
    expect(await failureOf(collect(store.list("")))).toMatchObject({ code: "TOO_LARGE" });
  });

  test("with entities that explode is refused", async () => {
    const { fake, store } = await startAndOpen();
    const levels = Array.from({ length: 12 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join(
      "",
    );
    const body = text(
      `<!DOCTYPE x [<!ENTITY e0 "boom">${levels}]><ListBucketResult>${entry("&e12;")}</ListBucketResult>`,
    );
    fake.inject({ key: "", fault: { answer: { status: 200, body } } });
    const outcome = await collect(store.list("")).catch((error: StoreError) => error.code);
    expect(outcome).toBe("REJECTED");
  });
});

describe("an error's body", () => {
  test("of any size is read no further than it could say something", async () => {
    const body = Buffer.concat([xml("AccessDenied"), Buffer.alloc(5 * 1024 * 1024, " ")]);
    for (const { name, error } of await failures({ status: 403, body })) {
      expect(error).toMatchObject({ code: "ACCESS_DENIED" });
      if (name !== "head") expect(error.message).toContain("AccessDenied");
    }
  });

  test("cannot write on a terminal, nor at length", async () => {
    const nasty = `\u001b]52;c;aGk=\u0007\r\u202e${"long ".repeat(100)}`;
    const [get] = await failures({
      status: 403,
      body: text(`<Error><Code>AccessDenied</Code><Message>${nasty}</Message></Error>`),
    });
    expect(get!.error.message).toMatch(/^[ -~]{1,400}$/);
  });

  test("that is not UTF-8, not XML, or has no code is passed over", async () => {
    for (const body of [
      Buffer.from([0xff, 0xfe, 0x3c]),
      text("<html>"),
      text("<Error></Error>"),
      text("<Error><Code>\u001b[2J</Code></Error>"),
    ]) {
      const [get] = await failures({ status: 403, body });
      expect(get!.error.message).toMatch(/\(403\)$/);
    }
  });
});

test("an answer encoded on the way is CORRUPT, not decoded and not passed on", async () => {
  const { fake, store } = await startAndOpen();
  await store.put("key", text("x"));
  const change = (own: FakeAnswer): FakeAnswer => ({
    ...own,
    headers: { ...own.headers, "content-encoding": "gzip" },
  });
  fake.inject({ fault: { change } });
  const error = await failureOf(store.get("key"));
  expect(error).toMatchObject({ code: "CORRUPT" });
  expect(error.message).toContain("gzip");
});

test("an ETag made weak on the way is the one the server knows", async () => {
  const { fake, store } = await startAndOpen();
  const { etag } = await store.put("key", text("x"));
  const change = (own: FakeAnswer): FakeAnswer => ({
    ...own,
    headers: { ...own.headers, etag: `W/${own.headers.etag}` },
  });
  fake.inject({ fault: { change } });
  expect((await store.get("key"))?.etag).toBe(etag);
});

test("no error shows the credentials, however it is turned into text", async () => {
  const secrets = { secretAccessKey: "canary-secret-key", sessionToken: "canary-token" };
  const answered = [403, 500, 301, 200].map(async (status) => {
    const fake = await start();
    fake.inject({ times: MANY, fault: { answer: { status } } });
    return await open({ ...fake.location, ...secrets });
  });
  const nowhere = open({ ...(await start()).location, ...secrets, endpoint: "http://127.0.0.1:9" });
  const opened = await Promise.all([...answered, nowhere]);
  const errors = opened.flatMap((store) => [
    failureOf(store.putIfAbsent("key", text("x"))),
    failureOf(store.get("key")),
  ]);
  for (const error of await Promise.all(errors)) {
    const texts = [
      inspect(error, { depth: 20, showHidden: true }),
      JSON.stringify(error),
      String(error),
      error.stack,
      error.hint,
    ];
    expect(texts.join("\n")).not.toContain("canary");
  }
});
