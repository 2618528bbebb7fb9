// One command at a time on an environment, whatever becomes of the others.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { nameOwnProcess } from "../../../store/src/process-name.ts";
import { acquireLock } from "../../src/vault/lock.ts";
import { temporaryFolder } from "./writer.ts";

const PROGRAM = fileURLToPath(new URL("./lock-process.ts", import.meta.url));

interface Contender {
  readonly process: ChildProcess;
  /** Sends a line and waits for the one that answers it. */
  ask(line: string): Promise<string>;
  kill(): Promise<void>;
}

async function startContender(path: string): Promise<Contender> {
  const child = spawn(process.execPath, ["--conditions=vsync-source", "--import", "tsx", PROGRAM, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  onTestFinished(kill);
  expect(await next()).toBe("ready");
  return {
    process: child,
    kill,
    ask: async (line) => {
      child.stdin!.write(`${line}\n`);
      return await next();
    },
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "none";
}

/** Our own name as a lock has it, with other fields. */
function named(fields: { pid?: number; start?: string; world?: string }): string {
  const [pid, start, world] = nameOwnProcess().split(".");
  return `${fields.pid ?? pid}.${fields.start ?? start}.${fields.world ?? world}`;
}

function lockHeldBy(name: string): string {
  const path = join(temporaryFolder(), "lock");
  mkdirSync(path);
  writeFileSync(join(path, `held.${name}.00`), "");
  return path;
}

describe("the lock of an environment", () => {
  it("is one holder's at a time, and free again once it is given back", () => {
    const path = join(temporaryFolder(), "lock");
    const first = acquireLock(path);
    expect(codeOf(() => acquireLock(path))).toBe("CONFLICT");
    first.release();
    const second = acquireLock(path);
    first.release(); // a second time: not the second's
    expect(codeOf(() => acquireLock(path))).toBe("CONFLICT");
    second.release();
    expect(readdirSync(path)).toEqual(["free"]);
  });

  it("says who has it", () => {
    const path = join(temporaryFolder(), "lock");
    const lock = acquireLock(path);
    expect(() => acquireLock(path)).toThrow(`process ${process.pid}`);
    lock.release();
  });

  it("says what to do when the process that seems to have it is no vsync", () => {
    const path = join(temporaryFolder(), "lock");
    const lock = acquireLock(path);
    expect(() => acquireLock(path)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(`rm -r ${path}`) }),
    );
    lock.release();
  });

  it("is given back by a process that exits in the middle, as on Ctrl-C", async () => {
    const path = join(temporaryFolder(), "lock");
    const holder = await startContender(path);
    expect(await holder.ask("take")).toBe("taken");
    holder.process.stdin!.write("exit\n");
    await once(holder.process, "exit");
    expect(readdirSync(path)).toEqual(["free"]);
  });

  it("leaves nothing behind in a process that has given it back", () => {
    const path = join(temporaryFolder(), "lock");
    const before = process.listenerCount("exit");
    acquireLock(path).release();
    expect(process.listenerCount("exit")).toBe(before);
  });

  it("of a process that has ended is taken: its pid is gone, or is another process's by now", () => {
    expect(codeOf(() => acquireLock(lockHeldBy(named({ start: "1" }))))).toBe("none");
    expect(codeOf(() => acquireLock(lockHeldBy(named({ pid: 2 ** 22 + 1 }))))).toBe("none");
  });

  it("leaves nothing lying about of a process that was killed while it made the first one", () => {
    const path = join(temporaryFolder(), "lock");
    const [ours, killed] = [{}, { start: "1" }].map((fields) => `lock.${named(fields)}.00`) as [
      string,
      string,
    ];
    for (const halfMade of [ours, killed]) {
      mkdirSync(join(dirname(path), halfMade));
      writeFileSync(join(dirname(path), halfMade, "free"), "");
    }
    acquireLock(path).release();
    expect(readdirSync(dirname(path)).sort()).toEqual(["lock", ours]);
  });

  it.runIf(process.getuid?.() === 0)(
    "is taken and given back though somebody else's half-made one lies there",
    async () => {
      const folder = temporaryFolder();
      chmodSync(folder, 0o777);
      const halfMade = join(folder, `lock.${named({ start: "1" })}.00`);
      mkdirSync(halfMade, { mode: 0o700 });
      writeFileSync(join(halfMade, "free"), "");
      process.seteuid?.(65534);
      try {
        acquireLock(join(folder, "lock")).release();
        acquireLock(join(folder, "lock")).release();
      } finally {
        process.seteuid?.(0);
      }
      expect(readdirSync(join(folder, "lock"))).toEqual(["free"]);
    },
  );

  it("of another machine or container is left alone: nobody here can tell", () => {
    const path = lockHeldBy(named({ world: "0123456789abcdef" }));
    expect(codeOf(() => acquireLock(path))).toBe("CONFLICT");
    expect(readdirSync(path)).toHaveLength(1);
  });

  it("with something else in it stops rather than spins", () => {
    const path = join(temporaryFolder(), "lock");
    mkdirSync(path);
    writeFileSync(join(path, "what is this"), "");
    expect(codeOf(() => acquireLock(path))).toBe("CONFLICT");
  });

  it("is taken when its holder is killed", async () => {
    const path = join(temporaryFolder(), "lock");
    const holder = await startContender(path);
    expect(await holder.ask("take")).toBe("taken");
    expect(codeOf(() => acquireLock(path))).toBe("CONFLICT");
    await holder.kill();
    expect(codeOf(() => acquireLock(path))).toBe("none");
  });

  it("is one process's when several find it free, not there, or held by the same dead one", {
    timeout: 120_000,
  }, async () => {
    const path = join(temporaryFolder(), "lock");
    const dead = await startContender(path);
    await dead.ask("take");
    const [deadHolder] = readdirSync(path) as [string];
    await dead.kill();
    const contenders = await Promise.all([1, 2, 3, 4].map(() => startContender(path)));
    const states = {
      dead: (round: number) =>
        renameSync(join(path, readdirSync(path)[0]!), join(path, deadHolder.replace(/\w+$/, `${round}`))),
      absent: () => rmSync(path, { recursive: true }),
      free: () => undefined,
    };
    for (let round = 0; round < 150; round++) {
      states[(["dead", "dead", "absent", "free"] as const)[round % 4]!](round);
      const answers = await Promise.all(contenders.map((it) => it.ask("take")));
      expect(answers.toSorted(), `round ${round}`).toEqual(["CONFLICT", "CONFLICT", "CONFLICT", "taken"]);
      await Promise.all(contenders.map((it) => it.ask("release")));
    }
  });
});
