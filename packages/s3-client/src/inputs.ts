// The two strings that an application is given. bootstrap-node.ts and bootstrap-web.ts each read them from their
// runtime (`readInputs`) and look up its environment (`environmentValue`); "#bootstrap" picks one.

import { ConfigMissingError } from "@vsync/envelope";

export interface Inputs {
  /** The text of VSYNC_CONFIG. */
  readonly config: string;
  /** The text of VSYNC_PASSPHRASE. */
  readonly passphrase: string;
}

/** From JavaScript anything may come, most often an unset variable. */
export function checkInputs({ config, passphrase }: Inputs): void {
  if (typeof config !== "string" || config === "") {
    throw new ConfigMissingError(
      "VSYNC_CONFIG is not set or empty; print one with `vsync runtime-token <env>`",
    );
  }
  if (typeof passphrase !== "string" || passphrase === "") {
    throw new ConfigMissingError(
      "VSYNC_PASSPHRASE is not set or empty; on the machine that pushes, `vsync passphrase show <env>` prints it",
    );
  }
}
