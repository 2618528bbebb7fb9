// `tsx scripts/sbom.ts <folder>`: for each published package a CycloneDX document of what is in it. pnpm knows everything
// that a package was built with; what the bundler took of it stands in the licences beside the bundle.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packages = join(dirname(fileURLToPath(import.meta.url)), "../packages");
const LICENCES = ["dist/THIRD-PARTY-LICENSES.txt", "dist/web/THIRD-PARTY-LICENSES.txt"];

interface Component {
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  scope?: string;
}

interface Bom {
  readonly metadata: { readonly component: Component };
  components: Component[];
  dependencies: { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error("where to? tsx scripts/sbom.ts <folder>");
for (const [folder, file] of [
  ["cli", "vsync.cdx.json"],
  ["s3-client", "vsync-s3-client.cdx.json"],
] as const) {
  writeFileSync(join(target, file), `${JSON.stringify(describe(join(packages, folder)), null, 2)}\n`);
}

function describe(folder: string): Bom {
  const { name, dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const installed = Object.keys(dependencies);
  const bundled = bundledPackages(folder);
  const bom: Bom = JSON.parse(
    execFileSync(
      "pnpm",
      ["sbom", "--filter", name, "--sbom-format", "cyclonedx", "--sbom-spec-version", "1.6"],
      {
        cwd: packages,
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      },
    ),
  );
  const fullName = ({ group, name: own }: Component): string => (group ? `${group}/${own}` : own);
  bom.components = bom.components.filter(
    (component) =>
      bundled.has(`${fullName(component)} ${component.version}`) ||
      installed.some((dependency) => fullName(component).startsWith(dependency)),
  );
  // Dependencies of development, as pnpm sees it, are what was bundled.
  for (const component of bom.components) delete component.scope;
  const kept = new Set([bom.metadata.component, ...bom.components].map((component) => component["bom-ref"]));
  bom.dependencies = bom.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }));
  return bom;
}

/** As `name version`. */
function bundledPackages(folder: string): Set<string> {
  const texts = LICENCES.map((file) => join(folder, file))
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"));
  return new Set(texts.flatMap((text) => text.match(/^\S+ \d+\.\d+\.\d+\S*(?= \(.+\)$)/gm) ?? []));
}
