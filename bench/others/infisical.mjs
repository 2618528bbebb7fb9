import { InfisicalSDK } from "@infisical/sdk";

const client = new InfisicalSDK({ siteUrl: process.env.BENCH_ENDPOINT });
await client.auth().universalAuth.login({ clientId: "bench", clientSecret: "bench" });
const { secrets } = await client.secrets().listSecrets({ environment: "demo", projectId: "shop" });
if (!secrets.some(({ secretKey }) => secretKey === "DATABASE_URL")) throw new Error("no DATABASE_URL");
