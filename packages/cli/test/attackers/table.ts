// What somebody who can write the bucket, and has no key, can do to it, and what each attack comes to for every command that
// looks at the bucket.

import { randomBytes } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import {
  type Attack,
  type AttackedBucket,
  COMMANDS,
  DEV,
  doctorsComplaints,
  type Outcomes,
  PROD,
  putBack,
  type Victims,
} from "./victims.ts";

const MANIFEST = `${PROD}manifest`;
const AUDIT = `${PROD}audit.csv`;

async function alter(
  bucket: AttackedBucket,
  key: string,
  { body, ...metadata }: Readonly<Record<string, string | null>>,
): Promise<void> {
  const found = (await bucket.get(key))!;
  const fields = Object.entries({ ...found.metadata, ...metadata }).filter(([, value]) => value !== null);
  const bytes = typeof body !== "string" ? found.body : new TextEncoder().encode(body);
  await bucket.put(key, bytes, { metadata: Object.fromEntries(fields) as Record<string, string> });
}

async function versionsOf(bucket: AttackedBucket): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bucket.list(`${PROD}v=`)) keys.push(key);
  return keys.sort();
}

const bundle = async (bucket: AttackedBucket, number: number) =>
  (await versionsOf(bucket))[number - 1] as string;

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The bucket as it was after a generation of before, but for what `keeps` says. */
async function replay(
  { bucket, states }: Pick<Victims, "bucket" | "states">,
  generation: number,
): Promise<void> {
  await putBack(bucket, states[generation - 1]!);
}

async function rewriteAudit(bucket: AttackedBucket, change: (rows: string[]) => string[]): Promise<void> {
  const [header, ...rows] = text((await bucket.get(AUDIT))!.body)
    .trimEnd()
    .split("\n");
  await bucket.put(AUDIT, new TextEncoder().encode(`${[header, ...change(rows)].join("\n")}\n`));
}

/** What each command says where nothing is wrong. */
const UNHARMED: Outcomes = {
  open: "prod 3, generation 3",
  "open, old token": "prod 3, generation 3",
  status: "in-step",
  versions: "lists 3",
  "audit --verify": "holds",
  pull: "generation 3",
  push: "publishes 4",
  "push --force": "publishes 4",
  restore: "publishes 4",
};
const everywhere = (reader: string, writer: string): Outcomes =>
  Object.fromEntries(COMMANDS.map((it) => [it, it.startsWith("open") ? reader : writer])) as Outcomes;

/** The manifest does not verify: nobody without the passphrase can have written it so. */
const FOREIGN = everywhere("VSYNC_WRONG_PASSPHRASE", "WRONG_PASSPHRASE");
const UNSEALED = everywhere("VSYNC_BUNDLE_CORRUPT", "CORRUPT");
/** Who wants the bundle notices. Who replaces it, or asks only what the manifest says, need not. */
const DAMAGED: Outcomes = {
  ...UNHARMED,
  open: "VSYNC_BUNDLE_CORRUPT",
  "open, old token": "VSYNC_BUNDLE_CORRUPT",
  pull: "CORRUPT",
};
const GONE: Outcomes = {
  ...everywhere("VSYNC_MANIFEST_NOT_FOUND", "NOT_CONFIGURED"),
  status: "manifest-gone",
  "audit --verify": "CORRUPT",
};
/** What it names as the version before is not believed further than its form goes. */
const HISTORY_ENDS: Outcomes = { ...UNHARMED, versions: "lists 1, and says where it ends", restore: "INPUT" };
const FALSE_LOG: Outcomes = { ...UNHARMED, "audit --verify": "CORRUPT" };
const rolledBackTo = (generation: number): Outcomes => ({
  ...everywhere("VSYNC_BUNDLE_CORRUPT", "ROLLBACK"),
  "open, old token": `prod ${generation}, generation ${generation}`,
});

