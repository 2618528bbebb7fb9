// Next.js calls this once for each server process, before it answers anything. Not while it builds: a build needs no secret.
export async function register() {
  if (process.env.NEXT_RUNTIME === "nodejs") {
    const { openVaultOrEnd } = await import("./vault.js");
    await openVaultOrEnd();
  }
}
