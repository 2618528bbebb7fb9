import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs, {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deriveKeys, judgeManifest } from "@vsync/envelope";
import { openStore, type StoredObject } from "@vsync/store";
import { describe, expect, test } from "vitest";
import { bareEnvironment } from "../../../test/machine.ts";
import { CliError } from "../src/cli-error.ts";
import { describeInit, type InitInput, init } from "../src/commands/init.ts";
import { passphraseShow } from "../src/commands/passphrase-show.ts";
import { pull } from "../src/commands/pull.ts";
import { push } from "../src/commands/push.ts";
import { status } from "../src/commands/status.ts";
import { type EnvConfig, loadEnvConfig, unpackEnvConfig } from "../src/config/env-config.ts";
import { saveProfile } from "../src/config/profiles.ts";
import { findRepository } from "../src/identity/repository.ts";
import { openKeystore } from "../src/keys/keystore.ts";
import { isPlainHttp } from "../src/setup/location.ts";
import { addIgnoreRules, type Undo, writeVsyncFile } from "../src/setup/repository-files.ts";
import { acquireLock } from "../src/vault/lock.ts";
import { saveSetup } from "../src/vault/setup-journal.ts";
import { statePaths } from "../src/vault/state-paths.ts";
import { makeWorkplace, type Workplace } from "./workplace.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const ITERATIONS = 100_000;

/** `init demo` on the workplace's folder bucket. */
async function setUp(
  place: Workplace,
  input: Partial<InitInput> = {},
  options: Parameters<Workplace["context"]>[0] = {},
) {
  const context = place.context(options);
  const given = { env: "demo", ...place.bucket, iterations: ITERATIONS, ...input };
  const result = await init(context, given);
  return { result, ...context.said() };
}

/** `init demo` on what is there already: no flag but these. */
async function again(
  place: Workplace,
  input: Partial<InitInput>,
  options: Parameters<Workplace["context"]>[0] = {},
) {
  return await init(place.context(options), { env: "demo", ...input });
}

const configOf = (place: Workplace): EnvConfig | null =>
  loadEnvConfig(place.context().host, "acme_shop", "demo");
const keyOf = async (place: Workplace, account = "acme_shop/demo"): Promise<string | null> =>
  await (await openKeystore(place.context().host)).get(account);
const read = (place: Workplace, path: string): string => readFileSync(join(place.root, path), "utf8");

/** As an editor saves it. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}~`, text);
  renameSync(`${path}~`, path);
}

/** Everything below the workplace but git's own, with contents: to see that nothing has changed. */
function snapshot({ folder }: Workplace): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => [join(entry.parentPath, entry.name), entry] as const)
    .filter(([path]) => !path.includes("/.git/") && !path.includes("/@vsync/"));
  return new Map(
    files.map(([path, entry]) => [path, entry.isFile() ? readFileSync(path, "latin1") : "folder"]),
  );
}

describe("a new environment", () => {
  test("gets a passphrase of 44 characters in the keystore and a salt of 24 in the config", async () => {
    const place = makeWorkplace();
    await setUp(place);
    expect(await keyOf(place)).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect(configOf(place)).toEqual({
      version: 1,
      s3: { ...place.bucket, region: "", accessKeyId: "", secretAccessKey: "", useSsl: false },
      encryption: { salt: expect.stringMatching(/^[A-Za-z0-9_-]{24}$/), iterations: ITERATIONS },
      prefix: "acme_shop/demo/",
      files: { vaultFolder: "infra/vault/demo" },
      audit: { enabled: true },
    });
  });

  test("has 600,000 iterations unless told otherwise", async () => {
    const place = makeWorkplace();
    await init(place.context(), { env: "demo", ...place.bucket });
    expect(configOf(place)?.encryption.iterations).toBe(600_000);
  });

  test("gets a vault folder of mode 0700, .vsync and ignore rules", async () => {
    const place = makeWorkplace();
    await setUp(place);
    expect(statSync(join(place.root, "infra/vault/demo")).mode & 0o777).toBe(0o700);
    expect(read(place, ".vsync")).toBe("repo=acme_shop\n");
    expect(read(place, ".gitignore").split("\n").slice(1)).toEqual([
      "/infra/vault/",
      "/.env",
      "/.env.demo",
      "*.share",
      "",
    ]);
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
    const status = execFileSync("git", ["status", "--porcelain"], {
      cwd: place.root,
      env: bareEnvironment(),
      encoding: "utf8",
    });
    expect(status).toBe("?? .gitignore\n?? .vsync\n");
  });

  test("leaves nothing of the probe in the bucket", async () => {
    const place = makeWorkplace();
    const { result } = await setUp(place);
    expect(result.conditionalWrites).toBe(true);
    expect(readdirSync(join(place.folder, "bucket/acme_shop/demo"))).toEqual([]);
  });

  test("says no secret", async () => {
    const place = makeWorkplace();
    const { result, out, err } = await setUp(place);
    const key = (await keyOf(place)) as string;
    for (const text of [out, err, JSON.stringify(result)]) expect(text).not.toContain(key);
  });

  test("differs from the next one in passphrase and salt", async () => {
    const place = makeWorkplace();
    await setUp(place);
    await setUp(place, { env: "prod" });
    expect(await keyOf(place, "acme_shop/prod")).not.toBe(await keyOf(place));
    expect(read(place, ".gitignore").match(/infra\/vault/g)).toHaveLength(1);
  });
});

describe("the prefix", () => {
  test.each([
    ["team/app", "team/app/demo/"],
    ["team/app/", "team/app/demo/"],
    ["", "demo/"],
  ])("%j becomes %s", async (prefix, expected) => {
    const place = makeWorkplace();
    expect((await setUp(place, { prefix })).result.prefix).toBe(expected);
  });

  test.each(["..", "a/../b", "./a", "a/.", "/a", "a//b", "a\nb", "a\u0000"])(
    "%j is refused",
    async (prefix) => {
      const place = makeWorkplace();
      await expect(setUp(place, { prefix })).rejects.toMatchObject({ code: "INPUT" });
    },
  );
});

