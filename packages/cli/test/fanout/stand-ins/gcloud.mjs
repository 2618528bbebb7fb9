#!/usr/bin/env node
// Stands in for Google's gcloud: `secrets list|create|delete` and `secrets versions add|access`.
import { behaviour, fail, kept, option, readStdin, standIn } from "./stand-in.mjs";

const LOGIN =
  "ERROR: (gcloud.secrets.list) You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n\nto obtain new credentials.";

await standIn(([group, verb, ...rest]) => {
  if (behaviour.loggedOut) fail(1, LOGIN);
  if (group !== "secrets") fail(2, `ERROR: (gcloud) Invalid choice: '${group}'.`);
  const project = option("--project");
  const inProject = (name) => `${project}/${name}`;
  const payload = () => {
    if (option("--data-file") !== "-") fail(1, "ERROR: the value is not on standard input");
    const value = readStdin();
    if (value === "") fail(1, "ERROR: INVALID_ARGUMENT: Secret Payload cannot be empty.");
    return value;
  };
  const notFound = (name) =>
    fail(
      1,
      `ERROR: (gcloud.secrets) NOT_FOUND: Secret [projects/1/secrets/${name}] not found or has no versions.`,
    );
  if (verb === "list") {
    const mine = kept.names().filter((key) => key.startsWith(`${project}/`));
    return JSON.stringify(
      mine.map((key) => ({ name: `projects/1/secrets/${key.slice(project.length + 1)}` })),
    );
  }
  if (verb === "create") {
    const [name] = rest;
    if (kept.has(inProject(name)))
      fail(
        1,
        `ERROR: (gcloud.secrets.create) Resource in projects [${project}] is the subject of a conflict: Secret [projects/1/secrets/${name}] already exists.`,
      );
    if (option("--replication-policy") === undefined) fail(1, "ERROR: no replication policy");
    return kept.set(inProject(name), payload());
  }
  if (verb === "delete")
    return kept.has(inProject(rest[0])) ? kept.remove(inProject(rest[0])) : notFound(rest[0]);
  const [action, name] = rest;
  if (action === "add")
    return kept.has(inProject(name)) ? kept.set(inProject(name), payload()) : notFound(name);
  if (behaviour.writeOnly)
    fail(
      1,
      "ERROR: (gcloud.secrets.versions.access) PERMISSION_DENIED: Permission 'secretmanager.versions.access' denied for resource.",
    );
  const value = kept.get(inProject(option("--secret"))) ?? notFound(option("--secret"));
  return JSON.stringify({
    name: "projects/1/secrets/x/versions/1",
    payload: { data: Buffer.from(value).toString("base64url") },
  });
});
