// The folder bucket's lock among real processes: one at a time, and never lost to a holder that was killed.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withFolderLock } from "../src/folder-lock.ts";
import { openStore, StoreError } from "../src/index.ts";
import { nameOwnProcess, stateOfProcess } from "../src/process-name.ts";
import { failureOf } from "./contract.ts";

const PROGRAM = fileURLToPath(new URL("./folder-process.ts", import.meta.url));

let scratch: string;
let lock: string;
let children: ChildProcess[];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "vsync-lock-"));
  lock = join(scratch, "lock");
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map((child) => ended(child, "SIGKILL")));
  rmSync(scratch, { recursive: true, force: true });
});

/** `onLine` gets each line that the process says. */
function start(args: readonly string[], onLine: (line: string, child: ChildProcess) => void): ChildProcess {
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  createInterface({ input: child.stdout! }).on("line", (line) => onLine(line, child));
  return child;
}

function startAndWait(args: readonly string[], line: string): Promise<ChildProcess> {
  return new Promise((resolve) => start(args, (said, child) => said === line && resolve(child)));
}

async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<NodeJS.Signals | null> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => {
      child.once("exit", resolve);
      if (signal !== undefined) child.kill(signal);
    });
  return child.signalCode;
}

/** The name a process has in a lock, with other fields than our own. */
function named(fields: { pid?: number; start?: string; world?: string }): string {
  const [pid, start, world] = nameOwnProcess().split(".");
  return `${fields.pid ?? pid}.${fields.start ?? start}.${fields.world ?? world}`;
}

function heldBy(name: string): void {
  mkdirSync(lock, { recursive: true });
  writeFileSync(join(lock, `held.${name}.0123456789abcdef`), "");
}

