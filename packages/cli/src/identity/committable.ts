// Files that hold secrets, or open them, and that the next `git add .` would take along.

import { dirname, relative } from "node:path";
import type { Context } from "../context.ts";
import { shellWord } from "../shell-word.ts";
import { gitIgnores, gitTopLevel } from "./git.ts";

/** `path` is absolute. Says nothing where it is ignored, is outside the repository, or there is no git to ask. */
export function warnIfCommittable({ host, terminal }: Context, path: string): void {
  const root = gitTopLevel(host, dirname(path));
  if (root === null || gitIgnores(host, root, path) !== false) return;
  const rule = `/${relative(root, path).replaceAll("\\", "/")}`;
  terminal.warn(
    `git does not ignore ${path}, so it could be committed; move it out of the repository, or: echo ${shellWord(rule)} >> ${shellWord(`${root}/.gitignore`)}`,
  );
}
