// Two builds of one source: one for Node, Bun and Deno, one for what has no `node:` modules. Nothing stays a dependency.
import type { UserConfig } from "tsdown";
import { bundledLicences } from "../../scripts/bundled-licences.ts";

const both = {
  entry: { index: "src/index.ts" },
  format: "esm",
  target: "es2022",
  fixedExtension: false,
  plugins: [bundledLicences()],
} satisfies UserConfig;

// onlyBundle is a guard: the build fails when anything brings a package along that is not named here.
const builds: UserConfig[] = [
  {
    ...both,
    platform: "node",
    outDir: "dist/node",
    dts: { oxc: true },
    // Symbol.asyncDispose is in no numbered `lib` yet; this takes nothing but its declaration along.
    banner: { dts: '/// <reference lib="esnext.disposable" />' },
    deps: { alwaysBundle: [/.*/], onlyBundle: [] },
  },
  {
    ...both,
    platform: "neutral",
    outDir: "dist/web",
    dts: false,
    deps: { alwaysBundle: [/.*/], onlyBundle: ["fflate"] },
  },
];

export default builds;
