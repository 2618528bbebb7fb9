import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { init } from "../src/commands/init.ts";
import { passphraseShow } from "../src/commands/passphrase-show.ts";
import { readSecretInput, readSecretKey } from "../src/config/secret-input.ts";
import { type Keystore, openKeystore } from "../src/keys/keystore.ts";
import { requirePassphrase } from "../src/keys/passphrase.ts";
import { keepReplaced, replacedPassphrases } from "../src/keys/replaced-passphrases.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

function secretFile(place: Workplace, content: string | Uint8Array, mode = 0o600): string {
  const path = join(place.folder, "secret");
  writeFileSync(path, content, { mode });
  chmodSync(path, mode);
  return path;
}

const readFileOf = async (place: Workplace, path: string): Promise<string> =>
  await readSecretInput(place.context(), path, "VSYNC_PASSPHRASE_FILE");

describe("the passphrase comes from the first that has it:", () => {
  const find = async (env: Record<string, string>, place = makeWorkplace()): Promise<unknown> => {
    const context = place.context({ env });
    await (await openKeystore(context.host)).set("acme_shop/demo", "from the keystore");
    return await requirePassphrase(context, "acme_shop", "demo");
  };

  test("VSYNC_PASSPHRASE_FILE", async () => {
    const place = makeWorkplace();
    const env = {
      VSYNC_PASSPHRASE_FILE: secretFile(place, "from the file\n"),
      VSYNC_PASSPHRASE: "from the variable",
    };
    expect(await find(env, place)).toEqual({ text: "from the file", source: "VSYNC_PASSPHRASE_FILE" });
  });

  test("VSYNC_PASSPHRASE, verbatim", async () => {
    expect(await find({ VSYNC_PASSPHRASE: " spaces count \n" })).toEqual({
      text: " spaces count \n",
      source: "VSYNC_PASSPHRASE",
    });
  });

  test("the keystore", async () => {
    expect(await find({ VSYNC_PASSPHRASE: "", VSYNC_PASSPHRASE_FILE: "" })).toMatchObject({
      text: "from the keystore",
    });
  });

  test("nothing: NOT_CONFIGURED, and what to do", async () => {
    await expect(requirePassphrase(makeWorkplace().context(), "acme_shop", "demo")).rejects.toMatchObject({
      code: "NOT_CONFIGURED",
      hint: expect.stringMatching(/share import.*VSYNC_PASSPHRASE_FILE/),
    });
  });
});

describe("a secret in a file", () => {
  test.each([
    ["secret\n", "secret"],
    ["secret \t\r\n\n", "secret"],
    ["  inner and leading  spaces stay", "  inner and leading  spaces stay"],
    ["\ufeffwith a BOM", "\ufeffwith a BOM"],
  ])("%j is %j", async (content, secret) => {
    const place = makeWorkplace();
    expect(await readFileOf(place, secretFile(place, content))).toBe(secret);
  });

  test("behind a link is read, as Kubernetes mounts it", async () => {
    const place = makeWorkplace();
    symlinkSync(secretFile(place, "secret"), join(place.folder, "link"));
    expect(await readFileOf(place, join(place.folder, "link"))).toBe("secret");
  });

  test.each<[string, (place: Workplace) => string, RegExp]>([
    ["nothing is", (place) => join(place.folder, "none"), /does not exist/],
    ["a folder is", (place) => place.root, /not a regular file/],
    ["is a megabyte", (place) => secretFile(place, "x".repeat(2 ** 20)), /the limit is 65536/],
    ["is empty", (place) => secretFile(place, " \n"), /is empty/],
    ["is not UTF-8", (place) => secretFile(place, new Uint8Array([0xff, 0xfe])), /not UTF-8/],
    [
      "everybody may write",
      (place) => secretFile(place, "secret", 0o602),
      /writable by everybody \(mode 0602\)/,
    ],
  ])("%s is refused", async (_, make, message) => {
    const place = makeWorkplace();
    await expect(readFileOf(place, make(place))).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringMatching(message),
    });
  });

  test("a FIFO is refused without waiting for its writer", async () => {
    const place = makeWorkplace();
    execFileSync("mkfifo", [join(place.folder, "fifo")]);
    await expect(readFileOf(place, join(place.folder, "fifo"))).rejects.toMatchObject({ code: "INPUT" });
  });

  test("others can read is read with a warning", async () => {
    const place = makeWorkplace();
    const context = place.context();
    const path = secretFile(place, "secret", 0o644);
    expect(await readSecretInput(context, path, "--secret-key-file")).toBe("secret");
    expect(context.said().err).toBe(
      `warning: ${path} can be read by others (mode 0644); chmod 600 ${path}\n`,
    );
  });
});

describe("a secret on standard input", () => {
  test("is read to the end", async () => {
    expect(
      await readSecretInput(makeWorkplace().context({ stdin: "secret\n" }), "-", "--secret-key-file"),
    ).toBe("secret");
  });

  test.each([
    ["is empty", ""],
    ["is a megabyte", "x".repeat(2 ** 20)],
  ])("%s: refused", async (_, stdin) => {
    await expect(
      readSecretInput(makeWorkplace().context({ stdin }), "-", "--secret-key-file"),
    ).rejects.toMatchObject({ code: "INPUT" });
  });
});

