// The main job from end to end with the built packages: push here, pull there, open() in an application, byte for byte.

import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeOnBuckets } from "./buckets.ts";
import {
  DEMO_FILES,
  describeDemoVault,
  describeFolder,
  MULTI_LINE_VALUE,
  sha256,
  writeDemoVault,
} from "./demo-vault.ts";
import { bareEnvironment, handOver, type Machine, makeMachine, READER, run } from "./machine.ts";

/** Run in a process of its own: opens the vault and says what is in it. */
const APPLICATION = `
  import { createHash } from "node:crypto";
  import { open } from ${JSON.stringify(pathToFileURL(READER).href)};
  const vault = await open();
  const names = JSON.parse(process.argv[1]);
  const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
  console.log(JSON.stringify({
    generation: vault.generation(),
    newer: await vault.hasNewVersion(),
    port: vault.getEnv("PORT"),
    key: vault.getEnv("PRIVATE_KEY"),
    keySource: vault.envSource("PRIVATE_KEY"),
    empty: vault.getEnv("EMPTY"),
    contents: names.map((name) => [name, digest(vault.getAsContent(name))]),
  }));
  await vault.close();
`;

describeOnBuckets("a vault", (place) => {
  let folder: string;
  let first: Machine;
  let second: Machine;

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "vsync-journey-")));
    first = await makeMachine(join(folder, "first"));
    second = await makeMachine(join(folder, "second"));
    const { flags, ...stdin } = place(folder);
    await first.vsync(["init", "demo", "--iterations", "100000", ...flags], stdin);
    writeDemoVault(first.vault);
    await first.vsync(["push", "demo"]);
    handOver(first, second);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("comes back from a pull on a second machine", async () => {
    await second.vsync(["pull", "demo"]);
    expect(describeFolder(second.vault)).toEqual(describeDemoVault());
    expect(statSync(join(second.vault, "bin/deploy")).mode & 0o777).toBe(0o700);
    expect(statSync(join(second.vault, "binary.bin")).mode & 0o777).toBe(0o600);
  });

  test("opens in an application", async () => {
    const opened = await openApplication(first, join(folder, "application"));
    expect(opened).toEqual({
      generation: 1,
      newer: false,
      port: "8080",
      key: MULTI_LINE_VALUE,
      keySource: "vault",
      empty: "",
      contents: [...DEMO_FILES].map(([name, { bytes }]) => [name, sha256(bytes)]),
    });
  });

  test("says so when there is nothing to push, and publishes nothing", async () => {
    const { stderr } = await first.vsync(["push", "demo"]);
    expect(stderr).toContain("nothing changed since generation 1");
    expect((await openApplication(first, join(folder, "unchanged"))).generation).toBe(1);
  });

  test("carries a change from the second machine back to the first", async () => {
    await second.vsync(["pull", "demo"]);
    writeFileSync(join(second.vault, "added.txt"), "from the second machine\n");
    rmSync(join(second.vault, "binary.bin"));
    await second.vsync(["push", "demo"]);
    await first.vsync(["pull", "demo"]);
    expect(readFileSync(join(first.vault, "added.txt"), "utf8")).toBe("from the second machine\n");
    expect(describeFolder(first.vault)).toEqual(describeFolder(second.vault));
    expect(readdirSync(first.vault)).not.toContain("binary.bin");
  });
});

interface Opened {
  readonly generation: number;
}

async function openApplication(machine: Machine, folder: string): Promise<Opened> {
  const passphrase = `${folder}-passphrase`;
  const token = await machine.vsync(["runtime-token", "demo"]);
  await machine.vsync(["passphrase", "show", "demo", "--out", passphrase]);
  const names = JSON.stringify([...DEMO_FILES.keys()]);
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", APPLICATION, names], {
    cwd: machine.home,
    env: { ...bareEnvironment(), VSYNC_CONFIG: token.stdout.trim(), VSYNC_PASSPHRASE_FILE: passphrase },
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Opened;
}
