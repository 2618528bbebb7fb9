// What a vault folder may hold, and how it is read. docs/formats.md section 4.

import { execFileSync } from "node:child_process";
import fs, {
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { toCliError } from "../../src/cli-error.ts";
import { listVault, readVault, resolveVaultFolder } from "../../src/vault/vault-folder.ts";
import { temporaryFolder } from "./writer.ts";

function makeVault(files: Readonly<Record<string, string>>): string {
  const vault = join(temporaryFolder(), "vault");
  mkdirSync(vault);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(vault, name), text);
  return vault;
}

function refusal(work: () => unknown): { code: string; message: string; hint: string } {
  try {
    work();
  } catch (error) {
    return toCliError(error);
  }
  throw new Error("it was not refused");
}

const textOf = (vault: string): Record<string, string> =>
  Object.fromEntries(
    [...readVault(listVault(vault)!).files].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString()]),
  );

describe("a vault folder", () => {
  it("is told from another by device and inode: two file systems count their inodes alike", () => {
    const vault = makeVault({});
    const { dev, ino } = lstatSync(vault, { bigint: true });
    expect(listVault(vault)!.folder).toEqual({ path: vault, inode: `${dev}:${ino}` });
  });

  it("is the regular files below it, with the owner's execute bit and nothing for its folders", () => {
    const vault = makeVault({ ".env.demo": "A=1\n", "run.sh": "#!/bin/sh\n" });
    mkdirSync(join(vault, "empty"));
    mkdirSync(join(vault, "tls/deep"), { recursive: true });
    writeFileSync(join(vault, "tls/deep/key"), "k");
    chmodSync(join(vault, "run.sh"), 0o755);
    expect(textOf(vault)).toEqual({ ".env.demo": "A=1\n", "run.sh": "#!/bin/sh\n", "tls/deep/key": "k" });
    const { files } = listVault(vault)!;
    expect([...files].filter(([, { executable }]) => executable).map(([name]) => name)).toEqual(["run.sh"]);
  });

  it("that is not there is null, and one that is a link or a file is refused", () => {
    const vault = makeVault({});
    expect(listVault(`${vault}-elsewhere`)).toBeNull();
    symlinkSync(vault, `${vault}-link`);
    expect(refusal(() => listVault(`${vault}-link`))).toMatchObject({ code: "INPUT" });
    writeFileSync(`${vault}-file`, "");
    expect(refusal(() => listVault(`${vault}-file`))).toMatchObject({ code: "INPUT" });
  });

  it.each([
    ["a symbolic link", (path: string) => symlinkSync("/etc/passwd", path)],
    ["a symbolic link", (path: string) => symlinkSync("/nowhere", path)],
    ["a symbolic link", (path: string) => symlinkSync("/etc", path)],
    ["a FIFO", (path: string) => void execFileSync("mkfifo", [path])],
  ])("refuses %s, naming it", (kind, make) => {
    const vault = makeVault({ "a.txt": "a" });
    mkdirSync(join(vault, "sub"));
    make(join(vault, "sub", "odd"));
    const { code, message } = refusal(() => listVault(vault));
    expect(code).toBe("INPUT");
    expect(message).toContain(`sub/odd is ${kind}`);
  });

  it("refuses a socket, naming it", async () => {
    const vault = makeVault({});
    const server = createServer().listen(join(vault, "odd"));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    expect(refusal(() => listVault(vault)).message).toContain("odd is a socket");
  });

  it.each([["CON"], ["a:b"], ["trailing "], ["dot."], [".git"]])("refuses the name %j, naming it", (name) => {
    const { code, message, hint } = refusal(() => listVault(makeVault({ [name]: "" })));
    expect({ code, hint }).toEqual({ code: "INPUT", hint: "rename it, then run the same command again" });
    expect(message).toContain(name);
  });

  it("refuses two names that are one on other machines", () => {
    expect(refusal(() => listVault(makeVault({ "a.txt": "", "A.txt": "" })))).toMatchObject({
      code: "INPUT",
    });
    expect(refusal(() => listVault(makeVault({ "\u00fc": "", "u\u0308": "" })))).toMatchObject({
      code: "INPUT",
    });
  });

  it("refuses a name that is not UTF-8", () => {
    const vault = makeVault({});
    fs.writeFileSync(Buffer.concat([Buffer.from(`${vault}/`), Buffer.from([0x66, 0xff])]), "");
    expect(refusal(() => listVault(vault))).toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("not UTF-8"),
    });
  });

  it("has its names in Unicode's composed form, however the disk spells them", () => {
    expect(textOf(makeVault({ "u\u0308.txt": "decomposed" }))).toEqual({ "\u00fc.txt": "decomposed" });
  });

  it("beyond what any reader unpacks is refused before it is read", () => {
    const vault = makeVault({ small: "s", huge: "" });
    truncateSync(join(vault, "huge"), 513 * 1024 * 1024);
    const { code, hint } = refusal(() => listVault(vault));
    expect(code).toBe("INPUT");
    expect(hint).toContain("huge");
  });
});

