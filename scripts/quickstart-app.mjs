// The application of the quickstart: reads its secrets once, works, and stops when there are newer ones.

import { setTimeout as wait } from "node:timers/promises";
import { open } from "@muthuishere/vsync-s3-client";

const vault = await open();

console.log(`vault open, generation ${vault.generation()}`);
for (const name of ["DATABASE_URL", "STRIPE_KEY", "GREETING", "PORT"]) {
  const value = vault.getEnv(name);
  console.log(
    `  ${name}: from ${vault.envSource(name)}, ${value === null ? "not set" : `${value.length} characters`}`,
  );
}
console.log(`  tls/server.crt: ${vault.getAsContent("tls/server.crt").length} bytes`);

// A real application would ask once a minute at most, and let its supervisor start it again.
while (!(await vault.hasNewVersion())) await wait(250);
console.log(`generation ${await vault.remoteGeneration()} is in the bucket; stopping, to be started again`);
await vault.close();
