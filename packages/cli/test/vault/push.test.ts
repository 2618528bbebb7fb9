import { describe, expect, it } from "vitest";
import { memoryStore } from "./memory-store.ts";
import { makeWriter, readAudit, readHistory } from "./writer.ts";

const clock = () => ({ nowMs: Date.UTC(2026, 4, 1, 12) });

describe("push", () => {
  it("publishes generation after generation, each linked to the one before", async () => {
    const store = memoryStore();
    const time = clock();
    const ann = makeWriter({ store, clock: time });
    ann.edit({ ".env.demo": "A=1\n", "tls/key": "k" });
    expect(await ann.push()).toMatchObject({
      published: true,
      generation: 1,
      timestamp: "20260501-120000",
      files: 2,
    });
    time.nowMs += 60_000;
    ann.edit({ ".env.demo": "A=2\n", "tls/key": null, "new.txt": "n" });
    expect(await ann.push({ note: "rotate A" })).toMatchObject({
      generation: 2,
      added: ["new.txt"],
      changed: [".env.demo"],
      removed: ["tls/key"],
    });
    expect(await readHistory(store)).toMatchObject([
      { generation: 2, timestamp: "20260501-120100", files: { ".env.demo": "A=2\n", "new.txt": "n" } },
      { generation: 1, timestamp: "20260501-120000", files: { ".env.demo": "A=1\n", "tls/key": "k" } },
    ]);
    expect((await readAudit(store)).map(({ action, version_ts }) => [action, version_ts])).toEqual([
      ["push", "20260501-120000"],
      ["push", "20260501-120100"],
    ]);
  });
});
