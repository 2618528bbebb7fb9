import { config } from "@dotenvx/dotenvx";

config({ path: process.env.BENCH_ENV_FILE, envKeysFile: process.env.BENCH_KEYS_FILE, quiet: true });
if (!process.env.DATABASE_URL?.startsWith("postgres://")) throw new Error("no DATABASE_URL");
