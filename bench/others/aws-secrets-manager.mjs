import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const client = new SecretsManagerClient({
  endpoint: process.env.BENCH_ENDPOINT,
  region: "eu-central-1",
  credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
});
const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: "shop" }));
if (JSON.parse(SecretString).DATABASE_URL === undefined) throw new Error("the secret has no DATABASE_URL");
client.destroy();
