// A process of readers for the load test: each opens the vault again and again, as applications that start do.

import type { VaultConfig } from "../../packages/envelope/src/index.ts";
import { openBucket } from "../../packages/s3-client/src/bucket.ts";
import { withDeadline } from "../../packages/s3-client/src/deadline.ts";
import { fetchVault } from "../../packages/s3-client/src/fetch.ts";
import { count, ENV, FILES, keysOf, readTask, report, takeTurns } from "./task.ts";

const task = readTask();
const keys = keysOf(task);
const { prefix, salt, iterations, location } = task;
const config: VaultConfig = { ...location, prefix, env: ENV, salt, iterations, minGen: 0 };

const seen: [number, string][] = [];
const openMs: number[] = [];
const broken: string[] = [];
const failures: Record<string, number> = {};
const latest = new Map<number, number>();

await takeTurns(task, async (number) => {
  const start = performance.now();
  try {
    const { generation, marks } = await openOnce();
    openMs.push(performance.now() - start);
    if (new Set(marks).size !== 1) broken.push(`generation ${generation} is a mixture: ${marks.join(" ")}`);
    if (generation < (latest.get(number) ?? 0))
      broken.push(`generation ${generation} came after ${latest.get(number)}`);
    latest.set(number, generation);
    seen.push([generation, marks[0] as string]);
  } catch (error) {
    const { name, message } = error as Error;
    count(failures, `${name}: ${message}`);
  }
});
report({ seen, openMs, broken, failures });

/** As open(), with the key that was derived once. */
async function openOnce(): Promise<{ generation: number; marks: string[] }> {
  return await withDeadline({ timeoutMs: 30_000 }, async (deadline) => {
    const bucket = await openBucket(config);
    try {
      const { files, generation } = await fetchVault(bucket, config, keys, deadline);
      const marks = FILES.map((name) =>
        new TextDecoder().decode(files.get(name)?.bytes).trim().slice("MARK=".length),
      );
      return { generation, marks };
    } finally {
      bucket.close();
    }
  });
}
