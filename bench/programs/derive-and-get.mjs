// The least that a reader of buckets can do: one derivation and, beside it, two requests one after the other by node:http.
import { pbkdf2 } from "node:crypto";

// Not by an import, which on Node 22 and later loads a WebSocket client as well.
const { Agent, get } = process.getBuiltinModule("node:http");

pbkdf2("correct horse battery staple", "c2FsdHNhbHRzYWx0c2FsdHNh", 600_000, 32, "sha256", () => {});
const agent = new Agent({ keepAlive: true });
for (let i = 0; i < 2; i++) {
  await new Promise((resolve, reject) => {
    get(process.env.BENCH_ENDPOINT, { agent }, (response) => response.resume().on("end", resolve)).on(
      "error",
      reject,
    );
  });
}
agent.destroy();
