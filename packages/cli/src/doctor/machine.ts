// What `vsync doctor` looks at on the machine itself: versions, variables, and the files that vsync keeps.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configFolder, stateFolder } from "../config/paths.ts";
import type { Host } from "../host.ts";
import { revealsAnything } from "../node-options.ts";
import { shellWord } from "../shell-word.ts";
import { VERSION } from "../version.ts";
import { type Check, fail, ok, warn } from "./check.ts";

const OLDEST_NODE = 20;
const SHOWN = 3;

export function checkVersions({ platform }: Host): Check {
  const says = `vsync ${VERSION}, Node.js ${process.versions.node}, ${platform} ${process.arch}`;
  if (Number(process.versions.node.split(".")[0]) >= OLDEST_NODE) return ok("versions", says);
  return fail("versions", "UNSUPPORTED_VERSION", says, `install Node.js ${OLDEST_NODE} or later`);
}

/** `execArgv`: what this process was started with. */
export function checkNodeOptions({ env }: Pick<Host, "env">, execArgv: readonly string[]): Check {
  const found = revealsAnything(env.NODE_OPTIONS, execArgv);
  if (env.NODE_V8_COVERAGE) found.push("NODE_V8_COVERAGE");
  if (found.length === 0) return ok("node options", "no inspector, snapshot or preload in NODE_OPTIONS");
  const says = `${found.join(", ")}: memory with secrets in it can be read, or other code runs in vsync`;
  return warn("node options", says, "unset NODE_OPTIONS when you run vsync");
}

export function checkNetwork({ env }: Host): Check[] {
  const checks: Check[] = [];
  const names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
  const proxies = names.filter((name) => env[name]);
  checks.push(
    proxies.length === 0
      ? ok("proxy", "no proxy variable is set; vsync connects directly")
      : warn(
          "proxy",
          `${proxies.join(", ")} is set, but vsync connects directly`,
          "if the bucket can be reached only through it, allow a direct connection to its host",
        ),
  );
  return [...checks, checkAuthorities(env)];
}

function checkAuthorities(env: Host["env"]): Check {
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    const says = "NODE_TLS_REJECT_UNAUTHORIZED=0: anybody on the way can pose as the bucket";
    return fail(
      "certificates",
      "INPUT",
      says,
      "unset NODE_TLS_REJECT_UNAUTHORIZED; name your authority in NODE_EXTRA_CA_CERTS",
    );
  }
  const path = env.NODE_EXTRA_CA_CERTS;
  if (!path) return ok("certificates", "the authorities that Node.js brings along");
  try {
    if (readFileSync(path, "latin1").includes("-----BEGIN CERTIFICATE-----")) {
      return ok("certificates", `those of Node.js, and of ${path}`);
    }
  } catch {
    // Node.js goes on without it, and so without a word of what is wrong.
  }
  return fail(
    "certificates",
    "INPUT",
    `NODE_EXTRA_CA_CERTS names ${path}, which is no readable file of certificates`,
    "correct NODE_EXTRA_CA_CERTS, or unset it",
  );
}

/** Every file and folder that vsync keeps has to be its user's alone. */
export function checkPermissions(host: Host): Check {
  if (host.platform === "win32") return ok("permissions", "left to Windows and your profile folder");
  const roots = [configFolder(host), stateFolder(host)].filter((path) => existsSync(path));
  const open = roots.flatMap((root) => openToOthers(root, host.uid));
  if (open.length === 0) return ok("permissions", "config and state are yours alone");
  const shown =
    open.slice(0, SHOWN).join(", ") + (open.length > SHOWN ? ` and ${open.length - SHOWN} more` : "");
  const fix = roots.map((root) => `chmod -R go= ${shellWord(root)}`).join(" && ");
  return fail("permissions", "LOCAL_IO", `others may read or write, or own: ${shown}`, fix);
}

function openToOthers(path: string, uid: number | null): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) return [];
  const isOpen = (found.mode & 0o077) !== 0 || (uid !== null && found.uid !== uid);
  const inside = found.isDirectory()
    ? readdirSync(path).flatMap((name) => openToOthers(join(path, name), uid))
    : [];
  return isOpen ? [path, ...inside] : inside;
}
