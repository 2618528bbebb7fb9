import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createPrivateFile,
  ensurePrivateDir,
  nameTemporary,
  readPrivateFile,
  removeLeftovers,
  removePrivateFile,
  writePrivateFile,
} from "../src/config/private-file.ts";
import { makeWorkplace } from "./workplace.ts";

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

let folder: string;
beforeEach(() => {
  folder = join(makeWorkplace(null).folder, "private");
  ensurePrivateDir(folder);
});

describe.each([0o000, 0o022, 0o177, 0o777])("under umask %o", (umask) => {
  let before: number;
  beforeEach(() => {
    before = process.umask(umask);
  });
  afterEach(() => {
    process.umask(before);
  });

  test("a file is 0600", () => {
    writePrivateFile(join(folder, "file"), "secret");
    expect(mode(join(folder, "file"))).toBe("600");
    createPrivateFile(join(folder, "new"), "secret");
    expect(mode(join(folder, "new"))).toBe("600");
  });

  test("a folder is 0700", () => {
    ensurePrivateDir(join(folder, "one"));
    expect(mode(join(folder, "one"))).toBe("700");
  });
});

test("every folder made on the way is 0700", () => {
  ensurePrivateDir(join(folder, "a/b/c"));
  expect(["a", "a/b", "a/b/c"].map((made) => mode(join(folder, made)))).toEqual(["700", "700", "700"]);
});

test("writing replaces the whole file and leaves nothing beside it", () => {
  writePrivateFile(join(folder, "file"), "a long first content");
  writePrivateFile(join(folder, "file"), "short");
  expect(readFileSync(join(folder, "file"), "utf8")).toBe("short");
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("writing replaces a link and does not follow it", () => {
  writeFileSync(join(folder, "target"), "untouched");
  symlinkSync("target", join(folder, "file"));
  writePrivateFile(join(folder, "file"), "secret");
  expect(readFileSync(join(folder, "target"), "utf8")).toBe("untouched");
  expect(lstatSync(join(folder, "file")).isSymbolicLink()).toBe(false);
});

test("writing does not change the other name of a hard-linked file", () => {
  writeFileSync(join(folder, "file"), "before");
  linkSync(join(folder, "file"), join(folder, "other"));
  writePrivateFile(join(folder, "file"), "after");
  expect(readFileSync(join(folder, "other"), "utf8")).toBe("before");
});

test("of what looks left over only files are removed: a folder is somebody's", () => {
  const temporary = nameTemporary(join(folder, "file"));
  writeFileSync(temporary, "");
  const named = nameTemporary(join(folder, "mine"));
  mkdirSync(named);
  writeFileSync(join(named, "notes"), "");
  removeLeftovers(folder);
  expect(readdirSync(folder)).toEqual([basename(named)]);
  expect(readdirSync(named)).toEqual(["notes"]);
});

test("a failed write leaves the old content and no temporary file", () => {
  mkdirSync(join(folder, "file"));
  expect(() => writePrivateFile(join(folder, "file"), "secret")).toThrow(/EISDIR/);
  expect(readdirSync(folder)).toEqual(["file"]);
});

test("creating refuses a name that is taken, by a dangling link too", () => {
  symlinkSync("nowhere", join(folder, "link"));
  writeFileSync(join(folder, "file"), "before");
  for (const name of ["link", "file"]) {
    expect(() => createPrivateFile(join(folder, name), "secret")).toThrow(/EEXIST/);
  }
  expect(readFileSync(join(folder, "file"), "utf8")).toBe("before");
  expect(readdirSync(folder)).toEqual(["file", "link"]);
});

test("reading gives null where there is nothing", () => {
  expect(readPrivateFile(join(folder, "none"))).toBeNull();
});

test("removing is fine where there is nothing", () => {
  removePrivateFile(join(folder, "none"));
  writePrivateFile(join(folder, "file"), "secret");
  removePrivateFile(join(folder, "file"));
  expect(readdirSync(folder)).toEqual([]);
});

describe("reading refuses", () => {
  const path = (): string => join(folder, "file");
  const reading = (): unknown => {
    try {
      return readPrivateFile(path());
    } catch (error) {
      return error;
    }
  };

  test.each([0o644, 0o640, 0o606, 0o620])("a file of mode %o, and says how to mend it", (open) => {
    writePrivateFile(path(), "secret");
    chmodSync(path(), open);
    expect(reading()).toMatchObject({ code: "LOCAL_IO", hint: `chmod 600 ${path()}` });
  });

  test("a file whose path has a space, with a command that can be copied", () => {
    const spaced = join(folder, "my key");
    writePrivateFile(spaced, "secret");
    chmodSync(spaced, 0o644);
    expect(() => readPrivateFile(spaced)).toThrow(expect.objectContaining({ hint: `chmod 600 '${spaced}'` }));
  });

  test("a file in a folder that others may write", () => {
    writePrivateFile(path(), "secret");
    chmodSync(folder, 0o777);
    expect(reading()).toMatchObject({ code: "LOCAL_IO", hint: `chmod 700 ${folder}` });
  });

  test("a link", () => {
    writePrivateFile(join(folder, "target"), "secret");
    symlinkSync("target", path());
    expect(reading()).toMatchObject({ code: "LOCAL_IO", message: expect.stringContaining("symbolic link") });
  });

  test("a folder", () => {
    mkdirSync(path());
    expect(reading()).toMatchObject({
      code: "LOCAL_IO",
      message: expect.stringContaining("not a regular file"),
    });
  });

  test("a FIFO, without waiting for its writer", () => {
    execFileSync("mkfifo", ["-m", "600", path()]);
    expect(reading()).toMatchObject({
      code: "LOCAL_IO",
      message: expect.stringContaining("not a regular file"),
    });
  });

  test.runIf(process.getuid?.() === 0)("a file of another user", () => {
    writePrivateFile(path(), "secret");
    execFileSync("chown", ["65534", path()]);
    expect(reading()).toMatchObject({ code: "LOCAL_IO", message: expect.stringContaining("another user") });
  });
});

test("an existing folder that others may write is refused, and not changed", () => {
  chmodSync(folder, 0o777);
  expect(() => ensurePrivateDir(folder)).toThrow(
    expect.objectContaining({ code: "LOCAL_IO", hint: `chmod 700 ${folder}` }),
  );
  expect(mode(folder)).toBe("777");
});
