// The applications in examples/, each started as its README says and asked over HTTP, with a vault in a real bucket.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bareEnvironment } from "../machine.ts";
import { describeWithS3 } from "../s3-suite.ts";
import { EXAMPLES, openShop, type Running, type Shop, start } from "./shop.ts";

const here = dirname(fileURLToPath(import.meta.url));

interface Workerd {
  readonly ready: Promise<URL>;
  dispose(): Promise<void>;
}
// Not of the workspace, and so without types where only that is installed.
const { Miniflare } = createRequire(import.meta.url)("miniflare") as {
  Miniflare: new (options: Readonly<Record<string, unknown>>) => Workerd;
};
const next = join(here, "node_modules/next/dist/bin/next");

describe.each(["express", "nextjs", "cloudflare-worker"])("%s", (name) => {
  test("is tested with the versions that it asks for", () => {
    const read = (file: string) => JSON.parse(readFileSync(file, "utf8")).dependencies;
    const { "@muthuishere/vsync-s3-client": reader, ...others } = read(join(EXAMPLES, name, "package.json"));
    expect(read(join(here, "package.json"))).toMatchObject(others);
    const { version } = JSON.parse(readFileSync(join(here, "../../packages/s3-client/package.json"), "utf8"));
    expect(reader).toBe(`^${version}`);
  });
});

test("every example has a README, and the list has every example", () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const list = readFileSync(join(EXAMPLES, "README.md"), "utf8");
  for (const { name } of folders) {
    expect(readFileSync(join(EXAMPLES, name, "README.md"), "utf8")).toMatch(/^# /);
    expect(list).toContain(`| [${name}](${name}/README.md) |`);
  }
});

const orders = (address: string, token: string): Promise<Response> =>
  fetch(`${address}/orders`, { headers: { authorization: `Bearer ${token}` } });

async function expectOrders(address: string, token: string): Promise<void> {
  const served = await orders(address, token);
  expect([served.status, await served.json()]).toEqual([200, { orders: [] }]);
  for (const wrong of ["another token", ""]) expect((await orders(address, wrong)).status).toBe(401);
}

describeWithS3("Express", (s3) => {
  let shop: Shop;
  let app: string;

  beforeAll(async () => {
    shop = await openShop(s3);
    app = shop.place("express");
  });
  afterAll(() => shop?.[Symbol.dispose]());

  const serve = (): Promise<Running> =>
    start(
      process.execPath,
      ["server.js"],
      { cwd: app, env: { ...shop.files, PORT: "0" } },
      /listening on port (\d+)/,
    );

  test("serves whoever has the vault's token, says when somebody pushed, and ends when it is asked to", async () => {
    const old = await serve();
    await expectOrders(old.address, shop.token);
    await shop.machine.vsync(["set", "prod", "ORDERS_TOKEN", "-"], { input: "the next token" });
    await shop.machine.vsync(["push", "prod"]);
    expect(await (await fetch(`${old.address}/health`)).json()).toEqual({ generation: 1, stale: true });
    expect(await old.stop()).toBe(0);

    const fresh = await serve();
    await expectOrders(fresh.address, "the next token");
    expect((await orders(fresh.address, shop.token)).status).toBe(401);
    await fresh.stop();
  });

  test("does not start without its secrets", () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, ["server.js"], {
      cwd: app,
      env: { ...bareEnvironment(), PORT: "0" },
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toContain("VSYNC_CONFIG_MISSING");
    expect(stdout).toBe("");
  });
});

describeWithS3("Next.js", (s3) => {
  let shop: Shop;
  let app: string;
  const env = { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" };

  beforeAll(async () => {
    shop = await openShop(s3);
    app = shop.place("nextjs");
    const { status, stdout, stderr } = spawnSync(process.execPath, [next, "build"], {
      cwd: app,
      env: { ...bareEnvironment(), ...env, HOME: shop.folder },
      encoding: "utf8",
    });
    if (status !== 0 || /warning/i.test(stdout))
      throw new Error(`next build ended with ${status}\n${stdout}${stderr}`);
  });
  afterAll(() => shop?.[Symbol.dispose]());

  test("a route and a page have the vault that was opened when the server started", async () => {
    const server = await start(
      process.execPath,
      [next, "start", "--port", "0", "--hostname", "127.0.0.1"],
      { cwd: app, env: { ...env, ...shop.files, HOME: shop.folder } },
      /http:\/\/127\.0\.0\.1:(\d+)/,
    );
    await expectOrders(server.address, shop.token);
    expect((await (await fetch(server.address)).text()).replaceAll("<!-- -->", "")).toContain(
      "with generation 1 of its secrets",
    );
    await server.stop();
  });

  test("the server does not start without its secrets", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [next, "start", "--port", "0"], {
      cwd: app,
      env: { ...bareEnvironment(), ...env, HOME: shop.folder },
      encoding: "utf8",
      timeout: 30_000,
    });
    expect(status).toBe(1);
    expect(stdout + stderr).toContain("VSYNC_CONFIG_MISSING");
  });

  test("nothing of the vault is in what the build made", () => {
    const files = readdirSync(join(app, ".next"), { recursive: true, withFileTypes: true });
    const texts = files
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.filter((text) => text.includes(shop.token))).toEqual([]);
  });
});

describeWithS3("a Cloudflare Worker, in workerd", (s3) => {
  let shop: Shop;
  let script: string;

  beforeAll(async () => {
    shop = await openShop(s3);
    script = await bundle(shop.place("cloudflare-worker"));
  });
  afterAll(() => shop?.[Symbol.dispose]());

  const serve = (bindings: Record<string, string>): Workerd =>
    new Miniflare({ compatibilityDate: compatibilityDate(), modules: true, script, bindings });

  test("opens the vault once, and serves whoever has its token", async () => {
    const worker = serve({ VSYNC_CONFIG: shop.config, VSYNC_PASSPHRASE: shop.passphrase });
    try {
      const address = (await worker.ready).origin;
      await expectOrders(address, shop.token);
      expect(await (await fetch(`${address}/health`)).json()).toEqual({ generation: 1 });
      await shop.machine.vsync(["set", "prod", "MORE", "-"], { input: "later" });
      await shop.machine.vsync(["push", "prod"]);
      expect(await (await fetch(`${address}/health`)).json()).toEqual({ generation: 1 });
    } finally {
      await worker.dispose();
    }
  });

  test("serves nobody with the wrong passphrase", async () => {
    const worker = serve({ VSYNC_CONFIG: shop.config, VSYNC_PASSPHRASE: "the passphrase of another shop" });
    try {
      const { status } = await orders((await worker.ready).origin, shop.token);
      expect(status).toBe(500);
    } finally {
      await worker.dispose();
    }
  });

  const compatibilityDate = (): string =>
    /"compatibility_date": "(.+)"/.exec(
      readFileSync(join(EXAMPLES, "cloudflare-worker/wrangler.jsonc"), "utf8"),
    )?.[1] ?? "";
});

/** One module, for workerd, as wrangler makes it. */
async function bundle(app: string): Promise<string> {
  const bundles = await build({
    cwd: app,
    entry: { worker: "src/index.js" },
    platform: "neutral",
    format: "esm",
    write: false,
    dts: false,
    config: false,
    logLevel: "silent",
    deps: { alwaysBundle: [/.*/] },
    inputOptions: { resolve: { conditionNames: ["workerd", "worker", "browser", "import", "default"] } },
  });
  const [chunk] = bundles.flatMap((made) => made.chunks).filter((made) => made.type === "chunk");
  return chunk?.code ?? "";
}
