// What all stand-ins for a platform's command have in common: they record how they were called, keep secrets in a folder of
// the test, and misbehave when the test says so. $STAND_INS is that folder.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

const folder = process.env.STAND_INS;
const tool = basename(process.argv[1]).replace(/\.mjs$/, "");
const argv = process.argv.slice(2);
const secrets = join(folder, tool);
const live = join(folder, "live");
mkdirSync(secrets, { recursive: true });
mkdirSync(live, { recursive: true });

/** `{ loggedOut, hang: [words], fail: { word: message }, together: n, ...}`: a word is looked for among the arguments. */
export const behaviour = JSON.parse(readIfThere(join(folder, `${tool}.json`)) ?? "{}");

/** Runs the tool's work; what it returns is printed. */
export async function standIn(work) {
  const mark = join(live, String(process.pid));
  writeFileSync(mark, "");
  process.on("exit", () => rmSync(mark, { force: true }));
  await untilTogether(behaviour.together ?? 1);
  const entry = { tool, pid: process.pid, argv, env: process.env, live: readdirSync(live).length };
  appendFileSync(join(folder, "calls.jsonl"), `${JSON.stringify(entry)}\n`);
  if (behaviour.hang?.some((word) => argv.includes(word))) return setInterval(() => undefined, 60_000);
  const failure = Object.entries(behaviour.fail ?? {}).find(([word]) => argv.includes(word));
  if (failure !== undefined)
    fail(
      1,
      failure[1].replaceAll("<stdin>", () => readStdin()),
    );
  const answer = await work(argv);
  if (answer !== undefined) process.stdout.write(answer);
}

export function fail(status, message) {
  process.stderr.write(`${message}\n`);
  process.exit(status);
}

/** The value after a flag, as `--flag value` or `--flag=value`. */
export function option(flag) {
  const at = argv.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return argv[at] === flag ? argv[at + 1] : argv[at].slice(flag.length + 1);
}

export function readStdin() {
  return readFileSync(0, "utf8");
}

/** As Python reads a text file: any line ending is a line feed afterwards. By its name, as the real ones open it. */
export function readTextFile(path) {
  return readFileSync(path, "utf8").replace(/\r\n?/g, "\n");
}

export const kept = {
  names: () => readdirSync(secrets).map(decodeURIComponent).sort(),
  has: (name) => existsSync(join(secrets, encodeURIComponent(name))),
  get: (name) => readIfThere(join(secrets, encodeURIComponent(name))),
  set: (name, value) => writeFileSync(join(secrets, encodeURIComponent(name)), value),
  remove: (name) => rmSync(join(secrets, encodeURIComponent(name))),
};

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** Waits until so many stand-ins are at work at the same time: for ever, when they are never as many. */
async function untilTogether(count) {
  const isWrite = ["set", "create", "add", "put-secret-value", "create-secret"].some((verb) =>
    argv.includes(verb),
  );
  const seen = join(folder, `${tool}.together`);
  while (isWrite && !existsSync(seen)) {
    if (readdirSync(live).length >= count) writeFileSync(seen, "");
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