describe("refuses, and changes nothing:", () => {
  test.each<[string, Partial<InitInput>, string]>([
    ["an endpoint that is no URL", { endpoint: "s3.example" }, "INPUT"],
    ["an endpoint with credentials", { endpoint: "https://me:secret@s3.example" }, "INPUT"],
    ["an endpoint with a query", { endpoint: "https://s3.example/?x=1" }, "INPUT"],
    ["another scheme", { endpoint: "ftp://s3.example" }, "INPUT"],
    ["too few iterations", { iterations: 99_999 }, "INPUT"],
    ["too many iterations", { iterations: 10_000_001 }, "INPUT"],
    ["a vault folder outside the repository", { vaultFolder: "../vault" }, "INPUT"],
    ["the repository itself as vault folder", { vaultFolder: "." }, "INPUT"],
    ["git's folder as vault folder", { vaultFolder: ".git/vault" }, "INPUT"],
    ["git's folder in capitals", { vaultFolder: ".GIT/hooks" }, "INPUT"],
    ["git's folder as Windows may call it", { vaultFolder: "GIT~1/hooks" }, "INPUT"],
    ["git's folder with what macOS leaves out", { vaultFolder: "\u200c.git/hooks" }, "INPUT"],
    ["a profile that is not there", { profile: "none" }, "INPUT"],
    ["a profile's name with a path in it", { profile: "../x" }, "INPUT"],
    ["a name that names no environment", { env: "De/mo" }, "INPUT"],
    ["an env file that is not there", { takeEnvFile: true }, "INPUT"],
    [
      "S3 without a secret key and without a terminal",
      { endpoint: "https://s3.example", accessKey: "id" },
      "INPUT",
    ],
  ])("%s", async (_, input, code) => {
    const place = makeWorkplace();
    const before = snapshot(place);
    await expect(setUp(place, input)).rejects.toMatchObject({ code });
    expect(snapshot(place)).toEqual(before);
  });

  test.each([
    ["that is another environment's", "infra/vault/demo"],
    ["that another one's lies in", "infra/vault"],
    ["in another one's", "infra/vault/demo/inner"],
    ["that is another one's where case makes no difference", "infra/Vault/demo/"],
  ])("a vault folder %s", async (_, vaultFolder) => {
    const place = makeWorkplace();
    await setUp(place);
    await setUp(place, { env: "prod" });
    const before = snapshot(place);
    const refusal = {
      code: "INPUT",
      message: expect.stringMatching(/that of demo \(infra\/vault\/demo\): a push of one would/),
      hint: expect.stringContaining("--vault-folder"),
    };
    await expect(setUp(place, { env: "new", vaultFolder })).rejects.toMatchObject(refusal);
    await expect(again(place, { env: "prod", edit: true, vaultFolder })).rejects.toMatchObject(refusal);
    expect(snapshot(place)).toEqual(before);
    await setUp(place, { env: "new", vaultFolder: "infra/vault/demo2" });
  });

  test("a vault folder behind a link", async () => {
    const place = makeWorkplace();
    mkdirSync(join(place.folder, "elsewhere"));
    symlinkSync("../elsewhere", join(place.root, "infra"));
    await expect(setUp(place)).rejects.toMatchObject({ code: "INPUT" });
    expect(readdirSync(join(place.folder, "elsewhere"))).toEqual([]);
    expect(await keyOf(place)).toBeNull();
  });

  test.each([
    [{ endpoint: "s3.example.com" }, "--endpoint https://s3.example.com"],
    [{ endpoint: "file://buckets" }, '--endpoint "file://$HOME/buckets"'],
    [{ endpoint: "nonsense" }, "--endpoint https://s3."],
    [{ prefix: "a//b" }, "--prefix team/shop"],
    [{ bucket: "" }, "--bucket <name>"],
    [{ endpoint: "https://s3.example", accessKey: "id", bucket: "a" }, "3 to 63"],
  ])("%j: the hint says what to type instead", async (input, hint) => {
    const env = { AWS_SECRET_ACCESS_KEY: "x" };
    await expect(setUp(makeWorkplace(), input, { env })).rejects.toMatchObject({
      hint: expect.stringContaining(hint),
    });
  });

  test("a mistyped profile is answered with the nearest", async () => {
    const place = makeWorkplace();
    const profile = {
      version: 1,
      ...place.bucket,
      region: "",
      accessKeyId: "",
      secretAccessKey: "",
    } as const;
    for (const name of ["work", "home"]) saveProfile(place.context().host, name, profile);
    await expect(again(place, { profile: "wrok" })).rejects.toMatchObject({
      message: 'there is no profile "wrok" (did you mean work?)',
      hint: expect.stringContaining("home, work"),
    });
  });

  test("an error never repeats credentials that were put into an endpoint", async () => {
    const failure: Error = await setUp(makeWorkplace(), { endpoint: "https://me:s3cr3t@s3.example" }).catch(
      (error) => error,
    );
    expect(failure.message).not.toContain("s3cr3t");
  });
});

