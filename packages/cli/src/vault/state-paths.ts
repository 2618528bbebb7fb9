// The files that one environment keeps on a writer's machine: docs/formats.md section 9.

import { join } from "node:path";

export interface StatePaths {
  /** Exists while a command works on this environment. */
  readonly lock: string;
  readonly ledger: string;
  /** A publish on its way, and its bundle. */
  readonly pending: string;
  readonly pendingBundle: string;
  /** A folder swap on its way. */
  readonly swap: string;
  /** A passphrase rotation on its way. */
  readonly rotation: string;
  /** The bundles that vault folders were last synced with. */
  readonly bases: string;
  /** Where the only one was kept while a machine remembered one vault folder. */
  readonly formerBase: string;
  /** What pulls replaced. */
  readonly backups: string;
  /** What was sent to other platforms, and where. */
  readonly fannedOut: string;
  /** A new key or config on its way; beside the folder, which may be put aside. */
  readonly setup: string;
  /** In a state that was put aside: the config that it belongs to. */
  readonly config: string;
}

export function statePaths(folder: string): StatePaths {
  return {
    lock: join(folder, "lock"),
    ledger: join(folder, "ledger.json"),
    pending: join(folder, "pending.json"),
    pendingBundle: join(folder, "pending.rqe1"),
    swap: join(folder, "swap.json"),
    rotation: join(folder, "rotation.json"),
    bases: join(folder, "bases"),
    formerBase: join(folder, "base.rqe1"),
    backups: join(folder, "backups"),
    fannedOut: join(folder, "sync.json"),
    setup: `${folder}.setup.json`,
    config: join(folder, "config"),
  };
}
