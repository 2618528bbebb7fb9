// Bytes on their way to a real terminal, through a connection that takes no more of them until the screen has shown some.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Transform } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { startFakeS3 } from "../../store/test/fake-s3.ts";
import { must, openShop, write } from "./shop.ts";

const SIZE = 16 * 2 ** 20;
/** Less than the bundle, more than all else that a command sends or gets. */
const FREE_BYTES = 2 ** 20;

/** Lets so many bytes pass in each direction of a connection, and the rest once `open` is called. */
async function startGate(target: string): Promise<{ endpoint: string; open(): void; close(): void }> {
  let waiting: (() => void)[] | null = null;
  const gate = (): Transform => {
    let passed = 0;
    return new Transform({
      transform(chunk: Buffer, _, done) {
        passed += chunk.length;
        if (passed > FREE_BYTES && waiting !== null) waiting.push(() => done(null, chunk));
        else done(null, chunk);
      },
    });
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const up = connect(Number(new URL(target).port), "127.0.0.1");
    for (const end of [socket, up]) {
      sockets.add(end);
      end.on("error", () => undefined).on("close", () => [socket, up].map((it) => it.destroy()));
    }
    socket.pipe(gate()).pipe(up).pipe(gate()).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(close);
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open() {
      const all = waiting ?? [];
      waiting = null;
      for (const pass of all) pass();
    },
    close() {
      waiting ??= [];
    },
  };
}

test("a bundle's bytes are shown as they go up and come down", { timeout: 60_000 }, async () => {
  const s3 = await startFakeS3();
  const shop = await openShop();
  onTestFinished(async () => {
    shop.remove();
    await s3.close();
  });
  const gate = await startGate(s3.endpoint);
  const { accessKeyId, secretAccessKey } = s3.credentials;
  write(shop, "alice", "secret", secretAccessKey);
  const where = `--endpoint ${gate.endpoint} --bucket ${s3.bucket} --region ${s3.region}`;
  const key = `--access-key ${accessKeyId} --secret-key-file ../secret`;
  await must(shop, "alice", `vsync init prod ${where} ${key} --iterations 100000`);
  const vault = join(shop.home("alice"), "shop/infra/vault/prod");
  writeFileSync(join(vault, "large.bin"), randomBytes(SIZE));

  /** Runs it with the gate closed until the screen shows a part of the bytes. */
  const watch = async (line: string): Promise<{ screen: string; whenOpened: string | null }> => {
    let whenOpened: string | null = null;
    gate.close();
    const onWritten = (written: string): void => {
      if (whenOpened !== null || !/ [KM]iB of 16\.0 MiB/.test(written)) return;
      whenOpened = written;
      gate.open();
    };
    const { screen } = await must(shop, "alice", line, { onWritten });
    return { screen, whenOpened };
  };
  for (const line of ["vsync push prod", "vsync pull prod"]) {
    const { screen, whenOpened } = await watch(line);
    expect(whenOpened, line).toMatch(/ [\d.]+ [KM]iB of 16\.0 MiB/);
    expect(whenOpened, line).not.toContain("16.0 MiB of 16.0 MiB");
    expect(screen, line).toMatch(/\n {6}16\.0 MiB of 16\.0 MiB\n/);
    rmSync(vault, { recursive: true });
  }

  const piped = await must(shop, "alice", "vsync pull prod 2>&1 | cat");
  expect(piped.screen).not.toContain("MiB of");
});
