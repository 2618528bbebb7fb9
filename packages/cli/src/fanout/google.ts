// Google Secret Manager, through `gcloud`: one secret for each value, a new version for each change of it.

import type { Destination, Platform } from "./platform.ts";
import { sendEach } from "./pool.ts";
import type { Routing } from "./routing.ts";
import { parseAnswer, readOrNull, type Tool } from "./tool.ts";

const MAX_VALUE_BYTES = 64 * 1024;

export const google: Platform = {
  title: "Google Secret Manager",
  command: "gcloud",
  install: "https://cloud.google.com/sdk/docs/install",
  login: "gcloud auth login",
  denied: /gcloud auth|PERMISSION_DENIED|UNAUTHENTICATED|do not currently have an active account|reauth/i,
  opensStdin: false,
  fields: [
    {
      key: "project",
      input: "gcpProject",
      flag: "--gcp-project <id>",
      what: "Google Cloud project",
      form: /^[a-z][a-z0-9.:-]{2,98}[a-z0-9]$/,
      required: true,
    },
    {
      key: "locations",
      input: "gcpLocations",
      flag: "--gcp-locations <a,b>",
      what: "locations of new secrets",
      form: /^[a-z][a-z0-9-]*(,[a-z][a-z0-9-]*)*$/,
      required: false,
    },
  ],
  variables: () => ({
    CLOUDSDK_CORE_DISABLE_PROMPTS: "1",
    CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: "1",
  }),
  describe: ({ project }) => `Google Secret Manager, project ${project}`,
  nameThere: (name) => name,
  keyOf: (name) => name,
  problem(name, value) {
    if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) return "(a name has up to 255 letters, digits, _ and -)";
    if (name.startsWith("-")) return "(gcloud would take a name that begins with - for an option)";
    if (value === "") return "(is empty, which no version can be)";
    const size = Buffer.byteLength(value);
    return size > MAX_VALUE_BYTES ? `(${size} bytes; the limit is ${MAX_VALUE_BYTES})` : null;
  },
  open: openGoogle,
};

async function openGoogle(tool: Tool, routing: Routing): Promise<Destination> {
  const { project = "", locations } = routing;
  const here = [`--project=${project}`, "--quiet"];
  const replication =
    locations === undefined
      ? ["--replication-policy=automatic"]
      : ["--replication-policy=user-managed", `--locations=${locations}`];
  const listed = parseAnswer(await tool(["secrets", "list", ...here, "--format=json(name)"]));
  return {
    id: project,
    routing,
    names: (listed as { name: string }[]).map(({ name }) => name.slice(name.lastIndexOf("/") + 1)),
    leaving: new Map(),
    most: Number.POSITIVE_INFINITY,
    read: (name) =>
      readOrNull(
        () => tool(["secrets", "versions", "access", "latest", `--secret=${name}`, ...here, "--format=json"]),
        (answer) => decodePayload((answer as { payload?: { data?: string } }).payload?.data),
      ),
    send: (changes, report) =>
      sendEach(
        changes,
        ({ kind, name, value }) => {
          if (kind === "remove") return tool(["secrets", "delete", name, ...here]);
          const verb = kind === "create" ? ["create", name, ...replication] : ["versions", "add", name];
          return tool(["secrets", ...verb, ...here, "--data-file=-"], { value });
        },
        report,
      ),
  };
}

function decodePayload(data: string | undefined): string | null {
  return data === undefined ? null : Buffer.from(data, "base64").toString("utf8");
}
