// What the folder store owes beyond the contract of every store: modes, links, damage, and what others put in its folder.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isMainThread } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeFolderObject } from "../src/folder-object.ts";
import { type ObjectStore, openStore, type StoreLocation } from "../src/index.ts";
import { nameOwnProcess } from "../src/process-name.ts";
import { collect, failureOf } from "./contract.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

let scratch: string;
let bucket: string;
let location: StoreLocation;
let store: ObjectStore;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "vsync-folder-"));
  bucket = join(scratch, "bucket");
  location = {
    endpoint: pathToFileURL(scratch).href,
    region: "",
    bucket: "bucket",
    accessKeyId: "",
    secretAccessKey: "",
  };
  store = await openStore(location, { createBucket: true });
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

describe("what is written", () => {
  test("is the object's one file, and its ETag the SHA-256 of that file", async () => {
    const { etag } = await store.put("demo/v=1", text("bytes"), { metadata: { gen: "1" } });
    expect(decodeFolderObject(new Uint8Array(readFileSync(join(bucket, "demo/v%3D1"))))).toEqual({
      etag,
      metadata: { gen: "1" },
      body: text("bytes"),
    });
  });

  test("is for its owner only, folders included, whatever the umask", async () => {
    // A worker, as mutation testing has it, can only live with the one it has.
    const umask = isMainThread ? process.umask(0) : null;
    try {
      await store.put("a/b/c", text("x"));
    } finally {
      if (umask !== null) process.umask(umask);
    }
    const modes = readdirSync(bucket, { recursive: true, encoding: "utf8" }).map((name) => {
      const stats = statSync(join(bucket, name));
      return [name, stats.isDirectory() ? "folder" : "file", (stats.mode & 0o777).toString(8)].join(" ");
    });
    expect(modes.sort()).toEqual([
      "@vsync folder 700",
      "@vsync/lock folder 700",
      "@vsync/lock/free file 600",
      "a folder 700",
      "a/b folder 700",
      "a/b/c file 600",
    ]);
    expect((statSync(bucket).mode & 0o777).toString(8)).toBe("700");
  });

  test("leaves nothing behind when it is refused or lost", async () => {
    await store.put("a", text("x"));
    await failureOf(store.putIfAbsent("a", text("y")));
    await failureOf(store.put("a/b", text("y")));
    expect(readdirSync(join(bucket, "@vsync"))).toEqual(["lock"]);
    expect(readdirSync(bucket).sort()).toEqual(["@vsync", "a"]);
  });

  test("clears away what killed writers left, and nothing that living ones need", async () => {
    const own = join(bucket, "@vsync");
    await store.put("a", text("x"));
    const [, ...rest] = nameOwnProcess().split(".");
    const gone = `temp.${endedPid()}.${rest.join(".")}.00`;
    const elsewhere = `temp.${process.pid}.1.${"0".repeat(16)}.00`;
    const living = `temp.${nameOwnProcess()}.00`;
    for (const name of [gone, elsewhere, living]) writeFileSync(join(own, name), "");
    mkdirSync(join(own, gone.replace("temp", "lock")));
    await store.put("a", text("y"));
    expect(readdirSync(own).sort()).toEqual(["lock", elsewhere, living].sort());
  });
});

