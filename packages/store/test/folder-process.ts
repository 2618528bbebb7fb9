// A process of its own for the folder tests: takes the lock or writes, and says on stdout what it has done.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { withFolderLock } from "../src/folder-lock.ts";
import { openStore, StoreError } from "../src/index.ts";

const [task, ...rest] = process.argv.slice(2);

/** Whole lines at once, so that a kill cuts none. */
function say(line: string): void {
  writeFileSync(1, `${line}\n`);
}

function openAt(endpoint: string): ReturnType<typeof openStore> {
  return openStore({ endpoint, region: "", bucket: "bucket", accessKeyId: "", secretAccessKey: "" });
}

const TASKS: Readonly<Record<string, () => Promise<void>>> = {
  /** Takes the lock, says so, and keeps it until it is killed. */
  async hold() {
    await withFolderLock(rest[0]!, async () => {
      say("held");
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    });
  },

  /**
   * Takes the lock again and again; half of the times it is killed while it holds it. `inside` shows whether a second
   * process is in at the same time: it exists only between taking and leaving, or is of a process that was killed.
   */
  async contend() {
    const [lock, inside] = rest as [string, string];
    say("ready");
    for (;;) {
      await withFolderLock(lock, async () => {
        try {
          mkdirSync(inside);
        } catch {
          const other = Number(readFileSync(`${inside}/pid`, "utf8"));
          if (isRunning(other)) say("OVERLAP");
          rmSync(inside, { recursive: true });
          mkdirSync(inside);
        }
        writeFileSync(`${inside}/pid`, String(process.pid));
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
        if (Math.random() < 0.5) {
          say("dies");
          process.kill(process.pid, "SIGKILL");
        }
        rmSync(inside, { recursive: true });
        say("left");
      });
    }
  },

  /** Counts one up, again and again, by get and putIfMatch; says each number that was acknowledged. */
  async count() {
    const store = await openAt(rest[0]!);
    for (;;) {
      const { body, etag } = (await store.get("demo/count"))!;
      const next = Number(new TextDecoder().decode(body)) + 1;
      try {
        await store.putIfMatch("demo/count", new TextEncoder().encode(String(next)), etag);
        say(String(next));
      } catch (error) {
        if (!(error instanceof StoreError && error.code === "PRECONDITION_FAILED")) throw error;
      }
    }
  },

  /** One put over what is there, and the code of its failure. */
  async put() {
    const store = await openAt(rest[0]!);
    say("ready");
    await store.put("deep/er/key", new TextEncoder().encode(rest[1]!)).then(
      () => say("done"),
      (error: StoreError) => say(`${error.code} ${error.landed} ${error.message}`),
    );
  },
};

/** A killed process that nobody has waited for yet is still there by its pid. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

await TASKS[task!]!();
