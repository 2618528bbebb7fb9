#!/usr/bin/env node
// Stands in for Azure's az: `keyvault secret list|show|set|delete`.
import { behaviour, fail, kept, option, readTextFile, standIn } from "./stand-in.mjs";

await standIn(([group, kind, verb]) => {
  if (behaviour.loggedOut) fail(1, "ERROR: Please run 'az login' to setup account.");
  if (group !== "keyvault" || kind !== "secret")
    fail(2, `ERROR: '${group}' is misspelled or not recognized by the system.`);
  const vault = option("--vault-name");
  const name = option("--name");
  // Names there are the same whatever their case.
  const find = () => kept.names().find((key) => key.toLowerCase() === `${vault}/${name}`.toLowerCase());
  const notFound = () =>
    fail(3, `ERROR: (SecretNotFound) A secret with (name/id) ${name} was not found in this key vault.`);
  switch (verb) {
    case "list": {
      if (option("--query") !== "[].id") fail(2, "ERROR: another query");
      const mine = kept.names().filter((key) => key.startsWith(`${vault}/`));
      return JSON.stringify(
        mine.map((key) => `https://${vault}.vault.azure.net/secrets/${key.slice(vault.length + 1)}`),
      );
    }
    case "show":
      return JSON.stringify(kept.get(find() ?? notFound()));
    case "set":
      if (!/^[0-9a-zA-Z-]{1,127}$/.test(name))
        fail(1, `ERROR: (BadParameter) The request URI contains an invalid name: ${name}`);
      if (option("--output") !== "none") fail(1, "it would print the value");
      return kept.set(find() ?? `${vault}/${name}`, readTextFile(option("--file")));
    case "delete":
      return kept.remove(find() ?? notFound());
    default:
      return fail(2, `ERROR: '${verb}' is misspelled or not recognized by the system.`);
  }
});