describe("the bucket's folder", () => {
  test("is not made unless it was asked for", async () => {
    rmSync(bucket, { recursive: true });
    const careful = await openStore(location);
    for (const operation of [
      () => careful.get("a"),
      () => careful.head("a"),
      () => careful.put("a", text("x")),
      () => careful.delete("a"),
      () => collect(careful.list("")),
    ])
      expect(await failureOf(operation())).toMatchObject({ code: "BUCKET_MISSING" });
    expect(existsSync(bucket)).toBe(false);
  });

  test("may be a link, since that is the path its owner gave", async () => {
    symlinkSync(bucket, join(scratch, "linked"));
    const linked = await openStore({ ...location, bucket: "linked" });
    await linked.put("a/b", text("x"));
    expect((await store.get("a/b"))?.body).toEqual(text("x"));
  });

  test("a file in its place is no bucket", async () => {
    writeFileSync(join(scratch, "file"), "");
    const file = await openStore({ ...location, bucket: "file" });
    expect(await failureOf(file.get("a"))).toMatchObject({ code: "BUCKET_MISSING" });
  });

  test.each(["", ".", "..", "a/b", "../bucket", "a\\b", "a\0b"])(
    "%j is not a bucket's name",
    async (name) => {
      expect(await failureOf(openStore({ ...location, bucket: name }))).toMatchObject({ code: "REJECTED" });
    },
  );

  test.each([
    "file://host/path",
    "file:///a%2Fb",
    "ftp://host/",
    "not a url",
    "file:///x?query",
    "file:///x#fragment",
    "https://key:secret@host/",
  ])("%s is not an endpoint", async (endpoint) => {
    const error = await failureOf(openStore({ ...location, endpoint }));
    expect(error).toMatchObject({ code: "REJECTED" });
    expect(`${error.message} ${error.hint} ${error.cause}`).not.toContain("secret");
  });
});

test.each(["..bucket", "bucket.."])(
  "a bucket may be named %s, and its endpoint end in slashes",
  async (name) => {
    const dotted = await openStore(
      { ...location, endpoint: `${location.endpoint}//`, bucket: name },
      { createBucket: true },
    );
    await dotted.put("a", text("x"));
    expect(readdirSync(join(scratch, name)).sort()).toEqual(["@vsync", "a"]);
    expect(dotted.description).toBe(`folder ${join(scratch, name)}`);
  },
);

test("a part of a key may be as long as the name of a file", async () => {
  const longest = "k".repeat(255);
  await store.put(longest, text("x"));
  expect((await store.get(longest))?.body).toEqual(text("x"));
  expect(await failureOf(store.put(`${longest}k`, text("x")))).toMatchObject({ code: "REJECTED" });
});

describe("links inside the bucket", () => {
  const everyOperation = (key: string): (() => Promise<unknown>)[] => [
    () => store.get(key),
    () => store.head(key),
    () => store.put(key, text("x")),
    () => store.putIfAbsent(key, text("x")),
    () => store.putIfMatch(key, text("x"), "0".repeat(64)),
    () => store.delete(key),
  ];

  beforeEach(async () => {
    const outside = await openStore({ ...location, bucket: "outside" }, { createBucket: true });
    await outside.put("secret", text("not in the bucket"));
    await store.put("real/secret", text("in the bucket"));
  });

  test.each([
    ["an object that is a link to a file outside", "link", "../outside/secret", "link"],
    ["an object that is a link to another object", "link", "real/secret", "link"],
    ["an object that is a link to nothing", "link", "nowhere", "link"],
    ["a folder that is a link outside", "folder", "../outside", "folder/secret"],
    ["a folder that is a link to another folder", "folder", "real", "folder/secret"],
  ])("%s is refused by every operation", async (_, name, target, key) => {
    symlinkSync(target, join(bucket, name));
    for (const action of everyOperation(key))
      expect(await failureOf(action())).toMatchObject({ code: "REJECTED" });
    expect((await collect(store.list(""))).map((item) => item.key)).toEqual(["real/secret"]);
    expect(readFileSync(join(scratch, "outside/secret"), "utf8")).toContain("not in the bucket");
  });

  test("the store's own folder is not followed either", async () => {
    rmSync(join(bucket, "@vsync"), { recursive: true });
    mkdirSync(join(scratch, "trap"));
    symlinkSync("../trap", join(bucket, "@vsync"));
    expect(await failureOf(store.put("a", text("x")))).toMatchObject({ code: "REJECTED", landed: "no" });
    expect(await failureOf(store.delete("real/secret"))).toMatchObject({ code: "REJECTED" });
    expect(readdirSync(join(scratch, "trap"))).toEqual([]);
  });
});

