// The least that a writer of buckets can do: one derivation and four requests, each after the answer to the one before.
import { pbkdf2 } from "node:crypto";

const { Agent, get } = process.getBuiltinModule("node:http");

await new Promise((resolve) => {
  pbkdf2("correct horse battery staple", "c2FsdHNhbHRzYWx0c2FsdHNh", 600_000, 32, "sha256", resolve);
});
const agent = new Agent({ keepAlive: true });
for (let i = 0; i < 4; i++) {
  await new Promise((resolve, reject) => {
    get(process.env.BENCH_ENDPOINT, { agent }, (response) => response.resume().on("end", resolve)).on(
      "error",
      reject,
    );
  });
}
agent.destroy();
