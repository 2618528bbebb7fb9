// What a tool's failure means for the command that ran it.

import { CliError } from "../cli-error.ts";
import type { ErrorCode } from "../exit-codes.ts";
import { visible } from "../terminal.ts";
import type { Platform } from "./platform.ts";
import type { ToolFailure } from "./tool.ts";

const OFFLINE =
  /could not resolve|failed to resolve|name resolution|no such host|connection refused|connection reset|could not connect|error connecting|unreachable|timed? ?out/i;

export function codeOf({ denied }: Platform, { reason, message }: ToolFailure): ErrorCode {
  if (reason === "missing") return "NOT_CONFIGURED";
  if (reason === "silent" || reason === "skipped") return "UNREACHABLE";
  if (denied.test(message)) return "ACCESS_DENIED";
  return OFFLINE.test(message) ? "UNREACHABLE" : "INPUT";
}

/** `again` is what to run when it has been put right. */
export function explainFailure(platform: Platform, failure: ToolFailure, where: string): CliError {
  const { command, install, login } = platform;
  const code = codeOf(platform, failure);
  const options = { cause: failure };
  if (code === "NOT_CONFIGURED") {
    return new CliError(
      code,
      `nothing was sent: there is no command ${command} on the PATH`,
      `install it (${install}), then: ${login}`,
      options,
    );
  }
  const message = `nothing was sent: ${command} could not look at ${where}: ${visible(failure.message)}`;
  const hints: Partial<Record<ErrorCode, string>> = {
    ACCESS_DENIED: `${login}; or ask for the right to list and set secrets there`,
    UNREACHABLE: "check the network, then run the same command again",
  };
  return new CliError(
    code,
    message,
    hints[code] ?? "check the names that were given, then run it again",
    options,
  );
}