const SCENARIOS: Readonly<Record<string, readonly [Outcomes, Attack]>> = {
  "nothing is attacked": [UNHARMED, async () => undefined],
  // repoint, rename
  "points the manifest to an older bundle": [
    FOREIGN,
    async ({ bucket }) => alter(bucket, MANIFEST, { body: (await bundle(bucket, 2)).slice(-15) }),
  ],
  "renames an older bundle to the current one": [
    { ...DAMAGED, versions: "lists 1, and says where it ends", restore: "INPUT" },
    async ({ bucket }) => {
      const older = (await bucket.get(await bundle(bucket, 2)))!;
      await bucket.put(await bundle(bucket, 3), older.body, { metadata: older.metadata });
    },
  ],
  // replay
  "puts back manifest and bundle of generation 2": [
    rolledBackTo(2),
    async ({ bucket, states }) => {
      const older = states[1]!.get(MANIFEST)!;
      await bucket.put(MANIFEST, older.body, { metadata: older.metadata });
    },
  ],
  "puts back the whole bucket of generation 1": [rolledBackTo(1), async (reach) => replay(reach, 1)],
  "puts back generation 2 and calls it 9": [
    FOREIGN,
    async ({ bucket, states }) => {
      const older = states[1]!.get(MANIFEST)!;
      await bucket.put(MANIFEST, older.body, { metadata: { ...older.metadata, gen: "9" } });
    },
  ],
  // cut, flip, fill
  "cuts the bundle": [
    DAMAGED,
    async ({ bucket }) => {
      const key = await bundle(bucket, 3);
      const { body, metadata } = (await bucket.get(key))!;
      await bucket.put(key, body.subarray(0, -1), { metadata });
    },
  ],
  "flips a bit of the bundle": [
    DAMAGED,
    async ({ bucket }) => {
      const key = await bundle(bucket, 3);
      const { body, metadata } = (await bucket.get(key))!;
      await bucket.put(key, body.with(40, body[40]! ^ 1), { metadata });
    },
  ],
  "leaves bundles of later versions lying about": [
    UNHARMED,
    async ({ bucket }) =>
      void (await bucket.put(`${PROD}v=20990101-000000`, randomBytes(64), { metadata: { gen: "9" } })),
  ],
  // delete
  "deletes the current bundle": [
    { ...DAMAGED, versions: "lists 0, and says where it ends", restore: "INPUT" },
    async ({ bucket }) => bucket.delete(await bundle(bucket, 3)),
  ],
  "deletes an older bundle": [HISTORY_ENDS, async ({ bucket }) => bucket.delete(await bundle(bucket, 2))],
  "deletes the manifest": [GONE, async ({ bucket }) => bucket.delete(MANIFEST)],
  "deletes everything": [GONE, async ({ bucket }) => putBack(bucket, new Map())],
  "puts a web page in place of the manifest": [
    UNSEALED,
    async ({ bucket }) =>
      void (await bucket.put(MANIFEST, new TextEncoder().encode("<html>down for maintenance</html>"))),
  ],
  // swap environments
  "puts dev's objects under prod": [
    FOREIGN,
    async ({ bucket, states }) => {
      const foreign = [...states[2]!].filter(([key]) => key.startsWith(DEV));
      await putBack(bucket, new Map(foreign.map(([key, kept]) => [key.replace(DEV, PROD), kept])));
    },
  ],
  // seal and sealed fields
  "strips the seal": [UNSEALED, async ({ bucket }) => alter(bucket, MANIFEST, { seal: null })],
  "strips all that is sealed": [
    UNSEALED,
    async ({ bucket }) => alter(bucket, MANIFEST, { seal: null, sha256: null, "write-id": null, gen: null }),
  ],
  "makes up a seal": [
    FOREIGN,
    async ({ bucket }) => alter(bucket, MANIFEST, { seal: randomBytes(32).toString("base64url") }),
  ],
  "raises the generation": [FOREIGN, async ({ bucket }) => alter(bucket, MANIFEST, { gen: "4" })],
  "edits the digest": [FOREIGN, async ({ bucket }) => alter(bucket, MANIFEST, { sha256: "0".repeat(64) })],
  "claims a rotation": [
    FOREIGN,
    async ({ bucket }) => alter(bucket, MANIFEST, { "rotated-at": "2026-05-01T00:00:00Z" }),
  ],
  "splices in a grace": [
    FOREIGN,
    async ({ bucket, states }) => {
      const { body, metadata } = states[0]!.get(MANIFEST)!;
      const grace = `${text(body)}.1.${metadata.sha256}.99991231-235959.${metadata.seal}`;
      await alter(bucket, MANIFEST, { grace });
    },
  ],
  // unauthenticated metadata of bundles
  "cuts the history off": [
    HISTORY_ENDS,
    async ({ bucket }) => alter(bucket, await bundle(bucket, 3), { "prev-ts": "" }),
  ],
  "leads the history past a version": [
    HISTORY_ENDS,
    async ({ bucket }) =>
      alter(bucket, await bundle(bucket, 3), { "prev-ts": (await bundle(bucket, 1)).slice(-15) }),
  ],
  "leads the history in a circle": [
    HISTORY_ENDS,
    async ({ bucket }) => {
      const key = await bundle(bucket, 3);
      await alter(bucket, key, { "prev-ts": key.slice(-15) });
    },
  ],
  // the audit log
  "edits a row of the audit log": [
    FALSE_LOG,
    async ({ bucket }) =>
      rewriteAudit(bucket, (rows) => rows.with(0, rows[0]!.replace(/^[^,]*/, "2020-01-01T00:00:00.000Z"))),
  ],
  "cuts rows off the audit log": [
    FALSE_LOG,
    async ({ bucket }) => rewriteAudit(bucket, (rows) => rows.slice(0, 2)),
  ],
  "reorders the audit log": [
    FALSE_LOG,
    async ({ bucket }) => rewriteAudit(bucket, (rows) => rows.toReversed()),
  ],
  "forges a row of the audit log": [
    FALSE_LOG,
    async ({ bucket }) => rewriteAudit(bucket, (rows) => [...rows, rows[0]!]),
  ],
  "deletes the audit log": [FALSE_LOG, async ({ bucket }) => bucket.delete(AUDIT)],
  "puts back an older audit log": [
    FALSE_LOG,
    async ({ bucket, states }) => void (await bucket.put(AUDIT, states[1]!.get(AUDIT)!.body)),
  ],
  "adds a closed file to the audit log": [
    FALSE_LOG,
    async ({ bucket, states }) =>
      void (await bucket.put(`${PROD}audit/20200101-000000-00000000.csv`, states[0]!.get(AUDIT)!.body)),
  ],
};

/** The tests of a suite: attacks by name, all of them unless some are given, and what doctor says. */
export function testWriter(
  make: () => Promise<Victims>,
  names: readonly string[] = Object.keys(SCENARIOS),
): void {
  let victims: Victims;
  beforeAll(async () => {
    victims = await make();
  });

  test.each(names)("%s", async (name) => {
    const [expected, attack] = SCENARIOS[name]!;
    expect(await victims.outcomes(attack)).toEqual(expected);
  });

  test("is found by doctor where the manifest is not genuine or its bundle gone, and not where that is damaged", async () => {
    await victims.reset();
    const current = await bundle(victims.bucket, 3);
    const { body, metadata } = (await victims.bucket.get(current))!;
    await victims.bucket.put(current, body.subarray(0, -1), { metadata });
    expect(await doctorsComplaints(victims)).toEqual([]);
    await victims.bucket.delete(current);
    expect(await doctorsComplaints(victims)).toEqual(["prod: manifest"]);
    await victims.reset();
    await alter(victims.bucket, MANIFEST, { seal: null });
    expect(await doctorsComplaints(victims)).toEqual(["prod: manifest"]);
  });
}
