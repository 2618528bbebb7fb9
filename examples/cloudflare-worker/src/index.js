import { openWith } from "@muthuishere/vsync-s3-client";

// One for each isolate: the key derivation is too dear to pay for each request.
let opening;

function openVault({ VSYNC_CONFIG, VSYNC_PASSPHRASE }) {
  opening ??= openWith({ config: VSYNC_CONFIG, passphrase: VSYNC_PASSPHRASE }).catch((error) => {
    // The next request may try again.
    opening = undefined;
    throw error;
  });
  return opening;
}

export default {
  async fetch(request, env) {
    const vault = await openVault(env);
    const { pathname } = new URL(request.url);
    if (pathname === "/health") return Response.json({ generation: vault.generation() });
    if (pathname !== "/orders") return new Response("not found", { status: 404 });
    const [, token = ""] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
    const known = await sameText(token, vault.getEnv("ORDERS_TOKEN") ?? "");
    return known ? Response.json({ orders: [] }) : Response.json({ error: "no such token" }, { status: 401 });
  },
};

/** Takes as long for a wrong text as for the right one. */
async function sameText(one, other) {
  const digest = async (text) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const [a, b] = await Promise.all([digest(one), digest(other)]);
  return a.reduce((difference, byte, i) => difference | (byte ^ b[i]), 0) === 0;
}