describe("the lock", () => {
  test("is one file, free before and after, held by this process's name in between", async () => {
    const during = await withFolderLock(lock, async () => readdirSync(lock));
    expect(during).toEqual([
      expect.stringMatching(new RegExp(`^held\\.${nameOwnProcess().replaceAll(".", "\\.")}\\.[0-9a-f]{16}$`)),
    ]);
    expect(readdirSync(lock)).toEqual(["free"]);
    expect(readdirSync(scratch)).toEqual(["lock"]);
  });

  test("comes free when the action fails", async () => {
    await expect(withFolderLock(lock, () => Promise.reject(new RangeError("no")))).rejects.toThrow(
      RangeError,
    );
    expect(readdirSync(lock)).toEqual(["free"]);
  });

  test("is made once however many make it at the same time", async () => {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (let round = 0; round < 20; round++) {
      rmSync(lock, { recursive: true, force: true });
      let inside = 0;
      const enter = async (startsAfter: number): Promise<void> => {
        for (let turns = 0; turns < startsAfter; turns++) await turn();
        await withFolderLock(lock, async () => {
          expect(++inside).toBe(1);
          for (let turns = 0; turns < 5; turns++) await turn();
          expect(readdirSync(lock)).toHaveLength(1);
          inside--;
        });
      };
      await Promise.all([0, 0, 1, 2, 3, 4, 6, 8].map(enter));
    }
    expect(readdirSync(scratch)).toEqual(["lock"]);
  });

  test("is made anew where somebody's tool has carried the folder without its empty file", async () => {
    mkdirSync(lock);
    await withFolderLock(lock, async () => undefined);
    expect(readdirSync(lock)).toEqual(["free"]);
  });

  test("of a killed process is taken over at once", async () => {
    const holder = await startAndWait(["hold", lock], "held");
    expect(
      (await failureOf(withFolderLock(lock, async () => undefined, { patienceMs: 50 }))).message,
    ).toContain(`process ${holder.pid} holds the lock`);
    expect(await ended(holder, "SIGKILL")).toBe("SIGKILL");
    await withFolderLock(lock, async () => undefined, { patienceMs: 50 });
    expect(readdirSync(lock)).toEqual(["free"]);
  });

  test("of a stopped process is not: it would go on writing when it wakes", async () => {
    const holder = await startAndWait(["hold", lock], "held");
    holder.kill("SIGSTOP");
    expect(await failureOf(withFolderLock(lock, async () => undefined, { patienceMs: 50 }))).toMatchObject({
      code: "LOCAL_IO",
    });
  });

  test("of a process whose pid now belongs to another is taken over", async () => {
    heldBy(named({ start: "1" }));
    await withFolderLock(lock, async () => undefined, { patienceMs: 50 });
  });

  test("of another host or container is left alone; the error says how to free it", async () => {
    heldBy(named({ world: "0".repeat(16) }));
    const error = await failureOf(withFolderLock(lock, async () => undefined, { patienceMs: 50 }));
    expect(error).toMatchObject({ code: "LOCAL_IO", landed: "no" });
    expect(error.hint).toContain('rename that file to "free"');
  });

  test("with names that are not ours in its folder is an error and no endless wait", async () => {
    mkdirSync(lock);
    writeFileSync(join(lock, "free (conflicted copy)"), "");
    expect(await failureOf(withFolderLock(lock, async () => undefined, { patienceMs: 50 }))).toMatchObject({
      code: "LOCAL_IO",
    });
  });

  test("lets go of who waits when the signal aborts", async () => {
    heldBy(nameOwnProcess());
    const controller = new AbortController();
    const waiting = withFolderLock(lock, async () => undefined, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  });

  test("keeps processes apart while half of its holders are killed: no two are ever inside", async () => {
    const inside = join(scratch, "inside");
    let left = 0;
    let killed = 0;
    const overlaps: string[] = [];
    await new Promise<void>((resolve) => {
      const contender = (): void => {
        start(["contend", lock, inside], (line) => {
          if (line === "OVERLAP") overlaps.push(line);
          if (line === "left") left++;
          if (line === "dies") {
            killed++;
            if (killed < 16) contender();
            else resolve();
          }
        });
      };
      for (let n = 0; n < 8; n++) contender();
    });
    expect(overlaps).toEqual([]);
    expect(left).toBeGreaterThan(0);
  });
});

describe("writers in processes of their own, killed at any moment", () => {
  test("never acknowledge the same state twice, and lose nothing that was acknowledged", async () => {
    const endpoint = pathToFileURL(scratch).href;
    const location = { endpoint, region: "", bucket: "bucket", accessKeyId: "", secretAccessKey: "" };
    const store = await openStore(location, { createBucket: true });
    const count = async (): Promise<number> =>
      Number(new TextDecoder().decode((await store.get("demo/count"))!.body));
    await store.put("demo/count", new TextEncoder().encode("0"));
    const acknowledged: number[] = [];
    let kills = 0;
    await new Promise<void>((resolve) => {
      const writer = (): void => {
        const lifetime = 1 + Math.floor(Math.random() * 8);
        let own = 0;
        start(["count", endpoint], (line, child) => {
          acknowledged.push(Number(line));
          if (++own !== lifetime) return;
          // Between one acknowledgement and the next: somewhere in reading, writing, waiting, holding.
          setTimeout(() => child.kill("SIGKILL"), Math.random() * 10);
          kills++;
          if (kills < 8) writer();
          else resolve();
        });
      };
      for (let n = 0; n < 4; n++) writer();
    });
    await Promise.all(children.map((child) => ended(child, "SIGKILL")));
    const last = await count();
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(Math.max(...acknowledged)).toBeLessThanOrEqual(last);
    // Each kill may have swallowed one acknowledgement, and the final ones of the four that were still running.
    expect(last - acknowledged.length).toBeLessThanOrEqual(children.length);
    await store.put("demo/count", new TextEncoder().encode("after"));
    expect(readdirSync(join(scratch, "bucket/@vsync"))).toEqual(["lock"]);
  });
});

describe("the name of a process", () => {
  test("tells a living process from one that has ended, one that is a zombie, and one of another world", async () => {
    expect(stateOfProcess(nameOwnProcess())).toBe("alive");
    expect(stateOfProcess(named({ start: "1" }))).toBe("gone");
    expect(stateOfProcess(named({ world: "0".repeat(16) }))).toBe("elsewhere");
    // A stopped shell does not wait for its child, which has ended and is still there.
    const shell = spawn("sh", ["-c", "sleep 0 & echo $!; kill -STOP $$; wait"]);
    children.push(shell);
    const zombie = Number(
      await new Promise((resolve) => createInterface({ input: shell.stdout }).once("line", resolve)),
    );
    const start = readFileSync(`/proc/${zombie}/stat`, "utf8").split(" ")[21]!;
    await expect.poll(() => stateOfProcess(named({ pid: zombie, start }))).toBe("gone");
    expect(() => process.kill(zombie, 0)).not.toThrow();
    await ended(shell, "SIGKILL");
    expect(stateOfProcess(named({ pid: shell.pid! }))).toBe("gone");
  });

  test.each([
    "",
    "1",
    "0.1.0123456789abcdef",
    "1.1.x",
    `1.1.${hostname()}`,
    "1.1.0123456789abcdef.0",
    "-1.1.0123456789abcdef",
  ])("%j is none", (name) => {
    expect(stateOfProcess(name)).toBeNull();
  });
});

test("a lock that cannot be taken makes a put fail, with nothing written", async () => {
  const location = {
    endpoint: pathToFileURL(scratch).href,
    region: "",
    bucket: "bucket",
    accessKeyId: "",
    secretAccessKey: "",
  };
  const store = await openStore(location, { createBucket: true, lockTimeoutMs: 50 });
  lock = join(scratch, "bucket/@vsync/lock");
  heldBy(nameOwnProcess());
  const error = await failureOf(store.put("a", new Uint8Array()));
  expect(error).toBeInstanceOf(StoreError);
  expect(error).toMatchObject({ code: "LOCAL_IO", landed: "no" });
  expect(await store.get("a")).toBeNull();
  expect(readdirSync(join(scratch, "bucket/@vsync"))).toEqual(["lock"]);
});