describe("when a later step fails", () => {
  test("everything is put back", async () => {
    const place = makeWorkplace();
    writeFileSync(join(place.root, ".gitignore"), "node_modules\n");
    mkdirSync(join(place.home, ".config/vsync/config"), { recursive: true, mode: 0o700 });
    writeFileSync(join(place.home, ".config/vsync/config/acme_shop"), "in the way of the config's folder");
    const before = snapshot(place);
    await expect(setUp(place)).rejects.toThrow();
    const after = new Map(snapshot(place));
    for (const left of [...after.keys()].filter((path) => /\/(bucket|keystore)(\/|$)/.test(path))) {
      if (after.get(left) === "folder") after.delete(left);
    }
    expect(after).toEqual(before);
  });

  test("a vault folder that had files keeps them", async () => {
    const place = makeWorkplace();
    mkdirSync(join(place.root, "infra/vault/demo"), { recursive: true });
    writeFileSync(join(place.root, "infra/vault/demo/secret"), "kept");
    mkdirSync(join(place.root, ".vsync"));
    await expect(setUp(place)).rejects.toThrow();
    expect(read(place, "infra/vault/demo/secret")).toBe("kept");
  });
});

describe(".gitignore", () => {
  test("keeps its line endings and what it had", async () => {
    const place = makeWorkplace();
    writeFileSync(join(place.root, ".gitignore"), "node_modules\r\n*.log");
    await setUp(place);
    const text = read(place, ".gitignore");
    expect(text.startsWith("node_modules\r\n*.log\r\n")).toBe(true);
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  });

  test("keeps what is not UTF-8", async () => {
    const place = makeWorkplace();
    const path = join(place.root, ".gitignore");
    writeFileSync(path, Buffer.from("caf\xe9/\n", "latin1"));
    await setUp(place);
    expect(readFileSync(path, "latin1")).toMatch(/^caf\xe9\/\n\n# secrets/);
  });

  const addRules = (place: Workplace): Undo => {
    const { host } = place.context();
    return addIgnoreRules(host, findRepository(host), "infra/vault/demo", "demo").undo;
  };

  test.each(["node_modules", "node_modules\n", "caf\xe9/\r\n", "", null])(
    "taken back is %j again",
    (text) => {
      const place = makeWorkplace();
      const path = join(place.root, ".gitignore");
      if (text !== null) writeFileSync(path, text, "latin1");
      addRules(place)();
      expect(existsSync(path) ? readFileSync(path, "latin1") : null).toBe(text);
    },
  );

  test.each(["node_modules\n", null])("that was %j is not taken back from under a later edit", (text) => {
    const place = makeWorkplace();
    const path = join(place.root, ".gitignore");
    if (text !== null) writeFileSync(path, text);
    const undo = addRules(place);
    appendFileSync(path, "mine\n");
    const edited = readFileSync(path, "utf8");
    expect(undo).toThrow(
      expect.objectContaining({
        code: "CONFLICT",
        message: `${path} was changed meanwhile and stays as it is`,
      }),
    );
    expect(read(place, ".gitignore")).toBe(edited);
  });

  test("is left alone where everything is ignored already", async () => {
    const place = makeWorkplace();
    writeFileSync(join(place.root, ".gitignore"), "infra/\n.env*\n*.share\n");
    await setUp(place);
    expect(read(place, ".gitignore")).toBe("infra/\n.env*\n*.share\n");
  });

  test("is not written through a link", async () => {
    const place = makeWorkplace();
    const elsewhere = join(place.folder, "elsewhere");
    writeFileSync(elsewhere, "mine\n");
    symlinkSync(elsewhere, join(place.root, ".gitignore"));
    await expect(setUp(place)).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringContaining(".gitignore"),
    });
    expect(readFileSync(elsewhere, "utf8")).toBe("mine\n");
    expect([configOf(place), await keyOf(place)]).toEqual([null, null]);
  });

  test("gets a vault folder of its own name, with git's special characters escaped", async () => {
    const place = makeWorkplace();
    await setUp(place, { vaultFolder: "deploy/[a] b" });
    expect(read(place, ".gitignore")).toContain("/deploy/\\[a\\]\\ b/\n");
    expect(configOf(place)?.files.vaultFolder).toBe("deploy/[a] b");
  });

  test("leaves the parent alone when the folder's place was chosen, also when it ends in the environment's name", async () => {
    const place = makeWorkplace();
    const { result } = await setUp(place, { vaultFolder: "config/demo" });
    const rules = read(place, ".gitignore").trimEnd().split("\n").slice(1);
    expect(rules[0]).toBe("/config/demo/");
    expect(result.ignored).toEqual(rules);
    const { notes } = describeInit(result);
    expect(notes).toContain(`.gitignore    got ${rules.join(" ")}`);
    expect((await again(place, { keep: true })).ignored).toEqual([]);
  });

  test("that lets secrets through all the same is warned about", async () => {
    const place = makeWorkplace();
    mkdirSync(join(place.root, "infra"));
    writeFileSync(join(place.root, "infra/.gitignore"), "!vault/\n");
    const { err } = await setUp(place);
    expect(err).toMatch(/^warning: infra\/vault\/demo is not ignored by git/m);
  });

  test("is not warned about when it does its work", async () => {
    expect((await setUp(makeWorkplace())).err).toBe("");
  });
});

