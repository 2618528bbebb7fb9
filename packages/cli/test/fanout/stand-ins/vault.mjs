#!/usr/bin/env node
// Stands in for HashiCorp's vault (1.11 and later): `read` of a mount and `kv get|put|patch`.
import { behaviour, fail, kept, option, readStdin, standIn } from "./stand-in.mjs";

await standIn((argv) => {
  const words = argv.filter((arg) => !arg.startsWith("-") || arg === "-");
  const address = option("-address");
  const refuse = (method, path, code, why) =>
    `Error making API request.\n\nURL: ${method} ${address}/v1/${path}\nCode: ${code}. Errors:\n\n* ${why}`;
  if (behaviour.loggedOut) fail(2, refuse("GET", words.at(-1), 403, "permission denied"));
  if (words[0] === "read") {
    const version = behaviour.version ?? "2";
    return JSON.stringify({ data: { type: behaviour.type ?? "kv", options: { version } } });
  }
  const [, verb, path] = words;
  const mount = option("-mount");
  const key = `${mount}/${path}`;
  const secret = JSON.parse(kept.get(key) ?? "null");
  const full = `${mount}/data/${path}`;
  if (verb === "get") {
    if (secret === null) fail(2, `No value found at ${full}`);
    return JSON.stringify({ data: { data: secret.data, metadata: { version: secret.version } } });
  }
  if (words.at(-1) !== "-") fail(1, "the values are not on standard input");
  const cas = option("-cas");
  const given = JSON.parse(readStdin());
  const mismatch = `Error writing data to ${full}: ${refuse("PUT", full, 400, "check-and-set parameter did not match the current version")}`;
  const current = (secret?.version ?? 0) + (behaviour.changedMeanwhile ? 1 : 0);
  if (cas !== undefined && Number(cas) !== current) fail(2, mismatch);
  if (verb === "patch") {
    if (secret?.data == null) fail(2, `No value found at ${full}`);
    const isMerge = option("-method") === "patch" || !behaviour.noPatch;
    if (!isMerge && option("-method") === "patch") fail(2, refuse("PATCH", full, 403, "permission denied"));
    const merged = Object.entries({ ...secret.data, ...given }).filter(
      ([, value]) => !isMerge || value !== null,
    );
    kept.set(key, JSON.stringify({ version: current + 1, data: Object.fromEntries(merged) }));
  } else {
    kept.set(key, JSON.stringify({ version: current + 1, data: given }));
  }
  return JSON.stringify({ data: { version: current + 1 } });
});
