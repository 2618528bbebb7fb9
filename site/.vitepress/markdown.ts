// The documents are written to be read on GitHub; what the site shows otherwise is changed here.

import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import type { MarkdownOptions } from "vitepress";
import { addressOf, PROJECT } from "./pages.ts";

const REPOSITORY = "https://github.com/muthuishere/vsync";

/** GitHub's rule for the anchor of a heading, so that a link with one leads to the same place in both. */
function slugify(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

export const markdown: MarkdownOptions = {
  anchor: { slugify },
  config(md) {
    md.core.ruler.push("for-the-site", ({ tokens, env }) => {
      for (const token of tokens) {
        if (token.type === "code_block") {
          token.type = "fence";
          token.info = /^\s*[{[]/.test(token.content) ? "json" : "sh";
        }
        if (token.type === "html_block") token.content = followTheSwitch(token.content);
        for (const child of token.children ?? []) {
          const href = child.type === "link_open" ? child.attrGet("href") : null;
          if (href !== null) child.attrSet("href", onTheSite(href, sourceOf(env)));
        }
      }
    });
  },
};

/** The file below the project that is being rendered. */
function sourceOf({ realPath, path }: { realPath?: string; path: string }): string {
  return (realPath ?? path).slice(PROJECT.length + 1).replaceAll("\\", "/");
}

/** From files to pages; what is no page GitHub shows. What leads nowhere is left for the build to find. */
function onTheSite(href: string, source: string): string {
  if (/^([a-z]+:|#)/.test(href)) return href;
  const [path = "", anchor] = href.split("#");
  const named = posix.join(posix.dirname(source), path);
  const file = existsSync(join(PROJECT, named, "README.md")) ? posix.join(named, "README.md") : named;
  const isPage = file.endsWith(".md") && !file.startsWith(".");
  if (!isPage) return existsSync(join(PROJECT, file)) ? `${REPOSITORY}/tree/main/${file}` : href;
  return `/${addressOf(file)}${anchor === undefined ? "" : `#${anchor}`}`;
}

/** GitHub's readers get a picture by what their system prefers, the site's by the switch in its corner. */
function followTheSwitch(html: string): string {
  return html.replace(
    /<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*<img (.*?)src="([^"]+)"(.*?)>\s*<\/picture>/s,
    (_, dark, before, light, after) =>
      `<div class="picture"><img class="in-light" ${before}src="./${light}"${after}><img class="in-dark" ${before}src="./${dark}"${after}></div>`,
  );
}