describe("two inits at once", () => {
  /** Runs `work`, and `meanwhile` before its nth call with a path in the folder. Whether there was such a call. */
  const interrupt = (folder: string, nth: number, work: () => void, meanwhile: () => void): boolean => {
    const calls = Object.entries(fs).filter(([name]) => name.endsWith("Sync")) as [string, () => unknown][];
    let count = 0;
    for (const [name, call] of calls) {
      const counted = (...args: unknown[]): unknown => {
        if (String(args[0]).startsWith(folder) && ++count === nth) meanwhile();
        return Reflect.apply(call, fs, args);
      };
      Object.assign(fs, { [name]: Object.assign(counted, call) });
    }
    syncBuiltinESMExports();
    try {
      work();
    } finally {
      Object.assign(fs, Object.fromEntries(calls));
      syncBuiltinESMExports();
    }
    return count >= nth;
  };

  test.each([null, "node_modules"])(
    "leave the rules of both and nothing else, whichever call of one the other comes before (.gitignore: %j)",
    (before) => {
      let nth = 1;
      for (let reached = true; reached; nth++) {
        const place = makeWorkplace(null);
        const { root } = place;
        const killed = [".gitignore", ".vsync"].map((name) => join(root, `.${name}.${randomUUID()}.tmp`));
        for (const path of killed) writeFileSync(path, "");
        if (before !== null) writeFileSync(join(root, ".gitignore"), before);
        const prepare = (env: string) => (): void => {
          const repository = { root, name: "acme_shop", hasVsyncFile: false, origin: null };
          addIgnoreRules(place.context().host, repository, `sec/${env}`, env);
          writeVsyncFile(repository);
        };
        reached = interrupt(root, nth, prepare("dev"), prepare("prod"));
        const rules = reached ? ["/sec/dev/", "/sec/prod/"] : ["/sec/dev/"];
        expect(read(place, ".gitignore").split("\n")).toEqual(
          expect.arrayContaining([...rules, ...(before === null ? [] : [before])]),
        );
        expect(read(place, ".vsync")).toBe("repo=acme_shop\n");
        expect(readdirSync(root).sort()).toEqual([".gitignore", ".vsync"]);
      }
      expect(nth).toBeGreaterThan(8);
    },
  );
});

describe("a root .env.demo", () => {
  const withEnvFile = (): Workplace => {
    const place = makeWorkplace();
    writeFileSync(join(place.root, ".env.demo"), "TOKEN=canary\n", { mode: 0o644 });
    return place;
  };

  test("goes into the vault folder on request, 0600", async () => {
    const place = withEnvFile();
    const { result } = await setUp(place, { takeEnvFile: true });
    expect(result.tookEnvFile).toBe(".env.demo");
    expect(read(place, "infra/vault/demo/.env.demo")).toBe("TOKEN=canary\n");
    expect(statSync(join(place.root, "infra/vault/demo/.env.demo")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(place.root, ".env.demo"))).toBe(false);
  });

  test("is what the next step starts from", async () => {
    const { result } = await setUp(withEnvFile(), { takeEnvFile: true });
    expect(describeInit(result).notes?.at(-1)).toMatch(/^next: vsync push demo /);
    const { result: without } = await setUp(makeWorkplace());
    expect(describeInit(without).notes?.at(-1)).toMatch(/^next: put secrets into infra\/vault\/demo/);
  });

  test("stays where it is without the request", async () => {
    const place = withEnvFile();
    await setUp(place);
    expect(read(place, ".env.demo")).toBe("TOKEN=canary\n");
    expect(readdirSync(join(place.root, "infra/vault/demo"))).toEqual([]);
  });

  test("never replaces one that is in the vault folder", async () => {
    const place = withEnvFile();
    mkdirSync(join(place.root, "infra/vault/demo"), { recursive: true });
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "TOKEN=other\n");
    await expect(setUp(place, { takeEnvFile: true })).rejects.toMatchObject({ code: "INPUT" });
    expect(read(place, ".env.demo")).toBe("TOKEN=canary\n");
    expect(read(place, "infra/vault/demo/.env.demo")).toBe("TOKEN=other\n");
    expect(configOf(place)).toBeNull();
    expect(await keyOf(place)).toBeNull();
  });

  test.each([
    ["before the config was there", false],
    ["before the original was removed", true],
  ])("whose copy is there already is taken: of an init that was cut short %s", async (_, keep) => {
    const place = withEnvFile();
    if (keep) await setUp(place);
    mkdirSync(join(place.root, "infra/vault/demo"), { recursive: true });
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "TOKEN=canary\n");
    const result = keep
      ? await again(place, { keep, takeEnvFile: true })
      : (await setUp(place, { takeEnvFile: true })).result;
    expect(result.tookEnvFile).toBe(".env.demo");
    expect(read(place, "infra/vault/demo/.env.demo")).toBe("TOKEN=canary\n");
    expect(existsSync(join(place.root, ".env.demo"))).toBe(false);
  });

  test("is not taken where the vault folder has only a link to it", async () => {
    const place = withEnvFile();
    mkdirSync(join(place.root, "infra/vault/demo"), { recursive: true });
    symlinkSync("../../../.env.demo", join(place.root, "infra/vault/demo/.env.demo"));
    await expect(setUp(place, { takeEnvFile: true })).rejects.toMatchObject({ code: "INPUT" });
    expect(read(place, ".env.demo")).toBe("TOKEN=canary\n");
  });

  test("that is a link is not taken", async () => {
    const place = makeWorkplace();
    symlinkSync("/etc/hostname", join(place.root, ".env.demo"));
    await expect(setUp(place, { takeEnvFile: true })).rejects.toMatchObject({ code: "INPUT" });
  });
});

