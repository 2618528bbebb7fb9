// Which files of the repository are pages, at which address each is, and how the sidebar orders them.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DefaultTheme } from "vitepress";

export const PROJECT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Markdown that is for those who work in a folder, and no page. */
export const LEFT_OUT: readonly string[] = [
  "**/node_modules/**",
  "**/dist/**",
  "**/coverage/**",
  ".*/**",
  "**/CHANGELOG.md",
];

/** Where a file's page is: what is in docs/ is at the top, and a folder's README is its index. */
export function addressOf(file: string): string {
  return file.replace(/^docs\//, "").replace(/(^|\/)README\.md$/, "$1index.md");
}

const SECTIONS: readonly (readonly [section: string, files: readonly string[]])[] = [
  ["Start", ["README.md", "docs/concepts.md"]],
  [
    "Guides",
    [
      "team",
      "ci",
      "docker",
      "kubernetes",
      "vercel",
      "workers",
      "monorepos",
      "moving",
      "agents",
      "rotation",
      "offboarding",
      "iam-rotation",
      "incidents",
      "recovery",
    ].map((name) => `docs/guides/${name}.md`),
  ],
  [
    "Examples",
    [
      "examples/README.md",
      ...["express", "nextjs", "cloudflare-worker", "docker-compose", "systemd", "github-actions"].map(
        (name) => `examples/${name}/README.md`,
      ),
    ],
  ],
  [
    "Providers",
    [
      "docs/providers.md",
      ...["aws", "r2", "b2", "gcs", "minio", "ceph", "hetzner", "folder"].map(
        (name) => `docs/providers/${name}.md`,
      ),
    ],
  ],
  [
    "Reference",
    [
      "docs/cli.md",
      "docs/commands.md",
      "docs/reader.md",
      "packages/s3-client/README.md",
      "docs/errors.md",
      "docs/environment.md",
      "docs/json.md",
      "docs/env-files.md",
      "docs/formats.md",
    ],
  ],
  ["What holds", ["docs/threat-model.md", "docs/reliability.md", "docs/benchmarks.md", "SECURITY.md"]],
  ["Taking part", ["CONTRIBUTING.md", "ARCHITECTURE.md", "docs/adr/README.md", "test-vectors/README.md"]],
];

/** A document of docs/ that no section names comes last, so that none is out of reach. */
export function sidebar(): DefaultTheme.SidebarItem[] {
  const documents = readdirSync(join(PROJECT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
  const placed = new Set(SECTIONS.flatMap(([, files]) => files));
  const others = documents.filter((file) => !placed.has(file));
  return [...SECTIONS, ["More", others] as const]
    .filter(([, files]) => files.length > 0)
    .map(([text, files]) => ({
      text,
      items: files.map((file) => ({ text: titleOf(file), link: `/${addressOf(file)}` })),
    }));
}

function titleOf(file: string): string {
  if (file === "README.md") return "In ten minutes";
  const title = /^# (.*)$/m.exec(readFileSync(join(PROJECT, file), "utf8"))?.[1];
  if (title === undefined) throw new Error(`${file} has no title`);
  return title.replaceAll("`", "");
}
