import { createHash, timingSafeEqual } from "node:crypto";
import { open } from "@muthuishere/vsync-s3-client";
import express from "express";

// Before anything listens: a server without its secrets does not start, and its platform sees that it did not.
const vault = await open({ defaults: { PORT: "3000" } });
const expected = digest(vault.getEnv("ORDERS_TOKEN") ?? "");

const app = express();
app.disable("x-powered-by");

app.get("/orders", (request, response) => {
  const [, token = ""] = /^Bearer (.+)$/.exec(request.get("authorization") ?? "") ?? [];
  if (!timingSafeEqual(digest(token), expected)) return response.status(401).json({ error: "no such token" });
  response.json({ orders: [] });
});

// Fit to be polled: the bucket is asked once a minute at the most. A hint, not a proof: see the package's README.
let stale = null;
let askedAt = 0;
app.get("/health", async (_request, response) => {
  if (Date.now() - askedAt > 60_000) {
    askedAt = Date.now();
    stale = await vault.hasNewVersion().catch(() => null);
  }
  response.json({ generation: vault.generation(), stale });
});

const server = app.listen(Number(vault.getEnv("PORT")), (error) => {
  if (error) throw error;
  console.log(`listening on port ${server.address().port}`);
});

process.on("SIGTERM", () => server.close(() => vault.close()));

function digest(text) {
  return createHash("sha256").update(text).digest();
}
