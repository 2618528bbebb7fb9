import { createHash, timingSafeEqual } from "node:crypto";
import { openVault } from "../../vault.js";

export async function GET(request) {
  const vault = await openVault();
  const [, token = ""] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  const known = timingSafeEqual(digest(token), digest(vault.getEnv("ORDERS_TOKEN") ?? ""));
  return known ? Response.json({ orders: [] }) : Response.json({ error: "no such token" }, { status: 401 });
}

function digest(text) {
  return createHash("sha256").update(text).digest();
}
