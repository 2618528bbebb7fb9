// `tsx scripts/version.ts`: turns changesets into versions and changelogs, and has the examples, which are no packages of the
// workspace, ask for the new versions. The release workflow runs it.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const examples = join(project, "examples");

execFileSync("pnpm", ["exec", "changeset", "version"], { cwd: project, stdio: "inherit" });

const ASKING = [
  { of: "s3-client", where: /("@muthuishere\/vsync-s3-client": "\^)[^"]+/, file: /^[^/]+\/package\.json$/ },
  { of: "cli", where: /(@muthuishere\/vsync@)\S+/, file: /\.github\/workflows\/.+\.yml$/ },
];
for (const { of, where, file } of ASKING) {
  const manifest = readFileSync(join(project, "packages", of, "package.json"), "utf8");
  const { version } = JSON.parse(manifest);
  for (const name of readdirSync(examples, { recursive: true, encoding: "utf8" })) {
    if (!file.test(name.replaceAll("\\", "/"))) continue;
    const path = join(examples, name);
    writeFileSync(path, readFileSync(path, "utf8").replace(where, `$1${version}`));
  }
}
