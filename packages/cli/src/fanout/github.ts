// GitHub Actions secrets of a repository or of one of its environments, through `gh`. GitHub shows no value to anybody.

import type { Destination, Platform } from "./platform.ts";
import { sendEach } from "./pool.ts";
import type { Routing } from "./routing.ts";
import { parseAnswer, type Tool } from "./tool.ts";

const MAX_VALUE_BYTES = 48 * 1024;
/** In a repository, and again in each of its environments. */
const MAX_SECRETS = 100;

export const github: Platform = {
  title: "GitHub",
  command: "gh",
  install: "https://cli.github.com",
  login: "gh auth login",
  denied: /gh auth login|HTTP 40[13]|Resource not accessible|SAML/i,
  opensStdin: false,
  fields: [
    {
      key: "repo",
      input: "ghRepo",
      flag: "--gh-repo <owner/name>",
      what: "GitHub repository",
      form: /^([A-Za-z0-9][A-Za-z0-9.-]*\/)?[A-Za-z0-9][A-Za-z0-9_-]*\/[A-Za-z0-9._][A-Za-z0-9._-]*$/,
      required: true,
    },
    {
      key: "environment",
      input: "ghEnvironment",
      flag: "--gh-environment <name>",
      what: "GitHub environment",
      form: /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/,
      required: false,
    },
  ],
  variables: () => ({ GH_PROMPT_DISABLED: "1", GH_NO_UPDATE_NOTIFIER: "1", NO_COLOR: "1" }),
  describe: ({ repo, environment }) =>
    `GitHub repository ${repo}${environment === undefined ? "" : `, environment ${environment}`}`,
  // GitHub does this itself, and takes no notice of case when a workflow asks.
  nameThere: (name) => name.toUpperCase(),
  keyOf: (name) => name,
  problem(name, value) {
    if (!/^[A-Z_][A-Z0-9_]*$/.test(name)) return "(a name has letters, digits and _, and no digit in front)";
    if (name.startsWith("GITHUB_")) return "(names in GITHUB_ are GitHub's own)";
    const size = Buffer.byteLength(value);
    return size > MAX_VALUE_BYTES ? `(${size} bytes; the limit is 48 KB, ${MAX_VALUE_BYTES} bytes)` : null;
  },
  open: openGithub,
};

async function openGithub(tool: Tool, routing: Routing, env: NodeJS.ProcessEnv): Promise<Destination> {
  const { repo = "", environment } = routing;
  const where = ["--repo", repo, ...(environment === undefined ? [] : ["--env", environment])];
  const listed = parseAnswer(await tool(["secret", "list", ...where, "--json", "name"]));
  const host = repo.split("/").length === 3 ? "" : `${env.GH_HOST || "github.com"}/`;
  return {
    id: `${host}${repo}`.toLowerCase() + (environment === undefined ? "" : ` ${environment}`),
    routing,
    names: (listed as { name: string }[]).map(({ name }) => name),
    leaving: new Map(),
    most: MAX_SECRETS,
    read: null,
    send: (changes, report) =>
      sendEach(
        changes,
        ({ kind, name, value }) =>
          kind === "remove"
            ? tool(["secret", "delete", name, ...where])
            : /[\r\n]$/.test(value)
              ? tool(["secret", "set", "-f", "-", ...where], {
                  value: envFileLine(name, value),
                  secrets: [value],
                })
              : tool(["secret", "set", name, ...where], { value }),
        report,
      ),
  };
}

/**
 * gh takes line breaks off the end of what it reads, but not off the values of an env file, and a key in PEM form needs its
 * last one. Between double quotes gh's parser expands variables, and knows these escapes.
 */
export function envFileLine(name: string, value: string): string {
  const escaped = value
    .replace(/[\\"$]/g, "\\$&")
    .replace(/\n/g, "\\n")
    .replace(/\r/g, "\\r");
  return `${name}="${escaped}"`;
}
