// What `--help` shows below the options: for each command two lines that work as they stand. A test runs every one.

import type { Command } from "commander";

/** By the command's path. They are for sh, in a repository that has environments prod and dev. */
export const EXAMPLES: Readonly<Record<string, readonly [string, string]>> = {
  init: [
    'vsync init demo --endpoint "file://$HOME/buckets" --bucket shop',
    "vsync init staging --profile work --take-env-file",
  ],
  push: ["vsync push prod", 'vsync push dev --note "new database" --dry-run'],
  pull: ["vsync pull prod", "vsync pull prod --version previous --backup"],
  get: ["vsync get prod DATABASE_URL", 'psql "$(vsync get prod DATABASE_URL)"'],
  set: ["vsync set prod DATABASE_URL", "openssl rand -hex 32 | vsync set prod SESSION_KEY -"],
  unset: ["vsync unset prod SESSION_KEY", "vsync unset dev SESSION_KEY && vsync push dev"],
  check: ["vsync check prod", "vsync check dev --schema .env.example"],
  use: ["vsync use dev", "vsync use"],
  run: ["vsync run dev -- npm start", "vsync run prod --remote --redact -- ./migrate.sh"],
  diff: ["vsync diff dev", "vsync diff prod --version previous --reveal"],
  versions: ["vsync versions prod", "vsync versions prod --key DATABASE_URL"],
  restore: ["vsync restore prod previous --dry-run", 'vsync restore prod previous --note "wrong password"'],
  audit: ["vsync audit prod --since 2026-01-01 --action push", "vsync audit prod --verify"],
  "backup list": ["vsync backup list prod", "vsync backup list prod --json"],
  "backup diff": ["vsync backup diff prod", "vsync backup diff prod --reveal"],
  "backup restore": ["vsync backup restore prod --dry-run", "vsync backup restore prod && vsync diff prod"],
  "runtime-token": [
    "vsync runtime-token prod --out ../config",
    "vsync runtime-token prod --format k8s | kubectl apply -f -",
  ],
  "passphrase show": ["vsync passphrase show prod", "vsync passphrase show prod --out ../passphrase"],
  "rotate-passphrase": [
    "vsync rotate-passphrase prod --grace 24h",
    "vsync rotate-passphrase prod --out ../new-passphrase",
  ],
  doctor: ["vsync doctor", "vsync doctor prod"],
  status: ["vsync status --remote", "vsync status --all"],
  "keystore list": ["vsync keystore list", "vsync keystore list --json"],
  "keystore export": ["vsync keystore export prod dev", "vsync keystore export --all --out ../laptop.keys"],
  "keystore import": [
    "vsync keystore import ../laptop.keys",
    "vsync keystore import ../laptop.keys --passphrase-file ../words",
  ],
  "profile add": [
    'vsync profile add home --endpoint "file://$HOME/buckets" --bucket shop',
    "vsync profile add aws --endpoint https://s3.eu-central-1.amazonaws.com --region eu-central-1 --bucket my-secrets",
  ],
  "profile list": ["vsync profile list", "vsync profile list --json"],
  "profile show": ["vsync profile show work", "vsync profile show work --reveal"],
  "profile remove": ["vsync profile remove work", "vsync profile remove work --yes"],
  "share export": ["vsync share export prod", "vsync share export prod --out ../prod.share"],
  "share import": [
    "vsync share import ../prod.share",
    "vsync share import ../prod.share --passphrase-file ../words",
  ],
  sync: [
    "vsync sync prod gh --gh-repo acme/shop --dry-run",
    "vsync sync prod gh --gh-repo acme/shop --gh-environment production --prune",
  ],
  help: ["vsync help push", "vsync help share export"],
  docs: ["vsync docs", "vsync docs aws"],
  completion: [
    "echo 'eval \"$(vsync completion bash)\"' >> ~/.bashrc",
    "vsync completion fish > ~/.config/fish/completions/vsync.fish",
  ],
};

/** Gives each command of the program its examples. */
export function addExamples(program: Command): void {
  for (const [path, examples] of Object.entries(EXAMPLES)) {
    const command = path
      .split(" ")
      .reduce<Command | undefined>((group, name) => group?.commands.find((c) => c.name() === name), program);
    command?.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
  }
}
