// `pnpm bench [part ...]`: what vsync costs, as multiples of what it cannot avoid. Prints; asserts nothing. The parts
// `others` and `browser` need what `pnpm bench:others` and `pnpm bench:browser` install.

import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { benchAudit } from "./audit.ts";
import { benchBrowser } from "./browser.ts";
import { benchLookups } from "./lookups.ts";
import { benchOpen } from "./open.ts";
import { benchOthers } from "./others.ts";
import { benchPush } from "./push.ts";
import { benchReaderSize } from "./reader-size.ts";
import { benchStart } from "./start.ts";
import { benchVaults } from "./vaults.ts";

const PARTS = {
  start: benchStart,
  size: benchReaderSize,
  open: benchOpen,
  vaults: benchVaults,
  lookups: benchLookups,
  push: benchPush,
  audit: benchAudit,
  others: benchOthers,
  browser: benchBrowser,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !Object.hasOwn(PARTS, part));
if (unknown.length > 0) {
  process.stderr.write(`no such part: ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}\n`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), "vsync-bench-"));
try {
  console.log(`Node ${process.version}, ${availableParallelism()} processors (${cpus()[0]?.model.trim()})`);
  console.log(
    "Cold processes, run in turns, median of 9 or more. x: multiples of one PBKDF2 of 600,000 iterations in a bare process.",
  );
  for (const [name, part] of Object.entries(PARTS)) {
    if (asked.length === 0 || asked.includes(name)) await part(join(folder, name));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