describe("an environment that exists", () => {
  const existing = async (): Promise<Workplace> => {
    const place = makeWorkplace();
    await setUp(place);
    return place;
  };

  test("is an error that names the flags", async () => {
    await expect(again(await existing(), {})).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining("--keep, --edit or --overwrite"),
    });
  });

  test("--keep changes neither config nor key, and mends the rest", async () => {
    const place = await existing();
    const [config, key] = [configOf(place), await keyOf(place)];
    writeFileSync(join(place.root, ".gitignore"), "");
    await again(place, { keep: true });
    expect([configOf(place), await keyOf(place)]).toEqual([config, key]);
    expect(read(place, ".gitignore")).toContain("/infra/vault/\n");
  });

  test("--edit changes what is given and keeps passphrase, salt and the rest", async () => {
    const place = await existing();
    const [config, key] = [configOf(place) as EnvConfig, await keyOf(place)];
    const context = place.context();
    await init(context, { env: "demo", edit: true, bucket: "other", vaultFolder: "secrets/demo" });
    const { err } = context.said();
    expect(err).toContain("nothing is published in");
    expect(err).toContain(`stays in ${place.bucket.endpoint}/${place.bucket.bucket}/acme_shop/demo/.`);
    expect(err).toContain("vsync push demo --recreate");
    expect(configOf(place)).toEqual({
      ...config,
      s3: { ...config.s3, bucket: "other" },
      files: { vaultFolder: "secrets/demo" },
    });
    expect(await keyOf(place)).toBe(key);
  });

  test.each([{ keep: true }, { edit: true }])(
    "%o makes no bucket in the place of one that is not mounted",
    async (flags) => {
      const place = await existing();
      const bucket = join(place.folder, place.bucket.bucket);
      rmSync(bucket, { recursive: true });
      await expect(again(place, flags)).rejects.toMatchObject({
        hint: expect.stringContaining("is it mounted?"),
      });
      expect(existsSync(bucket)).toBe(false);
    },
  );

  test("--overwrite makes a new key, and keeps the old one and its state aside", async () => {
    const place = await existing();
    const [config, key] = [configOf(place) as EnvConfig, await keyOf(place)];
    const state = join(place.home, ".local/state/vsync/acme_shop");
    mkdirSync(join(state, "demo"), { recursive: true, mode: 0o700 });
    writeFileSync(join(state, "demo/ledger.json"), "old", { mode: 0o600 });
    const leftover = ".config.ee5711e3-a665-4a2a-9f7e-4ba777276eec.tmp"; // of one that was killed
    writeFileSync(join(state, "demo", leftover), "", { mode: 0o600 });
    await again(place, { overwrite: true, ...place.bucket, prefix: "new", iterations: ITERATIONS });
    expect(configOf(place)?.encryption.salt).not.toBe(config.encryption.salt);
    expect(await keyOf(place)).not.toBe(key);
    expect(await keyOf(place, "acme_shop/demo#replaced")).toBe(key);
    const [fresh, aside] = readdirSync(state).sort();
    expect([fresh, aside]).toEqual(["demo", expect.stringMatching(/^demo\.replaced-\d{8}-\d{6}$/)]);
    expect(existsSync(join(state, "demo/ledger.json"))).toBe(false);
    expect(readdirSync(join(state, aside as string)).sort()).toEqual(["config", "ledger.json"]);
    expect(unpackEnvConfig(readFileSync(join(state, aside as string, "config")))).toEqual(config);
  });

  test("--overwrite keeps the key that it replaces also where nothing was published under it", async () => {
    const place = await existing();
    const key = await keyOf(place);
    await again(place, { overwrite: true, ...place.bucket, iterations: ITERATIONS });
    expect(await keyOf(place, "acme_shop/demo#replaced")).toBe(key);
  });

  test.each<[string, Partial<InitInput>]>([
    ["--keep --iterations", { keep: true, iterations: 700_000 }],
    ["--edit --take-over", { edit: true, takeOver: true }],
  ])("%s is refused: it would change the key", async (_, input) => {
    await expect(again(await existing(), input)).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("cut short", () => {
  const KEYSTORE_FILE = /keystore.*\/[^/]*demo[^/#%]*$/;
  const state = ({ home }: Workplace): string => join(home, ".local/state/vsync/acme_shop");

  /** A command of its own that is killed before it calls the function of `node:fs` with such a path. */
  function killed(place: Workplace, args: readonly string[], call: string, path: RegExp): void {
    const hook = `
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const was = fs.${call};
      fs.${call} = (...args) => {
        if (args.some((arg) => ${path}.test(String(arg)))) process.kill(process.pid, "SIGKILL");
        return was(...args);
      };
      syncBuiltinESMExports();`;
    const node = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, MAIN];
    const options = { cwd: place.root, env: place.context().host.env, encoding: "utf8" } as const;
    const { signal, stderr } = spawnSync(process.execPath, [...node, ...args], options);
    expect(signal, stderr).toBe("SIGKILL");
  }
  const initOf = ({ bucket }: Workplace, ...flags: string[]): readonly string[] => [
    ...["init", "demo", "--endpoint", bucket.endpoint, "--bucket", bucket.bucket],
    ...["--iterations", String(ITERATIONS), ...flags],
  ];

  const published = async (): Promise<Workplace> => {
    const place = makeWorkplace();
    await setUp(place);
    for (const value of ["1", "2"]) {
      writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), `A=${value}\n`);
      await push(place.context(), { env: "demo" });
      if (value === "1")
        cpSync(join(place.folder, "bucket"), join(place.folder, "older"), { recursive: true });
    }
    return place;
  };
  const overwrite = { overwrite: true, takeOver: true, iterations: ITERATIONS };

  test.each([
    ["its state is put aside", "renameSync", /demo\.replaced-/],
    ["a new state is begun", "mkdirSync", /acme_shop\/demo$/],
    ["the key is replaced", "renameSync", KEYSTORE_FILE],
    ["the config is", "renameSync", /env_demo$/],
    ["anything is sent", "renameSync", /pending\.json$/],
  ] as const)("before %s, --overwrite --take-over is undone by the next command", async (_, call, path) => {
    const place = await published();
    const [config, key] = [configOf(place), (await keyOf(place)) as string];
    killed(place, initOf(place, "--overwrite", "--take-over"), call, path);
    const out = join(place.folder, "shown");
    await passphraseShow(place.context(), { env: "demo", out });
    expect([readFileSync(out, "utf8"), await keyOf(place), configOf(place)]).toEqual([key, key, config]);
    expect(readdirSync(state(place))).toEqual(["demo"]);
    expect(existsSync(join(state(place), "demo/config"))).toBe(false);
    // What was remembered is remembered: the bucket is put back to an older state.
    rmSync(join(place.folder, "bucket"), { recursive: true });
    renameSync(join(place.folder, "older"), join(place.folder, "bucket"));
    await expect(pull(place.context(), { env: "demo" })).rejects.toMatchObject({ code: "ROLLBACK" });
    await again(place, { ...place.bucket, ...overwrite });
    expect(await keyOf(place, "acme_shop/demo#replaced")).toBe(key);
  });

  test("before the config is replaced, status tells of the vault as it was", async () => {
    const place = await published();
    killed(place, initOf(place, "--overwrite", "--take-over"), "renameSync", KEYSTORE_FILE);
    const { environments } = await status(place.context(), { remote: true });
    expect(environments[0]?.findings.map(({ problem }) => problem)).toEqual([
      "an interrupted change of config and passphrase is not settled yet",
    ]);
    expect(environments).toMatchObject([{ synced: { generation: 2 }, bucket: { state: "in-step" } }]);
  });

  test.each([
    ["it has noted that it published", "renameSync", /demo\/ledger\.json$/],
    ["its journal goes", "unlinkSync", /demo\.setup\.json$/],
  ] as const)(
    "before %s, --take-over is finished by the next command, and done once",
    async (_, call, path) => {
      const place = await published();
      const key = await keyOf(place);
      killed(place, initOf(place, "--overwrite", "--take-over"), call, path);
      const inForce = await keyOf(place);
      expect(await again(place, { ...place.bucket, ...overwrite })).toMatchObject({ did: "take-over" });
      expect([await keyOf(place), await keyOf(place, "acme_shop/demo#replaced")]).toEqual([inForce, key]);
      expect(await pull(place.context(), { env: "demo" })).toMatchObject({ generation: 3 });
      expect(readdirSync(state(place))).toEqual(["demo", expect.stringMatching(/^demo\.replaced-/)]);
    },
  );

  test.each(["bm8gY29uZmln", "", 1])(
    "a journal whose config is %j is damaged, and takes no config away",
    async (damage) => {
      const place = await published();
      const before = configOf(place);
      const path = join(state(place), "demo.setup.json");
      const journal = { version: 1, config: damage, aside: null, key: "kept", takeOver: false };
      writeFileSync(path, JSON.stringify(journal), { mode: 0o600 });
      const damaged = { code: "CORRUPT", hint: expect.stringMatching(/^mv .*demo\.setup\.json /) };
      await expect(pull(place.context(), { env: "demo" })).rejects.toMatchObject(damaged);
      const { environments } = await status(place.context(), {});
      expect(environments[0]?.findings[0]?.problem).toContain("demo.setup.json is damaged");
      expect(configOf(place)).toEqual(before);
    },
  );

  test("a command that comes while the state is put aside does not take its lock for a free one", async () => {
    const place = await published();
    const aside = "demo.replaced-20260101-000000";
    const [folder, moved] = [join(state(place), "demo"), join(state(place), aside)];
    saveSetup(statePaths(folder), { config: configOf(place), aside, key: "kept", takeOver: false });
    renameSync(folder, moved);
    const { release } = acquireLock(join(moved, "lock"));
    const conflict = { code: "CONFLICT", message: expect.stringContaining("another vsync is at work") };
    await expect(pull(place.context(), { env: "demo" })).rejects.toMatchObject(conflict);
    expect(readdirSync(state(place))).toEqual(["demo.setup.json", aside].sort());
    release();
    expect(await pull(place.context(), { env: "demo" })).toMatchObject({ generation: 2, updated: false });
    expect(readdirSync(state(place))).toEqual(["demo"]);
  });

  test.each<[string, Partial<InitInput>]>([
    ["--overwrite --take-over", overwrite],
    ["--edit to another prefix", { edit: true, prefix: "elsewhere" }],
  ])("a pull is undone before %s goes on, not put out of reach", async (_, flags) => {
    const place = await published();
    const pulls = ["pull", "demo", "--version", "previous", "--backup"];
    killed(place, pulls, "renameSync", /^(?!.*\/old$).*infra\/vault\/demo$/);
    await again(place, { ...place.bucket, ...flags });
    expect(read(place, "infra/vault/demo/.env.demo")).toBe("A=2\n");
    expect(readdirSync(join(place.root, "infra/vault"))).toEqual(["demo"]);
  });

  test("before there is a config, the first init leaves no passphrase for the next to keep", async () => {
    const place = makeWorkplace();
    killed(place, initOf(place), "renameSync", /env_demo$/);
    const never = await keyOf(place);
    await setUp(place);
    expect([await keyOf(place), await keyOf(place, "acme_shop/demo#replaced")]).toEqual([
      expect.not.stringContaining(never as string),
      null,
    ]);
  });
});

