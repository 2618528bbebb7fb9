// Least-privilege policies for one environment, in AWS's language: all that its writers and its applications need.

import { CliError } from "../cli-error.ts";
import type { EnvConfig } from "../config/env-config.ts";

export interface Policy {
  readonly Version: "2012-10-17";
  readonly Statement: readonly object[];
}

export interface Policies {
  readonly writer: Policy;
  readonly reader: Policy;
}

export function iamPolicies({ s3, prefix }: Pick<EnvConfig, "s3" | "prefix">): Policies {
  if (s3.endpoint.startsWith("file:")) {
    throw new CliError("INPUT", "a folder has no policies; its permissions decide", `ls -ld ${s3.bucket}`);
  }
  const bucket = `arn:${partitionOf(s3.region)}:s3:::${s3.bucket}`;
  const objects = (...names: string[]) => names.map((name) => `${bucket}/${escapePattern(prefix)}${name}`);
  const reader = [
    { Sid: "ReadVault", Effect: "Allow", Action: ["s3:GetObject"], Resource: objects("manifest", "v=*") },
  ];
  const writer = [
    {
      Sid: "ReadAndPublish",
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:PutObject"],
      Resource: objects("manifest", "v=*", "audit.csv", "audit/*", "probe-*"),
    },
    {
      Sid: "FindVersions",
      Effect: "Allow",
      Action: ["s3:ListBucket"],
      Resource: [bucket],
      Condition: { StringLike: { "s3:prefix": [`${escapePattern(prefix)}*`] } },
    },
    { Sid: "RemoveProbes", Effect: "Allow", Action: ["s3:DeleteObject"], Resource: objects("probe-*") },
  ];
  return { writer: policy(writer), reader: policy(reader) };
}

function policy(Statement: readonly object[]): Policy {
  return { Version: "2012-10-17", Statement };
}

function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}

// In a policy these have a meaning of their own.
function escapePattern(prefix: string): string {
  return prefix.replace(/[*?$]/g, (character) => `\${${character}}`);
}
