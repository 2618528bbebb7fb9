#!/usr/bin/env node
// Stands in for GitHub's gh (2.26 and later): `secret list|set|delete` for a repository or one of its environments.
import { parseLine } from "./godotenv.mjs";
import { behaviour, fail, kept, option, readStdin, standIn } from "./stand-in.mjs";

const LOGIN =
  "To get started with GitHub CLI, please run:  gh auth login\nAlternatively, populate the GH_TOKEN environment variable with a GitHub API authentication token.";

await standIn(([group, verb, name]) => {
  if (behaviour.loggedOut) fail(4, LOGIN);
  if (group !== "secret") fail(1, `unknown command "${group}" for "gh"`);
  const [repo, environment] = [option("--repo"), option("--env")];
  const scope = `repos/${repo}/${environment === undefined ? "actions" : `environments/${environment}`}/secrets`;
  if (behaviour.missing?.includes(environment ?? repo)) {
    fail(1, `failed to get secrets: HTTP 404: Not Found (https://api.github.com/${scope}?per_page=100)`);
  }
  const inScope = (secret) => `${scope} ${secret.toUpperCase()}`;
  if (verb === "list") {
    const mine = kept.names().filter((key) => key.startsWith(`${scope} `));
    return JSON.stringify(mine.map((key) => ({ name: key.slice(scope.length + 1) })));
  }
  if (verb === "set" && option("-f") === "-") {
    const [key, value] = parseLine(readStdin(), process.env) ?? fail(1, "error parsing env file");
    return kept.set(inScope(key), value);
  }
  if (verb === "set") return kept.set(inScope(name), readStdin().replace(/[\r\n]+$/, ""));
  if (verb === "delete" && kept.has(inScope(name))) return kept.remove(inScope(name));
  fail(1, `failed to delete secret ${name}: HTTP 404: Not Found (https://api.github.com/${scope}/${name})`);
});
