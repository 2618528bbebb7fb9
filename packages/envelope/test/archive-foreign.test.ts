// Archives of other tools are read, and ours are read by them: Python's zipfile, Info-ZIP's zip and unzip.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packArchive, unpackArchive } from "../src/archive.ts";
import { utf8 } from "../src/encoding.ts";

const missing = [
  ["python3", "-c", "import zipfile"],
  ["zip", "-v"],
  ["unzip", "-v"],
].filter(([command, ...args]) => !runs(command!, args));
for (const [command] of missing) {
  console.warn(
    `archives of other tools: skipped for want of ${command} (Debian: apt-get install ${command})`,
  );
}
const has = (command: string) => !missing.some(([name]) => name === command);

const contents: [string, string | Uint8Array][] = [
  [".env.demo", "A=1\nB=two\n".repeat(20)],
  ["empty", ""],
  ["tls/server.key", Uint8Array.from({ length: 5000 }, (_, i) => (i * i) >> 2)],
  ["tls/日本語 é.txt", "unicode\n"],
  ["run.sh", "#!/bin/sh\n"],
];
const expected = contents
  .map(([name, content]) => [name, Buffer.from(content).toString("hex")])
  .sort(([a], [b]) => Buffer.compare(Buffer.from(a!), Buffer.from(b!)));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vsync-archive-"));
  for (const [name, content] of contents) {
    const path = join(folder, "vault", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: name === "run.sh" ? 0o755 : 0o644 });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function expectRead(zip: Uint8Array): Promise<void> {
  const files = await unpackArchive(new Uint8Array(zip));
  const read = [...files].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString("hex")]);
  expect(read.sort(([a], [b]) => Buffer.compare(Buffer.from(a!), Buffer.from(b!)))).toEqual(expected);
}

const python = (code: string, ...args: string[]) =>
  execFileSync("python3", ["-c", code, ...args], { cwd: folder, maxBuffer: 1 << 26, env: utf8Locale() });
const shell = (command: string) =>
  execFileSync("sh", ["-c", command], { cwd: join(folder, "vault"), maxBuffer: 1 << 26, env: utf8Locale() });

describe.skipIf(!has("python3"))("Python's zipfile", () => {
  const write = (how: string) => `
import sys, os, io, zipfile
class Pipe(io.RawIOBase):
    def writable(self): return True
    def write(self, data): return sys.stdout.buffer.write(data)
out = Pipe() if "${how}" == "stream" else io.BytesIO()
with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if "${how}" == "stored" else zipfile.ZIP_DEFLATED) as z:
    for top, _, names in os.walk("vault"):
        for name in names:
            path = os.path.join(top, name)
            entry = os.path.relpath(path, "vault")
            if "${how}" == "writestr":
                z.writestr(entry, open(path, "rb").read())
            else:
                z.write(path, entry)
if "${how}" != "stream": sys.stdout.buffer.write(out.getvalue())
`;
  test.each(["deflated", "stored", "stream", "writestr"])("reads what it writes: %s", async (how) => {
    await expectRead(python(write(how)));
  });

  test("the execute bit comes over from a mode", async () => {
    const files = await unpackArchive(new Uint8Array(python(write("deflated"))));
    expect([...files].filter(([, file]) => file.executable).map(([name]) => name)).toEqual(["run.sh"]);
  });

  test("it reads ours: names, bytes and modes", async () => {
    const zip = Buffer.concat(await packed());
    writeFileSync(join(folder, "ours.zip"), zip);
    const listed = python(
      `
import json, zipfile
with zipfile.ZipFile("ours.zip") as z:
    assert z.testzip() is None
    print(json.dumps([[i.filename, z.read(i).hex(), oct(i.external_attr >> 16), i.date_time] for i in z.infolist()]))
`,
    );
    expect(JSON.parse(listed.toString())).toEqual(
      expected.map(([name, hex]) => [
        name,
        hex,
        name === "run.sh" ? "0o100700" : "0o100600",
        [1980, 1, 1, 0, 0, 0],
      ]),
    );
  });
});

describe.skipIf(!has("zip"))("Info-ZIP's zip", () => {
  test.each([
    ["by default, without folders", "zip -q -r -D - ."],
    ["stored", "zip -q -r -D -0 ../stored.zip . && cat ../stored.zip"],
    ["at its hardest", "zip -q -r -D -9 - ."],
    ["to a file, without extra fields", "zip -q -r -D -X ../by-zip.zip . && cat ../by-zip.zip"],
    ["to a file", "zip -q -r -D ../with-extra.zip . && cat ../with-extra.zip"],
    ["as MS-DOS would", "zip -q -r -D -X -k ../dos.zip .env.demo && cat ../dos.zip"],
  ])("reads what it writes: %s", async (how, command) => {
    const zip = shell(command);
    if (how === "as MS-DOS would") {
      const files = await unpackArchive(new Uint8Array(zip));
      expect([...files.values()].map((file) => Buffer.from(file.bytes).toString())).toEqual([
        contents[0]![1],
      ]);
    } else {
      await expectRead(zip);
    }
  });

  test("refuses the folders that it adds unless told not to", async () => {
    await expect(unpackArchive(new Uint8Array(shell("zip -q -r - .")))).rejects.toThrow(
      /"tls\/": it is a folder/,
    );
  });

  test("refuses a symbolic link that it stored as one", async () => {
    const zip = shell("ln -s run.sh ../link && cd .. && zip -q -y link.zip link && cat link.zip");
    await expect(unpackArchive(new Uint8Array(zip))).rejects.toThrow(/"link": it is a symbolic link/);
  });

  test("refuses what it encrypted", async () => {
    await expect(unpackArchive(new Uint8Array(shell("zip -q -P secret - run.sh")))).rejects.toThrow(
      /"run.sh": it is encrypted/,
    );
  });
});

describe.skipIf(!has("unzip"))("Info-ZIP's unzip", () => {
  test("unpacks ours: names, bytes and modes", async () => {
    const target = join(folder, "unzipped");
    writeFileSync(join(folder, "for-unzip.zip"), Buffer.concat(await packed()));
    execFileSync("unzip", ["-q", join(folder, "for-unzip.zip"), "-d", target], { env: utf8Locale() });
    for (const [name, hex] of expected) {
      expect(readFileSync(join(target, name!)).toString("hex")).toBe(hex);
      expect(statSync(join(target, name!)).mode & 0o777).toBe(name === "run.sh" ? 0o700 : 0o600);
    }
  });
});

function packed(): Promise<readonly Uint8Array[]> {
  return packArchive(
    new Map(
      contents.map(([name, content]) => {
        const bytes = typeof content === "string" ? utf8(content) : content;
        return [name, { bytes, executable: name === "run.sh" }];
      }),
    ),
  );
}

function runs(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function utf8Locale(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C.UTF-8" };
}
