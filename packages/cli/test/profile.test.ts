import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { init } from "../src/commands/init.ts";
import {
  describeProfileList,
  describeProfileShow,
  profileAdd,
  profileList,
  profileRemove,
  profileShow,
} from "../src/commands/profile.ts";
import { loadEnvConfig } from "../src/config/env-config.ts";
import { makeWorkplace } from "./workplace.ts";

const ENDPOINT = "https://s3.eu-central-1.amazonaws.com";
const s3 = { endpoint: ENDPOINT, bucket: "secrets", accessKey: "AKIAEXAMPLE", secretKeyFile: "-" };
const SECRET = "a secret key of forty characters, roughly";

test("a profile is kept privately and shown without its secret", async () => {
  const place = makeWorkplace();
  const result = await profileAdd(place.context({ stdin: SECRET }), { name: "team", prefix: "apps", ...s3 });
  expect(result).toEqual({ name: "team", did: "added", endpoint: ENDPOINT, bucket: "secrets" });
  expect(statSync(join(place.home, ".config/vsync/profiles/team.json")).mode & 0o777).toBe(0o600);
  const shown = await profileShow(place.context(), { name: "team" });
  expect(shown).toMatchObject({
    region: "eu-central-1",
    prefix: "apps",
    accessKeyId: "AKIAEXAMPLE",
    usedBy: [],
  });
  const said = JSON.stringify([shown, describeProfileShow(shown), profileList(place.context())]);
  expect(said).not.toContain(SECRET);
  expect(describeProfileShow(shown).out).toContain("secret key  ********");
});

test("the secret is revealed only on a terminal, to somebody who said yes", async () => {
  const place = makeWorkplace();
  await profileAdd(place.context({ stdin: SECRET }), { name: "team", ...s3 });
  const reveal = { name: "team", reveal: true };
  const piped = place.context({ flags: { yes: true } });
  await expect(profileShow(piped, reveal)).rejects.toMatchObject({ code: "INPUT" });
  const attended = (answer: boolean) => {
    const context = place.context();
    return { ...context, terminal: { ...context.terminal, interactive: true, confirm: async () => answer } };
  };
  await expect(profileShow(attended(false), reveal)).rejects.toMatchObject({
    code: "INPUT",
    message: "not shown",
  });
  expect(await profileShow(attended(true), reveal)).toMatchObject({ secretAccessKey: SECRET });
});

test("an existing profile is replaced only with --overwrite, and a dry run keeps none", async () => {
  const place = makeWorkplace();
  await profileAdd(place.context({ flags: { dryRun: true }, stdin: SECRET }), { name: "team", ...s3 });
  expect(profileList(place.context()).profiles).toEqual([]);
  await profileAdd(place.context(), { name: "team", ...place.bucket });
  await expect(profileAdd(place.context(), { name: "team", ...place.bucket })).rejects.toMatchObject({
    code: "INPUT",
    hint: expect.stringContaining("--overwrite"),
  });
  const again = { name: "team", overwrite: true, ...place.bucket, bucket: "other" };
  expect(await profileAdd(place.context(), again)).toMatchObject({ did: "replaced", bucket: "other" });
});

test("the list tells which environments came from a profile, and removing it leaves them as they are", async () => {
  const place = makeWorkplace();
  await profileAdd(place.context(), { name: "team", ...place.bucket });
  await init(place.context(), { env: "demo", profile: "team", iterations: 100_000 });
  const { profiles } = profileList(place.context());
  expect(profiles).toMatchObject([{ name: "team", usedBy: ["acme_shop/demo"] }]);
  expect(describeProfileList({ profiles }).out).toContain("acme_shop/demo");
  const dry = place.context({ flags: { dryRun: true } });
  expect(await profileRemove(dry, { name: "team" })).toMatchObject({ did: "nothing (dry run)" });
  const context = place.context();
  expect(await profileRemove(context, { name: "team" })).toMatchObject({ did: "removed" });
  expect(context.said().err).toContain("acme_shop/demo");
  expect(profileList(place.context()).profiles).toEqual([]);
  expect(loadEnvConfig(context.host, "acme_shop", "demo")?.s3.bucket).toBe(place.bucket.bucket);
  await expect(profileRemove(place.context(), { name: "team" })).rejects.toMatchObject({ code: "INPUT" });
});

test("a damaged profile is listed as such and can be removed; a name cannot lead out of the folder", async () => {
  const place = makeWorkplace();
  await profileAdd(place.context(), { name: "team", ...place.bucket });
  writeFileSync(join(place.home, ".config/vsync/profiles/team.json"), "{", { mode: 0o600 });
  expect(profileList(place.context()).profiles).toEqual([
    { name: "team", problem: expect.stringContaining("is not a profile") },
  ]);
  await profileRemove(place.context(), { name: "team" });
  await expect(profileAdd(place.context(), { name: "../x", ...place.bucket })).rejects.toMatchObject({
    code: "INPUT",
  });
  await expect(profileShow(place.context(), { name: "none" })).rejects.toMatchObject({ code: "INPUT" });
  await expect(profileRemove(place.context(), { name: "é" })).rejects.toMatchObject({
    code: "INPUT",
    hint: "use up to 64 letters, digits, _ and -",
  });
});

test("without a terminal a missing answer names the flag for it", async () => {
  const place = makeWorkplace();
  const context = place.context({
    host: { stdin: Object.assign(new PassThrough(), { isTTY: false }).end() },
  });
  await expect(profileAdd(context, { name: "team" })).rejects.toMatchObject({
    code: "INPUT",
    hint: expect.stringContaining("--endpoint"),
  });
});
