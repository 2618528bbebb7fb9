// Azure Key Vault, through `az`: one secret for each value. Its names have hyphens where others have underscores.

import type { Destination, Platform } from "./platform.ts";
import { sendEach } from "./pool.ts";
import type { Routing } from "./routing.ts";
import { parseAnswer, readOrNull, type Tool } from "./tool.ts";

const MAX_VALUE_BYTES = 25 * 1024;

export const azure: Platform = {
  title: "Azure Key Vault",
  command: "az",
  install: "https://learn.microsoft.com/cli/azure/install-azure-cli",
  login: "az login",
  denied: /az login|Forbidden|Unauthorized|AADSTS|not authorized/i,
  opensStdin: true,
  fields: [
    {
      key: "vault",
      input: "azureVault",
      flag: "--azure-vault <name>",
      what: "Azure key vault",
      form: /^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$/,
      required: true,
    },
    {
      key: "underscores",
      input: "azureUnderscores",
      flag: "--azure-underscores hyphens",
      what: "way to write underscores",
      form: /^hyphens$/,
      required: false,
    },
  ],
  variables: () => ({ AZURE_CORE_NO_COLOR: "true", AZURE_CORE_COLLECT_TELEMETRY: "false", PYTHONUTF8: "1" }),
  describe: ({ vault }) => `Azure key vault ${vault}`,
  nameThere: (name, { underscores }) => (underscores === undefined ? name : name.replaceAll("_", "-")),
  keyOf: (name) => name.toLowerCase(),
  problem(name, value) {
    if (/^[A-Za-z0-9_-]{1,127}$/.test(name) && name.includes("_"))
      return "(a name has no _; to write them all as hyphens: --azure-underscores hyphens)";
    if (!/^[A-Za-z0-9-]{1,127}$/.test(name)) return "(a name has up to 127 letters, digits and hyphens)";
    if (name.startsWith("-")) return "(az would take a name that begins with - for an option)";
    if (value.includes("\r")) return "(has a carriage return, which the az command makes a line feed)";
    const size = Buffer.byteLength(value);
    return size > MAX_VALUE_BYTES ? `(${size} bytes; the limit is 25 KB, ${MAX_VALUE_BYTES} bytes)` : null;
  },
  open: openAzure,
};

async function openAzure(tool: Tool, routing: Routing): Promise<Destination> {
  const { vault = "" } = routing;
  const secret = (verb: string, ...args: string[]) => [
    ...["keyvault", "secret", verb, "--vault-name", vault],
    ...args,
    "--only-show-errors",
  ];
  const listed = parseAnswer(await tool(secret("list", "--query", "[].id", "--output", "json")));
  return {
    id: vault.toLowerCase(),
    routing,
    names: (listed as string[]).map((id) => id.slice(id.lastIndexOf("/") + 1)),
    leaving: new Map(),
    most: Number.POSITIVE_INFINITY,
    read: (name) =>
      readOrNull(
        () => tool(secret("show", "--name", name, "--query", "value", "--output", "json")),
        (answer) => (typeof answer === "string" ? answer : null),
      ),
    send: (changes, report) =>
      sendEach(
        changes,
        ({ kind, name, value }) =>
          kind === "remove"
            ? tool(secret("delete", "--name", name, "--output", "none"))
            : tool(
                secret(
                  "set",
                  "--name",
                  name,
                  "--file",
                  "/dev/stdin",
                  "--encoding",
                  "utf-8",
                  "--output",
                  "none",
                ),
                {
                  value,
                },
              ),
        report,
      ),
  };
}
