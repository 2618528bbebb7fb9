// The most memory that this process ever had, in KiB, with a vault open. Not process.resourceUsage().maxRSS: on Linux
// that begins with what the parent process has.
import { readFileSync } from "node:fs";
import { open } from "@muthuishere/vsync-s3-client";

const vault = await open();
console.log(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
await vault.close();
