// What `--json` prints, held against docs/json: by every command, and by failures. The schemas allow no other field, so
// that a new one is documented or red.

import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { must, openFurnishedShop, read, type Shop, scalars, write } from "./shop.ts";

const FOLDER = new URL("../../../docs/json/", import.meta.url);
const SCHEMAS = new Map(
  readdirSync(FOLDER).map((file) => [
    file.replace(/\.json$/, ""),
    JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")),
  ]),
);
const ajv = new Ajv2020({
  allErrors: true,
  allowUnionTypes: true,
  formats: { "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/ },
  schemas: [...SCHEMAS.values()],
});

/** By schema: what is typed, one after the other, in one shop. `~` is alice's home. */
const SUCCESSES: readonly (readonly [schema: string, line: string, options?: Typed])[] = [
  ["version", "vsync --version"],
  ["help", "vsync push --help"],
  ["docs", "vsync docs"],
  ["docs", "vsync docs aws"],
  ["completion", "vsync completion bash"],
  [
    "profile-add",
    `vsync profile add aws ${"--endpoint https://s3.example --bucket b --region r --access-key AKIA"}`,
  ],
  ["profile-list", "(umask 077; echo '{' > ~/.config/vsync/profiles/damaged); vsync profile list"],
  ["profile-show", "vsync profile show aws"],
  ["profile-show", "vsync profile show aws --reveal --yes", { secret: true }],
  ["profile-remove", "vsync profile remove aws"],
  ["init", 'vsync init demo --endpoint "file://$HOME/buckets" --bucket shop --dry-run'],
  ["init", 'vsync init demo --endpoint "file://$HOME/buckets" --bucket shop --iterations 100000'],
  ["status", "vsync status"],
  ["status", "vsync status --remote"],
  ["status", "vsync status --all"],
  ["doctor", "vsync doctor"],
  ["get", "vsync get dev DATABASE_URL", { secret: true }],
  ["set", "echo x | vsync set dev NEW - --dry-run"],
  ["set", "echo x | vsync set dev NEW -"],
  ["unset", "vsync unset dev NEW"],
  ["check", "vsync check dev"],
  ["run", "vsync run dev --dry-run printenv"],
  ["use", "vsync use"],
  ["use", "vsync use dev"],
  ["diff", "vsync diff dev"],
  ["diff", "vsync diff dev --reveal", { secret: true }],
  ["push", "vsync push dev --dry-run"],
  ["push", "vsync push dev"],
  ["push", "vsync push dev"],
  ["pull", "vsync pull prod --version previous --backup"],
  ["pull", "vsync pull prod --dry-run"],
  ["restore", "vsync restore prod previous --dry-run"],
  ["restore", "vsync restore prod previous"],
  ["pull", "echo y > infra/vault/prod/y; vsync pull prod --backup"],
  ["versions", "vsync versions prod"],
  ["versions", "vsync versions prod --key DATABASE_URL --limit 1"],
  ["audit", "vsync audit prod --limit 2"],
  ["audit", "vsync audit prod --verify --csv"],
  ["backup-list", "vsync backup list prod"],
  ["backup-diff", "vsync backup diff prod"],
  [
    "backup-diff",
    "sed -i /DATABASE_URL/d infra/vault/prod/.env.prod; vsync backup diff prod --reveal",
    { secret: true },
  ],
  ["backup-restore", "vsync backup restore prod --dry-run"],
  ["backup-restore", "vsync backup restore prod"],
  ["runtime-token", "vsync runtime-token prod"],
  ["runtime-token", "vsync runtime-token prod --format env --no-validate"],
  ["runtime-token", "vsync runtime-token prod --out ../token --dry-run"],
  ["runtime-token", "vsync runtime-token prod --out ../token"],
  ["passphrase-show", "vsync passphrase show prod --yes", { secret: true }],
  ["passphrase-show", "vsync passphrase show prod --out ../passphrase --dry-run"],
  ["passphrase-show", "vsync passphrase show prod --out ../passphrase"],
  ["share-export", "vsync share export prod --out ../second.share"],
  ["share-import", "vsync share import ../prod.share --passphrase-file ../words", { who: "bob" }],
  ["share-import", "vsync share import ../prod.share --passphrase-file ../words --dry-run", { who: "bob" }],
  ["status", "vsync status --remote", { who: "bob" }],
  ["sync", "vsync sync prod gh --gh-repo acme/shop --dry-run"],
  ["sync", "vsync sync prod gh --gh-repo acme/shop --exclude-property SESSION_KEY"],
  ["keystore-list", "vsync keystore list"],
  ["keystore-export", "vsync keystore export --all --out ../laptop.keys"],
  [
    "keystore-export",
    "vsync keystore export prod --out ../../bob/laptop.keys --passphrase-file ../../bob/words",
  ],
  ["keystore-import", "vsync keystore import ../laptop.keys --passphrase-file ../words", { who: "bob" }],
  ["rotate-passphrase", "vsync rotate-passphrase prod --grace 1h --dry-run"],
  ["rotate-passphrase", "vsync rotate-passphrase prod --grace 1h"],
  ["status", "vsync status --remote"],
  ["rotate-passphrase", "vsync rotate-passphrase prod --finish"],
  ["status", "vsync status --remote", { who: "bob" }],
];

interface Typed {
  readonly who?: "alice" | "bob";
  /** It was asked for one. */
  readonly secret?: boolean;
}

describe("the document of", () => {
  let shop: Shop;
  const secrets: string[] = [];

  beforeAll(async () => {
    shop = await openFurnishedShop();
    const words = read(shop, "bob", "words").trim();
    const key = read(shop, "alice", `keystore/${encodeURIComponent("acme_shop/prod")}`).trim();
    secrets.push(words, key, "not-a-real-secret-key", "shop:three@", "shop:changed@", "0123456789abcdef-");
  });
  afterAll(() => shop?.remove());

  const typed = SUCCESSES.map(([schema, line, options = {}]) => ({ schema, line, ...options }));
  test.each(typed)("$schema: $line", async ({ schema, line, who = "alice", secret = false }) => {
    const env = { AWS_SECRET_ACCESS_KEY: "not-a-real-secret-key" };
    await must(shop, who, `{ ${line} --json; } > ../out`, { env });
    const document = read(shop, who, "out");
    expectShape(schema, document);
    const found = secrets.filter((one) => document.includes(one));
    expect(found.length > 0, `secrets in it: ${found}`).toBe(secret);
  });

  test("each command has a schema that was met", () => {
    const met = new Set(SUCCESSES.map(([schema]) => schema));
    expect([...SCHEMAS.keys()].sort()).toEqual([...met, "error"].sort());
  });
});

/** By code: what ends in it, and a field of `details` where there is some. */
const FAILURES: readonly (readonly [
  code: keyof typeof EXIT_CODES,
  line: string,
  options?: {
    readonly who?: "alice" | "bob";
    readonly details?: string;
    readonly env?: Record<string, string>;
  },
])[] = [
  ["USAGE", "vsync push"],
  ["INPUT", "vsync get prod NOPE"],
  ["INPUT", "vsync unset prod DATABASE_URL && vsync check prod", { details: "missing" }],
  ["LOCAL_CHANGES", "vsync pull prod"],
  ["NOT_CONFIGURED", "vsync push nowhere"],
  ["WRONG_PASSPHRASE", "vsync push prod", { env: { VSYNC_PASSPHRASE: "correct horse battery staple 1" } }],
  ["UNREACHABLE", "vsync init far --endpoint http://127.0.0.1:9 --bucket bucket --access-key A --region r"],
  [
    "INPUT",
    "echo X_FILE=none > infra/vault/dev/.env.dev; vsync sync dev gh --gh-repo a/b --inline-file-suffix _FILE",
    { details: "problems" },
  ],
  [
    "PARTIAL",
    "printf 'A=1\\nB=2\\n' > infra/vault/dev/.env.dev; vsync sync dev gh --gh-repo a/refuses-b",
    { details: "failed" },
  ],
  [
    "CORRUPT",
    "echo A=1 >> infra/vault/prod/.env.prod; vsync push prod --no-audit; vsync audit prod --verify",
    { details: "findings" },
  ],
];

describe("a failure's document", () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openFurnishedShop();
    write(shop, "alice", "shop/infra/vault/dev/.env.dev", scalars("dev", "changed"));
  });
  afterAll(() => shop?.remove());

  const failing = FAILURES.map(([code, line, options = {}]) => ({ code, line, ...options }));
  test.each(failing)("$code: $line", async ({ code, line, details, env = {} }) => {
    const typed = `{ ${line.replace(/(.*)vsync /, "$1vsync --json ")}; } > ../out`;
    const { status } = await shop.type("alice", typed, {
      env: { AWS_SECRET_ACCESS_KEY: "not-a-real-secret-key", ...env },
    });
    const document = read(shop, "alice", "out");
    expectShape("error", document);
    const { error } = JSON.parse(document);
    expect([error.code, status], document).toEqual([code, EXIT_CODES[code].status]);
    expect(Object.keys(error.details ?? {})).toEqual(
      details === undefined ? [] : expect.arrayContaining([details]),
    );
  });
});

describe("the schemas", () => {
  test("know every code", () => {
    expect(SCHEMAS.get("error").$defs.code.enum).toEqual(Object.keys(EXIT_CODES));
  });

  test.each([...SCHEMAS.keys()])("%s allows no field that it does not name", (name) => {
    const objects: Record<string, unknown>[] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      if ("properties" in node && "type" in node) objects.push(node as Record<string, unknown>);
      for (const child of Object.values(node)) visit(child);
    };
    visit(SCHEMAS.get(name));
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) expect(object).toMatchObject({ additionalProperties: false });
    expect(SCHEMAS.get(name).$id).toBe(`https://github.com/muthuishere/vsync/docs/json/v1/${name}.json`);
  });
});

function expectShape(schema: string, text: string): void {
  const validate = ajv.getSchema(SCHEMAS.get(schema)?.$id) as ValidateFunction;
  const problems = validate(JSON.parse(text)) ? [] : validate.errors;
  expect(problems, text).toEqual([]);
}
