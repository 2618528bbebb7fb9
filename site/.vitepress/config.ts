// The site: every Markdown file of the repository as it stands, found again by a search that needs no server.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { markdown } from "./markdown.ts";
import { addressOf, LEFT_OUT, sidebar } from "./pages.ts";

const here = fileURLToPath(import.meta.url);

const ICON =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path d='M7.5 1a7 7 0 0 0 0 14z' fill='%230969da'/><path d='M8.5 1a7 7 0 0 1 0 14z' fill='%23d29922'/></svg>";

export default defineConfig({
  title: "vsync",
  description: "A team's secrets, end-to-end encrypted, in a bucket that the team owns",
  head: [["link", { rel: "icon", href: ICON }]],
  srcDir: "..",
  srcExclude: [...LEFT_OUT],
  rewrites: addressOf,
  markdown,
  themeConfig: {
    nav: [
      { text: "Guides", link: "/guides/team" },
      { text: "Commands", link: "/cli" },
      { text: "Library", link: "/reader" },
      { text: "GitHub", link: "https://github.com/muthuishere/vsync" },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: { provider: "local" },
    footer: { message: "MIT licence" },
  },
  vite: {
    // The pages lie outside this folder, from where nobody would find Vue.
    plugins: [
      {
        name: "vue-from-here",
        enforce: "pre",
        resolveId(id, importer, options) {
          const fromPage = importer?.split("?")[0]?.endsWith(".md");
          return fromPage && /^vue(\/|$)/.test(id)
            ? this.resolve(id, here, { ...options, skipSelf: true })
            : null;
        },
      },
    ],
  },
});
