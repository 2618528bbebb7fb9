import { open } from "@muthuishere/vsync-s3-client";

const vault = await open();
if (vault.getEnv("DATABASE_URL") === null) throw new Error("the vault has no DATABASE_URL");
await vault.close();
