// Every parser there is.

import type { Target } from "./target.ts";
import { AUDIT } from "./targets/audit.ts";
import { BUNDLES } from "./targets/bundles.ts";
import { ENV_FILES } from "./targets/env-files.ts";
import { MACHINE } from "./targets/machine.ts";
import { SERVERS } from "./targets/servers.ts";
import { TEXTS } from "./targets/texts.ts";

export const TARGETS: readonly Target[] = [
  ...BUNDLES,
  ...TEXTS,
  ...ENV_FILES,
  ...AUDIT,
  ...SERVERS,
  ...MACHINE,
];