describe("the passphrase of VSYNC_PASSPHRASE", () => {
  const own = "correct horse battery staple";

  test("is used, and stored nowhere", async () => {
    const place = makeWorkplace();
    const { result } = await setUp(place, { iterations: 600_000 }, { env: { VSYNC_PASSPHRASE: own } });
    expect(result.passphraseIn).toBe("VSYNC_PASSPHRASE");
    expect(await keyOf(place)).toBeNull();
  });

  test.each([
    ["is too short", "elevenchars", 600_000],
    ["ends in white space", `${own}\n`, 600_000],
    ["was not generated, with fewer iterations", own, 599_999],
  ])("is refused when it %s", async (_, passphrase, iterations) => {
    const place = makeWorkplace();
    const failure: Error = await setUp(
      place,
      { iterations },
      { env: { VSYNC_PASSPHRASE: passphrase } },
    ).catch((e) => e);
    expect(failure).toMatchObject({ code: "INPUT" });
    expect(failure.message).not.toContain(passphrase.trim());
    expect(configOf(place)).toBeNull();
  });
});

describe("credentials", () => {
  // Nothing listens there: each test is about what happens before or how the failure reads.
  const s3 = { endpoint: "http://127.0.0.1:9", bucket: "nowhere", region: "r" };

  test("of a variable are temporary when AWS_SESSION_TOKEN is set, and refused", async () => {
    const env = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "canary-secret", AWS_SESSION_TOKEN: "t" };
    await expect(setUp(makeWorkplace(), s3, { env })).rejects.toMatchObject({
      code: "INPUT",
      message: expect.stringContaining("AWS_SESSION_TOKEN"),
    });
  });

  test("of a variable are not taken for another access key", async () => {
    const env = { AWS_ACCESS_KEY_ID: "other", AWS_SECRET_ACCESS_KEY: "canary-secret" };
    await expect(setUp(makeWorkplace(), { ...s3, accessKey: "id" }, { env })).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringContaining("--secret-key-file"),
    });
  });

  test("an unreachable bucket is UNREACHABLE, shows no secret and leaves nothing behind", async () => {
    const place = makeWorkplace();
    const before = snapshot(place);
    const failure: Error = await setUp(
      place,
      { ...s3, accessKey: "id", secretKeyFile: "-" },
      { stdin: "canary-secret\n" },
    ).catch((e) => e);
    expect(failure).toMatchObject({ code: "UNREACHABLE" });
    expect(`${failure.message}${(failure as { hint?: string }).hint}${failure.stack}`).not.toContain(
      "canary-secret",
    );
    expect(snapshot(place)).toEqual(before);
  });

  test("come from a profile, whose name the config remembers", async () => {
    const place = makeWorkplace();
    const { host } = place.context();
    const { endpoint, bucket } = place.bucket;
    saveProfile(host, "work", {
      version: 1,
      endpoint,
      bucket,
      region: "eu",
      prefix: "base",
      accessKeyId: "",
      secretAccessKey: "",
    });
    await init(place.context(), { env: "demo", profile: "work", iterations: ITERATIONS });
    expect(configOf(place)).toMatchObject({
      prefix: "base/demo/",
      initProfile: "work",
      s3: { bucket: "bucket", region: "eu" },
    });
  });
});

