// Whoever builds the packages from the same sources gets the same bytes: what is on the registry can be checked.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { run } from "../machine.ts";

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "vsync-same-")));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Surroundings {
  readonly folder: string;
  readonly umask: string;
  readonly timezone: string;
  readonly modified: Date;
}

test("two clean builds, in other folders, at other times, under another umask, give the same tarballs", async () => {
  const one = await buildIn({
    folder: "one",
    umask: "022",
    timezone: "UTC",
    modified: new Date("2020-02-29T12:00:00Z"),
  });
  const other = await buildIn({
    folder: "another/and-deeper/with a blank",
    umask: "077",
    timezone: "Asia/Kolkata",
    modified: new Date("2026-01-02T03:04:05Z"),
  });
  expect(Object.keys(one)).toHaveLength(2);
  expect(other).toEqual(one);
});

/** The tarballs' digests, by name. */
async function buildIn({ folder, umask, timezone, modified }: Surroundings): Promise<Record<string, string>> {
  const clone = join(scratch, folder);
  copySources(clone, umask, modified);
  const script = `
    umask ${umask}
    pnpm install --frozen-lockfile --prefer-offline
    pnpm build
    pnpm --filter "@muthuishere/*" exec pnpm pack --pack-destination "$1"`;
  const packed = join(clone, "packed");
  mkdirSync(packed);
  await run("sh", ["-ec", script, "sh", packed], { cwd: clone, env: { ...process.env, TZ: timezone } });
  return Object.fromEntries(
    readdirSync(packed).map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(packed, name)))
        .digest("hex"),
    ]),
  );
}

/** Everything that is in git or would be, as a clone under that umask has it. */
function copySources(clone: string, umask: string, modified: Date): void {
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  const files = execFileSync("git", list, { cwd: project, encoding: "utf8", maxBuffer: 2 ** 26 });
  for (const file of files.split("\0").filter(Boolean)) {
    const copy = join(clone, file);
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(join(project, file), copy);
    const executable = (statSync(join(project, file)).mode & 0o100) !== 0;
    chmodSync(copy, (executable ? 0o777 : 0o666) & ~Number.parseInt(umask, 8));
    utimesSync(copy, modified, modified);
  }
}
