// HashiCorp Vault's key-value store, version 2, through `vault`: all values in one secret, changed by one request.

import { CliError } from "../cli-error.ts";
import type { Change, Destination, Platform, Report } from "./platform.ts";
import type { Routing } from "./routing.ts";
import { parseAnswer, type Tool, ToolFailure } from "./tool.ts";

const PATH = /^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9_.][A-Za-z0-9_.-]*(\/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*$/;

export const hashicorp: Platform = {
  title: "Vault",
  command: "vault",
  install: "https://developer.hashicorp.com/vault/install",
  login: "vault login",
  denied: /permission denied|missing client token|Code: 40[13]/i,
  opensStdin: false,
  fields: [
    {
      key: "address",
      input: "vaultAddress",
      flag: "--vault-address <url>",
      what: "address of the Vault server",
      form: /^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?\/?$|^https?:\/\/\[[0-9a-f:]+\](:\d{1,5})?\/?$/,
      required: true,
      variable: "VAULT_ADDR",
    },
    {
      key: "namespace",
      input: "vaultNamespace",
      flag: "--vault-namespace <path>",
      what: "namespace",
      form: PATH,
      required: false,
      variable: "VAULT_NAMESPACE",
    },
    {
      key: "mount",
      input: "vaultMount",
      flag: "--vault-mount <path>",
      what: "mount of the key-value store",
      form: PATH,
      required: true,
    },
    {
      key: "path",
      input: "vaultPath",
      flag: "--vault-path <path>",
      what: "path of the secret",
      form: PATH,
      required: true,
    },
  ],
  variables: () => ({ NO_COLOR: "1", VAULT_CLI_NO_COLOR: "1" }),
  describe: ({ address, namespace, mount, path }) =>
    `Vault ${address}, ${namespace === undefined ? "" : `namespace ${namespace}, `}secret ${path} in ${mount}`,
  nameThere: (name) => name,
  keyOf: (name) => name,
  problem: () => null,
  open: openVault,
};

interface Secret {
  /** 0: there is none. */
  readonly version: number;
  /** Null: there is none, or its newest version is deleted. */
  readonly data: Readonly<Record<string, unknown>> | null;
}

async function openVault(tool: Tool, routing: Routing): Promise<Destination> {
  const { address = "", namespace, mount = "", path = "" } = routing;
  const at = [`-address=${address}`, ...(namespace === undefined ? [] : [`-namespace=${namespace}`])];
  await requireVersion2(tool, at, mount);
  const secret = await readSecret(tool, [...at, `-mount=${mount}`], path);
  const data = new Map(Object.entries(secret.data ?? {}));
  return {
    id: [address.replace(/\/$/, ""), namespace ?? "", mount, path].join(" "),
    routing,
    names: [...data.keys()],
    leaving: new Map(),
    most: Number.POSITIVE_INFINITY,
    read: async (name) => {
      const value = data.get(name);
      return typeof value === "string" ? value : null;
    },
    send: (changes, report) => sendTogether(tool, [...at, `-mount=${mount}`], path, secret, changes, report),
  };
}

async function requireVersion2(tool: Tool, at: readonly string[], mount: string): Promise<void> {
  // What the vault command itself asks first; any token that may do something in the mount may ask.
  const answer = await tool(["read", ...at, "-format=json", `sys/internal/ui/mounts/${mount}`]);
  const { data } = parseAnswer(answer) as { data?: { type?: string; options?: { version?: string } | null } };
  if (data?.type === "kv" && data.options?.version === "2") return;
  const is = data?.type === "kv" ? "a key-value store of version 1" : `no key-value store but ${data?.type}`;
  throw new CliError(
    "INPUT",
    `nothing was sent: ${mount} is ${is}, where an update would overwrite what others changed meanwhile`,
    `name one of version 2 (--vault-mount <path>), or upgrade it: vault kv enable-versioning ${mount}`,
  );
}

async function readSecret(tool: Tool, at: readonly string[], path: string): Promise<Secret> {
  let answer: string;
  try {
    answer = await tool(["kv", "get", ...at, "-format=json", path]);
  } catch (error) {
    if (error instanceof ToolFailure && /^No value found at /.test(error.message))
      return { version: 0, data: null };
    throw error;
  }
  const { data } = parseAnswer(answer) as {
    data: { data: Record<string, unknown> | null; metadata: { version: number } };
  };
  return { version: data.metadata.version, data: data.data };
}

/** One request for all: either each of them is made or none. Somebody else's change since the look makes it fail. */
async function sendTogether(
  tool: Tool,
  at: readonly string[],
  path: string,
  { version, data }: Secret,
  changes: readonly Change[],
  report: Report,
): Promise<void> {
  const cas = `-cas=${version}`;
  const removes = changes.some(({ kind }) => kind === "remove");
  // A null removes, in a merge patch alone: vault's other way of patching would store it.
  const verb = data === null ? ["put"] : ["patch", ...(removes ? ["-method=patch"] : [])];
  const fields = changes.map(({ kind, name, value }) => [name, kind === "remove" ? null : value] as const);
  let failure: ToolFailure | null = null;
  try {
    await tool(["kv", ...verb, ...at, cas, "-format=json", path, "-"], {
      value: JSON.stringify(Object.fromEntries(fields)),
      secrets: changes.map(({ value }) => value),
    });
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    failure = /check-and-set/.test(error.message)
      ? new ToolFailure("failed", "somebody else changed the secret meanwhile")
      : error;
  }
  for (const change of changes) report(change, failure);
}
