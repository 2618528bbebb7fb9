import { openVault } from "../vault.js";

// Rendered when it is asked for: what a build renders is for everybody, and a build has no vault.
export const dynamic = "force-dynamic";

export default async function Page() {
  const vault = await openVault();
  return <p>The shop is open, with generation {vault.generation()} of its secrets.</p>;
}
