import { utf8 } from "@vsync/envelope";
import { expect, test } from "vitest";
import { openWith } from "../src/index.ts";
import { serveS3 } from "./s3-loopback.ts";
import { blob, FILES, folderEndpoint, makeVault, PASSPHRASE, type TestVault } from "./vault-fixture.ts";

const vault = await makeVault({ minGen: 3 });

async function openFrom(endpoint: string, of: TestVault = vault) {
  return openWith({
    config: await blob(of, { endpoint }),
    passphrase: PASSPHRASE,
    defaults: { PORT: "8080" },
  });
}

test("reads from a folder bucket and from S3 the same vault, byte for byte", async () => {
  await using server = await serveS3(vault.objects);
  for (const endpoint of [await folderEndpoint(vault.objects), server.endpoint]) {
    await using v = await openFrom(endpoint);
    expect(v.getEnv("DATABASE_URL")).toBe("postgres://db");
    expect(v.getEnv("MULTI")).toBe("one\ntwo");
    expect(v.generation()).toBe(3);
    for (const [name, text] of Object.entries(FILES)) expect(v.getAsContent(name)).toEqual(utf8(text));
    expect(await v.remoteGeneration()).toBe(3);
    expect(await v.hasNewVersion()).toBe(false);
  }
});