test("the file of a secret key holds one line: the key's id beside it would make every signature wrong", async () => {
  const read = (stdin: string) => readSecretKey(makeWorkplace().context({ stdin }), "-");
  expect(await read("a secret key\n")).toBe("a secret key");
  await expect(read("AKIAEXAMPLE\na secret key\n")).rejects.toMatchObject({
    code: "INPUT",
    message: "standard input holds more than a line (--secret-key-file)",
  });
});

describe("the file keystore", () => {
  const open = async (setting?: string) =>
    await openKeystore(
      makeWorkplace().context({ ...(setting !== undefined && { env: { VSYNC_KEYSTORE: setting } }) }).host,
    );

  test("keeps each account's secret in a private file, and gives it back as it was", async () => {
    const place = makeWorkplace();
    const keystore = await openKeystore(place.context().host);
    const secret = " any ünïcode\n";
    expect(await keystore.get("acme/demo")).toBeNull();
    await keystore.set("acme/demo", secret);
    await keystore.set("acme/demo#next", "other");
    expect([await keystore.get("acme/demo"), await keystore.get("acme/demo#next")]).toEqual([
      secret,
      "other",
    ]);
    const folder = join(place.home, "keystore");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, encodeURIComponent("acme/demo"))).mode & 0o777).toBe(0o600);
    expect([await keystore.delete("acme/demo"), await keystore.delete("acme/demo")]).toEqual([true, false]);
    expect([await keystore.get("acme/demo"), await keystore.get("acme/demo#next")]).toEqual([null, "other"]);
  });

  test("refuses a folder that others may write", async () => {
    const place = makeWorkplace();
    mkdirSync(join(place.home, "keystore"));
    chmodSync(join(place.home, "keystore"), 0o777);
    const keystore = await openKeystore(place.context().host);
    await expect(keystore.set("acme/demo", "secret")).rejects.toMatchObject({ code: "LOCAL_IO" });
  });

  test.each(["folder", "file:relative", "file:", "keychain", "FILE:/x"])(
    "%s is no setting",
    async (setting) => {
      await expect(open(setting)).rejects.toMatchObject({
        code: "INPUT",
        message: expect.stringContaining(setting),
      });
    },
  );
});

describe("replaced passphrases", () => {
  const account = "acme/demo#replaced";

  test("are all kept, newest first, and each once", async () => {
    const keystore = await openKeystore(makeWorkplace().context().host);
    expect(await replacedPassphrases(keystore, account)).toEqual([]);
    for (const passphrase of ["one", "two", "two", "three", "one"])
      await keepReplaced(keystore, account, passphrase);
    expect(await keystore.get(account)).toBe("one");
    expect(await replacedPassphrases(keystore, account)).toEqual(["one", "three", "two"]);
  });

  test("are all kept by one that was killed before it was done, and is done again", async () => {
    const keystore = await openKeystore(makeWorkplace().context().host);
    await keepReplaced(keystore, account, "one");
    const dying: Keystore = {
      ...keystore,
      set: async (name, secret) => {
        if (name === account) throw new Error("killed");
        await keystore.set(name, secret);
      },
    };
    for (let times = 0; times < 2; times++)
      await expect(keepReplaced(dying, account, "two")).rejects.toThrow("killed");
    expect(await replacedPassphrases(keystore, account)).toEqual(["one"]);
    await keepReplaced(keystore, account, "two");
    expect(await replacedPassphrases(keystore, account)).toEqual(["two", "one"]);
    expect(await keystore.list()).toEqual([account, `${account}-1`]);
  });
});

describe("passphrase show", () => {
  const initialised = async (): Promise<Workplace> => {
    const place = makeWorkplace();
    await init(place.context(), { env: "demo", ...place.bucket, iterations: 100_000 });
    return place;
  };

  test.each([{}, { yes: true }, { json: true, yes: true }])(
    "without a terminal is an error that names --out (%j)",
    async (flags) => {
      const context = (await initialised()).context({ flags });
      await expect(passphraseShow(context, { env: "demo" })).rejects.toMatchObject({
        code: "INPUT",
        hint: expect.stringContaining("show demo --out <file>"),
      });
      await expect(passphraseShow(context, { env: "demo", replaced: true, nth: 2 })).rejects.toMatchObject({
        hint: expect.stringContaining("show demo --replaced --nth 2 --out <file>"),
      });
    },
  );

  test("--out never replaces a file, nor follows a link", async () => {
    const place = await initialised();
    writeFileSync(join(place.root, "taken"), "before");
    symlinkSync("nowhere", join(place.root, "link"));
    for (const out of ["taken", "link"]) {
      await expect(passphraseShow(place.context(), { env: "demo", out })).rejects.toMatchObject({
        code: "INPUT",
      });
    }
  });

  test("an environment that is not set up here is NOT_CONFIGURED", async () => {
    await expect(passphraseShow(makeWorkplace().context(), { env: "demo", out: "p" })).rejects.toMatchObject({
      code: "NOT_CONFIGURED",
      hint: expect.stringContaining("vsync init demo"),
    });
  });
});
