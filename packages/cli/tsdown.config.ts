// One build for Node. The keychain binding is native and stays a dependency; everything else is bundled.
import { defineConfig } from "tsdown";
import { bundledLicences } from "../../scripts/bundled-licences.ts";

export default defineConfig({
  entry: { main: "src/main.ts" },
  format: "esm",
  platform: "node",
  target: "node20",
  fixedExtension: false,
  dts: false,
  deps: { alwaysBundle: [/.*/], neverBundle: ["@napi-rs/keyring"], onlyBundle: false },
  // For `vsync docs`, offline.
  copy: [{ from: "../../docs/providers/*.md", to: "dist/docs" }],
  plugins: [bundledLicences()],
});
