// A put into the folder bucket, killed or refused by the system at each of its calls that change something.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasPrograms } from "../../../test/programs.ts";
import { type ObjectStore, openStore } from "../src/index.ts";

const PROGRAM = fileURLToPath(new URL("./folder-process.ts", import.meta.url));
const RUNS = hasPrograms("crashes of the folder bucket", ["strace"], "apt-get install strace");

let scratch: string;
let store: ObjectStore;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "vsync-crash-"));
  store = await open();
});

afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function open(): Promise<ObjectStore> {
  const endpoint = pathToFileURL(scratch).href;
  const location = { endpoint, region: "", bucket: "bucket", accessKeyId: "", secretAccessKey: "" };
  return openStore(location, { createBucket: true });
}

/** One put of `value` in another process, in which `injection` (strace's syntax) comes true. */
function put(value: string, injection: string): { said: string; calls: string } {
  const trace = join(scratch, "trace");
  const calls = injection.split(":")[0];
  const strace = ["-f", "-qq", "-o", trace, "-e", `trace=${calls}`, "-e", `inject=${injection}`];
  const { stdout } = spawnSync(
    "strace",
    [...strace, process.execPath, "--import", "tsx", PROGRAM, "put", pathToFileURL(scratch).href, value],
    // strace counts each call of each thread by itself: the main one changes names, one other syncs. tsx writes no cache.
    { encoding: "utf8", env: { ...process.env, UV_THREADPOOL_SIZE: "1", TSX_DISABLE_CACHE: "1" } },
  );
  return { said: stdout.trim(), calls: execFileSync("cat", [trace], { encoding: "utf8" }) };
}

async function stored(): Promise<string | null> {
  const object = await store.get("deep/er/key");
  return object && new TextDecoder().decode(object.body);
}

/** What must hold after anything: the next writer gets through at once, and clears away what was left. */
async function expectUsable(): Promise<void> {
  await store.put("deep/er/key", new TextEncoder().encode("next"));
  expect(await stored()).toBe("next");
  expect(readdirSync(join(scratch, "bucket/@vsync"))).toEqual(["lock"]);
  expect(readdirSync(join(scratch, "bucket/@vsync/lock"))).toEqual(["free"]);
}

describe.skipIf(!RUNS)("a put", () => {
  test.each([
    ["a first one", null],
    ["one over another object", "old"],
  ])(
    "%s, killed at each call that changes something, leaves the whole old or the whole new",
    async (_, before) => {
      for (const call of ["mkdir", "rename", "fsync"]) {
        const seen: (string | null)[] = [];
        for (let killed = true; killed; ) {
          rmSync(join(scratch, "bucket"), { recursive: true });
          store = await open();
          if (before !== null) await store.put("deep/er/key", new TextEncoder().encode(before));
          const { said, calls } = put("new", `${call}:signal=KILL:when=${seen.length + 1}`);
          killed = calls.includes("+++ killed by SIGKILL +++");
          const now = await stored();
          expect(said).toBe(killed ? "ready" : "ready\ndone");
          if (killed) seen.push(now);
          else expect(now).toBe("new"); // each call has had its turn
          await expectUsable();
        }
        // The old up to some call, the new from there on: the last rename and fsync come when it is there.
        const turn = call === "mkdir" ? seen.length : seen.indexOf("new");
        expect(turn).toBeGreaterThan(0);
        expect(seen).toEqual(seen.map((_, n) => (n < turn ? before : "new")));
      }
    },
    300_000,
  );

  test.each([
    ["a disk that is full when the bytes are synced", "fsync:error=ENOSPC:when=1", "LOCAL_IO no", "ENOSPC"],
    ["a disk that fails when the bytes are synced", "fsync:error=EIO:when=1", "LOCAL_IO no", "EIO"],
    ["a rename that is refused", "rename:error=EACCES:when=1", "ACCESS_DENIED no", "EACCES"],
    ["a disk that is full at the rename", "rename:error=ENOSPC:when=2", "LOCAL_IO no", "ENOSPC"],
    ["a folder that cannot be synced after the rename", "fsync:error=EIO:when=2", "LOCAL_IO unknown", "EIO"],
  ])("on %s says whether it has landed, and leaves nothing behind", async (_, injection, outcome, code) => {
    await store.put("deep/er/key", new TextEncoder().encode("old"));
    const { said } = put("new", injection);
    expect(said).toContain(`\n${outcome} cannot write deep/er/key`);
    expect(said).toContain(code);
    expect(await stored()).toBe(outcome.endsWith("unknown") ? "new" : "old");
    expect(readdirSync(join(scratch, "bucket/@vsync"))).toEqual(["lock"]);
    await expectUsable();
  });
});