describe("reading it", () => {
  it("takes what is there now, not what was listed", () => {
    const vault = makeVault({ a: "1", b: "1", c: "1" });
    const listing = listVault(vault)!;
    writeFileSync(join(vault, "a"), "2");
    rmSync(join(vault, "b"));
    writeFileSync(join(vault, "d"), "new");
    const { files, listing: now } = readVault(listing);
    expect([...files].map(([name, { bytes }]) => `${name}${Buffer.from(bytes)}`)).toEqual([
      "a2",
      "c1",
      "dnew",
    ]);
    expect([...now.files.keys()]).toEqual(["a", "c", "d"]);
  });

  it("does not wait for a FIFO that took a file's place, nor follow a link that did", () => {
    const vault = makeVault({ a: "1" });
    const listing = listVault(vault)!;
    rmSync(join(vault, "a"));
    execFileSync("mkfifo", [join(vault, "a")]);
    expect(refusal(() => readVault(listing)).message).toContain("a is a FIFO");
    rmSync(join(vault, "a"));
    symlinkSync("/etc/passwd", join(vault, "a"));
    expect(refusal(() => readVault(listing)).message).toContain("a is a symbolic link");
  });

  it.each([
    ["written into", (path: string, n: number) => fs.appendFileSync(path, `${n}`)],
    [
      "saved by way of a new file",
      (path: string, n: number) => {
        writeFileSync(`${path}.tmp`, `${n}`);
        renameSync(`${path}.tmp`, path);
      },
    ],
  ])("reads again when a file is %s meanwhile, and gives up on one that never rests", (_, change) => {
    const vault = makeVault({ a: "1", b: "1" });
    const changing = (times: number): Record<string, string> => {
      const { readFileSync } = fs;
      let n = 0;
      fs.readFileSync = ((...args: Parameters<typeof readFileSync>) => {
        const bytes = readFileSync(...args);
        if (n++ < times) change(join(vault, "a"), n);
        return bytes;
      }) as typeof readFileSync;
      syncBuiltinESMExports();
      try {
        return textOf(vault);
      } finally {
        fs.readFileSync = readFileSync;
        syncBuiltinESMExports();
      }
    };
    expect(changing(1)).toEqual({ a: fs.readFileSync(join(vault, "a"), "utf8"), b: "1" });
    expect(refusal(() => changing(1000))).toMatchObject({
      code: "LOCAL_IO",
      message: expect.stringContaining("a changes"),
    });
  });
});

describe("where it may be", () => {
  it.each([
    "..",
    "../x",
    "a/../b",
    "/etc",
    "",
    ".",
    "a//b",
    ".git/x",
    "a\\b",
    "C:x",
    ".GIT/hooks",
    "GIT~1/hooks",
    ".g\u200cit/hooks",
    "\u202e.git/hooks",
    ".git./hooks",
  ])("not in %j", (folder) => {
    expect(refusal(() => resolveVaultFolder("/repository", folder))).toMatchObject({ code: "INPUT" });
  });

  it("not behind a link on the way to it", () => {
    const root = temporaryFolder();
    mkdirSync(join(root, "real/vault/demo"), { recursive: true });
    symlinkSync("real", join(root, "infra"));
    expect(refusal(() => resolveVaultFolder(root, "infra/vault/demo"))).toMatchObject({ code: "INPUT" });
    expect(resolveVaultFolder(root, "real/vault/demo")).toBe(join(root, "real/vault/demo"));
    expect(resolveVaultFolder(root, "not/yet/there")).toBe(join(root, "not/yet/there"));
  });
});
