// Two builds of one source: one for Node, Bun and Deno, one for what has no `node:` modules. Nothing stays a dependency.
import { defineConfig, type UserConfig } from "tsdown";

const both: UserConfig = {
  entry: { index: "src/index.ts" },
  format: "esm",
  target: "es2022",
  fixedExtension: false,
};

// onlyBundle is a guard: the build fails when anything brings a package along that is not named here.
export default defineConfig([
  {
    ...both,
    platform: "node",
    outDir: "dist/node",
    dts: { oxc: true },
    deps: { alwaysBundle: [/.*/], onlyBundle: [] },
  },
  {
    ...both,
    platform: "neutral",
    outDir: "dist/web",
    dts: false,
    deps: { alwaysBundle: [/.*/], onlyBundle: ["fflate"] },
  },
]);
