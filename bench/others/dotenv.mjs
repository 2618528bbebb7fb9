import { config } from "dotenv";

config({ path: process.env.BENCH_ENV_FILE, quiet: true });
if (process.env.DATABASE_URL === undefined) throw new Error("no DATABASE_URL");
