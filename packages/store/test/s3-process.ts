// A process of its own for the network tests: one put, get and head, with what came of it on stdout.

import { openStore, StoreError, type StoreLocation } from "../src/index.ts";

const store = await openStore(JSON.parse(process.argv[2]!) as StoreLocation);
try {
  await store.put("key", new Uint8Array(3), { metadata: { gen: "42" } });
  const object = await store.get("key");
  const info = await store.head("key");
  console.log(info?.metadata.gen, object?.size);
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  console.log(error.code, error.message, "|", error.hint);
}
