// AWS Secrets Manager, through `aws`: one secret for each value, its name after a prefix.

import { CliError } from "../cli-error.ts";
import type { Destination, Platform } from "./platform.ts";
import { sendEach } from "./pool.ts";
import type { Routing } from "./routing.ts";
import { parseAnswer, readOrNull, type Tool } from "./tool.ts";

const MAX_VALUE_BYTES = 64 * 1024;
/** Days in which a removed secret can be brought back; AWS takes 7 to 30. */
const RECOVERY_DAYS = "7";
/** --cli-input-json would read standard input twice, and find nothing the second time. */
const FROM_STDIN = ["--secret-string", "file:///dev/stdin"];

export const amazon: Platform = {
  title: "AWS Secrets Manager",
  command: "aws",
  install: "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
  login: "aws sso login, or aws configure",
  denied:
    /AccessDenied|UnauthorizedAccess|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|SignatureDoesNotMatch|locate credentials|SSO|config profile .* could not be found/i,
  opensStdin: true,
  fields: [
    {
      key: "region",
      input: "awsRegion",
      flag: "--aws-region <name>",
      what: "AWS region",
      form: /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/,
      required: true,
      variable: "AWS_REGION",
    },
    {
      key: "profile",
      input: "awsProfile",
      flag: "--aws-profile <name>",
      what: "AWS profile",
      form: /^[A-Za-z0-9_.@/+][A-Za-z0-9_.@/+-]{0,127}$/,
      required: false,
    },
    {
      key: "prefix",
      input: "awsPrefix",
      flag: "--aws-prefix <text>",
      what: "prefix of the secrets' names",
      form: /^[A-Za-z0-9/_+=.@][A-Za-z0-9/_+=.@-]{0,255}$/,
      required: false,
    },
  ],
  variables: (env) => ({
    // The only one of these commands that takes its credentials from there.
    AWS_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN: env.AWS_SESSION_TOKEN,
    AWS_PAGER: "",
    AWS_CLI_AUTO_PROMPT: "off",
    AWS_CLI_FILE_ENCODING: "UTF-8",
    PYTHONUTF8: "1",
  }),
  describe: ({ account, region, prefix }) =>
    `AWS Secrets Manager, ${account === undefined ? "" : `account ${account}, `}${region}${prefix === undefined ? "" : `, names in ${prefix}`}`,
  nameThere: (name, { prefix = "" }) => prefix + name,
  keyOf: (name) => name,
  problem(name, value) {
    if (!/^[A-Za-z0-9/_+=.@-]{1,512}$/.test(name))
      return "(a name has up to 512 of A-Z a-z 0-9 / _ + = . @ -)";
    if (name.startsWith("-")) return "(aws would take a name that begins with - for an option)";
    if (value === "") return "(is empty, which no secret there can be)";
    if (value.includes("\r")) return "(has a carriage return, which the aws command makes a line feed)";
    const size = Buffer.byteLength(value);
    return size > MAX_VALUE_BYTES ? `(${size} bytes; the limit is ${MAX_VALUE_BYTES})` : null;
  },
  open: openAmazon,
};

async function openAmazon(tool: Tool, routing: Routing): Promise<Destination> {
  const { region = "", profile, prefix = "" } = routing;
  const here = [
    "--region",
    region,
    ...(profile === undefined ? [] : ["--profile", profile]),
    "--output",
    "json",
  ];
  const manager = (...args: string[]) => ["secretsmanager", ...args, ...here];
  const { Account: account } = parseAnswer(await tool(["sts", "get-caller-identity", ...here])) as {
    Account: string;
  };
  if (routing.account !== undefined && routing.account !== account) {
    const message = `nothing was sent: these credentials are of account ${account}, and the values go to ${routing.account}`;
    const hint =
      "log in to that one; or, if this one is meant now, give the routing flags again: --aws-region ...";
    throw new CliError("INPUT", message, hint);
  }
  const filter = prefix === "" ? [] : ["--filters", `Key=name,Values=${prefix}`];
  const listed = parseAnswer(await tool(manager("list-secrets", "--include-planned-deletion", ...filter)));
  const secrets = (listed as { SecretList: { Name: string; DeletedDate?: unknown }[] }).SecretList.filter(
    ({ Name }) => Name.startsWith(prefix),
  );
  const restore = ["aws", "secretsmanager", "restore-secret", ...here.slice(0, -2), "--secret-id"].join(" ");
  return {
    id: `${account} ${region} ${prefix}`,
    routing: { ...routing, account },
    names: secrets.filter(({ DeletedDate }) => DeletedDate === undefined).map(({ Name }) => Name),
    leaving: new Map(
      secrets
        .filter(({ DeletedDate }) => DeletedDate !== undefined)
        .map(({ Name }) => [Name, `${restore} ${Name}`]),
    ),
    most: Number.POSITIVE_INFINITY,
    read: (name) =>
      readOrNull(
        () => tool(manager("get-secret-value", "--secret-id", name)),
        (answer) => (answer as { SecretString?: string }).SecretString ?? null,
      ),
    send: (changes, report) =>
      sendEach(
        changes,
        ({ kind, name, value }) => {
          if (kind === "remove") {
            return tool(
              manager("delete-secret", "--secret-id", name, "--recovery-window-in-days", RECOVERY_DAYS),
            );
          }
          const verb = kind === "create" ? ["create-secret", "--name"] : ["put-secret-value", "--secret-id"];
          return tool(manager(...verb, name, ...FROM_STDIN), { value });
        },
        report,
      ),
  };
}
