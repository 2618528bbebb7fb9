// The same as memory.mjs with the build for runtimes without `node:` modules.
import { readFileSync } from "node:fs";
import { openWith } from "./node_modules/@muthuishere/vsync-s3-client/dist/web/index.js";

const { VSYNC_CONFIG: config, VSYNC_PASSPHRASE_FILE: file } = process.env;
const vault = await openWith({ config, passphrase: readFileSync(file, "utf8").trim() });
console.log(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
await vault.close();