describe("--dry-run", () => {
  test("changes nothing, the bucket included", async () => {
    const place = makeWorkplace();
    const before = snapshot(place);
    const { result } = await setUp(place, {}, { flags: { dryRun: true } });
    expect(result.did).toBe("nothing (dry run)");
    expect(snapshot(place)).toEqual(before);
  });
});

describe("an endpoint without TLS", () => {
  test("is warned about", async () => {
    const context = makeWorkplace().context({
      env: { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" },
    });
    const input = { env: "demo", endpoint: "http://0.0.0.0:9", bucket: "nowhere", iterations: ITERATIONS };
    await expect(init(context, input)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(context.said().err).toMatch(/^warning: http:\/\/0\.0\.0\.0:9 is not encrypted on the way/);
  });

  test.each([
    ["http://s3.example", true],
    ["http://10.0.0.1:9000", true],
    ["http://localhost.example", true],
    ["http://127.0.0.1.example", true],
    ["https://s3.example", false],
    ["http://localhost:9000", false],
    ["http://127.0.0.1:9000", false],
    ["http://[::1]:9000", false],
    ["file:///tmp", false],
  ])("%s: %s", (endpoint, plain) => {
    expect(isPlainHttp(endpoint)).toBe(plain);
  });
});

describe("a prefix that holds a vault already", () => {
  const occupied = async (): Promise<Workplace> => {
    const place = makeWorkplace();
    const other = makeWorkplace();
    await setUp(other, place.bucket);
    writeFileSync(join(other.root, "infra/vault/demo/.env.demo"), "A=theirs\n");
    await push(other.context(), { env: "demo" });
    await push(other.context(), { env: "demo" });
    return place;
  };

  test("is refused, and nothing is changed", async () => {
    const place = await occupied();
    const before = snapshot(place);
    await expect(setUp(place)).rejects.toMatchObject({
      code: "CONFLICT",
      hint: expect.stringContaining("--take-over"),
    });
    expect(snapshot(place)).toEqual(before);
  });

  test("is refused when only its manifest is gone", async () => {
    const place = await occupied();
    unlinkSync(join(place.folder, "bucket/acme_shop/demo/manifest"));
    await expect(setUp(place)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  test("is refused to --edit that moves there", async () => {
    const place = await occupied();
    await setUp(place, { prefix: "mine" });
    const config = configOf(place);
    await expect(again(place, { edit: true, prefix: "acme_shop" })).rejects.toMatchObject({
      code: "CONFLICT",
    });
    expect(configOf(place)).toEqual(config);
  });

  test("is replaced on a machine that has its config by what the refusal names: --overwrite --take-over", async () => {
    const place = makeWorkplace();
    await setUp(place);
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=1\n");
    await push(place.context(), { env: "demo" });
    await expect(setUp(place, { takeOver: true })).rejects.toMatchObject({
      code: "INPUT",
      hint: expect.stringMatching(/ --overwrite --take-over$/),
    });
    await expect(setUp(place, { overwrite: true })).rejects.toMatchObject({
      code: "CONFLICT",
      hint: expect.stringMatching(
        /^to go on with it: vsync init demo --keep; .* the same command with --take-over/,
      ),
    });
    const takeOver = { takeOver: true, overwrite: true };
    const before = snapshot(place);
    const tried = await setUp(place, takeOver, { flags: { dryRun: true } });
    expect(tried.err).toContain("would publish infra/vault/demo over the vault in");
    expect(snapshot(place)).toEqual(before);
    const { result, err } = await setUp(place, takeOver);
    expect([result.did, err]).toEqual([
      "take-over",
      expect.stringContaining("published 1 file as generation 2"),
    ]);
  });

  test("is replaced by --take-over: fresh key, next generation, later version", async () => {
    const place = await occupied();
    const { result, err } = await setUp(place, { takeOver: true });
    expect([result.did, err]).toEqual([
      "take-over",
      expect.stringContaining("published an empty vault as generation 2"),
    ]);
    const store = await openStore({ ...place.bucket, region: "", accessKeyId: "", secretAccessKey: "" });
    const manifest = (await store.get("acme_shop/demo/manifest")) as StoredObject;
    const { salt, iterations } = (configOf(place) as EnvConfig).encryption;
    const keys = await deriveKeys((await keyOf(place)) as string, salt, iterations);
    expect(await judgeManifest(keys, "acme_shop/demo/", manifest, Date.now())).toMatchObject({
      kind: "verified",
      manifest: { generation: 2 },
    });
    const versions = readdirSync(join(place.folder, "bucket/acme_shop/demo")).filter((name) =>
      name.startsWith("v"),
    );
    expect(versions).toHaveLength(2);
  });

  test("stays theirs, and this machine as it was, when the take-over fails", async () => {
    const place = await occupied();
    // What a vault cannot hold makes packing fail, after config and key are in place.
    mkdirSync(join(place.root, "infra/vault/demo"), { recursive: true });
    symlinkSync("/etc/hostname", join(place.root, "infra/vault/demo/link"));
    const manifest = readFileSync(join(place.folder, "bucket/acme_shop/demo/manifest"), "latin1");
    await expect(setUp(place, { takeOver: true })).rejects.toMatchObject({ code: "INPUT" });
    expect([configOf(place), await keyOf(place)]).toEqual([null, null]);
    expect(existsSync(join(place.root, ".vsync"))).toBe(false);
    expect(readFileSync(join(place.folder, "bucket/acme_shop/demo/manifest"), "latin1")).toBe(manifest);
  });

  /** Once there is a state folder, which is when the take-over itself begins, `act` goes before each use of randomness. */
  const duringTakeOver = (place: Workplace, act: (state: string) => void, input: Partial<InitInput> = {}) => {
    const { host } = place.context();
    const state = join(place.home, ".local/state/vsync/acme_shop/demo");
    const random = (size: number) => {
      if (existsSync(state)) act(state);
      return host.random(size);
    };
    return setUp(place, { takeOver: true, ...input }, { host: { random } });
  };

  test.each([
    ["saved into", (path: string) => appendFileSync(path, "EDITED=1\n")],
    ["replaced", (path: string) => replaceFile(path, "TOKEN=canary\nEDITED=1\n")],
  ])("a root .env.demo that was %s while it was taken over stays", async (_, edit) => {
    const place = await occupied();
    const [root, taken] = [".env.demo", "infra/vault/demo/.env.demo"].map((name) => join(place.root, name));
    writeFileSync(root as string, "TOKEN=canary\n");
    let edits = 0;
    const act = (): void => {
      if (edits++ === 0) edit(root as string);
    };
    const error: CliError = await duringTakeOver(place, act, { takeEnvFile: true }).catch((error) => error);
    expect(error).toMatchObject({
      code: "PARTIAL",
      message: expect.stringContaining(`${root} was edited meanwhile`),
      hint: expect.stringContaining(`to take the edit: mv ${root} ${taken}   or`),
    });
    expect(read(place, ".env.demo")).toBe("TOKEN=canary\nEDITED=1\n");
    expect(read(place, "infra/vault/demo/.env.demo")).toBe("TOKEN=canary\n");
    expect(readdirSync(place.root).sort()).toEqual([".env.demo", ".git", ".gitignore", ".vsync", "infra"]);
  });

  test("a root .env.demo that somebody has removed meanwhile is no failure", async () => {
    const place = await occupied();
    const path = join(place.root, ".env.demo");
    writeFileSync(path, "TOKEN=canary\n");
    const { result } = await duringTakeOver(place, () => rmSync(path, { force: true }), {
      takeEnvFile: true,
    });
    expect(result.did).toBe("take-over");
    expect(read(place, "infra/vault/demo/.env.demo")).toBe("TOKEN=canary\n");
  });

  test("is under the new key for good once the manifest is swapped, whatever fails then", async () => {
    const place = await occupied();
    const blocked = join(place.home, ".local/state/vsync/acme_shop/demo/bases");
    const failing = duringTakeOver(place, () => writeFileSync(blocked, "in the way"));
    await expect(failing).rejects.toMatchObject({ code: "PARTIAL" });
    rmSync(blocked, { recursive: true });
    writeFileSync(join(place.root, "infra/vault/demo/.env.demo"), "A=ours\n");
    expect(await push(place.context(), { env: "demo" })).toMatchObject({ published: true, generation: 3 });
  });

  test("is given up step by step: one that fails keeps none of the others, nor the first error, from us", async () => {
    const place = await occupied();
    const config = join(place.home, ".config/vsync/config/acme_shop/env_demo");
    const failing = duringTakeOver(place, () => {
      rmSync(config);
      mkdirSync(config);
      throw new CliError("UNREACHABLE", "the first error", "its hint");
    });
    await expect(failing).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringMatching(/^the first error; .*env_demo/),
      hint: "its hint",
    });
    expect(await keyOf(place)).toBeNull();
    expect(existsSync(join(place.root, ".vsync"))).toBe(false);
  });
});

test("a config that others can read is refused with the way to mend it", async () => {
  const place = makeWorkplace();
  await setUp(place);
  const path = join(place.home, ".config/vsync/config/acme_shop/env_demo");
  chmodSync(path, 0o644);
  expect(() => configOf(place)).toThrow(
    expect.objectContaining({ code: "LOCAL_IO", hint: `chmod 600 ${path}` }),
  );
});