describe("a damaged object", () => {
  test.each<[string, (path: string) => void]>([
    ["cut in its body", (path) => truncateSync(path, statSync(path).size - 1)],
    ["cut in its header", (path) => truncateSync(path, 10)],
    ["emptied", (path) => truncateSync(path, 0)],
    ["with a byte too many", (path) => writeFileSync(path, "x", { flag: "a" })],
    ["replaced by another file", (path) => writeFileSync(path, "DATABASE_URL=postgres://\n")],
  ])("is CORRUPT when %s, to get and head, and names the file", async (_, damage) => {
    await store.put("a/b", text("the bytes"));
    const path = join(bucket, "a/b");
    damage(path);
    for (const read of [store.get, store.head]) {
      const error = await failureOf(read("a/b"));
      expect(error).toMatchObject({ code: "CORRUPT" });
      expect(error.message).toContain(path);
    }
  });

  test("with a flipped bit in its body is CORRUPT to get; its ETag has changed for head and putIfMatch", async () => {
    const { etag } = await store.put("a", text("the bytes"));
    const path = join(bucket, "a");
    const file = readFileSync(path);
    file[file.length - 1]! ^= 1;
    writeFileSync(path, file);
    expect(await failureOf(store.get("a"))).toMatchObject({ code: "CORRUPT" });
    expect((await store.head("a"))?.etag).not.toBe(etag);
    expect(await failureOf(store.putIfMatch("a", text("x"), etag))).toMatchObject({
      code: "PRECONDITION_FAILED",
    });
  });

  test("can be put anew", async () => {
    await store.put("a", text("x"));
    truncateSync(join(bucket, "a"), 3);
    await store.put("a", text("y"));
    expect((await store.get("a"))?.body).toEqual(text("y"));
  });

  test("that claims to be huge is not read into memory", async () => {
    writeFileSync(join(bucket, "big"), `{"metadata":{},"size":${2 ** 40},"sha256":"${"a".repeat(64)}"}\n`);
    truncateSync(join(bucket, "big"), 2 ** 40);
    const error = await failureOf(store.get("big"));
    expect(["CORRUPT", "TOO_LARGE"]).toContain(error.code);
  });

  test("a FIFO in its place neither hangs nor passes for one", async () => {
    execFileSync("mkfifo", [join(bucket, "fifo")]);
    for (const operation of [
      () => store.get("fifo"),
      () => store.head("fifo"),
      () => store.putIfMatch("fifo", text("x"), "0"),
    ])
      expect(await failureOf(operation())).toMatchObject({ code: "CORRUPT" });
    expect(await collect(store.list(""))).toEqual([]);
  });

  test("nor does a socket", async () => {
    const server = createServer().listen(join(bucket, "socket"));
    await once(server, "listening");
    expect(await failureOf(store.get("socket"))).toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("is not a regular file"),
    });
    server.close();
  });
});

describe("a list", () => {
  test("passes over what is no object: desktops and file carriers leave files of their own", async () => {
    await store.put("demo/manifest", text("x"));
    for (const name of [".DS_Store", "desktop.ini", "demo/.stignore", "demo/notes (copy).txt", "demo/%zz"])
      writeFileSync(join(bucket, name), "not an object");
    mkdirSync(join(bucket, ".stfolder"));
    expect((await collect(store.list(""))).map((item) => item.key)).toEqual(["demo/manifest"]);
  });

  test("has each object's size and time without reading it", async () => {
    await store.put("a", new Uint8Array(5000), { metadata: { long: "x".repeat(1500) } });
    const time = new Date("2026-01-02T03:04:05Z");
    utimesSync(join(bucket, "a"), time, time);
    expect(await collect(store.list(""))).toEqual([{ key: "a", size: 5000, lastModified: time }]);
  });
});

describe("a key that is the beginning of another", () => {
  test("cannot be held beside it, which reads as missing and cannot be written", async () => {
    await store.put("a/b", text("x"));
    expect(await store.get("a")).toBeNull();
    expect(await store.get("a/b/c")).toBeNull();
    expect(await failureOf(store.put("a", text("x")))).toMatchObject({ code: "REJECTED" });
    expect(await failureOf(store.putIfAbsent("a/b/c", text("x")))).toMatchObject({ code: "REJECTED" });
    await store.delete("a");
    expect((await store.get("a/b"))?.body).toEqual(text("x"));
  });
});

function endedPid(): number {
  return Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "utf8" }));
}
