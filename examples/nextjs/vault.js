import { open } from "@muthuishere/vsync-s3-client";

/** The vault of this process. Each route is bundled on its own: what they share is on `globalThis`. */
export function openVault() {
  globalThis.shopVault ??= open();
  return globalThis.shopVault;
}

/** Next.js goes on when `register` throws. A shop without its secrets should not. */
export async function openVaultOrEnd() {
  try {
    await openVault();
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
