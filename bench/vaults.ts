// What the size of a vault costs: time and memory of a cold open() over HTTP, for small and for large ones.

import { appendFileSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { installPackedReader } from "../scripts/packed.ts";
import { cold, coldOutput, interleave, median, row } from "./harness.ts";
import { fillWithNoise, fillWithText } from "./large-files.ts";
import { program, unitCase } from "./programs.ts";
import { type ServedVault, serveVault } from "./served-vault.ts";

const MEGABYTE = 1_000_000;
const PROGRAMS = ["open", "memory", "memory-web", "memory-empty"];

interface Size {
  readonly name: string;
  /** The vault, unpacked, where it is large. */
  readonly megabytes?: number;
  /** What the Node build may take for a small one, in MB. Between small and large nothing is promised. */
  readonly small?: number;
  readonly fill: (folder: string) => void;
}

const SIZES: readonly Size[] = [
  { name: "14 small files", small: 10, fill: () => {} },
  { name: "10,000 scalars", fill: addScalars },
  { name: "100 MB that does not shrink", megabytes: 100, fill: fillWithNoise },
  { name: "100 MB of text", megabytes: 100, fill: fillWithText },
];

export async function benchVaults(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  installPackedReader(folder);
  for (const name of PROGRAMS) copyFileSync(program(name), join(folder, `${name}.mjs`));
  const vaults = new Map<Size, ServedVault>();
  for (const [i, size] of SIZES.entries()) {
    vaults.set(size, await serveVault(join(folder, `vault-${i}`), { fill: size.fill }));
  }

  console.log("\nCold open() of vaults of several sizes");
  const times = await interleave([
    unitCase(),
    ...[...vaults].map(([{ name }, { env }]) => ({
      name,
      run: () => cold(["open.mjs"], { cwd: folder, env }),
    })),
  ]);
  const [unit] = [...times.values()];
  if (!unit) return;
  for (const measured of times.values()) console.log(row(measured, unit));

  const empty = await peak("memory-empty.mjs", folder, {});
  console.log(`\nMost memory of a process, above that of an empty one (${empty.toFixed(0)} MB)`);
  for (const [size, { env }] of vaults) {
    for (const [build, name] of Object.entries({ Node: "memory.mjs", web: "memory-web.mjs" })) {
      const above = (await peak(name, folder, env)) - empty;
      console.log(
        `  ${`${size.name}, ${build} build`.padEnd(44)} ${above.toFixed(0).padStart(6)} MB${goal(size, build, above)}`,
      );
    }
  }
  for (const { server } of vaults.values()) server.close();
}

function goal({ megabytes, small }: Size, build: string, above: number): string {
  if (megabytes !== undefined) {
    const limit = (build === "Node" ? 2.5 : 4) * megabytes;
    return `, ${(above / megabytes).toFixed(2)} x the vault (goal: ${limit} MB at most)`;
  }
  return small !== undefined && build === "Node" ? ` (goal: ${small} MB at most)` : "";
}

/** In MB; the middle of five. */
async function peak(name: string, cwd: string, env: Readonly<Record<string, string>>): Promise<number> {
  const kibibytes: number[] = [];
  for (let i = 0; i < 5; i += 1) kibibytes.push(Number(await coldOutput([name], { cwd, env })));
  return (median(kibibytes) * 1024) / MEGABYTE;
}

function addScalars(folder: string): void {
  const lines = Array.from({ length: 10_000 }, (_, i) => `SCALAR_${i}="value number ${i} of a large vault"`);
  appendFileSync(join(folder, ".env.demo"), `${lines.join("\n")}\n`);
}
