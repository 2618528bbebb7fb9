#!/usr/bin/env node
// Stands in for Amazon's aws: `sts get-caller-identity` and what vsync uses of `secretsmanager`.
import { behaviour, fail, kept, option, readTextFile, standIn } from "./stand-in.mjs";

await standIn(([service, operation]) => {
  if (behaviour.loggedOut) {
    fail(255, "\nError when retrieving token from sso: Token has expired and refresh failed");
  }
  if (service === "sts") return JSON.stringify({ UserId: "X", Account: behaviour.account ?? "111122223333" });
  const inRegion = (name) => `${option("--region")} ${name}`;
  const refuse = (code, why) =>
    fail(254, `\nAn error occurred (${code}) when calling the ${operation} operation: ${why}`);
  const name = option("--secret-id") ?? option("--name");
  const leaving = behaviour.leaving ?? [];
  const value = () => {
    const source = option("--secret-string");
    if (source !== "file:///dev/stdin") fail(252, "the value is not on standard input");
    const text = readTextFile(source.slice("file://".length));
    if (text === "")
      fail(
        252,
        "\nParameter validation failed:\nInvalid length for parameter SecretString, value: 0, valid min length: 1",
      );
    return text;
  };
  switch (operation) {
    case "list-secrets": {
      const prefix = /^Key=name,Values=(.*)$/.exec(option("--filters") ?? "Key=name,Values=")[1];
      const mine = kept.names().filter((key) => key.startsWith(inRegion(prefix)));
      const there = mine.map((key) => ({ Name: key.slice(inRegion("").length) }));
      return JSON.stringify({
        SecretList: [...there, ...leaving.map((Name) => ({ Name, DeletedDate: "2026-01-01T00:00:00Z" }))],
      });
    }
    case "get-secret-value":
      if (!kept.has(inRegion(name)))
        refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
      return JSON.stringify({ Name: name, SecretString: kept.get(inRegion(name)) });
    case "create-secret":
      if (kept.has(inRegion(name)))
        refuse("ResourceExistsException", `The operation failed because the secret ${name} already exists.`);
      kept.set(inRegion(name), value());
      return JSON.stringify({ Name: name });
    case "put-secret-value":
      if (!kept.has(inRegion(name)))
        refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
      kept.set(inRegion(name), value());
      return JSON.stringify({ Name: name });
    case "delete-secret":
      kept.remove(inRegion(name));
      return JSON.stringify({ Name: name, DeletionDate: "2026-01-08T00:00:00Z" });
    default:
      return fail(252, `argument operation: Invalid choice: '${operation}'`);
  }
});
