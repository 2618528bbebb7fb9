// Every form that Python's zipfile and Info-ZIP's zip can give an archive: read as it was meant, or refused by its name.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasPrograms } from "../../../test/programs.ts";
import { unpackArchive } from "../src/archive.ts";
import { expectRefused } from "./refused-archive.ts";

const CONTENT = "A=1\n".repeat(100);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "vsync-forms-"));
  mkdirSync(join(folder, "d"));
  writeFileSync(join(folder, ".env"), CONTENT, { mode: 0o644 });
  writeFileSync(join(folder, "d/\u00fcml\u00e4ut.txt"), CONTENT, { mode: 0o755 });
  symlinkSync(".env", join(folder, "link"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, ...args: string[]): Uint8Array {
  const options = { cwd: folder, env: { ...process.env, LC_ALL: "C.UTF-8" }, maxBuffer: 1 << 26 };
  return new Uint8Array(execFileSync(command, args, options));
}

/** What it unpacks to: names, with `*` for an executable, all of the same content. */
async function namesIn(zip: Uint8Array): Promise<string[]> {
  const files = [...(await unpackArchive(zip))];
  for (const [name, { bytes }] of files) expect(Buffer.from(bytes).toString(), name).toBe(CONTENT);
  return files.map(([name, { executable }]) => (executable ? `${name}*` : name)).sort();
}

const hasPython = hasPrograms("archives of Python's zipfile", ["python3"], "apt-get install python3");
describe.skipIf(!hasPython)("Python's zipfile", () => {
  /** `body` writes into the archive `z`; `C` is the content, `info` makes an entry's header. */
  const python = (body: string, prefix = "b''"): Uint8Array =>
    run(
      "python3",
      "-c",
      `
import io, sys, warnings, zipfile
warnings.simplefilter("ignore")
C = "A=1\\n" * 100
def info(name, mode=0o100600, **fields):
    entry = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 5))
    entry.external_attr = mode << 16
    for field, value in fields.items(): setattr(entry, field, value)
    return entry
out = io.BytesIO(${prefix})
with zipfile.ZipFile(out, "a" if ${prefix} else "w", zipfile.ZIP_DEFLATED) as z:
${body.replace(/^/gm, "    ")}
sys.stdout.buffer.write(out.getvalue())
`,
    );

  test.each<[string, string, string[]]>([
    ["a name in ASCII, without the flag", "z.writestr(info('.env'), C)", [".env"]],
    ["a name beyond ASCII, with the flag for UTF-8", "z.writestr(info('d/\u00fc'), C)", ["d/\u00fc"]],
    ["modes of Unix", "z.writestr(info('a', 0o100755), C)\nz.writestr(info('b', 0o100444), C)", ["a*", "b"]],
    ["a mode without a type", "z.writestr(info('a', 0o644), C)", ["a"]],
    ["made on Windows", "z.writestr(info('a', 0, create_system=0), C)", ["a"]],
    [
      "each level of deflate",
      "for n in range(10): z.writestr(info(str(n)), C, compresslevel=n)",
      [..."0123456789"],
    ],
    ["stored", "z.writestr(info('a'), C, zipfile.ZIP_STORED)", ["a"]],
    [
      "an extra field of a time",
      "z.writestr(info('a', extra=b'UT\\x05\\x00\\x01\\x00\\x00\\x00\\x00'), C)",
      ["a"],
    ],
    ["a comment of an entry", "z.writestr(info('a', comment=b'words'), C)", ["a"]],
    ["nothing", "pass", []],
  ])("read: %s", async (_form, body, names) => {
    expect(await namesIn(python(body))).toEqual(names);
  });

  test.each<[string, string, RegExp]>([
    [
      "zip64 where none is needed",
      "with z.open(info('a'), 'w', force_zip64=True) as f: f.write(C.encode())",
      /"a": its local header and the directory disagree/,
    ],
    [
      "a comment of the archive",
      "z.writestr('a', C); z.comment = b'words'",
      /it does not end in an end record/,
    ],
    ["a folder", "z.writestr(info('d/', 0o40755), '')", /"d\/": it is a folder/],
    ["a symbolic link", "z.writestr(info('l', 0o120777), '.env')", /"l": it is a symbolic link/],
    ["a device", "z.writestr(info('tty', 0o20600), '')", /"tty": it is not a regular file/],
    ["set-uid", "z.writestr(info('a', 0o104755), C)", /"a": its mode is set-uid/],
    ["bzip2", "z.writestr('a', C, zipfile.ZIP_BZIP2)", /"a": it is packed by the unknown method 12/],
    [
      "lzma",
      "z.writestr('a', C, zipfile.ZIP_LZMA)",
      /"a": (?:it is packed by the unknown method 14|it uses a zip feature)/,
    ],
    ["one name twice", "z.writestr('a', C); z.writestr('a', C)", /"a": there is another file of this name/],
    [
      "two names but for their case",
      "z.writestr('a', C); z.writestr('A', C)",
      /"A": its name differs from "a" only in case/,
    ],
    ["a way out", "z.writestr('../a', C)", /"\.\.\/a": its name has a part "\.\."/],
    ["an absolute path", "z.writestr(info('/etc/a'), C)", /"\/etc\/a": its name is an absolute path/],
    ["a name in decomposed form", "z.writestr('u\\u0308', C)", /its name is not in Unicode normal form C/],
  ])("refused: %s", async (_form, body, message) => {
    await expectRefused(python(body), message);
  });

  test("refused: a program in front, as of an archive that unpacks itself", async () => {
    const zip = python("z.writestr('a', C)", "b'#!/bin/sh\\nexit\\n'");
    expect(Buffer.from(zip.subarray(0, 9)).toString()).toBe("#!/bin/sh");
    await expectRefused(zip, /something before it that is no entry/);
  });

  test("refused: what is left of an entry that a later one took the place of", async () => {
    const zip = python("z.writestr('a', C); z.writestr('b', C); z.filelist.pop(0)");
    await expectRefused(zip, /something before it that is no entry/);
  });
});

const hasZip = hasPrograms("archives of Info-ZIP", ["zip"], "apt-get install zip");
describe.skipIf(!hasZip)("Info-ZIP's zip", () => {
  const zip = (...args: string[]): Uint8Array => {
    rmSync(join(folder, "made.zip"), { force: true });
    run("zip", "-q", ...args.map((arg) => (arg === "OUT" ? "made.zip" : arg)));
    return new Uint8Array(readFileSync(join(folder, "made.zip")));
  };
  const BOTH = [".env", "d/\u00fcml\u00e4ut.txt*"];

  test.each<[string, string[], string[]]>([
    ["with extra fields of Unix", ["-D", "-r", "OUT", ".env", "d"], BOTH],
    ["without", ["-X", "-D", "-r", "OUT", ".env", "d"], BOTH],
    ["with data descriptors", ["-fd", "-X", "-D", "-r", "OUT", ".env", "d"], BOTH],
    ["stored", ["-0", "-X", "-D", "-r", "OUT", ".env", "d"], BOTH],
    ["names marked as UTF-8", ["-UN=UTF8", "-X", "-D", "-r", "OUT", ".env", "d"], BOTH],
    ["a link followed", ["-X", "OUT", "link"], ["link"]],
  ])("read: %s", async (_form, args, names) => {
    expect(await namesIn(zip(...args))).toEqual(names);
  });

  test.each<[string, string[], RegExp]>([
    ["zip64 where none is needed", ["-fz", "-X", "OUT", ".env"], /zip64 form/],
    ["folders", ["-X", "-r", "OUT", "d"], /"d\/": it is a folder/],
    ["a link as a link", ["-y", "-X", "OUT", "link"], /"link": it is a symbolic link/],
    ["bzip2", ["-Z", "bzip2", "-X", "OUT", ".env"], /".env": it is packed by the unknown method 12/],
    ["encrypted", ["-P", "secret", "-X", "OUT", ".env"], /".env": it is encrypted by zip/],
  ])("refused: %s", async (_form, args, message) => {
    await expectRefused(zip(...args), message);
  });

  test("refused: a comment of the archive", async () => {
    const made = zip("-X", "OUT", ".env");
    expect(await namesIn(made)).toEqual([".env"]);
    execFileSync("zip", ["-q", "-z", "made.zip"], { cwd: folder, input: "words\n" });
    await expectRefused(
      new Uint8Array(readFileSync(join(folder, "made.zip"))),
      /does not end in an end record/,
    );
  });
});
