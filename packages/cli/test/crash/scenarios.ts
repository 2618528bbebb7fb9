// The commands that change most, each in a situation where it changes all it can.

import { join } from "node:path";
import { NEXT_PASSPHRASE } from "./system-calls.ts";
import { edit, handShare, type Observed, publish, type World } from "./world.ts";

export interface Scenario {
  readonly name: string;
  /** What Bob is when it begins; a teammate unless it says so. */
  readonly from?: "stranger";
  /** From there to the moment before the command, which it returns. */
  prepare(world: World): Promise<readonly string[]>;
  /** What Bob has typed into his vault folder and nobody has published: it must never be gone. */
  readonly edits?: Readonly<Record<string, string>>;
  /** Whether it stores a passphrase. */
  readonly writesKeys?: true;
  /** Exit statuses of other commands that run next, beside 0. */
  readonly nextMayEndWith: readonly number[];
  /** Where doing it again would be more than finishing it: whether it is done. */
  isDone?(machine: Observed): boolean;
}

const [INPUT, NOT_CONFIGURED, CONFLICT, LOCAL_CHANGES, WRONG_PASSPHRASE] = [1, 4, 5, 6, 7] as const;
const EDITED = { ".env.demo": "A=bob\n", "new/note.txt": "what Bob has typed\n" };

export const ROTATION: Scenario = {
  name: "rotate-passphrase",
  writesKeys: true,
  nextMayEndWith: [],
  isDone: ({ keys }) => keys["acme_shop/demo"] === NEXT_PASSPHRASE,
  async prepare(world) {
    edit(world.bob, { ".env.demo": "A=edited\n" });
    await world.bob.vsync(["pull", "demo", "--backup", "--force"]); // a backup for the rotation to encrypt anew
    return ["rotate-passphrase", "demo"];
  },
};

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "push",
    edits: EDITED,
    nextMayEndWith: [LOCAL_CHANGES],
    async prepare(world) {
      edit(world.bob, { ...EDITED, "tls/key": null });
      return ["push", "demo"];
    },
  },
  {
    name: "pull",
    nextMayEndWith: [CONFLICT],
    async prepare(world) {
      await publish(world.ann, { ".env.demo": "A=3\n", "tls/key": null, "tls/new": "a new key\n" });
      return ["pull", "demo"];
    },
  },
  {
    name: "pull over edits",
    edits: EDITED,
    nextMayEndWith: [CONFLICT, LOCAL_CHANGES],
    async prepare(world) {
      await publish(world.ann, { ".env.demo": "A=3\n", "tls/key": null, "tls/new": "a new key\n" });
      edit(world.bob, EDITED);
      return ["pull", "demo", "--backup"];
    },
  },
  {
    name: "restore",
    nextMayEndWith: [CONFLICT, LOCAL_CHANGES],
    async prepare(world) {
      const { versions } = JSON.parse((await world.bob.vsync(["versions", "demo", "--json"])).stdout);
      return ["restore", "demo", versions.at(-1).timestamp];
    },
  },
  ROTATION,
  {
    name: "share import",
    writesKeys: true,
    nextMayEndWith: [INPUT, NOT_CONFIGURED, CONFLICT],
    from: "stranger",
    async prepare({ folder }) {
      return ["share", "import", join(folder, "first.share")];
    },
  },
  {
    name: "share import after a rotation",
    writesKeys: true,
    nextMayEndWith: [WRONG_PASSPHRASE, CONFLICT],
    async prepare(world) {
      await world.ann.vsync(["rotate-passphrase", "demo"]);
      return ["share", "import", await handShare(world, "second.share")];
    },
  },
];
