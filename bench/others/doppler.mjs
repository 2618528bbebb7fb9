import { DopplerSDK } from "@dopplerhq/node-sdk";

const client = new DopplerSDK({ accessToken: "dp.st.bench" });
client.setBaseUrl(process.env.BENCH_ENDPOINT);
const secrets = await client.secrets.download("shop", "demo", { format: "json" });
if (secrets.DATABASE_URL === undefined) throw new Error("no DATABASE_URL");
